// Any bytes as a log that is read as a stream: pieces of any size give the plans that the whole
// gives, and a summary of small bounds loses no run.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/text.h"
#include "explain/log_records.h"
#include "explain/log_summary.h"

using namespace pgtend::explain;

namespace {

// The records of `log` in pieces of `size` bytes, in the order they end.
std::string told(std::string_view log, size_t size, LogSummary* summary) {
  std::string out;
  LogReader reader([&](LoggedPlan& plan) {
    out += pgtend::cat(plan.line, " ", plan.time, " ", plan.duration_ms, " ", plan.text, "\n");
    if (summary) summary->add(plan);
  });
  for (size_t at = 0; at < log.size(); at += size) reader.feed(log.substr(at, size));
  reader.finish();
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view log(reinterpret_cast<const char*>(data), size);
  LogSummary summary({.queries_max = 4, .shapes_max = 8, .keys_max = 4, .examples_bytes_max = 999});
  const std::string whole = told(log, size + 1, &summary);
  CHECK(told(log, 7, nullptr) == whole);
  uint64_t calls = summary.other_calls();
  for (const LoggedQuery& query : summary.worst(99)) calls += query.runs.calls;
  CHECK(calls == summary.plans());
  return 0;
}
