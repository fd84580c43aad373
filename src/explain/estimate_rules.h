// The rules about wrong row estimates: B1, B14, D1 to D10. The lowest wrong estimate is blamed,
// what stands above it has inherited it.
#pragma once

#include <span>

#include "explain/rules.h"

namespace pgtend::explain {

// In the order they run.
std::span<const Rule> estimate_rules();

}  // namespace pgtend::explain
