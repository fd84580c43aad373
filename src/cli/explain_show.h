// What pgtend explain says of plans that have been explained: the tree, one finding in full, TEXT,
// two plans side by side, or JSON.
#pragma once

#include <memory>
#include <vector>

#include "base/result.h"
#include "cli/command.h"
#include "cli/output.h"
#include "explain/anonymous_sql.h"
#include "explain/explain.h"

namespace pgtend::cli {

using Reports = std::vector<explain::Report>;

// Keeps the reports as `data.plans` for JSON mode.
void keep_plans(std::shared_ptr<const Reports> reports, Output& output);

// The tree of one report with its findings; --all folds nothing.
void show_tree(const explain::Report& report, const Args& args, Output& output);

// As the flags --text, --why and --all say; in JSON mode all of it as `data.plans`.
// Errors: Invalid for a finding that is not there.
Status show_reports(std::shared_ptr<const Reports> reports, const Args& args, Output& output);

// Two reports, before and after; in JSON mode `data.diff` beside `data.plans`.
void show_diff(std::shared_ptr<const Reports> reports, Output& output);

// The reports on the same plans with pseudonyms for all names and values; what only a server knows
// is no part of them any more. Errors: as explain::anonymous_plan().
Result<Reports> anonymous_reports(Reports reports, explain::Pseudonyms& pseudonyms);

}  // namespace pgtend::cli
