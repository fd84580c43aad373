// What the rules on plans share: reading a node's members, weighing what a cure could save, and
// writing the finding. Thread: any, all of it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "explain/properties.h"
#include "explain/rules.h"

namespace pgtend::explain {

// A number of `object`, 0 when it has none of that name; never below 0.
double number_in(const Properties& object, std::string_view name);
inline double number_in(const Node& node, std::string_view name) {
  return number_in(node.properties, name);
}
const Properties* group_in(const Properties& object, std::string_view name);

// Of a member that is a list of groups: each group.
template <class Visit>
void each_group(const Properties& object, std::string_view name, Visit visit) {
  const Value* value = find_member(object, name);
  if (value == nullptr || !value->is_array()) return;
  for (const Value& entry : value->get_array()) {
    if (const Properties* group = entry.if_object()) visit(*group);
  }
}

// The text of a planner setting that the plan tells; "" for those that it does not.
std::string_view setting(const Plan& plan, std::string_view name);
// A setting's memory in kB ("64MB"), or `otherwise`.
double setting_kilobytes(const Plan& plan, std::string_view name, double otherwise);

inline const NodeTime& time_of(const Examination& in, int id) {
  return in.timing.nodes[static_cast<size_t>(id)];
}

// Calls `visit` with the id of every node of this type ("": any) that was run.
template <class Visit>
void each_run(const Examination& in, std::string_view type, Visit visit) {
  for (size_t id = 0; id < in.plan.nodes.size(); ++id) {
    const Node& node = in.plan.nodes[id];
    if (node.actual && node.actual->loops > 0 && (type.empty() || node.type == type)) {
      visit(static_cast<int>(id), node);
    }
  }
}

// Rows over all loops, 0 for a node that was not run.
double rows_total(const Node& node);
// The first child that feeds the node rows; kNone if there is none.
int input_of(const Plan& plan, int id);
// The same, past nodes that pass all their rows on: sorts, Gather, Materialize.
int input_past(const Plan& plan, int id);
// Whether the node makes rows distinct (DISTINCT, UNION, GROUP BY) and computes nothing over them.
// A plan without VERBOSE does not tell that of an Aggregate.
bool makes_distinct(const Node& node);
bool is_join(const Node& node);
// Temporary blocks of the node alone, read and written.
double self_temp_blocks(const Plan& plan, int id);

// What was spent, by the lower bound of what was measured.
struct Spent {
  double ms = 0;
  double blocks = 0;  // shared and temporary
};
inline Spent operator*(const Spent& spent, double share) {
  return {spent.ms * share, spent.blocks * share};
}
inline Spent operator+(const Spent& a, const Spent& b) {
  return {a.ms + b.ms, a.blocks + b.blocks};
}
Spent self_of(const Examination& in, int id);   // by the node alone
Spent whole_of(const Examination& in, int id);  // with all below

// What a cure could save at most.
struct Weight {
  double ms = 0;      // 0 when the plan has no times
  double blocks = 0;  // instead, then
  double share = 0;   // of the statement
};
// Nothing when it is too little to speak about. Plans without times are weighed by their blocks.
std::optional<Weight> weigh(const Examination& in, const Spent& spent);
std::string weight_text(const Weight& weight);  // "12.3 ms", "4,000 pages"

std::string node_name(const Node& node);   // "Parallel Seq Scan on t"
std::string table_name(const Node& node);  // quoted, with its schema if the plan tells it

// A new finding about `nodes`; the reference is good until the next one is added.
care::Finding& add_finding(const Examination& in, Diagnosis& out, std::string_view id,
                           std::vector<int> nodes, const Weight& weight);
// The same for what only tells where to look: nobody knows what that would save.
care::Finding& add_hint(const Examination& in, Diagnosis& out, std::string_view id,
                        std::vector<int> nodes, const Weight& weight);
// The same for what a person has to decide, as only the meaning of the statement tells: never
// louder than a notice.
care::Finding& add_question(const Examination& in, Diagnosis& out, std::string_view id,
                            std::vector<int> nodes, const Weight& weight);
// Whether a finding is about this node already.
bool is_told(const Diagnosis& diagnosis, int node);
// Whether there is a finding of this rule.
bool has_spoken(const Diagnosis& diagnosis, std::string_view id);

// "SET LOCAL work_mem = …" of at least `kilobytes`, in powers of two.
std::string work_mem(double kilobytes);
std::string kilobytes_text(double kilobytes);
inline constexpr std::string_view kMemoryNote =
    "for this statement or its role: globally it counts for each sort and hash of each worker of "
    "each connection";

}  // namespace pgtend::explain
