// A resolv.conf, of which the name servers are read.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "net/resolver.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string servers = pgtend::net::servers_in(text);
  if (servers.size() > text.size()) __builtin_trap();
  if (servers.find_first_of(" \t\n") != std::string::npos) __builtin_trap();
  return 0;
}
