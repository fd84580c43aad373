#include "explain/refusal.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "explain/reach.h"

namespace pgtend::explain {
namespace {

// Volatile by declaration, without any effect: they read, wait or give chance values.
constexpr std::array<std::string_view, 51> kHarmless = {"random",
                                                        "random_normal",
                                                        "setseed",
                                                        "clock_timestamp",
                                                        "timeofday",
                                                        "gen_random_uuid",
                                                        "uuidv4",
                                                        "uuidv7",
                                                        "uuid_generate_v1",
                                                        "uuid_generate_v1mc",
                                                        "uuid_generate_v4",
                                                        "gen_random_bytes",
                                                        "gen_salt",
                                                        "pg_sleep",
                                                        "pg_sleep_for",
                                                        "pg_sleep_until",
                                                        "currval",
                                                        "lastval",
                                                        "pg_sequence_last_value",
                                                        "pg_relation_size",
                                                        "pg_table_size",
                                                        "pg_indexes_size",
                                                        "pg_total_relation_size",
                                                        "pg_database_size",
                                                        "pg_tablespace_size",
                                                        "pg_relation_is_updatable",
                                                        "pg_current_wal_lsn",
                                                        "pg_current_wal_insert_lsn",
                                                        "pg_current_wal_flush_lsn",
                                                        "pg_last_wal_receive_lsn",
                                                        "pg_last_wal_replay_lsn",
                                                        "pg_last_xact_replay_timestamp",
                                                        "pg_is_in_recovery",
                                                        "pg_lock_status",
                                                        "pg_prepared_xact",
                                                        "pg_blocking_pids",
                                                        "pg_safe_snapshot_blocking_pids",
                                                        "pg_notification_queue_usage",
                                                        "pg_partition_tree",
                                                        "pg_partition_ancestors",
                                                        "pg_control_system",
                                                        "pg_control_checkpoint",
                                                        "pg_stat_file",
                                                        "pg_stat_statements",
                                                        "pg_stat_statements_info",
                                                        "pg_hba_file_rules",
                                                        "pg_ident_file_mappings",
                                                        "pg_show_all_file_settings",
                                                        "pg_get_shmem_allocations",
                                                        "pg_get_backend_memory_contexts",
                                                        "pg_show_replication_origin_status"};
// Declared STABLE or IMMUTABLE, and yet they run SQL that is handed to them, read a whole view, or
// take a transaction id.
constexpr std::array<std::string_view, 14> kActing = {
    "table_to_xml",    "table_to_xml_and_xmlschema",
    "schema_to_xml",   "schema_to_xml_and_xmlschema",
    "database_to_xml", "database_to_xml_and_xmlschema",
    "txid_current",    "pg_current_xact_id",
    "crosstab",        "crosstab2",
    "crosstab3",       "crosstab4",
    "connectby",       "xpath_table"};

template <size_t n>
bool among(const std::array<std::string_view, n>& list, const Routine& routine) {
  return std::ranges::find(list, routine.name) != list.end();
}

// Code of the server whose effect no rollback undoes.
bool acts(const Routine& routine) {
  if (routine.author != Author::Server) return false;
  if (among(kActing, routine)) return true;
  return routine.volatility == 'v' && !among(kHarmless, routine);
}

// Why `routine` must not run in a transaction that is to leave no trace; "" if it may.
std::string danger_of(const Routine& routine) {
  if (acts(routine)) return cat(routine.shown(), ", whose effect outlives a rollback");
  if (routine.author == Author::Opaque) {
    return cat(routine.shown(), ", whose code cannot be looked through");
  }
  if (!routine.opaque.empty()) {
    return cat(routine.shown(), ", whose body has ", routine.opaque,
               ", the effect of which cannot be foreseen");
  }
  return {};
}

std::string first_danger(const Reached& reached) {
  for (const Routine& routine : reached.routines) {
    std::string danger = danger_of(routine);
    if (!danger.empty()) return danger;
  }
  return {};
}

// Names of a statement beyond our grammar come from the lexer.
ReachFrom start_of(const sql::StatementInfo& info) {
  ReachFrom out;
  out.names = info.names;
  out.hidden_names = info.newer_syntax;
  return out;
}

bool runs_in_planning(const Routine& routine) {
  return routine.automatic || routine.declared != 'v';
}

}  // namespace

Result<std::string> planning_refusal(pg::Connection& conn, const sql::StatementInfo& info) {
  ReachFrom start = start_of(info);
  start.table_expressions = true;
  start.open_all_bodies = false;
  const Reached reached = TRY(reach(conn, start));
  ReachFrom bodies;
  for (const Routine& routine : reached.routines) {
    if (!runs_in_planning(routine)) continue;
    if (routine.author == Author::Body) {
      bodies.routines.push_back(routine.oid);
      continue;
    }
    const std::string danger = danger_of(routine);
    if (!danger.empty()) return cat("planning may run ", danger);
  }
  if (bodies.routines.empty()) return std::string();
  const std::string danger = first_danger(TRY(reach(conn, bodies)));
  return danger.empty() ? danger : cat("planning may run ", danger);
}

Result<std::string> analyze_refusal(pg::Connection& conn, const sql::StatementInfo& info,
                                    bool allow_volatile) {
  if (info.newer_syntax) return std::string("its syntax is newer than the parser that checks it");
  if (info.kind != sql::StatementKind::Select) {
    return cat("it is ", name(info.kind), ", which EXPLAIN ANALYZE would execute");
  }
  const Reached reached = TRY(reach(conn, start_of(info)));
  const std::string danger = first_danger(reached);
  if (!danger.empty()) return cat("it calls ", danger);
  if (allow_volatile) return std::string();
  for (const Routine& routine : reached.routines) {
    if (routine.author == Author::Body && routine.volatility == 'v') {
      return cat("it calls ", routine.shown(),
                 ", which is volatile: running it may change something");
    }
  }
  if (!reached.foreign_tables.empty()) {
    return cat("it reads the foreign table ", printable(reached.foreign_tables[0]),
               ": what the other side runs for it is not known here");
  }
  return std::string();
}

Result<WriteEffects> write_effects(pg::Connection& conn, const sql::StatementInfo& info) {
  WriteEffects out;
  if (info.newer_syntax) {
    out.refusal = "its syntax is newer than the parser that checks it";
    return out;
  }
  if (info.kind != sql::StatementKind::Modifying && info.kind != sql::StatementKind::Locking) {
    out.refusal = cat("it is ", name(info.kind));
    return out;
  }
  ReachFrom start = start_of(info);
  start.writes = true;
  Reached reached = TRY(reach(conn, start));
  out.triggers = std::move(reached.triggers);
  for (const Routine& routine : reached.routines) {
    const bool built_in = routine.schema == "pg_catalog";
    if (built_in && routine.name == "nextval") {
      out.sequences = true;
      continue;
    }
    // Triggers of the server's own that only change the row.
    if (built_in && (routine.name == "suppress_redundant_updates_trigger" ||
                     routine.name.starts_with("tsvector_update_trigger"))) {
      continue;
    }
    const std::string danger = danger_of(routine);
    if (danger.empty()) continue;
    out.refusal = cat("it calls ", danger);
    return out;
  }
  if (!reached.foreign_tables.empty()) {
    out.refusal = cat("it reaches the foreign table ", printable(reached.foreign_tables[0]),
                      ": what the other side does for it is not known here");
  }
  return out;
}

}  // namespace pgtend::explain
