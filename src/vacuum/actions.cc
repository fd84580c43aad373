#include "vacuum/actions.h"

#include <cstdlib>

#include "base/text.h"
#include "pg/quote.h"

namespace pgtend::vacuum {
namespace {

constexpr int kVersionAnalyzeOnly = 180000;
constexpr int kVersionParentTimes = 140000;  // before, ANALYZE left no trace on a partitioned table

// The tables whose rows the statement works on: the table, or the leaves below it.
std::string storing(const std::string& table) {
  const std::string oid = cat("to_regclass(", pg::literal(table), ")");
  return cat("(select c.oid, c.relpages, c.relallvisible from pg_class c where (c.oid = ", oid,
             " or c.oid in (select relid from pg_partition_tree(", oid,
             "))) and c.relkind in ('r', 'm')) x");
}

// True when the server says that each table's last run began after the action did.
std::string moved(std::string_view function, const std::string& from) {
  return cat("select coalesce(bool_and(coalesce(", function,
             "(x.oid) >= current_setting('pgtend.action_started')::timestamptz, false)), false) "
             "from ",
             from);
}

std::string verify_sql(const facts::TableFacts& table, Job job, int version) {
  const std::string object = table.qualified();
  const std::string itself = cat("(select to_regclass(", pg::literal(object), ")::oid as oid) x");
  std::vector<std::string> parts;
  if (job != Job::Analyze) {
    parts.push_back(moved("pg_stat_get_last_vacuum_time", storing(object)));
  }
  const bool parent = table.kind == 'p';
  if (job != Job::Vacuum) {
    const bool only_parent = parent && job == Job::Analyze && version >= kVersionAnalyzeOnly;
    if (!only_parent) parts.push_back(moved("pg_stat_get_last_analyze_time", storing(object)));
    if (parent && version >= kVersionParentTimes) {
      parts.push_back(moved("pg_stat_get_last_analyze_time", itself));
    }
  }
  return cat("select (", join(parts, ") and ("), ")");
}

std::string statement(const facts::TableFacts& table, Job job, int version) {
  const std::string object = table.qualified();
  switch (job) {
    case Job::Vacuum:
      return cat("VACUUM (VERBOSE) ", object);
    case Job::Analyze:
      return cat("ANALYZE (VERBOSE) ",
                 table.kind == 'p' && version >= kVersionAnalyzeOnly ? "ONLY " : "", object);
    case Job::VacuumAnalyze:
      return cat("VACUUM (VERBOSE, ANALYZE) ", object);
  }
  std::abort();
}

}  // namespace

std::string_view name(Job job) {
  switch (job) {
    case Job::Vacuum:
      return "vacuum";
    case Job::Analyze:
      return "analyze";
    case Job::VacuumAnalyze:
      return "vacuum-analyze";
  }
  std::abort();
}

care::Action action(const facts::TableFacts& table, Job job, int version) {
  care::Action out{.kind = job == Job::Analyze ? "analyze" : "vacuum", .object = table.qualified()};
  out.steps.push_back({.sql = statement(table, job, version),
                       .lock = care::LockMode::ShareUpdateExclusive,
                       .in_transaction = false});
  out.measure_sql = cat(
      "select coalesce(sum(pg_relation_size(x.oid) / current_setting('block_size')::int), "
      "0)::bigint"
      " as pages, coalesce(sum(pg_total_relation_size(x.oid)), 0)::bigint as bytes,"
      " coalesce(sum(pg_stat_get_live_tuples(x.oid)), 0)::bigint as rows_live,"
      " coalesce(sum(pg_stat_get_dead_tuples(x.oid)), 0)::bigint as rows_dead,"
      " coalesce(sum(pg_stat_get_mod_since_analyze(x.oid)), 0)::bigint as modified_since_analyze,"
      " coalesce(sum(x.relallvisible), 0)::bigint as pages_visible from ",
      storing(out.object));
  out.verify_sql = verify_sql(table, job, version);
  return out;
}

}  // namespace pgtend::vacuum
