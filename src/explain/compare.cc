#include "explain/compare.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <string_view>

#include "base/text.h"
#include "explain/number.h"
#include "explain/plan_builder.h"

namespace pgtend::explain {
namespace {

// Never shown by TEXT, or only in some plans.
constexpr std::array<std::string_view, 2> kNotInText = {"Inner Unique", "Foreign"};

// What differs between two runs of one plan.
constexpr std::array<std::string_view, 48> kMeasured = {"Actual Startup Time",
                                                        "Actual Total Time",
                                                        "Actual Rows",
                                                        "Actual Loops",
                                                        "Planning Time",
                                                        "Execution Time",
                                                        "Planning",
                                                        "JIT",
                                                        "Serialization",
                                                        "Workers",
                                                        "Workers Launched",
                                                        "Heap Fetches",
                                                        "Shared Hit Blocks",
                                                        "Shared Read Blocks",
                                                        "Shared Dirtied Blocks",
                                                        "Shared Written Blocks",
                                                        "Local Hit Blocks",
                                                        "Local Read Blocks",
                                                        "Local Dirtied Blocks",
                                                        "Local Written Blocks",
                                                        "Temp Read Blocks",
                                                        "Temp Written Blocks",
                                                        "I/O Read Time",
                                                        "I/O Write Time",
                                                        "Shared I/O Read Time",
                                                        "Shared I/O Write Time",
                                                        "Local I/O Read Time",
                                                        "Local I/O Write Time",
                                                        "Temp I/O Read Time",
                                                        "Temp I/O Write Time",
                                                        "WAL Records",
                                                        "WAL FPI",
                                                        "WAL Bytes",
                                                        "WAL Buffers Full",
                                                        "Sort Space Used",
                                                        "Sort Space Type",
                                                        "Sort Method",
                                                        "Peak Memory Usage",
                                                        "Disk Usage",
                                                        "HashAgg Batches",
                                                        "Maximum Storage",
                                                        "Exact Heap Blocks",
                                                        "Lossy Heap Blocks",
                                                        "Full-sort Groups",
                                                        "Pre-sorted Groups",
                                                        "Index Searches",
                                                        "Subplans Removed",
                                                        "Time"};
constexpr std::array<std::string_view, 9> kMeasuredFronts = {
    "Rows Removed by", "Hash B",          "Original Hash B", "Cache Hits",  "Cache Misses",
    "Cache Evictions", "Cache Overflows", "Tuples ",         "Conflicting "};

bool is_measured(std::string_view name) {
  return std::ranges::find(kMeasured, name) != kMeasured.end() ||
         std::ranges::any_of(kMeasuredFronts, [&](auto front) { return name.starts_with(front); });
}

// A value in a form that is the same for all formats: numbers as texts of the same precision.
// Nullopt for what TEXT leaves out. Values nest no deeper than kPropertyDepthMax.
class Canonical {
 public:
  explicit Canonical(const CompareOptions& options) : options_(options) {}

  std::optional<json::value> value(const Value& value, bool in_list = false);
  json::object object(const Properties& object);

