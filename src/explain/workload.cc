#include "explain/workload.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/text.h"
#include "explain/plan_shape.h"
#include "explain/sampling.h"
#include "explain/words.h"
#include "facts/statements.h"

namespace pgtend::explain {
namespace {

constexpr int64_t kShapesMax = 200;

// $1 a table, with its partitions.
constexpr std::string_view kFamily = R"(
WITH RECURSIVE family(id) AS (
  SELECT $1::regclass::oid
  UNION
  SELECT i.inhrelid FROM pg_inherits i JOIN family f ON i.inhparent = f.id)
)";

constexpr std::string_view kMembersSql = R"(
SELECT n.nspname, c.relname
  FROM family f JOIN pg_class c ON c.oid = f.id JOIN pg_namespace n ON n.oid = c.relnamespace)";

constexpr std::string_view kWritesSql = R"(
SELECT sum(s.n_tup_ins)::float8, sum(s.n_tup_upd)::float8, sum(s.n_tup_hot_upd)::float8,
       sum(greatest(c.reltuples, 0))::float8,
       sum(pg_indexes_size(f.id))::bigint,
       to_char(d.stats_reset, 'YYYY-MM-DD'),
       extract(epoch FROM clock_timestamp() - d.stats_reset)::float8
  FROM family f
  JOIN pg_class c ON c.oid = f.id
  JOIN pg_stat_all_tables s ON s.relid = f.id
 CROSS JOIN pg_stat_database d
 WHERE d.datname = current_database()
 GROUP BY d.stats_reset)";

// `sql` over the table and its partitions, with the time limits of `options`: sizes wait for locks.
Result<pg::Rows> ask_family(pg::Connection& conn, std::string_view sql, const std::string& table,
                            const ExplainOptions& options) {
  return in_read_only(conn, options, [&] {
    return with_catalog_first(conn, [&] { return conn.query(cat(kFamily, sql), {table}); });
  });
}

using Family = std::set<std::pair<std::string, std::string>>;

Result<Family> family_of(pg::Connection& conn, const std::string& table,
                         const ExplainOptions& options) {
  const pg::Rows rows =
      TRY_DURING(ask_family(conn, kMembersSql, table, options), "reading the table's partitions");
  Family out;
  for (int i = 0; i < rows.size(); ++i) {
    out.emplace(std::string(rows[i].text(0)), std::string(rows[i].text(1)));
  }
  return out;
}

Result<WriteCounters> writes_to(pg::Connection& conn, const std::string& table,
                                const ExplainOptions& options) {
  const pg::Rows rows = TRY_DURING(ask_family(conn, kWritesSql, table, options),
                                   "reading what is written to the table");
  WriteCounters out;
  if (rows.size() != 1) return out;
  const auto number = [&](int column) -> Result<double> {
    return TRY(rows[0].get<std::optional<double>>(column)).value_or(0);
  };
  out.inserted = TRY(number(0));
  out.updated = TRY(number(1));
  out.updated_hot = TRY(number(2));
  out.rows = TRY(number(3));
  out.indexes = {TRY(rows[0].get<std::optional<int64_t>>(4)).value_or(0)};
  out.since = rows[0].text(5);
  out.days = TRY(number(6)) / 86'400;
  return out;
}

bool reads(const Plan& plan, const Family& family) {
  return std::ranges::any_of(
      plan.nodes, [&](const Node& node) { return family.contains(node.object.table()); });
}

// A plan for typical values; the generic one where the statistics give none.
Result<Plan> plan_of(pg::Connection& conn, KnownStatement& statement,
                     const ExplainOptions& options) {
  auto values = parameter_values(conn, statement.text, {}, true);
  if (values) statement.values = to_params(*values);
  ExplainOptions mine = options;
  mine.analyze = false;
  mine.values = statement.values;
  return explain(conn, statement.text, mine);
}

// Whether the connection itself is lost, so that going on makes no sense.
bool is_lost(const Error& error) {
  return error.code == ErrorCode::Unavailable || error.code == ErrorCode::Cancelled;
}

std::string statements_text(size_t count) {
  return cat(count, count == 1 ? " other statement reads" : " other statements read");
}

}  // namespace

