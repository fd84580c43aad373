// Start packets and the options parameter: what anybody may send before proving anything.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "wire/startup.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view whole(reinterpret_cast<const char*>(data), size);
  std::string_view input = whole;
  while (true) {
    const size_t before = input.size();
    auto packet = pgtend::wire::next_startup(input);
    if (!packet || !*packet) break;
    if (input.size() >= before) std::abort();
    for (const auto& [name, value] : (*packet)->parameters) {
      if (name.empty()) std::abort();
      (void)pgtend::wire::parse_options(value);
    }
    if ((*packet)->kind == pgtend::wire::StartupPacket::Kind::Startup) {
      // What was read writes back to a packet that reads the same.
      std::string out;
      pgtend::wire::append_startup(out, (*packet)->version, (*packet)->parameters);
      std::string_view copy = out;
      auto second = pgtend::wire::next_startup(copy);
      if (!second || !*second || (*second)->parameters != (*packet)->parameters) std::abort();
    }
  }
  (void)pgtend::wire::parse_options(whole);
  return 0;
}
