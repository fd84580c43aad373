#include "explain/plan_builder.h"

#include <utility>

#include "base/text.h"
#include "explain/member.h"
#include "explain/number.h"

namespace pgtend::explain {
namespace {

// What PostgreSQL prints for a number it has none of, and its regression tests for one they mask.
bool is_unknown(const json::value& value) {
  if (!value.is_string()) return false;
  const json::string& text = value.get_string();
  return text == "N" || text == "N.N" || text == "nan" || text == "NaN" || text == "-nan";
}

// Absent and unknown are nullopt. Errors: Invalid for anything but a number that is not negative.
Result<std::optional<double>> number_of(const json::object& object, std::string_view name) {
  const json::value* value = find_member(object, name);
  if (!value || is_unknown(*value)) return std::optional<double>{};
  const std::optional<double> number = to_double(*value);
  if (!number) return Error{ErrorCode::Invalid, cat("\"", name, "\" is no number")};
  if (*number < 0) return Error{ErrorCode::Invalid, cat("\"", name, "\" is out of range")};
  return number;
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
  const json::value* list = find_member(source, "Workers");
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

// The typed fields of `node` from its properties.
Status fill(Node& node) {
  const json::object& source = node.properties;
  node.type = text_member(source, "Node Type");
  if (node.type.empty()) return Error{ErrorCode::Invalid, "a plan node without \"Node Type\""};
  node.relationship = text_member(source, "Parent Relationship");
  node.subplan_name = text_member(source, "Subplan Name");
  node.object.schema = text_member(source, "Schema");
  node.object.relation = text_member(source, "Relation Name");
  node.object.alias = text_member(source, "Alias");
  node.object.index = text_member(source, "Index Name");
  for (const std::string_view name : {"CTE Name", "Function Name", "Tuplestore Name"}) {
    if (node.object.other.empty()) node.object.other = text_member(source, name);
  }
  const json::value* aware = find_member(source, "Parallel Aware");
  node.parallel_aware = aware && aware->is_bool() && aware->get_bool();
  node.estimate.startup_cost = NUMBER(source, "Startup Cost").value_or(0);
  node.estimate.total_cost = NUMBER(source, "Total Cost").value_or(0);
  node.estimate.rows = NUMBER(source, "Plan Rows").value_or(0);
  node.estimate.width = NUMBER(source, "Plan Width").value_or(0);
  node.actual = TRY(actual_of(source));
  node.blocks = TRY(blocks_of(source));
  node.workers = TRY(workers_of(source));
  node.relation = relation_of(node);
  return ok();
}

Result<std::vector<TriggerTime>> triggers_of(const json::object& document) {
  std::vector<TriggerTime> out;
  const json::value* list = find_member(document, "Triggers");
  if (!list || !list->is_array()) return out;
  for (const json::value& entry : list->get_array()) {
    const json::object* trigger = entry.if_object();
    if (!trigger) return Error{ErrorCode::Invalid, "\"Triggers\" holds no objects"};
    std::string_view name = text_member(*trigger, "Trigger Name");
    const std::string_view constraint = text_member(*trigger, "Constraint Name");
    if (name.empty()) name = constraint;
    out.push_back({.name = std::string(name),
                   .constraint = std::string(constraint),
                   .relation = std::string(text_member(*trigger, "Relation")),
                   .ms = NUMBER(*trigger, "Time").value_or(0),
                   .calls = NUMBER(*trigger, "Calls").value_or(0)});
  }
  return out;
}

}  // namespace

Status PlanBuilder::open_node() {
  if (open_.empty() && has_root()) {
    return Error{ErrorCode::Invalid, "one plan is needed, there are two root nodes"};
  }
  if (plan_.nodes.size() >= limits_.nodes_max) {
    return Error{ErrorCode::Limit, cat("a plan of more than ", limits_.nodes_max, " nodes")};
  }
  if (open_.size() >= limits_.depth_max) {
    return Error{ErrorCode::Limit, cat("a plan of more than ", limits_.depth_max, " levels")};
  }
  const int id = static_cast<int>(plan_.nodes.size());
  Node& node = plan_.nodes.emplace_back();
  if (!open_.empty()) {
    node.parent = open_.back();
    Node& parent = plan_.nodes[static_cast<size_t>(node.parent)];
    node.depth = parent.depth + 1;
    parent.children.push_back(id);
  }
  open_.push_back(id);
  return ok();
}

Status PlanBuilder::close_node() {
  CHECK(!open_.empty());
  const int id = open_.back();
  open_.pop_back();
  Node& node = plan_.nodes[static_cast<size_t>(id)];
  TRY_DURING(fill(node), cat("plan node ", id + 1));
  const json::value* rows = find_member(node.properties, "Actual Rows");
  plan_.rows_have_decimals = plan_.rows_have_decimals || (rows && rows->is_double());
  return ok();
}

void PlanBuilder::set(std::string_view name, json::value value) {
  json::object& target =
      open_.empty() ? plan_.properties : plan_.nodes[static_cast<size_t>(open_.back())].properties;
  target.emplace(json::string_view(name.data(), name.size()), std::move(value));
}

void PlanBuilder::cut_off(size_t line) {
  const int last = static_cast<int>(plan_.nodes.size()) - 1;
  if (!open_.empty() && open_.back() == last && plan_.nodes.back().text("Node Type").empty()) {
    const int parent = plan_.nodes.back().parent;
    plan_.nodes.pop_back();
    open_.pop_back();
    if (parent != kNone) plan_.nodes[static_cast<size_t>(parent)].children.pop_back();
  }
  while (!open_.empty()) {
    const int id = open_.back();
    // A half-read property is not set, so what is mistyped was so before the cut: keep the rest.
    if (const Status closed = close_node(); !closed) {
      warn(closed.error().message);
      Node& node = plan_.nodes[static_cast<size_t>(id)];
      if (node.type.empty()) node.type = "Unknown";
      node.relation = relation_of(node);
    }
  }
  warn(cat("plan is cut off after line ", line));
}

Result<Plan> PlanBuilder::finish() && {
  CHECK(open_.empty());
  if (!has_root()) return Error{ErrorCode::Invalid, "no plan node in it"};
  for (Node& node : plan_.nodes) {
    if (node.parent == kNone) continue;
    const Node& parent = at(plan_, node.parent);
    node.gather = is_gather(parent) ? node.parent : parent.gather;
  }
  const json::object& document = plan_.properties;
  plan_.planning_ms = NUMBER(document, "Planning Time");
  plan_.execution_ms = NUMBER(document, "Execution Time");
  plan_.triggers = TRY(triggers_of(document));
  plan_.query_text = text_member(document, "Query Text");
  if (const json::value* entry = find_member(document, "Serialization");
      entry && entry->is_object()) {
    plan_.serialization_ms = NUMBER(entry->get_object(), "Time");
  }
  if (const json::value* entry = find_member(document, "JIT"); entry && entry->is_object()) {
    const json::value* timing = find_member(entry->get_object(), "Timing");
    if (timing && timing->is_object()) plan_.jit_ms = NUMBER(timing->get_object(), "Total");
  }
  return std::move(plan_);
}

Result<Plan> only_plan(PlansRead read, std::string_view rest, std::string_view none) {
  if (read.error) return std::move(*read.error);
  if (read.plans.empty()) return Error{ErrorCode::Invalid, std::string(none)};
  if (read.plans.size() > 1) {
    return Error{ErrorCode::Invalid, cat("one plan is needed, there are ", read.plans.size())};
  }
  if (!trim(rest).empty()) {
    return Error{ErrorCode::Invalid, "the plan is followed by other text"};
  }
  return std::move(read.plans.front());
}

}  // namespace pgtend::explain
