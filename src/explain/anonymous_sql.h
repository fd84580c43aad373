// SQL and EXPLAIN's expressions with pseudonyms in the place of names and literals, so that they
// can be shown to anybody and still be diagnosed.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include "base/sql_lexer.h"

namespace pgtend::explain {

// Whether `text` is digits and nothing else: the lexer takes "12ab" for a number, too. Thread: any.
bool is_whole_number(std::string_view text);

enum class NameKind : unsigned char { Schema, Table, Alias, Index, Function, Column, Other };

// Gives each name and literal a pseudonym by the order in which they are met: the same input gives
// the same output, a name is the same wherever it stands, and nothing leads back (no hash to try
// words on). Names that differ in runs of digits only stay of one family ("t_b1", "t_b2"), because
// partitions are known by that. Thread: one. Lives as long as the texts are to agree.
class Pseudonyms {
 public:
  // Of an identifier as it is (unquoted, folded). `kind` decides the first letter when it is new.
  std::string name(std::string_view name, NameKind kind);
  // Of the content of a string. Braces and commas of an array, and the wildcards that a pattern
  // begins and ends with, stay.
  std::string literal(std::string_view content);
  // Of a number; 0 and 1 stay.
  std::string number(std::string_view text);

 private:
  struct Family {
    std::string letters;
    size_t members = 0;
  };
  std::string piece(std::string_view content);

  std::map<std::string, std::string, std::less<>> names_;
  std::map<std::string, Family, std::less<>> families_;
  std::map<std::string, std::string, std::less<>> literals_;
  std::map<std::string, size_t, std::less<>> numbers_;
};

// `text` (a statement, an expression, a sort key) with pseudonyms; comments are dropped. Keywords,
// built-in types and functions, operators, parameters and references to sub-plans stay. What the
// parse tree does not tell for certain to be one of these is a name. Thread: as `pseudonyms`. Cost:
// O(size log size).
std::string anonymous_sql(std::string_view text, Pseudonyms& pseudonyms);

}  // namespace pgtend::explain
