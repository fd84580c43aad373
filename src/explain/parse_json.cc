#include "explain/parse_json.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/text.h"

namespace pgtend::explain {
namespace {

const json::value* find(const json::object& object, std::string_view name) {
  return object.if_contains(json::string_view(name.data(), name.size()));
}

std::string text_of(const json::object& object, std::string_view name) {
  const json::value* value = find(object, name);
  if (!value || !value->is_string()) return {};
  return {value->get_string().data(), value->get_string().size()};
}

// Larger numbers are cut to this, so that products of three cannot overflow.
constexpr double kNumberMax = 1e100;

// Absent is nullopt. Errors: Invalid for anything but a finite number that is not negative.
Result<std::optional<double>> number_of(const json::object& object, std::string_view name) {
  const json::value* value = find(object, name);
  if (!value) return std::optional<double>{};
  if (!value->is_number()) return Error{ErrorCode::Invalid, cat("\"", name, "\" is no number")};
  const double number = value->to_number<double>();
  if (!std::isfinite(number) || number < 0) {
    return Error{ErrorCode::Invalid, cat("\"", name, "\" is out of range")};
  }
  return std::optional<double>(std::min(number, kNumberMax));
}

#define NUMBER(object, name) TRY(number_of(object, name))

Relation relation_of(const Node& node) {
  // Whatever a root says of itself (a part of a plan, a forged one): it has no parent to charge.
  if (node.parent == kNone) return Relation::Root;
  if (node.relationship == "SubPlan") return Relation::SubPlan;
  if (node.relationship == "InitPlan") {
    return node.subplan_name.starts_with("CTE ") ? Relation::Cte : Relation::InitPlan;
  }
  return Relation::Child;
}

Result<std::optional<Actual>> actual_of(const json::object& source) {
  const std::optional<double> loops = NUMBER(source, "Actual Loops");
  if (!loops) return std::optional<Actual>{};
  Actual out;
  out.loops = *loops;
  out.rows = NUMBER(source, "Actual Rows").value_or(0);
  out.startup_ms = NUMBER(source, "Actual Startup Time");
  out.total_ms = NUMBER(source, "Actual Total Time");
  return std::optional<Actual>(out);
}

Result<std::optional<Blocks>> blocks_of(const json::object& source) {
  const std::optional<double> hit = NUMBER(source, "Shared Hit Blocks");
  if (!hit) return std::optional<Blocks>{};
  Blocks out;
  out.hit = *hit;
  out.read = NUMBER(source, "Shared Read Blocks").value_or(0);
  out.dirtied = NUMBER(source, "Shared Dirtied Blocks").value_or(0);
  out.written = NUMBER(source, "Shared Written Blocks").value_or(0);
  out.temp = NUMBER(source, "Temp Read Blocks").value_or(0) +
             NUMBER(source, "Temp Written Blocks").value_or(0);
  out.local = NUMBER(source, "Local Hit Blocks").value_or(0) +
              NUMBER(source, "Local Read Blocks").value_or(0);
  return std::optional<Blocks>(out);
}

Result<std::vector<WorkerActual>> workers_of(const json::object& source) {
  std::vector<WorkerActual> out;
  const json::value* list = find(source, "Workers");
  if (!list || !list->is_array()) return out;
  for (const json::value& entry : list->get_array()) {
    const json::object* worker = entry.if_object();
    if (!worker) return Error{ErrorCode::Invalid, "\"Workers\" holds no objects"};
    const std::optional<double> total = NUMBER(*worker, "Actual Total Time");
    const std::optional<double> loops = NUMBER(*worker, "Actual Loops");
    if (total && loops) out.push_back({*total, NUMBER(*worker, "Actual Rows").value_or(0), *loops});
  }
  return out;
}

Result<Node> node_of(const json::object& source) {
  Node out;
  out.type = text_of(source, "Node Type");
  if (out.type.empty()) return Error{ErrorCode::Invalid, "a plan node without \"Node Type\""};
  out.relationship = text_of(source, "Parent Relationship");
  out.subplan_name = text_of(source, "Subplan Name");
  out.object.schema = text_of(source, "Schema");
  out.object.relation = text_of(source, "Relation Name");
  out.object.alias = text_of(source, "Alias");
  out.object.index = text_of(source, "Index Name");
  for (const std::string_view name : {"CTE Name", "Function Name", "Tuplestore Name"}) {
    if (out.object.other.empty()) out.object.other = text_of(source, name);
  }
  const json::value* aware = find(source, "Parallel Aware");
  out.parallel_aware = aware && aware->is_bool() && aware->get_bool();
  out.estimate.startup_cost = NUMBER(source, "Startup Cost").value_or(0);
  out.estimate.total_cost = NUMBER(source, "Total Cost").value_or(0);
  out.estimate.rows = NUMBER(source, "Plan Rows").value_or(0);
  out.estimate.width = NUMBER(source, "Plan Width").value_or(0);
  out.actual = TRY(actual_of(source));
  out.blocks = TRY(blocks_of(source));
  out.workers = TRY(workers_of(source));
  for (const auto& property : source) {
    if (property.key() != "Plans") out.properties.emplace(property.key(), property.value());
  }
  return out;
}

Result<std::vector<Node>> nodes_of(const json::object& root, const ParseLimits& limits) {
  struct Pending {
    const json::object* source;
    int parent;
  };
  std::vector<Node> out;
  std::vector<Pending> stack{{&root, kNone}};
  while (!stack.empty()) {
    const Pending next = stack.back();
    stack.pop_back();
    if (out.size() >= limits.nodes_max) {
      return Error{ErrorCode::Limit, cat("a plan of more than ", limits.nodes_max, " nodes")};
    }
    Node node = TRY_DURING(node_of(*next.source), cat("plan node ", out.size() + 1));
    const int id = static_cast<int>(out.size());
    node.parent = next.parent;
    if (next.parent != kNone) {
      Node& parent = out[static_cast<size_t>(next.parent)];
      node.depth = parent.depth + 1;
      parent.children.push_back(id);
    }
    node.relation = relation_of(node);
    out.push_back(std::move(node));
    const json::value* plans = find(*next.source, "Plans");
    if (!plans) continue;
    if (!plans->is_array()) return Error{ErrorCode::Invalid, "\"Plans\" is no list"};
    const json::array& list = plans->get_array();
    for (auto it = list.end(); it != list.begin();) {
      const json::object* child = (--it)->if_object();
      if (!child) return Error{ErrorCode::Invalid, "\"Plans\" holds something that is no node"};
      stack.push_back({child, id});
    }
  }
  return out;
}

Result<std::vector<TriggerTime>> triggers_of(const json::object& document) {
  std::vector<TriggerTime> out;
  const json::value* list = find(document, "Triggers");
  if (!list || !list->is_array()) return out;
  for (const json::value& entry : list->get_array()) {
    const json::object* trigger = entry.if_object();
    if (!trigger) return Error{ErrorCode::Invalid, "\"Triggers\" holds no objects"};
    std::string name = text_of(*trigger, "Trigger Name");
    if (name.empty()) name = text_of(*trigger, "Constraint Name");
    out.push_back({std::move(name), text_of(*trigger, "Relation"),
                   NUMBER(*trigger, "Time").value_or(0), NUMBER(*trigger, "Calls").value_or(0)});
  }
  return out;
}

Result<Plan> plan_of(const json::object& document, const ParseLimits& limits) {
  const json::value* root = find(document, "Plan");
  if (!root || !root->is_object()) {
    return Error{ErrorCode::Invalid, "no \"Plan\" in the JSON: is it EXPLAIN (FORMAT JSON)?"};
  }
  Plan out;
  out.nodes = TRY(nodes_of(root->get_object(), limits));
  out.planning_ms = NUMBER(document, "Planning Time");
  out.execution_ms = NUMBER(document, "Execution Time");
  out.triggers = TRY(triggers_of(document));
  out.query_text = text_of(document, "Query Text");
  if (const json::value* entry = find(document, "Serialization"); entry && entry->is_object()) {
    out.serialization_ms = NUMBER(entry->get_object(), "Time");
  }
  if (const json::value* entry = find(document, "JIT"); entry && entry->is_object()) {
    const json::value* timing = find(entry->get_object(), "Timing");
    if (timing && timing->is_object()) out.jit_ms = NUMBER(timing->get_object(), "Total");
  }
  for (const auto& property : document) {
    if (property.key() != "Plan") out.properties.emplace(property.key(), property.value());
  }
  return out;
}

}  // namespace

Result<Plan> parse_json_plan(std::string_view text, const ParseLimits& limits) {
  // A plan level takes an object and a list; some properties nest a little on their own.
  const JsonLimits bounds{.bytes_max = limits.bytes_max, .depth_max = 2 * limits.depth_max + 16};
  const json::value value = TRY_DURING(parse_json(trim(text), bounds), "reading the plan");
  const json::object* document = value.if_object();
  if (const json::array* list = value.if_array()) {
    if (list->size() != 1) {
      return Error{ErrorCode::Invalid, cat("one plan is needed, the JSON holds ", list->size())};
    }
    document = list->front().if_object();
  }
  if (!document) return Error{ErrorCode::Invalid, "the JSON is no plan"};
  auto plan = plan_of(*document, limits);
  if (!plan) return std::move(plan).error().during("reading the plan");
  return plan;
}

}  // namespace pgtend::explain
