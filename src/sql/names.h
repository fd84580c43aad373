// The names by which a statement or a function's body can reach code of the database: more rather
// than fewer, because they are looked up to find out what planning or running would execute.
#pragma once

#include <compare>
#include <set>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/sql_lexer.h"

namespace pgtend::sql {

// Whether a token may be a name: a word or what is quoted.
bool is_name(const SqlToken& token);
// The name that it is: "a""b" as a"b; an unquoted word in lower case, as the server folds it.
std::string name_of(const SqlToken& token);

struct QualifiedName {
  std::string schema = {};  // "" if not written
  std::string name = {};
  auto operator<=>(const QualifiedName&) const = default;
};

struct Names {
  std::set<QualifiedName> functions = {};  // called by name
  std::set<QualifiedName> relations = {};
  // Every name and operator, whatever it stands for: types, operators, attributes.
  std::set<std::string> words = {};

  void add(Names more);
  bool empty() const { return functions.empty() && relations.empty() && words.empty(); }
};

// The names in a parse tree. Thread: any. Cost: O(size).
Names names_in(const json::value& tree);

// What no grammar of ours reads: bodies of functions, rules as the server prints them.
struct TextNames {
  Names names = {};
  // A construct whose effect the text does not tell: "EXECUTE" of SQL made at run time, COPY …; ""
  // if there is none.
  std::string opaque = {};
};

// The names in SQL or PL/pgSQL that only the lexer understands: every word is a possible relation
// or type, every word in front of a bracket a function. Thread: any. Cost: O(size).
TextNames names_in_text(std::string_view text);

}  // namespace pgtend::sql
