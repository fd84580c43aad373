#include "vacuum/vacuum.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "base/text.h"
#include "vacuum/runway.h"

namespace pgtend::vacuum {

namespace {

constexpr int kVersionNewPage = 160000;

Result<std::map<uint32_t, int64_t>> load_updated_to_new_page(pg::Connection& conn) {
  std::map<uint32_t, int64_t> out;
  if (conn.server_version() < kVersionNewPage) return out;
  const pg::Rows rows = TRY_DURING(
      conn.query("select c.oid::int8, pg_stat_get_tuples_newpage_updated(c.oid) from pg_class c "
                 "where c.relkind = 'r' and pg_stat_get_tuples_newpage_updated(c.oid) > 0"),
      "reading updates to new pages");
  for (const pg::Row row : rows) {
    out[static_cast<uint32_t>(TRY(row.get<int64_t>(0)))] = TRY(row.get<int64_t>(1));
  }
  return out;
}

}  // namespace

Result<Facts> load(pg::Connection& conn, const facts::TableFilter& filter) {
  Facts out;
  facts::Tables tables = TRY(facts::load_tables(conn, filter));
  out.tables = std::move(tables.tables);
  out.missing = std::move(tables.missing);
  out.context.settings = TRY(facts::load_settings(conn));
  facts::Holders holders = TRY(facts::load_holders(conn));
  out.context.holders = facts::of(holders.holders, facts::Horizon::Data);
  out.context.costs = TRY(facts::load_vacuum_costs(conn));
  out.context.updated_to_new_page = TRY(load_updated_to_new_page(conn));
  out.context.autovacuum = TRY(facts::load_autovacuum(conn));
  if (filter.table.empty()) out.runway = TRY(facts::load_runway(conn));
  out.at = system_clock().wall();
  for (facts::MissingRight& missing : holders.missing) out.missing.push_back(std::move(missing));
  return out;
}

Status load_estimates(pg::Connection& conn, Facts& facts) {
  const double sample = 300 * static_cast<double>(facts.context.settings.statistics_target);
  std::map<std::string, std::string> parent_of;
  for (const facts::TableFacts& table : facts.tables) parent_of[table.qualified()] = table.parent;
  std::map<std::string, double> below;
  for (const facts::TableFacts& table : facts.tables) {
    std::string above = table.parent;
    for (; !above.empty(); above = parent_of[above]) below[above] += table.rows();
  }
  std::vector<facts::EstimateTable> wanted;
  for (const facts::TableFacts& table : facts.tables) {
    const double rows = table.kind == 'p' ? below[table.qualified()] : table.rows();
    if (rows > sample) wanted.push_back({.oid = table.oid, .rows = rows});
  }
  facts.context.estimates = TRY(facts::load_estimates(conn, wanted));
  return ok();
}

std::vector<care::Finding> review(const Facts& facts, const Policy& policy) {
  std::vector<std::pair<int64_t, care::Finding>> found;
  for (const facts::TableFacts& table : facts.tables) {
    const int64_t bytes = table.size.heap.count + table.size.indexes.count + table.size.toast.count;
    for (const Rule& rule : rules()) {
      auto finding = rule.check(table, facts.context, policy);
      if (finding) found.emplace_back(bytes, std::move(*finding));
    }
    const auto columns = facts.context.estimates.find(table.oid);
    if (columns == facts.context.estimates.end()) continue;
    for (const facts::ColumnEstimate& column : columns->second) {
      for (const ColumnRule& rule : column_rules()) {
        auto finding = rule.check(table, column, facts.context, policy);
        if (finding) found.emplace_back(bytes, std::move(*finding));
      }
    }
  }
  if (facts.runway) {
    for (care::Finding& finding :
         runway_findings(*facts.runway, facts.context.settings, facts.at)) {
      found.emplace_back(INT64_MAX, std::move(finding));
    }
  }
  std::ranges::stable_sort(found, [](const auto& a, const auto& b) {
    if (a.second.severity != b.second.severity) return a.second.severity > b.second.severity;
    return a.first > b.first;
  });
  std::vector<care::Finding> out;
  for (auto& [bytes, finding] : found) out.push_back(std::move(finding));
  return out;
}

json::object to_json(const Facts& facts) {
  json::array tables;
  for (const facts::TableFacts& table : facts.tables) tables.emplace_back(to_json(table));
  json::array holders;
  for (const facts::HorizonHolder& holder : facts.context.holders) {
    holders.emplace_back(to_json(holder));
  }
  json::array missing;
  for (const facts::MissingRight& right : facts.missing) missing.emplace_back(to_json(right));
  json::object out{{"settings", to_json(facts.context.settings)},
                   {"holders", std::move(holders)},
                   {"tables", std::move(tables)},
                   {"missing_rights", std::move(missing)}};
  if (facts.context.costs) out["costs"] = to_json(*facts.context.costs);
  json::object moved;
  for (const auto& [oid, rows] : facts.context.updated_to_new_page) moved[cat(oid)] = rows;
  if (!moved.empty()) out["updated_to_new_page"] = std::move(moved);
  if (facts.context.autovacuum) out["autovacuum"] = to_json(*facts.context.autovacuum);
  if (!facts.context.estimates.empty()) out["estimates"] = to_json(facts.context.estimates);
  if (!facts.context.bloat.tables.empty()) out["bloat"] = to_json(facts.context.bloat);
  if (facts.runway) out["runway"] = to_json(*facts.runway);
  out["at"] = std::chrono::duration_cast<seconds>(facts.at.time_since_epoch()).count();
  return out;
}

Result<Facts> facts_from_json(const json::value& value) {
  if (!value.is_object()) return Error{ErrorCode::Invalid, "facts must be an object"};
  Facts out;
  for (const auto& member : value.as_object()) {
    const std::string_view key = member.key();
    const json::value& part = member.value();
    if (key == "settings") {
      out.context.settings = TRY(facts::settings_from_json(part));
    } else if (key == "holders" && part.is_array()) {
      for (const json::value& holder : part.as_array()) {
        out.context.holders.push_back(TRY(facts::holder_from_json(holder)));
      }
    } else if (key == "tables" && part.is_array()) {
      for (const json::value& table : part.as_array()) {
        out.tables.push_back(TRY(facts::table_from_json(table)));
      }
    } else if (key == "costs") {
      out.context.costs = TRY(facts::vacuum_costs_from_json(
          part, facts::default_vacuum_costs(out.context.settings.version)));
    } else if (key == "updated_to_new_page" && part.is_object()) {
      for (const auto& [oid, rows] : part.as_object()) {
        const auto number = parse_int(oid);
        if (!number || !rows.is_int64()) return Error{ErrorCode::Invalid, "rows by oid are wanted"};
        out.context.updated_to_new_page[static_cast<uint32_t>(*number)] = rows.as_int64();
      }
    } else if (key == "autovacuum") {
      out.context.autovacuum = TRY(facts::autovacuum_from_json(part));
    } else if (key == "estimates") {
      out.context.estimates = TRY(facts::estimates_from_json(part));
    } else if (key == "bloat") {
      out.context.bloat = TRY(bloat_report_from_json(part));
    } else if (key == "runway") {
      out.runway = TRY(facts::runway_from_json(part));
    } else if (key == "at" && part.is_int64()) {
      out.at = WallTime(seconds(part.as_int64()));
    } else if (key != "missing_rights") {
      return Error{ErrorCode::Invalid, cat("unknown member ", key)};
    }
  }
  return out;
}

}  // namespace pgtend::vacuum
