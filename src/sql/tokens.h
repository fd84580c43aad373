// Questions about the tokens of a text.
#pragma once

#include <cstddef>
#include <vector>

#include "base/sql_lexer.h"

namespace pgtend::sql {

// Whether token `i` is the symbol `c`; false behind the end. Thread: any.
inline bool is_symbol(const std::vector<SqlToken>& tokens, size_t i, char c) {
  return i < tokens.size() && tokens[i].kind == SqlTokenKind::Symbol && tokens[i].text[0] == c;
}

}  // namespace pgtend::sql
