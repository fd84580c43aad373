// Two plans of one query side by side: which node of the one is which of the other, whatever was
// put in between, and what it cost before and after.
#pragma once

#include <string>
#include <vector>

#include "base/json_writer.h"
#include "explain/explain.h"

namespace pgtend::explain {

enum class NodeChange : unsigned char {
  Same,     // of the same type on the same object
  Changed,  // does the same step in another way
  New,      // of the second plan alone
  Gone,     // of the first plan alone
};

struct NodePair {
  NodeChange change = NodeChange::Same;
  int before = kNone;
  int after = kNone;
};

// Every node of both plans once: those of `after` in its order, then the rest of `before`. Nodes
// that work on the same relations belong together; among them the order and the types decide.
// Thread: any. Cost: O(nodes), and for each set of relations the product of its nodes, bounded.
std::vector<NodePair> match_plans(const Plan& before, const Plan& after);

struct DiffOptions {
  bool ascii = false;
  size_t width = 100;  // columns; 0 is no limit
};

// For people: the second plan's tree with times and rows before and after, then what is gone.
std::string render_diff(const Report& before, const Report& after, const DiffOptions& options);

// `data.diff` of --json (docs/explain.md).
void write_diff_json(JsonWriter& out, const Report& before, const Report& after);

}  // namespace pgtend::explain
