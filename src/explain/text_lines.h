// The lines of a plan in EXPLAIN's TEXT. Literals and quoted names may hold newlines and anything
// that looks like a line of a plan: only a lexer tells where a line really ends.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace pgtend::explain {

struct TextLine {
  size_t number = 0;           // of the line in the input where it begins, from 1
  size_t indent = 0;           // blanks before it
  bool arrow = false;          // a "->" stood before `text`
  bool closed = true;          // false: a literal or name in it does not end
  std::string_view text = {};  // borrows the input; without indent, arrow and blanks at its end
};

// The lines of `text` that are not empty. Thread: any. Cost: O(size).
std::vector<TextLine> read_text_lines(std::string_view text);

// The entries of `list`, which are parted by ", " outside of literals, names and brackets.
std::vector<std::string_view> split_list(std::string_view list);

// The words of `text`, which are parted by blanks outside of names.
std::vector<std::string_view> split_words(std::string_view text);

// One behind the last quote of the literal or quoted name that begins at `at`; npos if it does not
// end.
size_t end_of_quoted(std::string_view text, size_t at);

// Where the plan begins in `text` that starts with "Query Text: " (auto_explain prints the query as
// it came, over many lines); text.size() if there is none.
size_t end_of_query_text(std::string_view text);

}  // namespace pgtend::explain
