#include "explain/plan_builder.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/memory.h"
#include "base/text.h"
#include "explain/number.h"

namespace pgtend::explain {
namespace {

// What PostgreSQL prints for a number it has none of, and its regression tests for one they mask.
bool is_unknown(const Value& value) {
  if (!value.is_string()) return false;
  const std::string_view text = value.get_string();
  return text == "N" || text == "N.N" || text == "nan" || text == "NaN" || text == "-nan";
}

// Absent and unknown are nullopt. Errors: Invalid for anything but a number that is not negative.
Result<std::optional<double>> number_of(const Value* value, std::string_view name) {
  if (!value || is_unknown(*value)) return std::optional<double>{};
  const std::optional<double> number = to_double(*value);
  if (!number) return Error{ErrorCode::Invalid, cat("\"", name, "\" is no number")};
  if (*number < 0) return Error{ErrorCode::Invalid, cat("\"", name, "\" is out of range")};
  return number;
}

#define NUMBER(object, name) TRY(number_of((object).if_contains(name), name))

// The properties that a node has typed fields for.
enum Field : uint8_t {
  kAlias,
  kSchema,
  kWorkers,
  kCTEName,
  kNodeType,
  kPlanRows,
  kIndexName,
  kPlanWidth,
  kTotalCost,
  kActualRows,
  kActualLoops,
  kStartupCost,
  kSubplanName,
  kFunctionName,
  kRelationName,
  kParallelAware,
  kTuplestoreName,
  kLocalHitBlocks,
  kTempReadBlocks,
  kActualTotalTime,
  kLocalReadBlocks,
  kSharedHitBlocks,
  kSharedReadBlocks,
  kActualStartupTime,
  kParentRelationship,
  kTempWrittenBlocks,
  kSharedDirtiedBlocks,
  kSharedWrittenBlocks
};
// Their names, in order of length.
constexpr std::array<std::string_view, 28> kFieldNames = {"Alias",
                                                          "Schema",
                                                          "Workers",
                                                          "CTE Name",
                                                          "Node Type",
                                                          "Plan Rows",
                                                          "Index Name",
                                                          "Plan Width",
                                                          "Total Cost",
                                                          "Actual Rows",
                                                          "Actual Loops",
                                                          "Startup Cost",
                                                          "Subplan Name",
                                                          "Function Name",
                                                          "Relation Name",
                                                          "Parallel Aware",
                                                          "Tuplestore Name",
                                                          "Local Hit Blocks",
                                                          "Temp Read Blocks",
                                                          "Actual Total Time",
                                                          "Local Read Blocks",
                                                          "Shared Hit Blocks",
                                                          "Shared Read Blocks",
                                                          "Actual Startup Time",
                                                          "Parent Relationship",
                                                          "Temp Written Blocks",
                                                          "Shared Dirtied Blocks",
                                                          "Shared Written Blocks"};
static_assert(std::ranges::is_sorted(kFieldNames, {}, &std::string_view::size));

// The first field whose name has so many bytes, or more.
constexpr size_t kFieldNameMax = kFieldNames.back().size();
constexpr std::array<uint8_t, kFieldNameMax + 2> kFirstOfLength = [] {
  std::array<uint8_t, kFieldNameMax + 2> out{};
  for (size_t length = 0; length < out.size(); ++length) {
    const auto at = std::ranges::lower_bound(kFieldNames, length, {}, &std::string_view::size);
    out[length] = static_cast<uint8_t>(at - kFieldNames.begin());
  }
  return out;
}();

// The values of a node's fields, by one walk over its properties: one for each field would be most
// of what reading a plan costs.
class FieldValues {
 public:
  explicit FieldValues(const Properties& properties) {
    for (const Property& property : properties) {
      const size_t length = property.key.size();
      if (length == 0 || length > kFieldNameMax) continue;
      for (size_t field = kFirstOfLength[length]; field < kFirstOfLength[length + 1]; ++field) {
        const std::string_view name = kFieldNames[field];
        if (name[0] == property.key[0] && name == property.key) values_[field] = &property.value;
      }
    }
  }

  const Value* value(Field field) const { return values_[field]; }
  // "" if it is absent or no text.
  std::string_view text(Field field) const {
    const Value* value = values_[field];
    return value && value->is_string() ? value->get_string() : std::string_view();
  }
  Result<std::optional<double>> number(Field field) const {
    return number_of(values_[field], kFieldNames[field]);
  }

