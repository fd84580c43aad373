#include "explain/sql_spans.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "sql/expression.h"

namespace pgtend::explain {
namespace {

constexpr size_t kQueryBytesMax = 100'000;
constexpr size_t kNodesMax = 16;  // of a finding: more are partitions of one table

constexpr std::array<std::string_view, 4> kScanConditions = {"Filter", "Index Cond", "Recheck Cond",
                                                             "TID Cond"};

bool names_node(const sql::TablePlace& table, const Node& node) {
  const std::string& alias = table.alias.empty() ? table.name : table.alias;
  const std::string_view shown =
      node.object.alias.empty() ? node.object.relation : node.object.alias;
  const bool schema =
      table.schema.empty() || node.object.schema.empty() || table.schema == node.object.schema;
  return schema && table.name == node.object.relation && alias == shown;
}

// EXPLAIN numbers an alias that stands in several query levels: "d" and "d_1".
bool is_numbered(std::string_view name, std::string_view base) {
  if (name.size() < base.size() + 2 || !name.starts_with(base) || name[base.size()] != '_') {
    return false;
  }
  return std::ranges::all_of(name.substr(base.size() + 1),
                             [](char c) { return c >= '0' && c <= '9'; });
}

// The table of the statement that `node` scans; nullptr when it is none or may be another one, too.
const sql::TablePlace* table_of(const Plan& plan, const Node& node, const sql::Places& places) {
  const sql::TablePlace* found = nullptr;
  for (const sql::TablePlace& table : places.tables) {
    if (!names_node(table, node)) continue;
    if (found) return nullptr;
    found = &table;
  }
  if (!found) return nullptr;
  const bool twin = std::ranges::any_of(plan.nodes, [&](const Node& other) {
    return other.object.relation == node.object.relation &&
           is_numbered(other.object.alias, node.object.alias);
  });
  return twin ? nullptr : found;
}

bool same_condition(const sql::ConditionPlace& written, const sql::Predicate& planned) {
  const sql::Predicate& other = written.predicate;
  if (other.column != planned.column) return false;
  if (written.between) return planned.op == ">=" || planned.op == "<=";
  return other.op == planned.op && other.operators == planned.operators &&
         (other.other == sql::OtherSide::PerRow) == (planned.other == sql::OtherSide::PerRow);
}

// The one condition of the statement that `planned` was; nullopt when none or several could be.
std::optional<sql::Place> condition_of(const sql::Places& places, const sql::Predicate& planned,
                                       std::string_view alias) {
  if (planned.column.empty()) return {};
  std::optional<sql::Place> found;
  for (const sql::ConditionPlace& written : places.conditions) {
    if (!same_condition(written, planned)) continue;
    const std::string& qualifier = written.predicate.qualifier;
    if (!qualifier.empty() && qualifier != alias) continue;
    if (found) return {};
    found = written.place;
  }
  return found;
}

// Lives during one call.
class SpanFinder {
 public:
  SpanFinder(const Plan& plan, const sql::Places& places) : plan_(plan), places_(places) {}

  void mark(size_t finding, const Node& node) {
    const sql::TablePlace* table = table_of(plan_, node, places_);
    if (!table) return;
    const std::string_view alias = table->alias.empty() ? table->name : table->alias;
    bool any = false;
    for (const std::string_view property : kScanConditions) {
      const std::string_view text = node.text(property);
      if (text.empty()) continue;
      const auto expression = sql::parse_expression(text);
      if (!expression) continue;
      for (const sql::Predicate& predicate : sql::predicates(*expression)) {
        const auto place = condition_of(places_, predicate, alias);
        if (place) add(finding, *place);
        any = any || place;
      }
    }
    if (!any) add(finding, table->place);
  }

  std::vector<SqlSpan> take() { return std::move(spans_); }

 private:
  void add(size_t finding, const sql::Place& place) {
    const bool known = std::ranges::any_of(spans_, [&](const SqlSpan& span) {
      return span.finding == finding && span.place.begin == place.begin;
    });
    if (!known) spans_.push_back({finding, place});
  }

  const Plan& plan_;
  const sql::Places& places_;
  std::vector<SqlSpan> spans_;
};

}  // namespace

std::vector<SqlSpan> sql_spans(const Report& report) {
  const Plan& plan = report.plan;
  if (plan.query_text.empty() || plan.query_text.size() > kQueryBytesMax) return {};
  const auto places = sql::find_places(plan.query_text);
  if (!places) return {};
  SpanFinder marker(plan, *places);
  for (size_t i = 0; i < report.findings.size(); ++i) {
    const std::vector<int>& nodes = report.places[i];
    for (size_t k = 0; k < std::min(nodes.size(), kNodesMax); ++k) {
      marker.mark(i, at(plan, nodes[k]));
    }
  }
  return marker.take();
}

}  // namespace pgtend::explain
