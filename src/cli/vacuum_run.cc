#include "cli/vacuum_run.h"

#include <fmt/core.h>

#include "base/text.h"
#include "base/units.h"
#include "cli/gate_session.h"
#include "cli/run_limits.h"
#include "pg/connection.h"
#include "vacuum/run_tables.h"

namespace pgtend::cli {
namespace {

constexpr Parameter kRunParameters[] = {
    {"[TABLE]", "...",
     "these tables, a partitioned one with its partitions; all that need it when "
     "left out"},
    {"--apply", "", "do it; without it the statements are shown"},
    {"--force", "", "run even where nothing could be removed last time"},
    PGTEND_RUN_LIMITS,
};
// What there is to do: `job` on the named tables, or what the review finds.
Result<std::vector<vacuum::Task>> tasks_of(const Args& args, const vacuum::Means& means,
                                           vacuum::Job job) {
  std::vector<vacuum::Task> out;
  for (const std::string& table : args.list("TABLE")) {
    out.push_back({.table = table, .job = job, .why = "asked for"});
  }
  if (!out.empty()) return out;
  pg::Connection conn = TRY(pg::Connection::open(args.connection));
  TRY(conn.guard());
  return vacuum::load_worklist(conn, means, job == vacuum::Job::Analyze);
}

void print_list(Output& output, const std::vector<vacuum::Task>& tasks) {
  Table table{.headings = {"table", "job", "over limit", "reads at most", "why"},
              .align = {Align::Left, Align::Left, Align::Right, Align::Right, Align::Left},
              .rows = {}};
  for (const vacuum::Task& task : tasks) {
    table.rows.push_back({printable(task.table), std::string(vacuum::name(task.job)),
                          fmt::format("{:.1f} x", task.score), human(Bytes{task.pages * 8192}),
                          printable(task.why)});
  }
  output.table(table);
  output.line();
}

// One of several that were run, or would be: what it is, without what is the same for all.
void print_one_of_many(Output& output, const vacuum::RunReport& report) {
  const care::Outcome& outcome = report.outcome;
  if (outcome.applied || !report.skipped.empty()) return output.line(vacuum::to_text(report));
  const care::StatementReport& work = outcome.statements.back();
  output.line(cat("  ", printable(work.sql, true)));
  if (!work.beside.empty()) {
    output.line(output.styled(Style::Dim, "    beside a transaction that locks its partitions"));
  }
  if (!outcome.refusal.empty()) output.warn(cat("would be refused: ", outcome.refusal));
}

// What is the same for all of a dry run.
void print_common(Output& output, const vacuum::TablesReport& report) {
  for (const vacuum::TaskReport& one : report.tasks) {
    if (!one.report || one.report->outcome.applied || !one.report->skipped.empty()) continue;
    for (const vacuum::Option& setting : one.report->choice.settings) {
      output.line(
          output.styled(Style::Dim, cat("  each after SET ", setting.sql, ": ", setting.why)));
    }
    const care::LockMode lock = one.report->outcome.statements.back().lock;
    output.line(output.styled(Style::Dim, cat("  ", care::name(lock), ": ", care::effect(lock))));
    output.note("dry run: nothing was changed; --apply runs it");
    return;
  }
}

// One exit code for all: that of the first failure.
int print_reports(Output& output, const vacuum::TablesReport& report) {
  int code = 0;
  const bool many = report.tasks.size() > 1;
  for (const vacuum::TaskReport& one : report.tasks) {
    if (one.report && many) {
      print_one_of_many(output, *one.report);
    } else if (one.report) {
      print_outcome(output, one.report->outcome);
      if (one.report->outcome.applied || !one.report->skipped.empty()) {
        output.line(vacuum::to_text(*one.report));
      }
    } else if (one.error) {
      output.warn(cat(vacuum::name(one.task.job), " of ", printable(one.task.table), ": ",
                      printable(one.error->message),
                      one.error->hint.empty() ? "" : cat(" (", one.error->hint, ")")));
      if (code == 0) code = exit_code(*one.error);
    } else {
      output.note(cat(printable(one.task.table), ": not begun"));
    }
  }
  if (many) print_common(output, report);
  if (!report.stopped.empty()) output.warn(cat("stopped: ", report.stopped));
  return code;
}

Result<int> run_job(const Args& args, Output& output, vacuum::Job job) {
  const RunLimits limits = TRY(run_limits(args));
  vacuum::TablesSetup setup{.means = limits.means, .force = args.has("--force")};
  setup.means.skip_locked = !args.has("TABLE");
  setup.latency = limits.latency;
  setup.latency_max = limits.latency_max;
  const auto session = TRY(GateSession::open(args, output));
  if (args.apply) TRY(wait_for_window(args, output, limits));
  setup.gate = session->setup();
  setup.closed = [&] { return args.apply ? limits.closed() : std::string(); };
  const std::vector<vacuum::Task> tasks = TRY(tasks_of(args, setup.means, job));
  const bool listed = !args.has("TABLE");
  if (listed && tasks.empty()) output.line("nothing needs VACUUM or ANALYZE now");
  if (listed && !tasks.empty()) print_list(output, tasks);
  if (args.apply && tasks.size() > 1)
    setup.on_event = [&](const std::string& line) { output.note(line); };
  const vacuum::TablesReport report = vacuum::run_tables(setup, tasks);
  if (report.tasks.size() == 1 && report.tasks[0].error) return *report.tasks[0].error;
  int code = print_reports(output, report);
  if (args.stop.stop_requested()) code = exit_code(Error{ErrorCode::Cancelled, report.stopped});
  output.data() = vacuum::to_json(report);
  return code;
}

}  // namespace

std::span<const Parameter> vacuum_run_parameters() { return kRunParameters; }

Result<int> run_vacuum(const Args& args, Output& output) {
  return run_job(args, output, vacuum::Job::Vacuum);
}

Result<int> run_analyze(const Args& args, Output& output) {
  return run_job(args, output, vacuum::Job::Analyze);
}

}  // namespace pgtend::cli
