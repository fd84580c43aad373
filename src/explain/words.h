// Numbers as findings say them.
#pragma once

#include <string>

namespace pgtend::explain {

// Of a share from 0 to 1: "34 %", "1.5 %", "< 0.1 %".
std::string percent(double share);
// Rows, pages, loops: whole, with separators.
std::string counted(double value);
std::string milliseconds_text(double ms);

}  // namespace pgtend::explain
