// Numbers as findings say them.
#pragma once

#include <string>

namespace pgtend::explain {

// Of a share from 0 to 1: "34 %", "1.5 %", "< 0.1 %".
std::string percent(double share);
// Rows, pages, loops: whole, with separators.
std::string counted(double value);
std::string milliseconds_text(double ms);
// The planner's cost, to a hundredth as EXPLAIN prints it.
std::string cost_text(double cost);

}  // namespace pgtend::explain
