#include "explain/tree.h"

#include <algorithm>
#include <array>

#include "explain/number.h"

namespace pgtend::explain {
namespace {

// Properties whose text is a name or a word of EXPLAIN's own, never an expression.
constexpr std::array<std::string_view, 17> kNoExpressions = {
    "Node Type",     "Parent Relationship", "Subplan Name", "Schema",      "Relation Name",
    "Alias",         "Index Name",          "CTE Name",     "Join Type",   "Scan Direction",
    "Strategy",      "Partial Mode",        "Operation",    "Sort Method", "Sort Space Type",
    "Function Name", "Tuplestore Name"};

}  // namespace

std::string_view Node::text(std::string_view name) const { return text_member(properties, name); }

std::optional<double> Node::number(std::string_view name) const {
  const Value* value = find_member(properties, name);
  return value ? to_double(*value) : std::nullopt;
}

std::vector<std::string_view> Node::expressions() const {
  std::vector<std::string_view> out;
  for (const Property& property : properties) {
    if (std::ranges::find(kNoExpressions, property.key) != kNoExpressions.end()) continue;
    const Value& value = property.value;
    if (value.is_string()) out.push_back(value.get_string());
    if (!value.is_array()) continue;
    for (const Value& entry : value.get_array()) {
      if (entry.is_string()) out.push_back(entry.get_string());
    }
  }
  return out;
}

bool is_gather(const Node& node) { return node.type == "Gather" || node.type == "Gather Merge"; }

bool Plan::has_blocks() const {
  return std::ranges::any_of(nodes, [](const Node& node) { return node.blocks.has_value(); });
}

bool Plan::below(int node, int ancestor) const {
  while (node != kNone && node != ancestor) node = nodes[static_cast<size_t>(node)].parent;
  return node == ancestor;
}

}  // namespace pgtend::explain
