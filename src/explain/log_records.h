// auto_explain's plans in server logs: stderr with any log_line_prefix, syslog, csvlog. (jsonlog is
// JSON, whose strings parse_json.h hands over.)
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pgtend::explain {

// A plan that auto_explain has logged, without what the log puts around and in front of it.
struct LoggedPlan {
  std::string text = {};
  size_t line = 1;  // of the input, where the record begins
  double duration_ms = 0;
};

// What "duration: 12.3 ms  plan:\n…" says; nullopt if `message` is none of auto_explain's.
std::optional<LoggedPlan> logged_plan(std::string_view message);

// All plans of the log `text`, in order of their records' beginnings. Records of several processes
// may alternate; a record that the end of the text or the next record cuts off gives what there is
// of it. Empty if `text` is no log. Thread: any. Cost: O(size).
std::vector<LoggedPlan> logged_plans(std::string_view text);

}  // namespace pgtend::explain
