// Any bytes as a statement and as an expression of a plan: what is found in it lies in it, a
// parameter that meets a column is one of the statement's, and a normal form is its own.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "sql/classify.h"
#include "sql/columns.h"
#include "sql/expression.h"
#include "sql/fingerprint.h"
#include "sql/parameters.h"
#include "sql/parse.h"
#include "sql/places.h"

namespace pgtend::sql {
namespace {

void check_place(const Place& place, std::string_view text) {
  CHECK(place.begin <= place.end && place.end <= text.size());
}

void look_at_statement(std::string_view text) {
  if (const auto info = classify(text)) CHECK(info->parameters >= 0 && !info->text.empty());
  if (const auto places = find_places(text)) {
    for (const TablePlace& table : places->tables) check_place(table.place, text);
    for (const ConditionPlace& condition : places->conditions) check_place(condition.place, text);
  }
  if (const auto normal = normalise(text)) {
    const auto again = normalise(*normal);
    CHECK(again && *again == *normal);
  }
  const auto tree = parse(text);
  if (!tree) return;
  static_cast<void>(called_functions(tree->root));
  for (const ParameterUse& use : parameter_uses(tree->root)) {
    CHECK(!use.column.empty() && text.find('$') != std::string_view::npos);
  }
}

void look_at_expression(std::string_view text) {
  static_cast<void>(init_plan_references(text));
  static_cast<void>(static_cast<bool>(sort_key(text)));
  static_cast<void>(static_cast<bool>(used_columns(text)));
  static_cast<void>(static_cast<bool>(conditions(text)));
  const auto located = parse_located(text);
  const auto tree = parse_expression(text);
  CHECK(static_cast<bool>(located) == static_cast<bool>(tree));
  if (tree) CHECK(predicates(*tree).size() == conjuncts(*tree).size());
}

}  // namespace
}  // namespace pgtend::sql

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kSizeMax = 10'000;
  if (size > kSizeMax) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  pgtend::sql::look_at_statement(text);
  pgtend::sql::look_at_expression(text);
  return 0;
}
