#include <algorithm>

#include "base/text.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/demo.h"
#include "cli/doctor.h"
#include "cli/explain.h"
#include "cli/partition.h"
#include "cli/partition_index.h"
#include "cli/partition_maintain.h"
#include "cli/partition_prove.h"
#include "cli/partition_recut.h"
#include "cli/partition_status.h"
#include "cli/pool.h"
#include "cli/pool_top.h"
#include "cli/vacuum.h"
#include "cli/vacuum_bloat.h"
#include "cli/vacuum_compact.h"
#include "cli/vacuum_progress.h"
#include "cli/vacuum_run.h"
#include "cli/vacuum_simulate.h"
#include "cli/vacuum_tune.h"
#include "cli/vacuum_watch.h"

namespace pgtend::cli {

namespace {
constexpr Parameter kGeneral[] = {
    {"--json", "", "one JSON document on stdout: schema, data, warnings, missing_rights"},
    {"--quiet", "", "no talk on stderr but errors"},
    {"--verbose", "", "log what is done on stderr"},
    {"--help", "", "this help"},
};
constexpr Parameter kConnection[] = {
    {"-h,--host", "HOST", "server host or socket folder"},
    {"-p,--port", "PORT", "server port"},
    {"-U,--username", "USER", "role"},
    {"-d,--dbname", "DBNAME", "database name, \"host=... port=...\" or postgresql:// URI"},
};
}  // namespace

std::span<const Parameter> general_parameters() { return kGeneral; }
std::span<const Parameter> connection_parameters() { return kConnection; }

std::span<const Command> commands() {
  static const Command kCommands[] = {
      {"doctor", "", "Checks connection, rights, extensions and tables; says what to do next",
       Needs::Connection, doctor_parameters(), run_doctor},
      {"explain", "", "Explains a query: where the time goes, why, and the index that helps",
       Needs::Connection, explain_parameters(), run_explain},
      {"vacuum", "review", "Shows tables that need VACUUM or ANALYZE, and why", Needs::Connection,
       vacuum_review_parameters(), run_vacuum_review},
      {"vacuum", "horizon", "Shows who keeps dead rows from being removed, and how to end it",
       Needs::Connection, vacuum_horizon_parameters(), run_vacuum_horizon},
      {"vacuum", "progress", "Shows what maintenance runs, what is left of it, and what is due",
       Needs::Connection, vacuum_progress_parameters(), run_vacuum_progress},
      {"vacuum", "run", "Runs VACUUM where it is due, gives way to others, and reports what it won",
       Needs::Connection, vacuum_run_parameters(), run_vacuum},
      {"vacuum", "watch", "Keeps statistics and dead rows in hand as long as it runs",
       Needs::Connection, vacuum_watch_parameters(), run_vacuum_watch},
      {"vacuum", "bloat", "Tells how much of tables and indexes is bloat, with error bars",
       Needs::Connection, vacuum_bloat_parameters(), run_vacuum_bloat},
      {"vacuum", "record", "Records what is written to the tables, for the simulator",
       Needs::Connection, vacuum_record_parameters(), run_vacuum_record},
      {"vacuum", "simulate", "Replays a recorded load against other settings of autovacuum",
       Needs::Nothing, vacuum_simulate_parameters(), run_vacuum_simulate},
      {"vacuum", "tune", "Advises autovacuum's settings, sets them, and takes them back",
       Needs::Connection, vacuum_tune_parameters(), run_vacuum_tune},
      {"vacuum", "compact", "Gives a table's free space back while it is used; compares the ways",
       Needs::Connection, vacuum_compact_parameters(), run_vacuum_compact},
      {"analyze", "", "Runs ANALYZE on a table, with progress, and verifies that it happened",
       Needs::Connection, vacuum_run_parameters(), run_analyze},
      {"partition", "show", "Shows how a table is partitioned: bounds, sizes, gaps, runway",
       Needs::Connection, partition_show_parameters(), run_partition_show},
      {"partition", "plan", "Proposes a layout for a table and prints every statement",
       Needs::Connection, partition_plan_parameters(), run_partition_plan},
      {"partition", "convert", "Partitions a table while it is in use", Needs::Connection,
       partition_convert_parameters(), run_partition_convert},
      {"partition", "recut", "Replaces partitions by wider or narrower ones while they are in use",
       Needs::Connection, partition_recut_parameters(), run_partition_recut},
      {"partition", "drain", "Makes partitions for the rows of a DEFAULT partition, in use",
       Needs::Connection, partition_drain_parameters(), run_partition_drain},
      {"partition", "resume", "Goes on with a conversion that was interrupted", Needs::Connection,
       partition_job_parameters(), run_partition_resume},
      {"partition", "abort", "Takes a conversion away that has not come to its end",
       Needs::Connection, partition_job_parameters(), run_partition_abort},
      {"partition", "undo", "Puts the old table back, with all that was written since",
       Needs::Connection, partition_job_parameters(), run_partition_undo},
      {"partition", "finish", "Drops the old table once the conversion is good", Needs::Connection,
       partition_job_parameters(), run_partition_finish},
      {"partition", "index",
       "Builds an index of a partitioned table while it is used, and parts that are missing",
       Needs::Connection, partition_index_parameters(), run_partition_index},
      {"partition", "maintain", "Makes partitions ahead and retires old ones, by policies",
       Needs::Connection, partition_maintain_parameters(), run_partition_maintain},
      {"partition", "status", "Shows how each partitioned table stands against its policy",
       Needs::Connection, partition_status_parameters(), run_partition_status},
      {"partition", "prove",
       "Proves where statements leave partitions out, and how to write those that do not",
       Needs::Connection, partition_prove_parameters(), run_partition_prove},
      {"pool", "", "Shows what a pooler's admin console tells: pools, stats, clients, and so on",
       Needs::Connection, pool_parameters(), run_pool},
      {"pool", "top", "Watches a pooler at work: clients, waits, queries by time, events",
       Needs::Connection, pool_top_parameters(), run_pool_top},
      {"demo", "", "The guided before/after on a private PostgreSQL with metering data",
       Needs::Nothing, demo_parameters(), run_demo},
  };
  return kCommands;
}

std::string commands_page() {
  std::string out =
      "# Commands\n\n<!-- made by ./run docs; edit the table in the code -->\n\n```\n" +
      help_text() + "```\n";
  for (const Command& command : commands()) {
    const std::string verb = command.verb.empty() ? "" : cat(" ", command.verb);
    out += cat("\n## pgtend ", command.area, verb, "\n\n```\n", help_text(command), "```\n");
  }
  return out;
}

}  // namespace pgtend::cli
