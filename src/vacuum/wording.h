// Numbers as the findings write them.
#pragma once

#include <string>

namespace pgtend::vacuum {

std::string count(double rows);     // 1234.4 as "1,234"
std::string percent(double share);  // 0.333 as "33.3 %"

}  // namespace pgtend::vacuum
