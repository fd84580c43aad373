#include "cli/vacuum_simulate.h"

#include <fmt/core.h>

#include <algorithm>
#include <condition_variable>
#include <fstream>
#include <iterator>
#include <mutex>

#include "base/text.h"
#include "base/units.h"
#include "cli/page_file.h"
#include "cli/vacuum_variants.h"
#include "pg/connection.h"
#include "vacuum/simulate_report.h"
#include "vacuum/trace_record.h"

namespace pgtend::cli {

namespace {
constexpr Parameter kSimulateParameters[] = {
    {"TRACE", "", "the file: of pgtend vacuum record, or a description to generate from"},
    {"--set", "NAME=VALUE",
     "compare with other settings: a setting, or TABLE.OPTION; several of "
     "one variant are separated by commas",
     true},
    {"--cached", "PERCENT", "pages that a VACUUM finds in memory, 50 by default"},
    {"--disk", "MB/S", "what the disk reads of the others, 500 by default"},
    {"--runs", "N", "show the first N runs of the first variant, 20 by default"},
    {"--all", "", "list every table, not only the 20 with most dead rows"},
};
constexpr Parameter kRecordParameters[] = {
    {"-o,--output", "FILE", "where the trace goes; it must not exist"},
    {"--for", "SECONDS", "how long, 600 by default; Ctrl-C ends it sooner and keeps the file"},
    {"--every", "SECONDS", "between two samples, 5 by default"},
};
constexpr size_t kTablesListed = 20;
constexpr int64_t kRunsShown = 20;
constexpr int64_t kSizesEvery = 10;  // samples
constexpr int64_t kReconnectTries = 60;

using vacuum::Variant;

void print_tables(Output& output, const std::vector<Variant>& variants, bool all) {
  Table table{.headings = {"table", "settings", "vacuums", "useless", "forced", "analyzes",
                           "dead, peak", "average", "above limit", "longest wait"},
              .align = {Align::Left, Align::Left, Align::Right, Align::Right, Align::Right,
                        Align::Right, Align::Right, Align::Right, Align::Right, Align::Right},
              .rows = {}};
  const auto& first = variants.front().replay.tables;
  std::vector<size_t> order(first.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::stable_sort(
      order, [&](size_t a, size_t b) { return first[a].dead_peak > first[b].dead_peak; });
  if (!all) order.resize(std::min(order.size(), kTablesListed));
  for (const size_t i : order) {
    for (const Variant& variant : variants) {
      const vacuum::TableOutcome& one = variant.replay.tables[i];
      const bool head = &variant == &variants.front();
      table.rows.push_back({head ? variant.trace.tables[i].facts.qualified() : "", variant.name,
                            cat(one.vacuums), cat(one.useless), cat(one.forced), cat(one.analyzes),
                            compact(one.dead_peak), compact(one.dead_average),
                            time_text(one.above_limit_s), time_text(one.waiting_s_max)});
    }
  }
  output.line();
  output.table(table);
  if (order.size() < first.size()) {
    output.note(cat(first.size() - order.size(), " more tables; --all lists them"));
  }
}

void print_runs(Output& output, const Variant& variant, size_t most) {
  Table table{.headings = {"ends after", "from", "to", "run", "table", "cause", "took", "removed",
                           "kept", "passes"},
              .align = {Align::Right, Align::Right, Align::Right, Align::Left, Align::Left,
                        Align::Left, Align::Right, Align::Right, Align::Right, Align::Right},
              .rows = {}};
  for (const vacuum::SimulatedRun& run : variant.replay.runs) {
    if (table.rows.size() >= most) break;
    const std::string_view kind = run.analyze           ? "analyze"
                                  : run.work.failsafe   ? "vacuum, failsafe"
                                  : run.work.aggressive ? "vacuum, aggressive"
                                                        : "vacuum";
    table.rows.push_back({time_text(run.ended), time_text(run.earliest), time_text(run.latest),
                          std::string(kind), variant.trace.tables[run.table].facts.qualified(),
                          std::string(vacuum::name(run.cause)), time_text(run.ended - run.started),
                          run.analyze ? "" : compact(run.work.rows_removed),
                          run.analyze ? "" : compact(run.rows_kept),
                          run.analyze ? "" : compact(run.work.index_passes)});
  }
  if (table.rows.empty()) return;
  output.line();
  output.table(table);
  if (table.rows.size() < variant.replay.runs.size()) {
    output.note(
        cat(variant.replay.runs.size() - table.rows.size(), " more runs; --runs shows them"));
  }
}

// What the server did while the trace was recorded, beside the replay of the same settings.
void print_comparison(Output& output, const Variant& variant) {
  const double naptime = variant.trace.settings.autovacuum.naptime_s;
  const auto compared = vacuum::compare(variant.trace, variant.replay, 3 * naptime);
  if (!compared) return;
  output.data()["recorded"] = vacuum::to_json(*compared, variant.trace);
  const auto both =
      static_cast<int64_t>(compared->runs.size()) - compared->missed() - compared->extra();
  output.line();
  output.line(cat("beside the server: ", both, " runs foretold with a median error of ",
                  time_text(compared->median_s()), ", at most ", time_text(compared->worst_s()),
                  "; ", compared->missed(), " not foretold, ", compared->extra(),
                  " that did not happen (naptime ", time_text(naptime), ")"));
  for (const vacuum::DeadCompared& dead : compared->dead) {
    output.line(cat("  ", printable(variant.trace.tables[dead.table].facts.qualified()),
                    ": dead rows on average ", compact(dead.measured_average), ", simulated ",
                    compact(dead.simulated_average), "; peak ", compact(dead.measured_peak),
                    ", simulated ", compact(dead.simulated_peak)));
  }
}

// Waits, but not longer than until somebody asks to stop.
class Waiter {
 public:
  explicit Waiter(const std::stop_token& stop) : stop_(stop) {}
  bool until(SteadyTime time) {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, stop_, time, [] { return false; });
    return !stop_.stop_requested();
  }

 private:
  const std::stop_token& stop_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
};
}  // namespace

std::span<const Parameter> vacuum_simulate_parameters() { return kSimulateParameters; }
std::span<const Parameter> vacuum_record_parameters() { return kRecordParameters; }

Result<int> run_vacuum_simulate(const Args& args, Output& output) {
  vacuum::ReplaySetup setup;
  setup.model.assumed.cached = static_cast<double>(TRY(args.number("--cached", 50, 0, 100))) / 100;
  setup.model.assumed.read_mb_s =
      static_cast<double>(TRY(args.number("--disk", 500, 1, 1'000'000)));
  const auto runs = static_cast<size_t>(TRY(args.number("--runs", kRunsShown, 0, 1'000'000)));
  const vacuum::Trace trace = TRY(load_trace(args.get("TRACE")));
  std::vector<std::pair<std::string, vacuum::Trace>> sets = {{"as it is", trace}};
  for (const std::string& text : args.list("--set")) {
    vacuum::Trace changed = trace;
    TRY_DURING(vacuum::apply_setting(changed, text), "--set");
    sets.emplace_back(text, std::move(changed));
  }
  std::vector<Variant> variants;
  json::array list;
  for (const auto& [name, changed] : sets) {
    setup.probes = variants.empty() ? vacuum::probe_times(trace) : std::vector<double>();
    variants.push_back(TRY(vacuum::simulate(name, changed, setup)));
    list.emplace_back(vacuum::to_json(variants.back(), runs));
  }
  output.data()["variants"] = std::move(list);
  output.line(cat(time_text(trace.duration_s()), " of ", trace.tables.size(), " tables on version ",
                  trace.settings.version / 10000));
  print_variants(output, variants);
  print_tables(output, variants, args.has("--all"));
  print_runs(output, variants.front(), runs);
  print_comparison(output, variants.front());
  return 0;
}

Result<int> run_vacuum_record(const Args& args, Output& output) {
  const int64_t length = TRY(args.number("--for", 600, 1, 31'536'000));
  const int64_t every = TRY(args.number("--every", 5, 1, 86'400));
  const std::string path = args.get("-o");
  if (path.empty()) return Error{ErrorCode::Invalid, "give the file to write with -o"};
  if (std::ifstream(path)) return Error{ErrorCode::Invalid, cat(path, " exists already")};
  TRY(check_writable(path));
  auto conn = TRY(pg::Connection::open(args.connection, seconds(10), args.stop));
  TRY(conn.guard());
  vacuum::Recorder recorder = TRY(vacuum::Recorder::begin(conn));
  for (const facts::MissingRight& missing : recorder.missing()) {
    output.missing_right(cat(missing.what, "; ", missing.grant, " would show it"));
  }
  std::ofstream file(path, std::ios::binary);
  file << to_text(vacuum::header_line(recorder.head())) << '\n';
  for (const auto& table : recorder.head().tables)
    file << to_text(vacuum::table_line(table)) << '\n';
  Waiter waiter(args.stop);
  const auto begin = std::chrono::steady_clock::now();
  int64_t samples = 0;
  int64_t failed = 0;
  double last = -1;
  for (auto next = begin;; next += seconds(every)) {
    auto sample = recorder.sample(conn, samples % kSizesEvery == 0);
    if (sample && sample->at > last) {
      last = sample->at;
      file << to_text(vacuum::sample_line(*sample)) << '\n' << std::flush;
      ++samples;
      failed = 0;
    } else if (!sample &&
               (sample.error().code != ErrorCode::Unavailable || ++failed > kReconnectTries)) {
      return std::move(sample).error();
    } else if (!sample) {
      // A restart: the counters go on, or are lost and begin anew, which the recorder sees.
      auto again = pg::Connection::open(args.connection, seconds(10), args.stop);
      if (again) conn = std::move(again).take();
      if (again) TRY(conn.guard());
    }
    if (!file) return Error{ErrorCode::Limit, cat("cannot write ", path)};
    output.progress(cat(samples, " samples in ", path));
    if (next + seconds(every) > begin + seconds(length)) break;
    if (!waiter.until(next + seconds(every))) break;
  }
  output.data()["samples"] = samples;
  output.data()["resets"] = recorder.resets();
  output.line(cat(samples, " samples of ", recorder.head().tables.size(), " tables in ", path));
  return 0;
}

}  // namespace pgtend::cli
