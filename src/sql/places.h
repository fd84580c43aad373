// Where in the text of a statement its tables and its conditions stand.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "sql/columns.h"

namespace pgtend::sql {

// Bytes [begin, end) of the text.
struct Place {
  size_t begin = 0;
  size_t end = 0;
};

// A table as FROM, INTO, UPDATE … name it, with its alias.
struct TablePlace {
  std::string schema = {};
  std::string name = {};
  std::string alias = {};  // "" if none
  Place place = {};        // of the name; the alias stands behind it
};

// One conjunct of a WHERE, ON or HAVING, at any depth.
struct ConditionPlace {
  Predicate predicate = {};
  bool between = false;  // BETWEEN: two comparisons in one
  Place place = {};
};

struct Places {
  std::vector<TablePlace> tables = {};
  std::vector<ConditionPlace> conditions = {};
};

class TokenFinder;

// Where the nodes of a parse tree stand in the text that was parsed. Borrows the text. Thread: any.
class Extents {
 public:
  explicit Extents(std::string_view sql);
  ~Extents();
  Extents(const Extents&) = delete;
  Extents& operator=(const Extents&) = delete;

  // From the first to the last token of the expression `node`, with its own brackets; nullopt when
  // the tree does not tell. Types that end in a word of their own ("interval '1' day") come out too
  // short: parse what was cut out and compare before relying on it. Cost: O(size of the node).
  std::optional<Place> of(const json::value& node) const;

 private:
  std::unique_ptr<TokenFinder> finder_;
};

// Both in the order of the tree. Errors: as parse(). Thread: any. Cost: O(size log size).
Result<Places> find_places(std::string_view sql);

}  // namespace pgtend::sql
