#include "vacuum/second_sample.h"

#include <algorithm>

#include "base/text.h"
#include "facts/upkeep.h"
#include "vacuum/actions.h"

namespace pgtend::vacuum {
namespace {

json::array to_json(const std::vector<Jump>& list) {
  json::array out;
  for (const Jump& jump : list) {
    out.emplace_back(json::object{{"column", jump.column}, {"what", jump.what}});
  }
  return out;
}

}  // namespace

Result<std::vector<facts::ColumnFacts>> statistics_of(pg::Connection& conn, uint32_t oid) {
  const pg::Rows rows = TRY(conn.query(
      "select attname from pg_attribute where attrelid = $1 and attnum > 0 and not attisdropped "
      "order by attnum limit 200",
      {cat(oid)}));
  std::vector<std::string> names;
  for (const pg::Row row : rows) names.emplace_back(row.text(0));
  return facts::load_columns(conn, oid, names);
}

Result<std::optional<SecondSample>> look_again(const care::GateSetup& gate, const Means& means,
                                               const facts::TableFacts& table,
                                               const facts::ServerSettings& settings,
                                               const std::vector<facts::ColumnFacts>& before) {
  pg::Options options = gate.options;
  options.set("application_name", "pgtend/look");
  pg::Connection conn = TRY(pg::Connection::open(options));
  TRY(conn.guard());
  const auto changed = static_cast<double>(table.counters.modified_since_analyze);
  const auto compare = [&]() -> Result<std::vector<Jump>> {
    return jumps(before, TRY(statistics_of(conn, table.oid)), table.rows(), changed);
  };
  SecondSample out{.odd = TRY(compare())};
  if (out.odd.empty()) return std::optional<SecondSample>();
  out.target = std::clamp<int64_t>(settings.statistics_target * 10, 1'000, 10'000);
  const facts::Upkeep upkeep = TRY(facts::load_upkeep(conn, {table.oid}));
  Choice choice = choose(table, Job::Analyze, settings, upkeep, means);
  choice.settings.push_back({cat("default_statistics_target = ", out.target),
                             "a larger sample tells whether the first one was odd"});
  for (const Jump& jump : out.odd) choice.columns.push_back(jump.column);
  out.outcome = TRY(care::Gate(gate).run(action(table, Job::Analyze, settings.version, choice)));
  out.confirmed = TRY(compare());
  return std::optional(std::move(out));
}

std::vector<std::string> lines_of(const SecondSample& second) {
  std::vector<std::string> out;
  for (const Jump& jump : second.odd) {
    const bool stays =
        std::ranges::find(second.confirmed, jump.column, &Jump::column) != second.confirmed.end();
    const std::string larger = cat("a sample for statistics target ", grouped(second.target));
    out.push_back(cat("odd sample of column ", printable(jump.column), ": ", jump.what, "; ",
                      larger, stays ? " says so, too" : " has put it right"));
  }
  return out;
}

json::object to_json(const SecondSample& second) {
  return {{"odd", to_json(second.odd)},
          {"confirmed", to_json(second.confirmed)},
          {"target", second.target},
          {"outcome", care::to_json(second.outcome)}};
}

}  // namespace pgtend::vacuum
