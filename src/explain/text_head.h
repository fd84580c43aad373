// The line of a plan node in TEXT and the properties that JSON has for it:
// "Parallel Index Scan Backward using i on s.t a  (cost=…) (actual …)".
#pragma once

#include <string>
#include <string_view>

#include "explain/properties.h"
#include "explain/tree.h"

namespace pgtend::explain {

// How a node hangs on its parent, from the lines around it.
struct HeadPlace {
  std::string_view relationship = {};  // "Outer" …; "" for a root
  std::string_view subplan_name = {};
};

// Adds the properties of the node whose line (without indent and arrow) is `line`, which they
// borrow. False when it is cut off. Thread: any. Cost: O(size).
bool read_head(std::string_view line, const HeadPlace& place, Properties& out);

// The line of a node with these properties. Thread: any.
std::string write_head(const Properties& properties);

// Whether `name` is a property of a node that its head line shows, or that TEXT does not show.
bool is_of_head(std::string_view name);

// Whether `line` can only be the line of a node: it has figures, or is of a known type.
bool looks_like_head(std::string_view line);

// A relation that a ModifyTable changes: "Foreign Update on s.t a". False if `line` is none.
bool read_target(std::string_view line, Properties& out);
std::string write_target(const Properties& properties, std::string_view operation);

}  // namespace pgtend::explain
