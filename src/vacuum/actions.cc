#include "vacuum/actions.h"

#include "base/text.h"
#include "pg/quote.h"

namespace pgtend::vacuum {
namespace {

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

std::string verify_sql(const facts::TableFacts& table, Job job, int version, const Choice& choice) {
  const std::string object = table.qualified();
  const std::string itself = cat("(select to_regclass(", pg::literal(object), ")::oid as oid) x");
  std::vector<std::string> parts;
  if (job != Job::Analyze) {
    parts.push_back(moved("pg_stat_get_last_vacuum_time", storing(object)));
  }
  const bool parent = table.kind == 'p';
  if (job != Job::Vacuum) {
    const bool alone = leaves_partitions_alone(table, job, version, choice);
    if (!alone) parts.push_back(moved("pg_stat_get_last_analyze_time", storing(object)));
    if (parent && version >= kVersionParentTimes) {
      parts.push_back(moved("pg_stat_get_last_analyze_time", itself));
    }
  }
  return cat("select (", join(parts, ") and ("), ")");
}

std::string statement(const facts::TableFacts& table, Job job, int version, const Choice& choice) {
  std::vector<std::string> options = {"VERBOSE"};
  if (job == Job::VacuumAnalyze) options.emplace_back("ANALYZE");
  if (choice.parent_alone) options.emplace_back("SKIP_LOCKED");
  for (const Option& option : choice.options) options.push_back(option.sql);
  const bool only = leaves_partitions_alone(table, job, version, choice) && !choice.parent_alone;
  std::vector<std::string> columns;
  for (const std::string& column : choice.columns) columns.push_back(pg::ident(column));
  return cat(job == Job::Analyze ? "ANALYZE (" : "VACUUM (", join(options, ", "), ") ",
             only ? "ONLY " : "", table.qualified(),
             columns.empty() ? "" : cat(" (", join(columns, ", "), ")"));
}

// Locks the partitions of `table` as ANALYZE would, but for those that somebody has locked so that
// ANALYZE passes them by anyway. Readers and writers are not disturbed.
std::string lock_partitions(const facts::TableFacts& table) {
  const std::string body = cat(R"(
declare leaf regclass;
begin
  for leaf in select t.relid from pg_partition_tree()",
                               pg::literal(table.qualified()), R"(::regclass) t
              join pg_class c on c.oid = t.relid
              where t.level > 0 and c.relkind in ('r', 'p', 'f') loop
    begin
      execute format('lock table only %s in share update exclusive mode nowait', leaf);
    exception when lock_not_available or wrong_object_type or insufficient_privilege then null;
    end;
  end loop;
end)");
  return cat("DO ", pg::literal(body));
}

}  // namespace

care::Action action(const facts::TableFacts& table, Job job, int version, const Choice& choice) {
  care::Action out{.kind = job == Job::Analyze ? "analyze" : "vacuum", .object = table.qualified()};
  for (const Option& setting : choice.settings) {
    out.steps.push_back({.sql = cat("SET ", setting.sql), .in_transaction = false});
  }
  care::Step work{.sql = statement(table, job, version, choice),
                  .lock = care::LockMode::ShareUpdateExclusive,
                  .in_transaction = false,
                  .yields = true};
  if (choice.parent_alone) work.beside = {lock_partitions(table)};
  out.steps.push_back(std::move(work));
  out.measure_sql = cat(
      "select coalesce(sum(pg_relation_size(x.oid) / current_setting('block_size')::int), "
      "0)::bigint"
      " as pages, coalesce(sum(pg_total_relation_size(x.oid)), 0)::bigint as bytes,"
      " coalesce(sum(pg_stat_get_live_tuples(x.oid)), 0)::bigint as rows_live,"
      " coalesce(sum(pg_stat_get_dead_tuples(x.oid)), 0)::bigint as rows_dead,"
      " coalesce(sum(pg_stat_get_mod_since_analyze(x.oid)), 0)::bigint as modified_since_analyze,"
      " coalesce(sum(x.relallvisible), 0)::bigint as pages_visible from ",
      storing(out.object));
  out.verify_sql = verify_sql(table, job, version, choice);
  return out;
}

}  // namespace pgtend::vacuum
