// The rules that an index may cure: A1 to A3, A8, A10 to A19, B2, C1, J2. Each finding carries the
// index to build, which the planner can be asked about before.
#pragma once

#include <span>

#include "explain/rules.h"

namespace pgtend::explain {

// In the order they run.
std::span<const Rule> index_rules();
// A6, which speaks of what those have not.
std::span<const Rule> covering_rules();

}  // namespace pgtend::explain
