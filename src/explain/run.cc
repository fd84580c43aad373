#include "explain/run.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "explain/parse_json.h"
#include "explain/relations.h"
#include "sql/columns.h"
#include "sql/expression.h"

namespace pgtend::explain {
namespace {

// Functions whose effect no rollback undoes or that reach outside the database.
constexpr std::array<std::string_view, 33> kDenied = {"nextval",
                                                      "setval",
                                                      "pg_notify",
                                                      "set_config",
                                                      "query_to_xml",
                                                      "table_to_xml",
                                                      "cursor_to_xml",
                                                      "schema_to_xml",
                                                      "database_to_xml",
                                                      "crosstab",
                                                      "connectby",
                                                      "pg_switch_wal",
                                                      "pg_create_restore_point",
                                                      "pg_reload_conf",
                                                      "pg_rotate_logfile",
                                                      "pg_promote",
                                                      "pg_logical_emit_message",
                                                      "pg_backup_start",
                                                      "pg_backup_stop",
                                                      "pg_start_backup",
                                                      "pg_stop_backup",
                                                      "pg_wal_replay_pause",
                                                      "pg_wal_replay_resume",
                                                      "pg_export_snapshot",
                                                      "pg_file_write",
                                                      "pg_file_unlink",
                                                      "pg_file_rename",
                                                      "pg_file_sync",
                                                      "pg_stat_reset",
                                                      "pg_stat_statements_reset",
                                                      "pg_stat_reset_shared",
                                                      "pg_import_system_collations",
                                                      "pg_logfile_rotate"};
constexpr std::array<std::string_view, 10> kDeniedPrefixes = {
    "dblink",           "lo_",      "pg_terminate_", "pg_cancel_",      "pg_advisory_",
    "pg_try_advisory_", "pg_read_", "pg_ls_",        "pg_replication_", "pg_drop_replication_"};
// Volatile by declaration, harmless in effect.
constexpr std::array<std::string_view, 9> kHarmless = {
    "random",  "clock_timestamp", "timeofday", "gen_random_uuid", "pg_sleep",
    "setseed", "random_normal",   "uuidv7",    "pg_column_size"};

constexpr std::string_view kVolatileOperatorsSql = R"(
SELECT min(o.oprname) FROM pg_catalog.pg_operator o
  JOIN pg_catalog.pg_proc p ON p.oid = o.oprcode
 WHERE p.provolatile = 'v'
   AND o.oprname IN (SELECT pg_catalog.json_array_elements_text($1::json)))";
constexpr std::string_view kVolatileCastsSql = R"(
SELECT min(p.oid::regprocedure::text) FROM pg_catalog.pg_cast c
  JOIN pg_catalog.pg_proc p ON p.oid = c.castfunc
 WHERE p.provolatile = 'v' AND p.oid >= 16384)";

std::string_view bare(std::string_view function) {
  const size_t dot = function.rfind('.');
  return dot == std::string_view::npos ? function : function.substr(dot + 1);
}

bool denied(std::string_view function) {
  const std::string_view name = bare(function);
  return std::ranges::find(kDenied, name) != kDenied.end() ||
         std::ranges::any_of(kDeniedPrefixes,
                             [&](std::string_view prefix) { return name.starts_with(prefix); });
}

bool harmless(std::string_view function) {
  std::string_view name = function;
  constexpr std::string_view kCatalog = "pg_catalog.";
  if (name.starts_with(kCatalog)) name.remove_prefix(kCatalog.size());
  return std::ranges::find(kHarmless, name) != kHarmless.end();
}

void add(std::vector<std::string>& into, const std::vector<std::string>& more) {
  for (const std::string& entry : more) {
    if (std::ranges::find(into, entry) == into.end()) into.push_back(entry);
  }
}

// What the statement calls and uses, views and SQL functions opened by the planner included.
struct Used {
  std::vector<std::string> functions;
  std::vector<std::string> operators;
};

Used used_by(const sql::StatementInfo& info, const Plan& plan) {
  Used out{info.functions, info.operators};
  for (const Node& node : plan.nodes) {
    if (node.type == "Function Scan") add(out.functions, {std::string(node.text("Function Name"))});
    for (const std::string_view text : node.expressions()) {
      const auto tree = sql::parse_expression(text);
      if (!tree) continue;  // "a DESC" and other lists that are no expression
      add(out.functions, sql::called_functions(*tree));
      add(out.operators, sql::used_operators(*tree));
    }
  }
  return out;
}

std::string options_text(bool analyze, const ExplainOptions& options) {
  std::string out = "EXPLAIN (FORMAT JSON, VERBOSE, SETTINGS";
  if (analyze) {
    out += cat(", ANALYZE, BUFFERS ", options.buffers ? "on" : "off", ", TIMING ",
               options.timing ? "on" : "off");
  }
  return out + ") ";
}

