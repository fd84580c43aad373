#include "cli/partition.h"

#include <fmt/core.h>

#include <limits>
#include <memory>

#include "base/text.h"
#include "base/units.h"
#include "cli/gate_session.h"
#include "cli/lookout.h"
#include "cli/partition_prove.h"
#include "cli/partition_status.h"
#include "cli/table_holder.h"
#include "partition/online.h"
#include "partition/partition.h"
#include "partition/words.h"
#include "pg/connection.h"
#include "pg/quote.h"

namespace pgtend::cli {

namespace {
constexpr Parameter kShow[] = {
    {"TABLE", "", "the table"},
    {"--zone", "ZONE", "time zone in which bounds are written, UTC by default"},
};
constexpr Parameter kPlan[] = {
    {"TABLE", "", "the table, or the partition of one, to divide"},
    {"--by", "COLUMN", "the key; without it the only date or time column that cannot be null"},
    {"--hash", "COLUMN[,COLUMN]", "divide by the hash of columns instead of by ranges of time"},
    {"--partitions", "N", "--hash: how many, 2 to 2000"},
    {"--list", "COLUMN", "divide by the values of a column: a partition for each that is there"},
    {"--values", "NAME=VALUES",
     "--list: one partition for these, as in eu=de,'a, b',null; may be given several times", true},
    {"--default", "", "--list: a DEFAULT partition for all other values"},
    {"--every", "INTERVAL",
     "day, week, month or year, by rows without it; of whole numbers how many, as in 1000000"},
    {"--zone", "ZONE", "whose midnights divide, UTC by default"},
    {"--from", "DATE",
     "cover at least from here (a date or number); without it from the oldest row"},
    {"--ahead", "N", "partitions after the newest, 3 by default"},
    {"--mode", "MODE",
     "shadow (the default): rows are copied, readers and writers go on but for a moment at the "
     "end; "
     "instant: none is copied, the table becomes the first partition; locked: under ACCESS "
     "EXCLUSIVE from begin to end"},
    {"--drop-old", "", "locked: drop the old table in the end instead of keeping it as TABLE_old"},
    {"--widen-unique", "", "let UNIQUE constraints take the key in too, which promises less"},
    {"--queries", "FILE",
     "prove pruning for the statements of this file instead of those in pg_stat_statements"},
    {"--pool", "CONNINFO", "prove pruning for what the console of pgtend-pool has counted"},
};
constexpr Parameter kApply = {"--apply", "", "do it; without it the statements are shown"};
constexpr Parameter kConvert[] = {
    kPlan[0], kPlan[1], kPlan[2],  kPlan[3],  kPlan[4],  kPlan[5],  kPlan[6],          kPlan[7],
    kPlan[8], kPlan[9], kPlan[10], kPlan[11], kPlan[12], kPlan[13], PGTEND_JOB_LIMITS, kApply,
};
constexpr Parameter kJob[] = {
    {"TABLE", "", "the table whose conversion has begun"}, PGTEND_JOB_LIMITS, kApply};
constexpr const char* kLockTimeout = "SET lock_timeout = 5000";
constexpr int64_t kAheadMax = 1000;
constexpr int64_t kPartitionsMax = 2000;
constexpr int64_t kWaitMax = 7 * 86'400;
constexpr size_t kSlicesShown = 6;

// Each way to divide has parameters of its own.
Status one_way(const Args& args) {
  struct Way {
    std::string_view chosen_by;
    std::vector<std::string_view> parameters;
  };
  const Way ways[] = {{"--hash", {"--partitions"}},
                      {"--list", {"--values", "--default"}},
                      {"", {"--by", "--every", "--zone", "--from", "--ahead"}}};
  const std::string_view chosen = args.has("--hash")   ? "--hash"
                                  : args.has("--list") ? "--list"
                                                       : "";
  for (const Way& way : ways) {
    if (way.chosen_by == chosen) continue;
    if (!way.chosen_by.empty() && args.has(way.chosen_by)) {
      return Error{ErrorCode::Invalid, cat("choose one of ", chosen, " and ", way.chosen_by)};
    }
    for (const std::string_view parameter : way.parameters) {
      if (!args.has(parameter)) continue;
      return Error{ErrorCode::Invalid, chosen.empty() ? cat(parameter, " is for ", way.chosen_by)
                                                      : cat(parameter, " is not for ", chosen)};
    }
  }
  return ok();
}

Status list_request(const Args& args, partition::Request& request) {
  request.method = partition::Method::List;
  request.columns = {args.get("--list")};
  for (const std::string& text : args.list("--values")) {
    request.groups.push_back(TRY(partition::group_of(text)));
  }
  request.add_default = args.has("--default");
  return ok();
}

Status hash_request(const Args& args, partition::Request& request) {
  request.method = partition::Method::Hash;
  for (const partition::Word& word : TRY(partition::words_of(args.get("--hash"), '"'))) {
    request.columns.push_back(word.text);
  }
  request.partitions = static_cast<int>(TRY(args.number("--partitions", 0, 2, kPartitionsMax)));
  return ok();
}

// A number of whole numbers, or an interval of time.
Status width_request(const Args& args, partition::Request& request) {
  if (!parse_int(args.get("--every"))) {
    request.interval = TRY(partition::interval_from(args.get("--every")));
    return ok();
  }
  request.step = TRY(args.number("--every", 0, 1, std::numeric_limits<int64_t>::max()));
  if (!args.has("--by")) {
    return Error{ErrorCode::Invalid, "--every with a number needs the column of numbers"}.hinting(
        "--by COLUMN names it");
  }
  if (args.has("--zone")) return Error{ErrorCode::Invalid, "numbers have no --zone"};
  return ok();
}

Result<partition::Request> layout_request(const Args& args) {
  partition::Request request;
  request.table = args.get("TABLE");
  TRY(one_way(args));
  if (args.has("--hash")) TRY(hash_request(args, request));
  if (args.has("--list")) TRY(list_request(args, request));
  request.column = args.get("--by");
  if (args.has("--every")) TRY(width_request(args, request));
  request.time_zone = args.get("--zone", "UTC");
  request.from = args.get("--from");
  request.ahead = static_cast<int>(TRY(args.number("--ahead", 3, 0, kAheadMax)));
  return request;
}

partition::ConvertOptions convert_options(const Args& args) {
  return {.drop_old = args.has("--drop-old"), .widen_unique = args.has("--widen-unique")};
}

std::string key_text(const partition::Proposal& proposal) {
  if (proposal.method == partition::Method::Hash) {
    return cat("the hash of ", printable(join(proposal.key(), ", ")));
  }
  if (proposal.method == partition::Method::List) {
    return cat("the values of ", printable(proposal.column));
  }
  if (proposal.step > 0) return cat(proposal.column, ", every ", grouped(proposal.step));
  return cat(proposal.column, ", every ", partition::name(proposal.interval));
}

std::string bound_text(const partition::Slice& slice) {
  if (!slice.bound.empty()) return printable(slice.bound);
  return cat(slice.from.empty() ? "the beginning" : slice.from, " to ",
             slice.to.empty() ? "the end" : slice.to);
}

void print_proposal(Output& output, const partition::Proposal& proposal,
                    const std::vector<std::string>& changes,
                    const std::vector<std::string>& refusals) {
  output.line(output.styled(
      Style::Bold, cat(pg::qualified(proposal.schema, proposal.table), " by ", key_text(proposal),
                       ": ", proposal.slices.size(), " partitions")));
  output.line(cat("  ", printable(proposal.reason)));
  if (!proposal.data_from.empty()) {
    output.line(cat("  rows from ", proposal.data_from, " to ", proposal.data_to));
  }
  for (size_t i = 0; i < proposal.slices.size(); ++i) {
    const bool middle = proposal.slices.size() > kSlicesShown && i >= kSlicesShown / 2 &&
                        i + kSlicesShown / 2 < proposal.slices.size();
    if (middle && i == kSlicesShown / 2) {
      output.line(cat(output.terminal().ascii ? "  ... " : "  … ",
                      proposal.slices.size() - kSlicesShown, " more"));
    }
    if (middle) continue;
    const partition::Slice& slice = proposal.slices[i];
    output.line(cat("  ", printable(slice.name), "  ", bound_text(slice)));
  }
  output.line(fmt::format("  planning a query that does not name the key: about {:.1f} ms",
                          proposal.planning_ms));
  for (const std::string& change : changes) {
    output.line(output.styled(Style::Warn, cat("  changes: ", printable(change))));
  }
  for (const std::string& refusal : refusals) {
    output.line(output.styled(Style::Bad, cat("  cannot be done: ", printable(refusal))));
  }
  for (const std::string& warning : proposal.warnings) output.warn(warning);
}

void print_statements(Output& output, const care::Action& action) {
  for (const care::Step& step : action.steps) {
    output.line(cat("  ", printable(step.sql, true), ";"));
    output.line(output.styled(
        Style::Dim, step.lock == care::LockMode::None
                        ? std::string("    no table lock")
                        : cat("    ", care::name(step.lock), ": ", care::effect(step.lock))));
  }
}

std::string bound_text(const facts::Partition& partition) {
  return partition.detach_pending ? cat(partition.bound, " (DETACH was interrupted)")
                                  : partition.bound;
}
}  // namespace

Result<pg::Connection> planning_connection(const Args& args, Output& output) {
  Lookout lookout(args, output);
  pg::Connection conn = TRY(lookout.connect());
  TRY(conn.exec(kLockTimeout));
  return conn;
}

std::span<const Parameter> partition_show_parameters() { return kShow; }
std::span<const Parameter> partition_plan_parameters() { return kPlan; }
std::span<const Parameter> partition_convert_parameters() { return kConvert; }
std::span<const Parameter> partition_job_parameters() { return kJob; }

Result<int> run_partition_show(const Args& args, Output& output) {
  Lookout lookout(args, output);
  pg::Connection conn = TRY(lookout.connect());
  TRY(conn.guard());
  const facts::Layout layout =
      TRY(partition::show(conn, args.get("TABLE"), args.get("--zone", "UTC")));
  output.data()["layout"] = facts::to_json(layout);
  if (!layout.partitioned) {
    output.line(cat(layout.qualified(), " is a plain table; pgtend partition plan ",
                    args.get("TABLE"), " proposes a layout"));
    return 0;
  }
  output.line(output.styled(Style::Bold,
                            cat(layout.qualified(), " by ", layout.strategy, " ", layout.key)));
  Table table{.headings = {"partition", "bounds", "rows", "size"},
              .align = {Align::Left, Align::Left, Align::Right, Align::Right},
              .rows = {}};
  for (const facts::Partition& partition : layout.partitions) {
    table.rows.push_back({partition.qualified(), bound_text(partition), compact(partition.rows),
                          human(partition.bytes)});
  }
  output.table(table);
  for (const facts::Gap& gap : layout.gaps) {
    output.warn(cat("no partition for ", gap.from, " to ", gap.to));
  }
  if (layout.runway_s) {
    output.line(runway_text(layout));
  }
  return 0;
}

namespace {
// nullopt: under a lock.
Result<std::optional<partition::Mode>> mode_from(const Args& args) {
  const std::string mode = args.get("--mode", "shadow");
  if (mode == "locked") return std::optional<partition::Mode>();
  if (args.has("--drop-old")) {
    return Error{ErrorCode::Invalid, "--drop-old is for --mode locked"}.hinting(
        "pgtend partition finish drops the old table later");
  }
  for (const partition::Mode online : {partition::Mode::Shadow, partition::Mode::Instant}) {
    if (mode == partition::name(online)) return std::optional(online);
  }
  return Error{ErrorCode::Invalid,
               cat("--mode ", printable(mode), " is not shadow, instant or locked")};
}

Result<partition::Conversion> planned_locked(const Args& args, Output& output) {
  pg::Connection conn = TRY(planning_connection(args, output));
  const partition::Request request = TRY(layout_request(args));
  partition::Conversion out = TRY(partition::plan(conn, request, convert_options(args)));
  print_proposal(output, out.proposal, out.changes, out.refusals);
  output.data()["conversion"] = partition::to_json(out);
  return out;
}

Result<partition::OnlinePlan> planned_online(const Args& args, Output& output,
                                             partition::Mode mode) {
  pg::Connection conn = TRY(planning_connection(args, output));
  const partition::Request request = TRY(layout_request(args));
  partition::OnlinePlan out =
      TRY(partition::plan_online(conn, request, convert_options(args), mode));
  print_proposal(output, out.proposal, out.changes, out.refusals);
  output.data()["conversion"] = partition::to_json(out);
  return out;
}

Result<int> convert_locked(const Args& args, Output& output) {
  for (const char* online : {"--pool", "--latency", "--probe", "--minutes", "--wal"}) {
    if (args.has(online))
      return Error{ErrorCode::Invalid, cat(online, " is not for --mode locked")};
  }
  const partition::Conversion conversion = TRY(planned_locked(args, output));
  const auto session = TRY(GateSession::open(args, output));
  const partition::ConvertReport report = TRY(partition::convert(session->setup(), conversion));
  print_outcome(output, report.outcome);
  for (const std::string& warning : report.warnings) output.warn(warning);
  return 0;
}

void print_report(Output& output, const partition::OnlineReport& report) {
  print_outcome(output, report.outcome);
  output.data()["job"] = reshape::to_json(report.job);
  const reshape::Report& job = report.job;
  for (const std::string& warning : job.warnings) output.warn(warning);
  if (!report.outcome.applied) return;
  output.line(
      fmt::format("{}: {} rows copied in {} transactions, {} changes brought over, {} rows "
                  "compared",
                  printable(job.table), grouped(job.rows_copied), job.chunks,
                  grouped(job.keys_applied), grouped(job.rows_compared)));
  if (job.swap_tries > 0) {
    output.line(cat("the tables changed places in ", human(nanoseconds(job.swap_locked)),
                    job.swap_tries == 1 ? "" : cat(", at try ", job.swap_tries),
                    job.swap_holds == 0 ? "" : ", while the pooler held their statements"));
  }
  if (job.held.any()) output.line(cat("held back: ", care::held_text(job.held)));
  if (!job.waited_for.empty()) output.line(cat("waited for: ", printable(job.waited_for)));
}

// What `setup` gets goes on to live in its two functions.
Status hold_at_pool(const Args& args, Output& output, const reshape::Job& job,
                    reshape::Setup& setup) {
  if (!args.has("--pool")) return ok();
  const pg::Options console = TRY(pg::Options::parse(args.get("--pool")));
  pg::Connection conn = TRY(planning_connection(args, output));
  auto holder = std::make_shared<TableHolder>(
      TRY_DURING(TableHolder::open(console, conn, job.table()), "looking at --pool"));
  if (holder->pauses()) {
    output.warn(
        "this pooler has no HOLD TABLE: while the tables change places all of its database is "
        "paused");
  }
  setup.hold = [holder] { return holder->hold(); };
  setup.release = [holder] { return holder->release(); };
  return ok();
}

}  // namespace

Result<int> run_verb(const Args& args, Output& output, const reshape::Job& job,
                     partition::Verb verb) {
  reshape::Setup setup;
  setup.patience = seconds(TRY(args.number("--wait", setup.patience.count() / 1000, 0, kWaitMax)));
  const RunLimits limits = TRY(run_limits(args, false));
  setup.throttle = TRY(throttle_limits(args, limits));
  TRY(hold_at_pool(args, output, job, setup));
  const auto session = TRY(GateSession::open(args, output));
  care::GateSetup gate = session->setup();
  gate.policy.statement_timeout = milliseconds(0);
  partition::OnlineReport report;
  TRY(partition::run_job(gate, job, verb, setup, report));
  print_report(output, report);
  return 0;
}

namespace {
Result<int> convert_online(const Args& args, Output& output, partition::Mode mode) {
  const partition::OnlinePlan plan = TRY(planned_online(args, output, mode));
  if (!plan.refusals.empty()) {
    return Error{ErrorCode::Invalid,
                 cat(plan.action.object, " cannot be converted: ", join(plan.refusals, "; "))};
  }
  return run_verb(args, output, plan.job, partition::Verb::Run);
}

Result<int> with_job(const Args& args, Output& output, partition::Verb verb) {
  pg::Connection conn = TRY(planning_connection(args, output));
  const auto ledger = TRY(reshape::find_ledger(conn, args.get("TABLE")));
  if (!ledger) {
    return Error{ErrorCode::NotFound, cat("no conversion of ", args.get("TABLE"), " has begun")};
  }
  output.line(cat("the conversion of ", printable(ledger->job.table()), " is ",
                  reshape::name(ledger->phase)));
  return run_verb(args, output, ledger->job, verb);
}
}  // namespace

Result<int> run_partition_plan(const Args& args, Output& output) {
  const auto mode = TRY(mode_from(args));
  partition::Proposal proposal;
  if (mode) {
    const partition::OnlinePlan plan = TRY(planned_online(args, output, *mode));
    print_statements(output, plan.action);
    proposal = plan.proposal;
  } else {
    const partition::Conversion plan = TRY(planned_locked(args, output));
    print_statements(output, plan.action);
    proposal = plan.proposal;
  }
  pg::Connection conn = TRY(planning_connection(args, output));
  TRY(show_pruning(args, output, conn, proposal));
  return 0;
}

Result<int> run_partition_convert(const Args& args, Output& output) {
  const auto mode = TRY(mode_from(args));
  return mode ? convert_online(args, output, *mode) : convert_locked(args, output);
}

Result<int> run_partition_resume(const Args& args, Output& output) {
  return with_job(args, output, partition::Verb::Run);
}
Result<int> run_partition_abort(const Args& args, Output& output) {
  return with_job(args, output, partition::Verb::Abort);
}
Result<int> run_partition_undo(const Args& args, Output& output) {
  return with_job(args, output, partition::Verb::TakeBack);
}
Result<int> run_partition_finish(const Args& args, Output& output) {
  return with_job(args, output, partition::Verb::Finish);
}

}  // namespace pgtend::cli
