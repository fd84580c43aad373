// Where a plan in TEXT ends inside a longer text: the next plan, a footer, a prompt, prose.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "explain/text_lines.h"

namespace pgtend::explain {

// Whether `line` may be the first line of a plan in TEXT.
bool may_begin_text_plan(std::string_view line);

// A plan in TEXT, in its lines.
struct TextPlan {
  std::string_view text = {};                  // all of it
  std::optional<std::string_view> query = {};  // what stands behind "Query Text: "
  std::vector<TextLine> lines = {};            // of the plan itself
};

// The plan that `text` begins with. Newlines inside literals and quoted names are no ends of lines.
// Thread: any. Cost: O(bytes of the plan).
TextPlan first_text_plan(std::string_view text);

// `text` as one plan.
TextPlan whole_text_plan(std::string_view text);

}  // namespace pgtend::explain
