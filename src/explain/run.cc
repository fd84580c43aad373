#include "explain/run.h"

#include <algorithm>
#include <utility>

#include "base/sql_lexer.h"
#include "base/text.h"
#include "explain/parse_json.h"
#include "explain/refusal.h"
#include "pg/quote.h"
#include "sql/names.h"

namespace pgtend::explain {
namespace {

std::string options_text(bool analyze, const ExplainOptions& options) {
  std::string out = "EXPLAIN (FORMAT JSON, VERBOSE, SETTINGS";
  if (analyze) {
    out += cat(", ANALYZE, BUFFERS ", options.buffers ? "on" : "off", ", TIMING ",
               options.timing ? "on" : "off");
  }
  return out + ") ";
}

// The generic plan of a statement with parameters: prepared, so that the server infers their types,
// and planned without looking at the values given. (GENERIC_PLAN exists from 16 on only, and leaves
// out what happens at start-up.)
Result<std::string> generic_plan(pg::Connection& conn, const sql::StatementInfo& info, bool analyze,
                                 const ExplainOptions& options) {
  constexpr std::string_view kName = "pgtend_explain";
  TRY(conn.query("SET LOCAL plan_cache_mode = force_generic_plan"));
  TRY_DURING(conn.query(cat("PREPARE ", kName, " AS ", info.text)),
             "inferring the types of the parameters");
  std::vector<std::string> values(static_cast<size_t>(info.parameters), "NULL");
  for (size_t i = 0; i < std::min(values.size(), options.values.size()); ++i) {
    if (options.values[i]) values[i] = pg::literal(*options.values[i]);
  }
  auto rows = conn.query(
      cat(options_text(analyze, options), "EXECUTE ", kName, "(", join(values, ", "), ")"));
  if (!rows) return std::move(rows).error().during("EXPLAIN EXECUTE");
  TRY(conn.query(cat("DEALLOCATE ", kName)));
  return rows->scalar();
}

// A statement that this grammar cannot read, to be planned as it is.
Result<sql::StatementInfo> unparsed(std::string_view sql) {
  sql::StatementInfo info;
  info.text = trim(sql);
  info.newer_syntax = true;
  sql::TextNames text = sql::names_in_text(info.text);
  if (text.opaque.starts_with("U&")) {
    return Error{ErrorCode::Invalid, "the statement has names in U&\"...\" and newer syntax"}
        .hinting("write the names as they are");
  }
  info.names = std::move(text.names);
  for (const SqlToken& token : sql_tokens(info.text)) {
    if (token.kind != SqlTokenKind::Parameter) continue;
    constexpr int64_t kMax = 65'535;  // of the protocol
    const auto number = parse_int(token.text.substr(1));
    if (number && *number <= kMax) {
      info.parameters = std::max(info.parameters, static_cast<int>(*number));
    }
  }
  return info;
}

Status check_kind(const sql::StatementInfo& info) {
  if (info.kind == sql::StatementKind::Utility) {
    return Error{ErrorCode::Invalid,
                 "a utility command has no plan",
                 {},
                 "give a SELECT, INSERT, UPDATE, DELETE or MERGE"};
  }
  if (info.temporary) {
    // EXPLAIN looks the name of the table up, which makes the session's temporary schema.
    return Error{ErrorCode::Invalid,
                 "planning the creation of a temporary table already writes to the catalogs"}
        .hinting("give the SELECT alone");
  }
  return ok();
}

// Volatile code may be allowed; for all else there is only the plan.
Status check_running(pg::Connection& conn, const sql::StatementInfo& info,
                     const ExplainOptions& options) {
  if (info.parameters > 0 && options.values.size() != static_cast<size_t>(info.parameters)) {
    return Error{ErrorCode::Invalid, "the statement is not run: it has parameters without values"}
        .hinting("give them with --param, or let --sample take them from pg_stats");
  }
  const std::string why = TRY(analyze_refusal(conn, info, options.allow_volatile));
  if (why.empty()) return ok();
  const bool consent_helps =
      !options.allow_volatile && TRY(analyze_refusal(conn, info, true)).empty();
  return Error{ErrorCode::Invalid, cat("the statement is not run: ", why)}.hinting(
      consent_helps ? "ask for the plan without --analyze, or run it all the same with "
                      "--allow-volatile"
                    : "ask for the plan without --analyze");
}

}  // namespace

Status check_planning(pg::Connection& conn, const sql::StatementInfo& info) {
  const std::string why = TRY(planning_refusal(conn, info));
  if (why.empty()) return ok();
  return Error{ErrorCode::Invalid, cat("the statement is not even planned: ", why)}.hinting(
      "declare the function VOLATILE, or take the plan where its effect does not matter and give "
      "it to pgtend explain");
}

Status begin_read_only(pg::Connection& conn, const ExplainOptions& options) {
  if (conn.in_transaction()) {
    return Error{ErrorCode::Invalid, "a plan cannot be asked for inside a transaction"};
  }
  // The string literals of the statement are what our parser takes them for.
  return conn.exec(
      cat("BEGIN TRANSACTION READ ONLY; SET LOCAL standard_conforming_strings = on; "
          "SET LOCAL statement_timeout = ",
          options.statement_timeout.count(), "; SET LOCAL lock_timeout = ",
          options.lock_timeout.count(), "; SET LOCAL idle_in_transaction_session_timeout = ",
          options.statement_timeout.count() + 60'000));
}

void end_read_only(pg::Connection& conn) {
  // A lost connection has rolled back by itself; its error has been seen by the caller.
  (void)static_cast<bool>(conn.exec("ROLLBACK"));
}

Result<std::string> prefer_catalog(pg::Connection& conn) {
  const pg::Rows rows = TRY(conn.query("SELECT pg_catalog.current_setting('search_path')"));
  std::string path = TRY(rows.scalar());
  restore_path(conn, cat("pg_catalog", path.empty() ? "" : ", ", path));
  return path;
}

void restore_path(pg::Connection& conn, const std::string& path) {
  // A lost connection has no path any more; its error will be seen by the caller.
  (void)static_cast<bool>(
      conn.query("SELECT pg_catalog.set_config('search_path', $1, false)", {path}));
}

Result<Plan> explain_here(pg::Connection& conn, const sql::StatementInfo& info, bool analyze,
                          const ExplainOptions& options) {
  if (info.parameters > 0 && (options.generic || options.values.empty())) {
    return parse_json_plan(TRY(generic_plan(conn, info, analyze, options)));
  }
  // The extended protocol takes one statement only, whatever the text holds; values are no part of
  // the text, and the plan is made for them as by EXECUTE with plan_cache_mode = force_custom_plan.
  const pg::Rows rows =
      TRY_DURING(conn.query(cat(options_text(analyze, options), info.text), options.values),
                 analyze ? "EXPLAIN ANALYZE" : "EXPLAIN");
  const std::string text = TRY(rows.scalar());
  return parse_json_plan(text);
}

Result<Plan> explain(pg::Connection& conn, std::string_view sql, const ExplainOptions& options) {
  auto parsed = sql::classify(sql);
  const bool readable = static_cast<bool>(parsed);
  if (!readable && parsed.error().sqlstate != "42601") return std::move(parsed).error();
  const sql::StatementInfo info = readable ? *parsed : TRY(unparsed(sql));
  if (readable) TRY(check_kind(info));
  return in_read_only(conn, options, [&]() -> Result<Plan> {
    TRY(check_planning(conn, info));
    if (options.analyze) TRY(check_running(conn, info, options));
    return explain_here(conn, info, options.analyze, options);
  });
}

}  // namespace pgtend::explain
