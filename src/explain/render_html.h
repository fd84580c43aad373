// Reports as one HTML document that needs nothing but a browser: no network, no other file.
#pragma once

#include <span>
#include <string>

#include "explain/explain.h"

namespace pgtend::explain {

// The document: the page of page/ with the plans as data (docs/explain.md, "As a page"). Its
// Content-Security-Policy lets nothing run but the page's own script, and that puts all text of the
// plans in as text. Thread: any. Cost: O(size of the plans).
std::string render_html(std::span<const Report> reports);

}  // namespace pgtend::explain
