#include "cli/partition_recut.h"

#include "base/text.h"
#include "cli/partition.h"
#include "partition/recut.h"

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

void print_recut(Output& output, const partition::RecutPlan& plan) {
  output.line(output.styled(Style::Bold, cat(plan.layout.qualified(), ": ", plan.sources.size(),
                                             " partitions become ", plan.slices.size())));
  for (const facts::Partition& part : plan.sources) {
    output.line(cat("  - ", printable(part.name), "  ", *part.from, " to ", *part.to, "  ",
                    human(part.bytes)));
  }
  for (const partition::Slice& slice : plan.slices) {
    output.line(cat("  + ", printable(slice.name), "  ", slice.from, " to ", slice.to));
  }
  for (const std::string& refusal : plan.refusals) {
    output.line(output.styled(Style::Bad, cat("  cannot be done: ", printable(refusal))));
  }
  for (const std::string& warning : plan.warnings) output.warn(warning);
}
}  // namespace

std::span<const Parameter> partition_recut_parameters() { return kRecut; }

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
  const partition::RecutPlan plan = TRY(partition::plan_recut(conn, request));
  output.data()["recut"] = partition::to_json(plan);
  print_recut(output, plan);
  if (!plan.refusals.empty()) {
    return Error{ErrorCode::Invalid, cat(plan.layout.qualified(),
                                         " cannot be divided anew: ", join(plan.refusals, "; "))};
  }
  return run_verb(args, output, plan.job, partition::Verb::Run);
}

}  // namespace pgtend::cli
