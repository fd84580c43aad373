// The rules about partitions: I1, I5, I7 (with the index rules), and about foreign keys: G4, whose
// evidence is in the catalog.
#pragma once

#include <span>

#include "explain/rules.h"

namespace pgtend::explain {

// In the order they run: before the index rules, which leave what these have told.
std::span<const Rule> partition_rules();
std::span<const Rule> foreign_key_rules();

}  // namespace pgtend::explain
