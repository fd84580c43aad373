// PostgreSQL's lexical rules, for the places that must look at a text without the grammar: shapes
// of queries in the hot path, EXPLAIN's expressions (which hold forms that are no SQL), a leading
// EXPLAIN.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace pgtend {

enum class SqlTokenKind : uint8_t {
  Word,    // keyword or unquoted name
  Quoted,  // "name"
  String,  // '…' in any form, $tag$…$tag$
  Number,
  Parameter,  // $1
  Symbol,     // one character of punctuation or operator
};

// A token; `text` borrows the text given to the lexer.
struct SqlToken {
  SqlTokenKind kind;
  std::string_view text;
};

// One token after the other; comments and white space are left out. Total: an unfinished quote runs
// to the end of the text. Thread: one. Cost: O(n) for the whole text, no allocation.
class SqlLexer {
 public:
  explicit SqlLexer(std::string_view text) : text_(text) {}

  // False at the end.
  bool next(SqlToken& token);

 private:
  std::string_view text_;
  size_t at_ = 0;
};

// All tokens of `text`. Thread: any.
std::vector<SqlToken> sql_tokens(std::string_view text);

}  // namespace pgtend
