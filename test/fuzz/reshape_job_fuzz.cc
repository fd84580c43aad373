// Any bytes as the job of a ledger: read and written again as the same, its statements made, or
// refused.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/json.h"
#include "reshape/flow.h"
#include "reshape/ledger.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace json = pgtend::json;
  using namespace pgtend::reshape;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto value = pgtend::parse_json(text);
  if (!value) return 0;
  const auto job = job_from_json(*value);
  if (!job) return 0;
  const json::object once = to_json(*job);
  const auto again = job_from_json(json::value(once));
  if (!again || json::value(to_json(*again)) != json::value(once)) std::abort();
  if (make_ledger(*job).size() != 4) std::abort();
  for (const Flow& flow : {forward(*job), backward(*job)}) {
    (void)capture(flow, false);
    (void)take_keys(flow, 10);
    (void)compare_all(flow);
    for (size_t leaf = 0; leaf < flow.leaves.size(); ++leaf) (void)compare_keys(flow, leaf);
  }
  (void)copy_pages(*job, {.last = 10});
  return 0;
}
