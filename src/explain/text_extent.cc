#include "explain/text_extent.h"

#include <algorithm>
#include <array>

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

// What auto_explain prints of the query in front of the plan; `head` is where the plan begins.
std::optional<std::string_view> query_of(std::string_view text, size_t& head) {
  if (!text.starts_with(kQuery)) return {};
  head = end_of_query_text(text);
  std::string_view query = text.substr(kQuery.size(), head - std::min(head, kQuery.size()));
  while (query.ends_with('\n') || query.ends_with('\r')) query.remove_suffix(1);
  return query;
}

}  // namespace

bool may_begin_text_plan(std::string_view line) {
  line = trim(line);
  return line.starts_with(kQuery) || looks_like_head(line);
}

TextPlan first_text_plan(std::string_view text) {
  size_t head = 0;
  TextPlan out{.query = query_of(text, head)};
  const std::string_view rest = text.substr(head);
  TextLineReader reader;
  for (size_t look = kFirstLook;; look *= 2) {
    const size_t checked = std::max<size_t>(reader.settled(), 1);
    const std::string_view window = rest.substr(0, look);
    const bool whole = window.size() == rest.size();
    reader.read(window);
    const std::vector<TextLine>& lines = reader.lines();
    // The last lines of a window that goes on are not all there.
    const size_t known = whole ? lines.size() : lines.size() - std::min<size_t>(lines.size(), 1);
    for (size_t i = checked; i < known; ++i) {
      if (!ends_plan(lines[0], lines[i - 1], lines[i])) continue;
      const char* end = lines[i - 1].text.data() + lines[i - 1].text.size();
      out.text = text.substr(0, static_cast<size_t>(end - text.data()));
      out.lines = reader.take();
      out.lines.resize(i);
      // Where an open quote ends depends on what follows: what is no part of the plan does not.
      const bool open = !std::ranges::all_of(out.lines, &TextLine::closed);
      if (open) out.lines = read_text_lines(out.text.substr(head));
      return out;
    }
    if (!whole) continue;
    out.text = text;
    out.lines = reader.take();
    return out;
  }
}

TextPlan whole_text_plan(std::string_view text) {
  size_t head = 0;
  TextPlan out{.text = text, .query = query_of(text, head)};
  out.lines = read_text_lines(text.substr(head));
  return out;
}

}  // namespace pgtend::explain
