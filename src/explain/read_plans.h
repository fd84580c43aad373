// Everything that plans come in: EXPLAIN's four formats, alone or several, in psql's frames, mails,
// markdown, drivers' rows, server logs with auto_explain, cut off anywhere.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "explain/log_records.h"
#include "explain/plan_builder.h"
#include "explain/tree.h"

namespace pgtend::explain {

enum class PlanFormat : uint8_t { Text, Json, Yaml, Xml };
std::string_view name(PlanFormat format);  // "text" …

struct ReadPlan {
  PlanFormat format = PlanFormat::Json;
  size_t line = 1;  // of the input, where the plan (in logs: its record) begins
  Plan plan = {};   // auto_explain's duration is its execution_ms
};

struct PlanInput {
  std::vector<ReadPlan> plans = {};        // in the order of the input; never empty
  std::vector<std::string> warnings = {};  // of what looked like a plan and could not be read
};

// All plans in `text`. Prose, prompts, echoed statements and log lines around them are passed over.
// `limits` hold for each plan, `bytes_max` for the text; more than 1,000,000 nodes in all are not
// read. Errors: NotFound when there is nothing like a plan, that of the first one if none can be
// read, Limit. Thread: any. Cost: O(size).
Result<PlanInput> read_plans(std::string_view text, const ParseLimits& limits = {});

// The first plan of a record of a log. Errors: as those of read_plans(). Thread: any. Cost:
// O(size).
Result<ReadPlan> read_logged_plan(const LoggedPlan& logged, const ParseLimits& limits = {});

}  // namespace pgtend::explain
