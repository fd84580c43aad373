#include "cli/vacuum_progress.h"

#include <fmt/core.h>

#include <algorithm>
#include <thread>

#include "base/text.h"
#include "base/units.h"
#include "cli/lookout.h"
#include "facts/activity.h"
#include "facts/running.h"
#include "vacuum/eta.h"
#include "vacuum/triggers.h"
#include "vacuum/vacuum.h"

namespace pgtend::cli {
namespace {

constexpr milliseconds kBetweenLooks{1'000};
constexpr size_t kQueueShown = 10;

std::string who(const facts::Running& running) {
  if (running.automatic) return running.forced ? "autovacuum, forced" : "autovacuum";
  return printable(running.application.empty() ? running.user : running.application);
}

// "scanning heap, then 2 index passes"; of others what the phase has done.
std::string phase_text(const facts::Running& running, const std::optional<vacuum::Eta>& eta) {
  std::string out = running.phase.empty() ? "not visible" : printable(running.phase);
  if (!eta && running.progress.total > 0) {
    out += cat(" ", grouped(running.progress.done), " of ", grouped(running.progress.total), " ",
               running.progress.unit);
  }
  const int64_t passes =
      eta ? eta->passes_left - (running.phase == "vacuuming indexes" ? 1 : 0) : 0;
  if (passes > 0) out += cat(", then ", passes, passes == 1 ? " index pass" : " index passes");
  if (!running.waits_for.empty()) out += cat(" (waits: ", printable(running.waits_for), ")");
  return out;
}

void print_running(Output& output, const facts::RunningMaintenance& before,
                   const facts::RunningMaintenance& now, int version) {
  Table table{.headings = {"pid", "command", "table", "by", "runs", "phase", "done", "left"},
              .align = {Align::Right, Align::Left, Align::Left, Align::Left, Align::Right,
                        Align::Left, Align::Right, Align::Right},
              .rows = {}};
  json::array list;
  for (const facts::Running& running : now.running) {
    const auto same = std::ranges::find(before.running, running.pid, &facts::Running::pid);
    const bool known = same != before.running.end() && same->table == running.table &&
                       same->phase == running.phase;
    const auto eta = vacuum::eta(running, version, known ? &*same : nullptr,
                                 std::chrono::duration<double>(kBetweenLooks).count());
    json::object entry = facts::to_json(running);
    entry["eta"] = eta ? json::value(vacuum::to_json(*eta)) : json::value(nullptr);
    list.push_back(std::move(entry));
    table.rows.push_back(
        {cat(running.pid), running.command,
         cat(printable(running.table), running.database.empty() ? "" : " in ",
             printable(running.database)),
         who(running), running.runs_s ? facts::human_seconds(*running.runs_s) : "",
         phase_text(running, eta), eta ? fmt::format("{:.0f} %", eta->share() * 100) : "",
         eta && eta->left_s ? cat("about ", facts::human_seconds(*eta->left_s)) : ""});
  }
  output.data()["running"] = std::move(list);
  if (table.rows.empty()) {
    output.line("no VACUUM, ANALYZE or CREATE INDEX is running");
  } else {
    output.table(table);
  }
}

// What autovacuum will do at its next visit of this database.
void print_queue(Output& output, const vacuum::Facts& facts) {
  std::vector<std::string> due;
  json::array list;
  for (const facts::TableFacts& table : facts.tables) {
    const vacuum::Forecast forecast = vacuum::forecast(table, facts.context.settings);
    if (!forecast.vacuum() && !forecast.analyze()) continue;
    due.push_back(table.qualified());
    list.emplace_back(json::object{{"table", table.qualified()},
                                   {"vacuum", forecast.vacuum()},
                                   {"analyze", forecast.analyze()}});
  }
  output.data()["due"] = std::move(list);
  const size_t count = due.size();
  due.resize(std::min(count, kQueueShown));
  output.line(
      cat("due at autovacuum's next visit: ", count == 0 ? "nothing" : printable(join(due, ", ")),
          count > kQueueShown ? cat(" and ", count - kQueueShown, " more") : ""));
}

}  // namespace

std::span<const Parameter> vacuum_progress_parameters() { return {}; }

Result<int> run_vacuum_progress(const Args& args, Output& output) {
  Lookout lookout(args, output);
  pg::Connection conn = TRY(lookout.connect());
  TRY(conn.guard());
  const auto before = TRY(facts::load_running(conn));
  if (!before.running.empty()) std::this_thread::sleep_for(kBetweenLooks);
  const auto now = TRY(facts::load_running(conn));
  const vacuum::Facts facts = TRY(vacuum::load(conn));
  print_running(output, before, now, conn.server_version());
  output.line();
  output.line(cat("autovacuum: ", now.workers, " of ", now.workers_max, " workers at work"));
  print_queue(output, facts);
  output.data()["workers"] = now.workers;
  output.data()["workers_max"] = now.workers_max;
  return 0;
}

}  // namespace pgtend::cli