 private:
  CompareOptions options_;
  size_t depth_ = 0;
};

std::string number_form(double number) {
  return std::abs(number) < 1e15 ? cat(std::round(number * 1e4) / 1e4) : cat(number);
}

std::optional<json::value> Canonical::value(const Value& value, bool in_list) {
  if (value.is_null()) return {};
  if (value.is_bool()) {
    return value.get_bool() || in_list ? std::optional(json::value("true")) : std::nullopt;
  }
  if (value.is_number() ||
      (value.is_string() && !in_list && looks_like_number(value.get_string()))) {
    const double number = to_double(value).value_or(0);
    if (number == 0 && !in_list) return {};
    return json::value(number_form(number));
  }
  if (value.is_string())
    return value.get_string().empty() ? std::nullopt : std::optional(to_json(value));
  if (++depth_ > kPropertyDepthMax) return {};
  std::optional<json::value> out;
  if (const Properties* entries = value.if_object()) {
    json::object form = object(*entries);
    if (!form.empty()) out = std::move(form);
  } else {
    json::array list;
    for (const Value& entry : value.get_array()) {
      std::optional<json::value> form = this->value(entry, true);
      if (form) list.push_back(std::move(*form));
      if (!form && entry.is_array()) list.push_back(json::array());
    }
    if (!list.empty()) out = std::move(list);
  }
  --depth_;
  return out;
}

json::object Canonical::object(const Properties& object) {
  json::object out;
  for (const Property& entry : object) {
    const std::string_view name = entry.key;
    if (std::ranges::find(kNotInText, name) != kNotInText.end()) continue;
    if (!options_.measured && is_measured(name)) continue;
    if (auto form = value(entry.value)) {
      out.emplace(json::string_view(name.data(), name.size()), std::move(*form));
    }
  }
  // A worker that did nothing to tell of.
  const Value* worker = object.if_contains("Worker Number");
  if (worker) out.erase("Worker Number");
  if (worker && !out.empty()) out["Worker Number"] = to_text(*worker);
  return out;
}

bool has_text(const json::object& object, const char* name, std::string_view text) {
  const json::value* value = object.if_contains(name);
  return value && value->is_string() &&
         value->get_string() == json::string_view(text.data(), text.size());
}

// Without what a node's line in TEXT does not tell.
json::object node_form(const Plan& plan, const Node& node, Canonical& canonical) {
  json::object out = canonical.object(node.properties);
  const json::value* alias = out.if_contains("Alias");
  for (const char* name : {"Function Name", "Table Function Name"}) {
    const json::value* function = out.if_contains(name);
    if (alias && function && *alias == *function) out.erase(name);
  }
  if (!has_text(out, "Scan Direction", "Backward")) out.erase("Scan Direction");
  std::string_view parent;
  if (node.parent != kNone) parent = at(plan, node.parent).type;
  if (parent == "ModifyTable" || parent == "Custom Scan") out.erase("Parent Relationship");
  if (!node.actual || node.actual->loops == 0) {
    for (const char* name : {"Actual Startup Time", "Actual Total Time", "Actual Rows"}) {
      out.erase(name);
    }
  }
  return out;
}

// The relation of a trigger, and the name of one of a constraint, are only in some TEXT plans.
void soften_triggers(json::object& document) {
  json::value* list = document.if_contains("Triggers");
  if (!list || !list->is_array()) return;
  for (json::value& entry : list->get_array()) {
    json::object* trigger = entry.if_object();
    if (!trigger) continue;
    trigger->erase("Relation");
    trigger->erase("Shown As");
    if (trigger->contains("Constraint Name")) trigger->erase("Trigger Name");
  }
}

std::string difference(const json::object& a, const json::object& b) {
  for (const auto& [first, second] : {std::pair{&a, &b}, std::pair{&b, &a}}) {
    for (const auto& entry : *first) {
      const std::string_view name(entry.key().data(), entry.key().size());
      const json::value* other = second->if_contains(entry.key());
      if (other && *other == entry.value()) continue;
      const std::string shown = other ? to_text(*other) : std::string("missing");
      const std::string own = to_text(entry.value());
      return first == &a ? cat("\"", name, "\" is ", own, " against ", shown)
                         : cat("\"", name, "\" is ", shown, " against ", own);
    }
  }
  return {};
}

}  // namespace

std::string describe_difference(const Plan& a, const Plan& b, const CompareOptions& options) {
  if (a.nodes.size() != b.nodes.size()) {
    return cat(a.nodes.size(), " nodes against ", b.nodes.size());
  }
  Canonical canonical(options);
  for (size_t i = 0; i < a.nodes.size(); ++i) {
    const std::string where = cat("node ", i + 1, " (", a.nodes[i].type, "): ");
    if (a.nodes[i].parent != b.nodes[i].parent) {
      return cat(where, "below node ", a.nodes[i].parent + 1, " against ", b.nodes[i].parent + 1);
    }
    const std::string found =
        difference(node_form(a, a.nodes[i], canonical), node_form(b, b.nodes[i], canonical));
    if (!found.empty()) return where + found;
  }
  json::object first = canonical.object(a.properties), second = canonical.object(b.properties);
  soften_triggers(first);
  soften_triggers(second);
  const std::string found = difference(first, second);
  return found.empty() ? found : cat("of the plan: ", found);
}

}  // namespace pgtend::explain
