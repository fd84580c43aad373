// A plan as data: nodes in one flat vector in the order EXPLAIN prints them (parents first), so
// that every walk is a loop. Units: milliseconds, rows, 8-kB blocks, planner cost units.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "explain/properties.h"

namespace pgtend::explain {

inline constexpr int kNone = -1;

// The planner's figures, per loop and per participant.
struct Estimate {
  double startup_cost = 0;
  double total_cost = 0;
  double rows = 0;
  double width = 0;
};

// The executor's figures; times and rows are means per loop (reference: one loop is one execution
// in one process).
struct Actual {
  std::optional<double> startup_ms = {};  // absent with TIMING OFF
  std::optional<double> total_ms = {};
  double rows = 0;
  double loops = 0;
};

// Blocks touched by the node and everything below it, over all loops and processes.
struct Blocks {
  double hit = 0;
  double read = 0;
  double dirtied = 0;
  double written = 0;
  double temp = 0;  // read and written
  double local = 0;

  double shared() const { return hit + read; }
};

// The node's object: a relation, index, function, CTE. Names as EXPLAIN gives them, unquoted. They
// are in the plan's arena.
struct Object {
  std::string_view schema = {};  // only in VERBOSE plans
  std::string_view relation = {};
  std::string_view alias = {};
  std::string_view index = {};
  std::string_view other = {};  // CTE, function, tuplestore name

  // Schema and relation.
  std::pair<std::string, std::string> table() const {
    return {std::string(schema), std::string(relation)};
  }
};

// How a node hangs on its parent.
enum class Relation : uint8_t { Root, Child, SubPlan, InitPlan, Cte };

struct WorkerActual {
  double total_ms = 0;
  double rows = 0;
  double loops = 0;
};

struct Node {
  int parent = kNone;
  int depth = 0;
  int gather = kNone;              // the nearest Gather or Gather Merge above
  std::vector<int> children = {};  // all kinds, in the order printed
  std::string_view type = {};      // "Seq Scan"; any text, unknown ones too; in the plan's arena
  Relation relation = Relation::Root;
  std::string_view relationship = {};  // as printed: "Outer", "Inner", "Member", "InitPlan" …
  std::string_view subplan_name = {};  // "SubPlan 2", "CTE x", "InitPlan 1 (returns $0)"
  Object object = {};
  bool parallel_aware = false;
  Estimate estimate = {};
  std::optional<Actual> actual = {};
  std::optional<Blocks> blocks = {};
  std::vector<WorkerActual> workers = {};  // only in VERBOSE plans
  Properties properties = {};              // everything printed but "Plans", in its order

  bool never_executed() const { return actual && actual->loops == 0; }
  // The text of property `name`; "" if absent or no text.
  std::string_view text(std::string_view name) const;
  // The number of property `name`.
  std::optional<double> number(std::string_view name) const;
  // All strings inside properties that are expressions or may hold some.
  std::vector<std::string_view> expressions() const;
};

struct TriggerTime {
  std::string name = {};        // of the trigger, or of its constraint when only that is told
  std::string constraint = {};  // "" for a trigger that somebody wrote
  std::string relation = {};
  double ms = 0;
  double calls = 0;
};

struct Plan {
  std::shared_ptr<Arena> arena = {};  // holds what the properties of this plan are
  std::vector<Node> nodes = {};       // [0] is the root; never empty in a plan that was read
  std::optional<double> planning_ms = {};
  std::optional<double> execution_ms = {};
  std::vector<TriggerTime> triggers = {};
  std::optional<double> serialization_ms = {};
  std::optional<double> jit_ms =
      {};                           // all of it: generation lies outside the nodes, the rest inside
  std::string query_text = {};      // auto_explain gives it
  bool rows_have_decimals = false;  // PostgreSQL 18 prints two
  Properties properties = {};       // everything beside "Plan", in its order
  std::vector<std::string> warnings = {};  // of the reader: "plan is cut off after line 17"

  const Node& root() const { return nodes[0]; }
  bool analyzed() const { return root().actual.has_value(); }
  bool timed() const { return analyzed() && root().actual->total_ms.has_value(); }
  bool has_blocks() const;
  // Whether `node` is `ancestor` or stands below it.
  bool below(int node, int ancestor) const;
};

bool is_gather(const Node& node);

// The node with this index of Plan::nodes.
inline const Node& at(const Plan& plan, int id) { return plan.nodes[static_cast<size_t>(id)]; }

}  // namespace pgtend::explain
