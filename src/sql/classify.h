// What a statement would do if it were run: the question before any EXPLAIN ANALYZE.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "sql/names.h"

namespace pgtend::sql {

enum class StatementKind : uint8_t {
  Select,     // reads only, as far as the grammar tells
  Locking,    // SELECT … FOR UPDATE / SHARE
  Into,       // SELECT … INTO, CREATE TABLE AS: EXPLAIN ANALYZE would create the table
  Modifying,  // INSERT, UPDATE, DELETE, MERGE, also inside WITH
  Utility,    // everything else: cannot be explained
};
std::string_view name(StatementKind kind);

struct StatementInfo {
  StatementKind kind = StatementKind::Utility;
  std::string text = {};  // the statement without a leading EXPLAIN (…)
  bool asked_explain = false;
  bool asked_analyze = false;  // it began with EXPLAIN ANALYZE
  bool newer_syntax = false;   // not parsed: the caller filled it from the lexer
  bool temporary = false;      // creates a temporary table
  int parameters = 0;          // the largest n of $n
  Names names = {};
  uint64_t fingerprint = 0;
};

// Looks at `sql`, which must be exactly one statement; a leading EXPLAIN is taken off.
// Errors: Invalid when it cannot be parsed or is not exactly one statement. Thread: any.
Result<StatementInfo> classify(std::string_view sql);

}  // namespace pgtend::sql