bool Workload::proves() const {
  return why_not.empty() && !statements.empty() &&
         std::ranges::none_of(statements, &KnownStatement::worse);
}

Result<Workload> plan_workload(pg::Connection& conn, const std::string& table,
                               const sql::StatementInfo& own, const ExplainOptions& options) {
  Workload out;
  facts::StatementList known = TRY(facts::load_statements(conn, kShapesMax));
  out.why_not = std::move(known.why_not);
  const Family family = TRY(family_of(conn, table, options));
  out.writes = TRY(writes_to(conn, table, options));
  for (facts::StatementFacts& each : known.statements) {
    const auto info = sql::classify(each.text);
    if (info && (info->kind == sql::StatementKind::Utility || info->asked_explain ||
                 info->fingerprint == own.fingerprint)) {
      continue;
    }
    KnownStatement statement{.id = std::move(each.id), .text = std::move(each.text)};
    const auto plan = plan_of(conn, statement, options);
    if (!plan) {
      if (is_lost(plan.error())) return plan.error();
      ++out.unplanned;
      continue;
    }
    if (!reads(*plan, family)) continue;
    statement.cost_before = statement.cost_after = plan->root().estimate.total_cost;
    statement.shape_before = statement.shape_after = plan_shape(*plan);
    out.statements.push_back(std::move(statement));
  }
  return out;
}

Status plan_again(pg::Connection& conn, Workload& workload, const std::string& table,
                  const ExplainOptions& options) {
  std::vector<KnownStatement> planned;
  for (KnownStatement& statement : workload.statements) {
    ExplainOptions mine = options;
    mine.analyze = false;
    mine.values = statement.values;
    const auto plan = explain(conn, statement.text, mine);
    if (!plan) {
      if (is_lost(plan.error())) return plan.error();
      ++workload.unplanned;
      continue;
    }
    statement.cost_after = plan->root().estimate.total_cost;
    statement.shape_after = plan_shape(*plan);
    planned.push_back(std::move(statement));
  }
  workload.statements = std::move(planned);
  WriteCounters writes = TRY(writes_to(conn, table, options));
  writes.index = writes.indexes - workload.writes.indexes;
  workload.writes = std::move(writes);
  return ok();
}

std::string effect_text(const Workload& workload) {
  if (!workload.why_not.empty()) return cat("other statements: ", workload.why_not);
  const auto count = [&](auto property) {
    return std::ranges::count_if(workload.statements, property);
  };
  const auto changed = count(&KnownStatement::changed), worse = count(&KnownStatement::worse);
  std::string out =
      workload.statements.empty()
          ? std::string("no other statement that pg_stat_statements knows reads the table")
          : cat(statements_text(workload.statements.size()), " the table: ",
                changed == 0 ? std::string("no plan changes")
                             : cat(changed, changed == 1 ? " plan changes" : " plans change"),
                worse == 0 ? std::string(", none gets dearer")
                           : cat(", ", worse, worse == 1 ? " gets dearer" : " get dearer"));
  if (workload.unplanned > 0) out += cat(" (", workload.unplanned, " could not be planned)");
  return out;
}

std::string write_text(const WriteCounters& writes) {
  constexpr double kDayMin = 1.0 / 24;  // of counting, to tell how much a day
  const double entries = writes.inserted + std::max(writes.updated - writes.updated_hot, 0.0);
  if (entries <= 0 && writes.updated_hot <= 0) return {};
  const bool a_day = !writes.since.empty() && writes.days >= kDayMin;
  std::string out = cat(counted(a_day ? entries / writes.days : entries),
                        a_day ? " rows a day" : " rows", " were inserted or moved by updates",
                        writes.since.empty() ? std::string() : cat(" since ", writes.since),
                        ": each writes one entry more");
  if (writes.rows > 0 && writes.index.count > 0) {
    out += cat(" of ", counted(static_cast<double>(writes.index.count) / writes.rows), " bytes");
  }
  if (writes.updated_hot > 0) {
    out += cat("; ", percent(writes.updated_hot / writes.updated),
               " of the updates touch no index (HOT): those that change an indexed column will");
  }
  return out;
}

}  // namespace pgtend::explain