 private:
  std::array<const Value*, kFieldNames.size()> values_ = {};
};

Relation relation_of(const Node& node) {
  // Whatever a root says of itself (a part of a plan, a forged one): it has no parent to charge.
  if (node.parent == kNone) return Relation::Root;
  if (node.relationship == "SubPlan") return Relation::SubPlan;
  if (node.relationship == "InitPlan") {
    return node.subplan_name.starts_with("CTE ") ? Relation::Cte : Relation::InitPlan;
  }
  return Relation::Child;
}

Result<std::optional<Actual>> actual_of(const FieldValues& source) {
  const std::optional<double> loops = TRY(source.number(kActualLoops));
  if (!loops) return std::optional<Actual>{};
  Actual out;
  out.loops = *loops;
  out.rows = TRY(source.number(kActualRows)).value_or(0);
  out.startup_ms = TRY(source.number(kActualStartupTime));
  out.total_ms = TRY(source.number(kActualTotalTime));
  return std::optional<Actual>(out);
}

Result<std::optional<Blocks>> blocks_of(const FieldValues& source) {
  const std::optional<double> hit = TRY(source.number(kSharedHitBlocks));
  if (!hit) return std::optional<Blocks>{};
  Blocks out;
  out.hit = *hit;
  out.read = TRY(source.number(kSharedReadBlocks)).value_or(0);
  out.dirtied = TRY(source.number(kSharedDirtiedBlocks)).value_or(0);
  out.written = TRY(source.number(kSharedWrittenBlocks)).value_or(0);
  out.temp = TRY(source.number(kTempReadBlocks)).value_or(0) +
             TRY(source.number(kTempWrittenBlocks)).value_or(0);
  out.local = TRY(source.number(kLocalHitBlocks)).value_or(0) +
              TRY(source.number(kLocalReadBlocks)).value_or(0);
  return std::optional<Blocks>(out);
}

Result<std::vector<WorkerActual>> workers_of(const Value* list) {
  std::vector<WorkerActual> out;
  if (!list || !list->is_array()) return out;
  for (const Value& entry : list->get_array()) {
    const Properties* worker = entry.if_object();
    if (!worker) return Error{ErrorCode::Invalid, "\"Workers\" holds no objects"};
    const std::optional<double> total = NUMBER(*worker, "Actual Total Time");
    const std::optional<double> loops = NUMBER(*worker, "Actual Loops");
    if (total && loops) out.push_back({*total, NUMBER(*worker, "Actual Rows").value_or(0), *loops});
  }
  return out;
}

// The typed fields of `node` from its properties.
Status fill(Node& node) {
  const FieldValues source(node.properties);
  node.type = source.text(kNodeType);
  if (node.type.empty()) return Error{ErrorCode::Invalid, "a plan node without \"Node Type\""};
  node.relationship = source.text(kParentRelationship);
  node.subplan_name = source.text(kSubplanName);
  node.object.schema = source.text(kSchema);
  node.object.relation = source.text(kRelationName);
  node.object.alias = source.text(kAlias);
  node.object.index = source.text(kIndexName);
  for (const Field field : {kCTEName, kFunctionName, kTuplestoreName}) {
    if (node.object.other.empty()) node.object.other = source.text(field);
  }
  const Value* aware = source.value(kParallelAware);
  node.parallel_aware = aware && aware->is_bool() && aware->get_bool();
  node.estimate.startup_cost = TRY(source.number(kStartupCost)).value_or(0);
  node.estimate.total_cost = TRY(source.number(kTotalCost)).value_or(0);
  node.estimate.rows = TRY(source.number(kPlanRows)).value_or(0);
  node.estimate.width = TRY(source.number(kPlanWidth)).value_or(0);
  node.actual = TRY(actual_of(source));
  node.blocks = TRY(blocks_of(source));
  node.workers = TRY(workers_of(source.value(kWorkers)));
  node.relation = relation_of(node);
  return ok();
}

Result<std::vector<TriggerTime>> triggers_of(const Properties& document) {
  std::vector<TriggerTime> out;
  const Value* list = find_member(document, "Triggers");
  if (!list || !list->is_array()) return out;
  for (const Value& entry : list->get_array()) {
    const Properties* trigger = entry.if_object();
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

PlanBuilder::PlanBuilder(const ParseLimits& limits, std::shared_ptr<Arena> arena)
    : limits_(limits) {
  plan_.properties = Properties(*arena);
  plan_.arena = std::move(arena);
}

void PlanBuilder::expect_nodes(size_t count) {
  plan_.nodes.reserve(std::min(count, limits_.nodes_max));
  expect_filling(plan_.nodes.data(), plan_.nodes.capacity() * sizeof(Node));
}

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
  node.properties = Properties(arena());
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
  const Value* rows = find_member(node.properties, "Actual Rows");
  plan_.rows_have_decimals = plan_.rows_have_decimals || (rows && rows->is_double());
  return ok();
}

Properties& PlanBuilder::properties() {
  return open_.empty() ? plan_.properties
                       : plan_.nodes[static_cast<size_t>(open_.back())].properties;
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
  const Properties& document = plan_.properties;
  plan_.planning_ms = NUMBER(document, "Planning Time");
  plan_.execution_ms = NUMBER(document, "Execution Time");
  plan_.triggers = TRY(triggers_of(document));
  plan_.query_text = text_member(document, "Query Text");
  if (const Value* entry = find_member(document, "Serialization"); entry && entry->is_object()) {
    plan_.serialization_ms = NUMBER(entry->get_object(), "Time");
  }
  if (const Value* entry = find_member(document, "JIT"); entry && entry->is_object()) {
    const Value* timing = find_member(entry->get_object(), "Timing");
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
