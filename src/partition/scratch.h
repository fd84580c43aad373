// The proposed partitions, empty, as temporary tables of one transaction that is rolled back: what
// the planner makes of a statement there it will make of it after the conversion.
#pragma once

#include <string>
#include <vector>

#include "partition/partition.h"
#include "partition/shapes.h"

namespace pgtend::partition {

// The statements that make it, parent first. It has the table's name, so that unqualified names in
// statements mean it; columns without defaults and checks; indexes on plain columns. Nothing of the
// table itself is locked. Pure.
std::vector<std::string> scratch_statements(const Definition& table, const Proposal& proposal);

// The newest slices that one transaction may make: not more than `most`, nor than the server has
// locks for.
std::vector<Slice> scratch_slices(const Definition& table, const Proposal& proposal, size_t most);

// What predict() needs. Columns of indexes that the conversion gives the key included.
KeyTable key_table(const Definition& table, const Proposal& proposal);

}  // namespace pgtend::partition
