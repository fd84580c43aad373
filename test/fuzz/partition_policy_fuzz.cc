// Policies of pgtend.toml, and intervals.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "partition/upkeep_policy.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto policies = pgtend::partition::parse_policies(text, "fuzz.toml");
  if (policies) {
    for (const auto& policy : *policies) {
      if (policy.table.empty() || policy.ahead < 0 || policy.create_max < 1) std::abort();
      if (!pgtend::partition::check_policy(policy)) std::abort();
      (void)pgtend::partition::to_json(policy);
    }
  } else if (policies.error().message.empty()) {
    std::abort();
  }
  const auto width = pgtend::partition::width_from(text);
  if (!width) return 0;
  const auto again = pgtend::partition::width_from(pgtend::partition::text(*width));
  if (!again || *again != *width) std::abort();
  return 0;
}
