// Which part of a statement a finding is about.
#pragma once

#include <vector>

#include "explain/explain.h"
#include "sql/places.h"

namespace pgtend::explain {

struct SqlSpan {
  size_t finding = 0;  // index of Report::findings
  sql::Place place = {};
};

// The conditions, else the table, of each finding's nodes in the plan's query text, in the order of
// the findings. What cannot be told for certain has no span: conditions that the planner made of
// others, partitions, tables behind views, names that stand twice, texts that the grammar does not
// know or that are longer than 100 kB. Thread: any.
std::vector<SqlSpan> sql_spans(const Report& report);

}  // namespace pgtend::explain
