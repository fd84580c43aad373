// A report as text for a terminal: one line a node, findings numbered under the tree.
#pragma once

#include <string>

#include "explain/explain.h"

namespace pgtend::explain {

struct RenderOptions {
  bool color = false;
  bool ascii = false;
  int width = 100;       // columns; lines are cut with a mark, never silently; 0 is no limit
  bool evidence = true;  // under each finding
  bool fold = true;      // partitions that did the same, and what took next to no time
};

// Control characters of names and literals are shown as \xNN. Thread: any.
std::string render_term(const Report& report, const RenderOptions& options);

}  // namespace pgtend::explain
