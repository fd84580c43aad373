// The rules whose whole evidence is in the plan: memory, parallel query, sub-plans, what lies
// outside the nodes, the shape of the statement. They speak only about plans that were run.
#pragma once

#include <span>

#include "explain/rules.h"

namespace pgtend::explain {

// In the order they run.
std::span<const Rule> plan_rules();

}  // namespace pgtend::explain
