#include "partition/prove_facts.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/sql_lexer.h"
#include "base/text.h"
#include "partition/choose.h"
#include "sql/columns.h"
#include "sql/parse.h"
#include "sql/places.h"

namespace pgtend::partition {
namespace {

constexpr double kWellOrdered = 0.9;

// An array of texts as a parameter.
std::string array_text(const std::vector<std::string>& names) {
  std::vector<std::string> quoted;
  for (const std::string& name : names) {
    std::string out = "\"";
    for (const char c : name) out += c == '"' || c == '\\' ? cat('\\', c) : std::string(1, c);
    quoted.push_back(out + "\"");
  }
  return cat("{", join(quoted, ","), "}");
}

// The widest interval that keeps the budget, if a wider one does.
std::string wider(const Proofs& proofs, const Proposal& proposal) {
  constexpr std::array kDays = {1.0, 7.0, 30.4, 365.25};
  const double now = planning_ms_without_key(proofs.partitions);
  const double days =
      kDays[static_cast<size_t>(proposal.interval)] * static_cast<double>(proofs.partitions);
  for (size_t i = static_cast<size_t>(proposal.interval) + 1; i < kDays.size(); ++i) {
    const double then = planning_ms_without_key(std::max(days / kDays[i], 1.0));
    if (proofs.budget.share() * then / now <= kPlanningShareMax) {
      return cat("--every ", name(static_cast<Interval>(i)), " keeps it below 1 %");
    }
  }
  return "no wider interval brings it below 1 %: give these statements a condition on the key";
}

bool midnight(std::string_view text) {
  constexpr size_t kDay = 10;  // 2025-01-01
  if (text.size() < kDay || text[4] != '-' || text[7] != '-') return false;
  return std::ranges::all_of(text.substr(kDay), [](char c) {
    return c == ' ' || c == '0' || c == ':' || c == '+' || c == '.';
  });
}

}  // namespace

std::vector<std::string> names_called(const std::vector<facts::StatementFacts>& statements) {
  std::set<std::string> names;
  for (const facts::StatementFacts& statement : statements) {
    const auto tree = sql::parse(statement.text);
    if (!tree) continue;
    for (const std::string& function : sql::called_functions(tree->root)) {
      names.insert(function.substr(function.rfind('.') + 1));
    }
  }
  return {names.begin(), names.end()};
}

Result<NameFacts> load_name_facts(pg::Connection& conn, uint32_t oid, const KeyTable& key,
                                  const std::vector<std::string>& functions) {
  NameFacts out;
  const pg::Rows name =
      TRY_DURING(conn.query("SELECT coalesce(pg_catalog.to_regclass(pg_catalog.quote_ident($1)) "
                            "OPERATOR(pg_catalog.=) $2::pg_catalog.oid, true)",
                            {key.name, cat(oid)}),
                 "looking up the table's name");
  out.bare_name = TRY(name[0].get<bool>(0));
  const pg::Rows rows =
      TRY_DURING(conn.query("SELECT p.proname, pg_catalog.max(p.provolatile::pg_catalog.text) "
                            "FROM pg_catalog.pg_proc p WHERE p.oid OPERATOR(pg_catalog.>=) "
                            "16384::pg_catalog.oid AND p.proname OPERATOR(pg_catalog.=) ANY "
                            "($1::pg_catalog.name[]) GROUP BY 1",
                            {array_text(functions)}),
                 "looking up functions");
  for (const pg::Row row : rows) {
    out.functions.emplace(std::string(row.text(0)), row.text(1).empty() ? 'v' : row.text(1)[0]);
  }
  return out;
}

Result<PartitionSet> load_partition_set(pg::Connection& conn, const facts::Layout& layout,
                                        const std::vector<std::string>& functions) {
  if (layout.strategy != "range" || layout.column.empty()) {
    return Error{ErrorCode::Invalid, cat(layout.qualified(), " is partitioned by ", layout.strategy,
                                         " ", layout.key, ", not by ranges of one column")};
  }
  PartitionSet out;
  out.key = {.schema = layout.schema,
             .name = layout.name,
             .column = layout.column,
             .type = layout.type,
             .has_default = layout.has_default(),
             .version = conn.server_version()};
  std::vector<std::string> bounds;
  for (const facts::Partition& partition : layout.partitions) {
    if (partition.from) bounds.push_back(*partition.from);
  }
  if (!bounds.empty()) out.middle = bounds[bounds.size() / 2];
  const pg::Rows leaves = TRY_DURING(
      conn.query("select n.nspname, c.relname from pg_partition_tree($1::oid) t "
                 "join pg_class c on c.oid = t.relid join pg_namespace n on n.oid = c.relnamespace "
                 "where t.isleaf and t.level > 0",
                 {cat(layout.oid)}),
      "reading partitions");
  for (const pg::Row row : leaves) {
    out.leaves.emplace(std::string(row.text(0)), std::string(row.text(1)));
  }
  const pg::Rows columns = TRY_DURING(
      conn.query("select attname, attnotnull from pg_attribute where attrelid = $1::oid and attnum "
                 "> 0 and not attisdropped",
                 {cat(layout.oid)}),
      "reading columns");
  for (const pg::Row row : columns) {
    out.key.columns.emplace_back(row.text(0));
    if (row.text(0) == layout.column) out.key.nullable = !TRY(row.get<bool>(1));
  }
  const pg::Rows indexes = TRY_DURING(
      conn.query("select i.indexrelid, a.attname from pg_index i join pg_class c on c.oid = "
                 "i.indexrelid join pg_am m on m.oid = c.relam join pg_attribute a on a.attrelid = "
                 "i.indexrelid where i.indrelid = $1::oid and m.amname = 'btree' and i.indpred is "
                 "null and i.indexprs is null and a.attnum <= i.indnkeyatts order by 1, a.attnum",
                 {cat(layout.oid)}),
      "reading indexes");
  std::string_view last;
  for (const pg::Row row : indexes) {
    if (row.text(0) != last) out.key.indexes.emplace_back();
    last = row.text(0);
    out.key.indexes.back().emplace_back(row.text(1));
  }
  const NameFacts names = TRY(load_name_facts(conn, layout.oid, out.key, functions));
  out.key.bare_name = names.bare_name;
  out.key.functions = names.functions;
  return out;
}

Result<std::set<std::pair<std::string, std::string>>> temporary_leaves(pg::Connection& conn,
                                                                       const Proposal& proposal) {
  const pg::Rows rows = TRY(conn.query(
      "SELECT n.nspname FROM pg_catalog.pg_namespace n WHERE n.oid OPERATOR(pg_catalog.=) "
      "pg_catalog.pg_my_temp_schema()"));
  const std::string schema = TRY(rows.scalar());
  std::set<std::pair<std::string, std::string>> out;
  // Newer servers show it by its other name.
  const bool alias = conn.server_version() >= 150000;
  for (const Slice& slice : proposal.slices) out.emplace(alias ? "pg_temp" : schema, slice.name);
  return out;
}

Result<Ordering> load_ordering(pg::Connection& conn, const Definition& table, const KeyTable& key) {
  Ordering out;
  const pg::Rows rows = TRY_DURING(
      conn.query("SELECT correlation::pg_catalog.float8 FROM pg_catalog.pg_stats WHERE schemaname "
                 "OPERATOR(pg_catalog.=) $1 AND tablename OPERATOR(pg_catalog.=) $2 AND attname "
                 "OPERATOR(pg_catalog.=) $3 AND NOT inherited",
                 {table.schema, table.name, key.column}),
      "reading statistics");
  if (rows.size() == 1) out.correlation = TRY(rows[0].get<std::optional<double>>(0));
  out.indexed = std::ranges::any_of(key.indexes, [&](const std::vector<std::string>& index) {
    return !index.empty() && index.front() == key.column;
  });
  return out;
}

std::vector<std::string> verdict_of(const Proofs& proofs, const Proposal& proposal,
                                    const Ordering& ordering) {
  std::vector<std::string> out;
  const std::string brings =
      "what it brings is retention (a partition is dropped instead of rows deleted), vacuum and "
      "index builds in small pieces, and indexes that stay in memory";
  if (ordering.correlation && std::abs(*ordering.correlation) >= kWellOrdered && ordering.indexed) {
    out.push_back(
        fmt::format("queries by {} will not get faster: the rows lie in its order "
                    "(correlation {:.2f}) and an index finds them; {}",
                    proposal.column, *ordering.correlation, brings));
  } else if (!ordering.indexed) {
    out.push_back(cat("no index begins with ", proposal.column,
                      ": a query by time will read the partitions it names instead of the table"));
  } else if (ordering.correlation) {
    out.push_back(
        fmt::format("the rows do not lie in the order of {} (correlation {:.2f}): queries "
                    "by time will touch fewer pages, as each partition holds its own "
                    "time only",
                    proposal.column, *ordering.correlation));
  }
  const auto count = std::ranges::count_if(proofs.proofs, [](const Proof& proof) {
    return proof.problem.empty() && proof.per_call().prunes == Prunes::Never;
  });
  if (count > 0) {
    out.push_back(cat(count, count == 1 ? " statement gets" : " statements get",
                      " slower: planned and run over all partitions each time"));
  }
  if (proofs.budget.total_ms > 0) {
    const double share = proofs.budget.share();
    std::string line = fmt::format(
        "planning of calls without a key the planner knows: {:.1f} ms of {:.0f} ms in all, {:.2f} "
        "%",
        proofs.budget.planning_ms, proofs.budget.total_ms, share * 100);
    if (share > kPlanningShareMax) {
      line += cat(share > 2 * kPlanningShareMax ? ", too much: " : ", to be felt: ",
                  wider(proofs, proposal));
    }
    out.push_back(std::move(line));
  }
  if (proofs.proven < proofs.partitions) {
    out.push_back(cat("proven on the newest ", proofs.proven, " of ", proofs.partitions,
                      " partitions; times are scaled to all"));
  }
  return out;
}

std::vector<std::string> notes_for(const KeyTable& key, const Proof& proof) {
  std::vector<std::string> out;
  const auto places = sql::find_places(proof.statement.text);
  for (const sql::ConditionPlace& condition :
       places ? places->conditions : std::vector<sql::ConditionPlace>()) {
    if (!condition.between || condition.predicate.column != key.column || key.type == "date") {
      continue;
    }
    const std::string text = proof.statement.text.substr(
        condition.place.begin, condition.place.end - condition.place.begin);
    const std::vector<SqlToken> tokens = sql_tokens(text);
    if (tokens.empty() || tokens.back().kind != SqlTokenKind::String) continue;
    if (midnight(tokens.back().text.substr(1, tokens.back().text.size() - 2))) {
      out.push_back(
          "BETWEEN takes its upper end in: at midnight it reads the next partition, too; "
          "write < instead of <= if that row is not meant");
    }
  }
  if (proof.custom && proof.custom->prunes == Prunes::AtPlan &&
      proof.observed.prunes != Prunes::AtPlan) {
    out.push_back(
        "with values in place of parameters it is left out at plan time: as long as the "
        "server or the driver keeps to plans for the values");
  }
  if (!proof.rewrite.empty() && proof.prediction.prunes == Prunes::AtStart) {
    out.push_back(
        "the bounds of the rewriting are computed for this moment and this session's time "
        "zone: let the application compute them for each call");
  }
  return out;
}

}  // namespace pgtend::partition
