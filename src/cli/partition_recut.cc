#include "cli/partition_recut.h"

#include "base/text.h"
#include "cli/partition.h"
#include "partition/recut.h"
#include "partition/upkeep_policy.h"

namespace pgtend::cli {

namespace {
constexpr Parameter kRecut[] = {
    {"TABLE", "", "the partitioned table"},
    {"--every", "WIDTH", "how wide partitions shall be: '1 week', '3 months', '1 year' …"},
    {"--from", "TIME", "only partitions that begin there or later, a local time of the zone"},
    {"--to", "TIME", "only partitions that end there or earlier"},
    {"--zone", "ZONE", "whose calendar divides, UTC by default"},
    {"--anchor", "TIME", "a local time at which a partition begins"},
    PGTEND_JOB_LIMITS,
    {"--apply", "", "do it; without it the statements are shown"},
};

constexpr Parameter kDrain[] = {
    {"TABLE", "", "the partitioned table"},
    {"--every", "WIDTH", "how wide the new partitions shall be; as the newest ones by default"},
    {"--from", "TIME", "only rows from there on, a local time of the zone"},
    {"--to", "TIME", "only rows before"},
    {"--zone", "ZONE", "whose calendar divides, UTC by default"},
    {"--anchor", "TIME", "a local time at which a partition begins"},
    {"--create-max", "N", "more new partitions at once are refused (100)"},
    PGTEND_JOB_LIMITS,
    {"--apply", "", "do it; without it the statements are shown"},
};

void print_recut(Output& output, const partition::RecutPlan& plan) {
  output.line(output.styled(
      Style::Bold, cat(plan.layout.qualified(), ": ", plan.sources.size(), " partitions become ",
                       plan.slices.size() + (plan.rest.empty() ? 0 : 1))));
  for (const facts::Partition& part : plan.sources) {
    output.line(cat("  - ", printable(part.name), "  ",
                    part.is_default ? "DEFAULT" : cat(*part.from, " to ", *part.to), "  ",
                    human(part.bytes)));
  }
  for (const partition::Slice& slice : plan.slices) {
    output.line(cat("  + ", printable(slice.name), "  ", slice.from, " to ", slice.to));
  }
  if (!plan.rest.empty()) output.line(cat("  + ", printable(plan.rest), "  DEFAULT, what is left"));
  for (const std::string& refusal : plan.refusals) {
    output.line(output.styled(Style::Bad, cat("  cannot be done: ", printable(refusal))));
  }
  for (const std::string& warning : plan.warnings) output.warn(warning);
}

Result<int> run_plan(const Args& args, Output& output, const partition::RecutPlan& plan) {
  output.data()["recut"] = partition::to_json(plan);
  print_recut(output, plan);
  if (!plan.refusals.empty()) {
    return Error{ErrorCode::Invalid, cat(plan.layout.qualified(),
                                         " cannot be divided anew: ", join(plan.refusals, "; "))};
  }
  return run_verb(args, output, plan.job, partition::Verb::Run);
}
}  // namespace

std::span<const Parameter> partition_recut_parameters() { return kRecut; }
std::span<const Parameter> partition_drain_parameters() { return kDrain; }

Result<int> run_partition_recut(const Args& args, Output& output) {
  if (!args.has("--every")) {
    return Error{ErrorCode::Invalid, "--every is missing"}.hinting(
        "say how wide partitions shall be: --every '3 months'");
  }
  partition::RecutRequest request{.table = args.get("TABLE"),
                                  .every = TRY(partition::width_from(args.get("--every"))),
                                  .from = args.get("--from"),
                                  .to = args.get("--to"),
                                  .anchor = args.get("--anchor"),
                                  .time_zone = args.get("--zone", "UTC")};
  pg::Connection conn = TRY(planning_connection(args, output));
  return run_plan(args, output, TRY(partition::plan_recut(conn, request)));
}

Result<int> run_partition_drain(const Args& args, Output& output) {
  partition::DrainRequest request{.table = args.get("TABLE"),
                                  .from = args.get("--from"),
                                  .to = args.get("--to"),
                                  .anchor = args.get("--anchor"),
                                  .time_zone = args.get("--zone", "UTC")};
  if (args.has("--every")) request.every = TRY(partition::width_from(args.get("--every")));
  request.create_max = static_cast<int>(
      TRY(args.number("--create-max", request.create_max, 1, partition::kCreateMost)));
  pg::Connection conn = TRY(planning_connection(args, output));
  return run_plan(args, output, TRY(partition::plan_drain(conn, request)));
}

}  // namespace pgtend::cli
