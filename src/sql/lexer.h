// PostgreSQL's lexical rules, for the two places that must look at a text before the grammar can:
// EXPLAIN's expressions (which hold forms that are no SQL) and a leading EXPLAIN.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace pgtend::sql {

enum class TokenKind : uint8_t {
  Word,    // keyword or unquoted name
  Quoted,  // "name"
  String,  // '…' in any form, $tag$…$tag$
  Number,
  Parameter,  // $1
  Symbol,     // one character of punctuation or operator
};

// A token; `text` borrows the text given to tokens().
struct Token {
  TokenKind kind;
  std::string_view text;
};

// All tokens of `text`; comments and white space left out. Total: an unfinished quote runs to the
// end of the text. Thread: any. Cost: O(n).
std::vector<Token> tokens(std::string_view text);

}  // namespace pgtend::sql
