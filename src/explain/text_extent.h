// Where a plan in TEXT ends inside a longer text: the next plan, a footer, a prompt, prose.
#pragma once

#include <string_view>

namespace pgtend::explain {

// Whether `line` may be the first line of a plan in TEXT.
bool may_begin_text_plan(std::string_view line);

// The bytes of the plan that `text` begins with. Newlines inside literals and quoted names are no
// ends of lines. Thread: any. Cost: O(bytes of the plan).
size_t text_plan_size(std::string_view text);

}  // namespace pgtend::explain
