// Members of the objects that a plan's properties are.
#pragma once

#include <string_view>

#include "base/json.h"

namespace pgtend::explain {

// Null when `object` has no member `name`. Thread: any, as both.
const json::value* find_member(const json::object& object, std::string_view name);
// The text of it, which borrows from `object`; "" if it is absent or no text.
std::string_view text_member(const json::object& object, std::string_view name);

}  // namespace pgtend::explain
