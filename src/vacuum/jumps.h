// Whether an ANALYZE has drawn an odd sample: statistics that changed more than the table can have.
#pragma once

#include <string>
#include <vector>

#include "facts/columns.h"

namespace pgtend::vacuum {

// A column and what happened to its statistics.
struct Jump {
  std::string column = {};
  std::string what = {};  // "NULLs 99.99 % -> 100 %"
};

// Compares the statistics of the columns before and after an ANALYZE of a table with `rows` rows,
// of which `changed` were new. A jump is: no value found where there had been some; NULLs that
// moved by 20 points; a fifth or five times the distinct values; a value of 5 % of the rows or more
// that is three times rarer. But for the first one only as far as the changed rows cannot be the
// cause. Columns without statistics on either side are left out. Pure.
std::vector<Jump> jumps(const std::vector<facts::ColumnFacts>& before,
                        const std::vector<facts::ColumnFacts>& after, double rows, double changed);

}  // namespace pgtend::vacuum
