// The lines of a plan in EXPLAIN's TEXT. Literals and quoted names may hold newlines and anything
// that looks like a line of a plan: only a lexer tells where a line really ends.
#pragma once

#include <cstddef>
#include <string_view>
#include <utility>
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

// The same for a text that comes into sight step by step. Thread: one.
class TextLineReader {
 public:
  // Reads on in `text`, which begins where the text before began and goes further. What was the
  // last line, and all from the first line whose end was not in sight, is read anew.
  void read(std::string_view text);

  const std::vector<TextLine>& lines() const { return lines_; }
  std::vector<TextLine> take() { return std::move(lines_); }
  // How many lines stay as they are, whatever comes.
  size_t settled() const { return resume_.lines; }

 private:
  // In front of a line.
  struct Place {
    size_t at = 0;
    size_t number = 1;
    size_t lines = 0;
    int open_quotes = 0;
  };

  void read_line();
  size_t end_of_unquoted(size_t start, size_t indent);
  size_t end_of_open_quote(size_t start);
  bool structure_follows(size_t at) const;

  std::string_view text_;
  Place next_;
  Place resume_;
  bool all_ended_ = true;  // the ends of all lines before were in sight
  std::vector<TextLine> lines_;
};

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
