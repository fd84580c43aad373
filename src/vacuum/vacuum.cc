#include "vacuum/vacuum.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "base/text.h"
#include "vacuum/runway.h"

namespace pgtend::vacuum {

Result<Facts> load(pg::Connection& conn, const facts::TableFilter& filter) {
  Facts out;
  facts::Tables tables = TRY(facts::load_tables(conn, filter));
  out.tables = std::move(tables.tables);
  out.missing = std::move(tables.missing);
  out.context.settings = TRY(facts::load_settings(conn));
  facts::Holders holders = TRY(facts::load_holders(conn));
  out.context.holders = facts::of(holders.holders, facts::Horizon::Data);
  if (filter.table.empty()) out.runway = TRY(facts::load_runway(conn));
  out.at = system_clock().wall();
  for (facts::MissingRight& missing : holders.missing) out.missing.push_back(std::move(missing));
  return out;
}

std::vector<care::Finding> review(const Facts& facts, const Policy& policy) {
  std::vector<std::pair<int64_t, care::Finding>> found;
  for (const facts::TableFacts& table : facts.tables) {
    const int64_t bytes = table.size.heap.count + table.size.indexes.count + table.size.toast.count;
    for (const Rule& rule : rules()) {
      auto finding = rule.check(table, facts.context, policy);
      if (finding) found.emplace_back(bytes, std::move(*finding));
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
