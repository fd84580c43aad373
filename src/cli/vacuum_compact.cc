#include "cli/vacuum_compact.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "base/units.h"
#include "cli/gate_session.h"
#include "cli/run_limits.h"
#include "vacuum/compact.h"
#include "vacuum/compact_tables.h"

namespace pgtend::cli {

namespace {
constexpr Parameter kCompactParameters[] = {
    {"TABLE", "", "the table; of a partitioned one each partition that is worth it"},
    {"--apply", "", "do it; without it the ways and the statements are shown"},
    {"--way", "WAY",
     "nothing, reindex, tail, in-place or pg_repack, instead of the one that is picked"},
    {"--no-toast", "", "leave the values outside of the rows where they are"},
    {"--published", "", "move rows although logical replication sends each of them"},
    {"--freeze", "", "freeze the rows at the end even if it is not known that they were"},
    {"--window", "HH:MM-HH:MM",
     "quiet times of each day by this machine's clock: while standbys are connected, the file is "
     "cut only then"},
    {"--cut-in-window", "", "cut it only then also without standbys"},
    PGTEND_LATENCY_LIMITS,
    PGTEND_WRITE_LIMITS,
};

std::string seconds_text(double seconds) {
  return seconds < 1 ? "under 1 s"
                     : human(std::chrono::seconds(std::llround(std::min(seconds, 1e9))));
}

void print_plan(Output& output, const vacuum::CompactReport& report) {
  Table table{
      .headings = {"", "way", "time", "WAL", "extra disk", "gives back", "others wait", ""},
      .align = {Align::Left, Align::Left, Align::Right, Align::Right, Align::Right, Align::Right},
      .rows = {}};
  for (const vacuum::WayCost& cost : report.plan.ways) {
    const std::string mark = cost.way == report.plan.pick ? "->" : "";
    const std::string way(vacuum::name(cost.way));
    const std::string why = cost.why_not.empty() ? "" : cat("no: ", cost.why_not);
    if (cost.way == vacuum::Way::Nothing || (cost.won.count == 0 && !why.empty())) {
      table.rows.push_back({mark, way, "", "", "", "", "", why});
      continue;
    }
    const std::string wal = cost.wal == cost.wal_max
                                ? human(cost.wal)
                                : cat(human(cost.wal), " to ", human(cost.wal_max));
    table.rows.push_back({mark, way, seconds_text(cost.seconds), wal, human(cost.disk),
                          human(cost.won), cost.lock, why});
  }
  output.table(table);
  output.line(cat(printable(report.table), ": ", vacuum::name(report.plan.pick), ", because ",
                  report.plan.because));
  for (const std::string& line : report.schedule) output.line(cat("  ", printable(line)));
  for (const vacuum::WayCost& cost : report.plan.ways) {
    const bool shown = cost.way == vacuum::Way::Repack || cost.way == vacuum::Way::Squeeze;
    if (shown && !cost.command.empty()) {
      output.line(cat("  ", vacuum::name(cost.way), ": ", printable(cost.command)));
    }
  }
}

// One line a partition: what it is worth, and what became of it.
void print_parts(Output& output, const vacuum::CompactPartsReport& report) {
  Table table{.headings = {"partition", "way", "time", "WAL", "gives back", ""},
              .align = {Align::Left, Align::Left, Align::Right, Align::Right, Align::Right},
              .rows = {}};
  for (const vacuum::CompactPart& part : report.parts) {
    const vacuum::CompactPlan& plan = part.report.plan;
    if (plan.ways.empty()) {
      table.rows.push_back({printable(part.report.table), "", "", "", "",
                            part.error ? printable(part.error->message) : ""});
      continue;
    }
    const vacuum::WayCost& cost = plan.cost(plan.pick);
    const bool any = plan.pick != vacuum::Way::Nothing;
    table.rows.push_back({printable(part.report.table), std::string(vacuum::name(plan.pick)),
                          any ? seconds_text(cost.seconds) : "", any ? human(cost.wal) : "",
                          any ? human(cost.won) : "", printable(plan.because)});
  }
  output.table(table);
}

// The exit code: that of the first failure.
int print_parts_done(Output& output, const vacuum::CompactPartsReport& report, bool applied) {
  int code = 0;
  for (const vacuum::CompactPart& part : report.parts) {
    const std::string done = vacuum::to_text(part.report);
    if (!done.empty()) output.line(done);
    if (part.error) {
      output.warn(cat(printable(part.report.table), ": ", printable(part.error->message),
                      part.error->hint.empty() ? "" : cat(" (", part.error->hint, ")")));
      if (code == 0) code = exit_code(*part.error);
    } else if (!part.report.outcome.refusal.empty()) {
      output.warn(cat(printable(part.report.table),
                      ": --apply would be refused: ", part.report.outcome.refusal));
    }
  }
  if (!applied) output.note("dry run: nothing was changed; --apply runs it, one after the other");
  if (!report.stopped.empty()) output.warn(cat("stopped: ", report.stopped));
  return code;
}

Result<int> run_parts(const Args& args, Output& output, const vacuum::CompactSetup& setup,
                      const std::vector<std::string>& parts) {
  if (parts.empty()) {
    return Error{ErrorCode::Invalid,
                 cat(printable(setup.table), " has no partitions that store rows")};
  }
  const auto report =
      vacuum::compact_parts(setup, parts, [&](const std::string& line) { output.note(line); });
  output.data() = vacuum::to_json(report);
  print_parts(output, report);
  int code = print_parts_done(output, report, args.apply);
  if (args.stop.stop_requested()) code = exit_code(Error{ErrorCode::Cancelled, report.stopped});
  return code;
}

}  // namespace

std::span<const Parameter> vacuum_compact_parameters() { return kCompactParameters; }

Result<int> run_vacuum_compact(const Args& args, Output& output) {
  vacuum::CompactSetup setup;
  setup.table = args.get("TABLE");
  setup.published = args.has("--published");
  setup.freeze = args.has("--freeze");
  setup.policy.toast = !args.has("--no-toast");
  if (args.has("--way")) setup.way = TRY(vacuum::way_named(args.get("--way")));
  const RunLimits limits = TRY(run_limits(args));
  setup.throttle = TRY(throttle_limits(args, limits));
  if (args.has("--cut-in-window") && !limits.window) {
    return Error{ErrorCode::Invalid, "--cut-in-window needs --window"}.hinting(
        "write it as --window 22:30-05:00");
  }
  if (limits.window) {
    setup.cut = {.quiet = [limits] { return limits.quiet(); },
                 .times = args.get("--window"),
                 .always = args.has("--cut-in-window")};
  }
  const auto session = TRY(GateSession::open(args, output));
  setup.gate = session->setup();
  const auto parts = TRY(vacuum::load_parts(setup));
  if (parts) return run_parts(args, output, setup, *parts);
  vacuum::CompactReport report;
  const Status status = vacuum::compact(setup, report);
  if (!report.plan.ways.empty()) {
    output.data() = vacuum::to_json(report);
    print_plan(output, report);
  }
  if (!report.steps.empty() && (status || report.outcome.applied)) {
    print_outcome(output, report.outcome);
  }
  const std::string done = vacuum::to_text(report);
  if (!done.empty()) output.line(done);
  if (!status) return status.error();
  if (report.plan.pick == vacuum::Way::Nothing) output.note("nothing to do");
  return 0;
}

}  // namespace pgtend::cli
