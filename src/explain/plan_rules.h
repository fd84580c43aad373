// The rules whose whole evidence is in the plan: memory, parallel query, sub-plans, what lies
// outside the nodes, the shape of the statement. They speak only about plans that were run, unless
// they say otherwise. Thread: any.
#pragma once

#include <span>

#include "explain/rules.h"

namespace pgtend::explain {

// All of them, in the order they run: what is specific stands before what is general.
std::span<const Rule> plan_rules();

// Its parts in files of their own, by subject.
std::span<const Rule> scan_rules();
std::span<const Rule> subselect_rules();
std::span<const Rule> join_rules();
std::span<const Rule> io_rules();      // I/O and WAL
std::span<const Rule> shape_rules();   // partitions, settings, the statement as a whole
std::span<const Rule> effort_rules();  // memory, parallel query, planning; partly "if nothing else"

}  // namespace pgtend::explain
