#include "cli/partition_index.h"

#include "base/text.h"
#include "cli/gate_session.h"
#include "cli/partition.h"
#include "partition/index_set.h"

namespace pgtend::cli {

namespace {
constexpr Parameter kIndex[] = {
    {"TABLE", "", "the partitioned table"},
    {"--on", "COLUMNS",
     "the key as CREATE INDEX takes it: 'at, v DESC', 'lower(name)'; without it the indexes that "
     "are there and lack a part are completed"},
    {"--name", "NAME", "of the index, the server's choice by default"},
    {"--using", "METHOD", "btree by default"},
    {"--unique", "", "a unique index, which must have the partition key in it"},
    {"--include", "COLUMNS", "columns that are kept in it but not searched"},
    {"--where", "CONDITION", "index only these rows"},
    {"--apply", "", "do it; without it the statements are shown"},
};

Result<std::vector<partition::IndexPlan>> planned(const Args& args, Output& output) {
  pg::Connection conn = TRY(planning_connection(args, output));
  if (!args.has("--on")) {
    for (const char* given : {"--name", "--using", "--unique", "--include", "--where"}) {
      if (!args.has(given)) continue;
      return Error{ErrorCode::Invalid, cat(given, " is for a new index")}.hinting(
          "give its columns with --on");
    }
    return partition::plan_missing_parts(conn, args.get("TABLE"));
  }
  return std::vector{TRY(partition::plan_index(conn, {.table = args.get("TABLE"),
                                                      .name = args.get("--name"),
                                                      .method = args.get("--using", "btree"),
                                                      .columns = args.get("--on"),
                                                      .include = args.get("--include"),
                                                      .where = args.get("--where"),
                                                      .unique = args.has("--unique")}))};
}

void print_plan(Output& output, const partition::IndexPlan& plan) {
  output.line(output.styled(Style::Bold, cat(printable(plan.index), " on ", plan.table, ": ",
                                             printable(plan.definition))));
  if (plan.action.steps.empty() && plan.refusals.empty()) {
    return output.line(cat("  it is whole, with a part in each of ", plan.kept, " partitions"));
  }
  output.line(cat("  to build in ", plan.built, " partitions; ", plan.kept, " have it already"));
  for (const std::string& refusal : plan.refusals) {
    output.line(output.styled(Style::Bad, cat("  cannot be done: ", printable(refusal))));
  }
}
}  // namespace

std::span<const Parameter> partition_index_parameters() { return kIndex; }

Result<int> run_partition_index(const Args& args, Output& output) {
  const auto plans = TRY(planned(args, output));
  json::array shown;
  for (const partition::IndexPlan& plan : plans) shown.emplace_back(partition::to_json(plan));
  output.data()["indexes"] = std::move(shown);
  if (plans.empty()) output.line("no index of it lacks a part in any partition");
  const auto session = TRY(GateSession::open(args, output));
  for (const partition::IndexPlan& plan : plans) {
    print_plan(output, plan);
    if (plan.action.steps.empty() && plan.refusals.empty()) continue;
    print_outcome(output, TRY(partition::run_index(session->setup(), plan)));
  }
  return 0;
}

}  // namespace pgtend::cli