// The generic plan of a statement with parameters: prepared, so that the server infers their types,
// and planned without looking at the NULLs given.
Result<std::string> generic_plan(pg::Connection& conn, const sql::StatementInfo& info,
                                 const ExplainOptions& options) {
  constexpr std::string_view kName = "pgtend_explain";
  TRY(conn.query("SET LOCAL plan_cache_mode = force_generic_plan"));
  TRY_DURING(conn.query(cat("PREPARE ", kName, " AS ", info.text)),
             "inferring the types of the parameters");
  const std::vector<std::string> nulls(static_cast<size_t>(info.parameters), "NULL");
  auto rows =
      conn.query(cat(options_text(false, options), "EXECUTE ", kName, "(", join(nulls, ", "), ")"));
  if (!rows) return std::move(rows).error().during("EXPLAIN EXECUTE");
  TRY(conn.query(cat("DEALLOCATE ", kName)));
  return rows->scalar();
}

// A statement that this grammar cannot read, to be planned as it is.
sql::StatementInfo unparsed(std::string_view sql) {
  sql::StatementInfo info;
  info.text = trim(sql);
  return info;
}

Status check_kind(const sql::StatementInfo& info) {
  if (info.kind == sql::StatementKind::Utility) {
    return Error{ErrorCode::Invalid,
                 "a utility command has no plan",
                 {},
                 "give a SELECT, INSERT, UPDATE, DELETE or MERGE"};
  }
  return ok();
}

}  // namespace

Status begin_read_only(pg::Connection& conn, const ExplainOptions& options) {
  if (conn.in_transaction()) {
    return Error{ErrorCode::Invalid, "a plan cannot be asked for inside a transaction"};
  }
  return conn.exec(cat("BEGIN TRANSACTION READ ONLY; SET LOCAL statement_timeout = ",
                       options.statement_timeout.count(),
                       "; SET LOCAL lock_timeout = ", options.lock_timeout.count(),
                       "; SET LOCAL idle_in_transaction_session_timeout = ",
                       options.statement_timeout.count() + 60'000));
}

void end_read_only(pg::Connection& conn) {
  // A lost connection has rolled back by itself; its error has been seen by the caller.
  (void)static_cast<bool>(conn.exec("ROLLBACK"));
}

Result<std::string> analyze_refusal(pg::Connection& conn, const sql::StatementInfo& info,
                                    const Plan& plan, bool allow_volatile) {
  if (info.kind != sql::StatementKind::Select) {
    return cat("it is ", name(info.kind), ", which EXPLAIN ANALYZE would execute");
  }
  if (info.parameters > 0) return std::string("it has parameters without values");
  const Used used = used_by(info, plan);
  for (const std::string& function : used.functions) {
    if (denied(function)) {
      return cat("it calls ", printable(function), "(), whose effect outlives a rollback");
    }
  }
  if (allow_volatile) return std::string();
  std::vector<std::string> ask;
  for (const std::string& function : used.functions) {
    if (!harmless(function)) ask.push_back(function);
  }
  const auto volatility = TRY(load_volatility(conn, ask));
  for (const auto& [function, worst] : volatility) {
    if (worst == sql::Volatility::Volatile) {
      return cat("it calls ", printable(function),
                 "(), which is volatile: running it may change something");
    }
  }
  json::array operators;
  for (const std::string& entry : used.operators) operators.emplace_back(entry);
  const pg::Rows op = TRY(conn.query(kVolatileOperatorsSql, {to_text(operators)}));
  if (!op.empty() && !op[0].null(0)) {
    return cat("operator ", printable(op[0].text(0)), " calls a volatile function");
  }
  const pg::Rows cast = TRY(conn.query(kVolatileCastsSql));
  if (!cast.empty() && !cast[0].null(0)) {
    return cat("the database has a cast by the volatile function ", printable(cast[0].text(0)));
  }
  return std::string();
}

Result<Plan> explain_here(pg::Connection& conn, const sql::StatementInfo& info, bool analyze,
                          const ExplainOptions& options) {
  if (info.parameters > 0) return parse_json_plan(TRY(generic_plan(conn, info, options)));
  // The extended protocol takes one statement only, whatever the text holds.
  const pg::Rows rows = TRY_DURING(conn.query(cat(options_text(analyze, options), info.text)),
                                   analyze ? "EXPLAIN ANALYZE" : "EXPLAIN");
  const std::string text = TRY(rows.scalar());
  return parse_json_plan(text);
}

Result<Plan> explain(pg::Connection& conn, std::string_view sql, const ExplainOptions& options) {
  auto parsed = sql::classify(sql);
  const bool readable = static_cast<bool>(parsed);
  if (!readable && parsed.error().sqlstate != "42601") return std::move(parsed).error();
  const sql::StatementInfo info = readable ? *parsed : unparsed(sql);
  if (readable) TRY(check_kind(info));
  return in_read_only(conn, options, [&]() -> Result<Plan> {
    Plan plan = TRY(explain_here(conn, info, false, options));
    if (!options.analyze) return plan;
    const std::string why = readable
                                ? TRY(analyze_refusal(conn, info, plan, options.allow_volatile))
                                : std::string("its syntax is newer than the parser that checks it");
    if (!why.empty()) {
      return Error{ErrorCode::Invalid,
                   cat("the statement is not run: ", why),
                   {},
                   "ask for the plan without ANALYZE"};
    }
    return explain_here(conn, info, true, options);
  });
}

}  // namespace pgtend::explain
