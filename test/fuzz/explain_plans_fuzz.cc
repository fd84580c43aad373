// Any bytes as whatever people paste and servers log: plans or an error.
#include <cstdint>
#include <string_view>

#include "explain/read_plans.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)static_cast<bool>(pgtend::explain::read_plans(text, {.nodes_max = 1000}));
  return 0;
}
