// Numbers as the findings write them.
#pragma once

#include <string>
#include <string_view>

namespace pgtend::vacuum {

std::string count(double rows);     // 1234.4 as "1,234"
std::string percent(double share);  // 0.333 as "33.3 %"
// `word` as one word of a shell's command line, quoted.
std::string shell_word(std::string_view word);

}  // namespace pgtend::vacuum
