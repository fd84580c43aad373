// What a plan does apart from its numbers, so that runs of one query can be told by their plans.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "explain/tree.h"

namespace pgtend::explain {

// The same for plans of the same nodes on the same relations and indexes. Runs of digits in names
// are as one, partitions that are scanned alike count once: which of them a query needs is no other
// plan. Thread: any. Cost: O(nodes).
uint64_t plan_shape(const Plan& plan);

// The same for each node with what is below it, as Plan::nodes.
std::vector<uint64_t> subtree_shapes(const Plan& plan);

// "Index Scan using t_a on t": a node by what plan_shape() looks at.
std::string node_words(const Node& node);

// Where two plans of different shapes part, parents first: "Seq Scan on t instead of Index Scan
// using t_a on t"; "" if no node tells.
std::string plan_change(const Plan& before, const Plan& after);

// A number for the text of a logged plan in which numbers and literals do not count: texts with the
// same number have the same shape. Thread: any. Cost: O(size), no allocation.
uint64_t text_key(std::string_view text);

}  // namespace pgtend::explain
