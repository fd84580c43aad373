#include "cli/vacuum_watch.h"

#include <memory>

#include "base/text.h"
#include "cli/gate_session.h"
#include "cli/pool_loads.h"
#include "cli/run_limits.h"
#include "store/audit.h"
#include "vacuum/watch.h"

namespace pgtend::cli {
namespace {

constexpr Parameter kWatchParameters[] = {
    {"--apply", "", "do it; without it what would be done is told"},
    {"--review", "SECONDS", "between two reviews of all tables (60)"},
    PGTEND_RUN_LIMITS,
};

// The name of the database that `options` lead to, as the server has it.
Result<std::string> database_of(const pg::Options& options) {
  pg::Connection conn = TRY(pg::Connection::open(options));
  const pg::Rows rows = TRY(conn.query("select current_database()"));
  return rows.scalar();
}

}  // namespace

std::span<const Parameter> vacuum_watch_parameters() { return kWatchParameters; }

Result<int> run_vacuum_watch(const Args& args, Output& output) {
  const RunLimits limits = TRY(run_limits(args));
  vacuum::WatchSetup setup;
  setup.review = seconds(TRY(args.number("--review", 60, 1, 86'400)));
  if (args.has("--pool")) {
    const pg::Options console = TRY(pg::Options::parse(args.get("--pool")));
    auto loads = std::make_shared<PoolLoads>(TRY(PoolLoads::open(console)));
    setup.loads = [loads, database = TRY(database_of(args.connection))] {
      std::vector<vacuum::NamedLoad> out;
      for (const PoolEvent& event : loads->take(database)) {
        out.push_back({event.target, event.rows});
      }
      return out;
    };
  }
  const auto session = TRY(GateSession::open(args, output));
  if (args.apply) TRY(wait_for_window(args, output, limits));
  setup.tables.gate = session->setup();
  setup.tables.means = limits.means;
  setup.tables.latency = limits.latency;
  setup.tables.latency_max = limits.latency_max;
  setup.tables.closed = [&] { return limits.closed(); };
  setup.tables.on_event = [&](const std::string& line) {
    output.line(cat(store::utc_text(system_clock().wall()), " ", line));
  };
  if (!args.apply) output.note("dry run: what would be done is told; --apply does it");
  const vacuum::WatchReport report = TRY(vacuum::watch(setup));
  output.data() = vacuum::to_json(report);
  output.line(cat(grouped(report.analyzed), " analysed after loads, ", grouped(report.worked_off),
                  " done by reviews, ", grouped(report.failed),
                  " failed; ended: ", report.stopped));
  return 0;
}

}  // namespace pgtend::cli
