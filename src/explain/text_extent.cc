#include "explain/text_extent.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/text.h"
#include "explain/parse_xml.h"
#include "explain/parse_yaml.h"
#include "explain/text_head.h"
#include "explain/text_lines.h"

namespace pgtend::explain {
namespace {

constexpr std::string_view kQuery = "Query Text: ";
constexpr size_t kFirstLook = 4096;  // bytes; doubled until the end is in sight

// What stands in the root's column below the tree, and may follow a blank line.
constexpr std::array<std::string_view, 11> kBelowTree = {
    "Planning:",  "Planning Time:",    "Execution Time:", "JIT:",    "Trigger ",      "Settings:",
    "Settings (", "Query Identifier:", "Serialization:",  "Memory:", "Total runtime:"};

bool is_below_tree(std::string_view line) {
  return std::any_of(kBelowTree.begin(), kBelowTree.end(),
                     [&](std::string_view word) { return line.starts_with(word); });
}

// Footers, psql's timing, prompts: never a property.
bool is_no_property(std::string_view line) {
  if (line.starts_with('(') && line.ends_with(')')) return true;
  if (line.starts_with("Time: ") || line.starts_with("```")) return true;
  return line.find("=# ") != std::string_view::npos || line.find("=> ") != std::string_view::npos ||
         line.ends_with("=#") || line.ends_with("=>");
}

// Whether a blank line stands between `before` and `line`.
bool after_blank_line(const TextLine& before, const TextLine& line) {
  const char* from = before.text.data() + before.text.size();
  return std::count(from, line.text.data(), '\n') > 1;
}

bool ends_plan(const TextLine& root, const TextLine& before, const TextLine& line) {
  if (line.arrow || line.indent > root.indent || is_below_tree(line.text)) return false;
  if (after_blank_line(before, line) || is_no_property(line.text)) return true;
  if (line.text.starts_with('[') || line.text.starts_with('{')) return true;
  if (may_begin_xml_plan(line.text) || may_begin_yaml_plan(line.text)) return true;
  return line.text.starts_with(kQuery) || looks_like_head(line.text);
}

}  // namespace

bool may_begin_text_plan(std::string_view line) {
  line = trim(line);
  return line.starts_with(kQuery) || looks_like_head(line);
}

size_t text_plan_size(std::string_view text) {
  const size_t head = text.starts_with(kQuery) ? end_of_query_text(text) : 0;
  for (size_t look = kFirstLook;; look *= 2) {
    const std::string_view window = text.substr(head, look);
    const bool whole = head + window.size() == text.size();
    const std::vector<TextLine> lines = read_text_lines(window);
    if (lines.empty() && whole) return text.size();
    // The last lines of a window that goes on are not all there.
    const size_t known = whole ? lines.size() : lines.size() - std::min<size_t>(lines.size(), 1);
    for (size_t i = 1; i < known; ++i) {
      if (!ends_plan(lines[0], lines[i - 1], lines[i])) continue;
      const char* end = lines[i - 1].text.data() + lines[i - 1].text.size();
      return static_cast<size_t>(end - text.data());
    }
    if (whole) return text.size();
  }
}

}  // namespace pgtend::explain
