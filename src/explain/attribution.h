// Who ran an InitPlan or a CTE. EXPLAIN prints them under the node that owns the query level; their
// time is inside the node that needed the value first.
#pragma once

#include <vector>

#include "explain/tree.h"

namespace pgtend::explain {

// The nodes that refer to the outputs of InitPlan `init_plan`, inside its owner's sub-tree, in
// execution order (inputs before the node that reads them). A reference below a Gather under the
// owner counts for the outermost such Gather: the leader evaluates it before it starts workers.
std::vector<int> init_plan_candidates(const Plan& plan, int init_plan);

// The CTE Scans that read CTE `cte` (the nearest owner of the name above each scan decides).
std::vector<int> cte_scans(const Plan& plan, int cte);

// Ids of the sub-tree of `node`, itself included: [node, end).
int subtree_end(const Plan& plan, int node);

}  // namespace pgtend::explain
