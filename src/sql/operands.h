// The texts of an operator's two sides, cut out of the SQL that was parsed at the place the parse
// tree tells: an index on an expression needs the expression as it was written.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/sql_lexer.h"

namespace pgtend::sql {

struct OperandTexts {
  std::string left = {};
  std::string right = {};
};

// Borrows the SQL text. Thread: any. Cost: O(n) to make, O(operands) a question.
class Operands {
 public:
  explicit Operands(std::string_view sql);

  // Around the operator at byte `location`, without the qualifier `qualifier` in front of column
  // names and without outer parentheses; empty when no operator stands there.
  OperandTexts around(size_t location, std::string_view qualifier) const;

 private:
  size_t offset(size_t token) const;
  size_t operator_end(size_t token) const;
  bool separates(size_t token) const;
  std::string text(size_t begin, size_t end, std::string_view qualifier) const;

  std::string_view sql_;
  std::vector<SqlToken> tokens_;
  std::vector<size_t> partner_;  // of a bracket: the one that closes or opens it; else itself
};

}  // namespace pgtend::sql
