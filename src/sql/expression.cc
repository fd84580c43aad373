#include "sql/expression.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/sql_lexer.h"
#include "base/text.h"
#include "sql/parse.h"
#include "sql/tokens.h"

namespace pgtend::sql {
namespace {

// EXPLAIN quotes every name that is not lower case, so an unquoted word in mixed case is its own.
bool is_word(const std::vector<SqlToken>& list, size_t i, std::string_view text) {
  return i < list.size() && list[i].kind == SqlTokenKind::Word && list[i].text == text;
}
bool is_plan_name(const std::vector<SqlToken>& list, size_t i) {
  return i < list.size() &&
         (list[i].kind == SqlTokenKind::Word || list[i].kind == SqlTokenKind::Number);
}

// What stands for the tokens from `i` on: text "" and 0 tokens when they are SQL as they are.
struct Replacement {
  std::string text = {};
  size_t consumed = 0;
};

// "ANY (x = …)" in front of an operand, "EXISTS(SubPlan 1)", "ARRAY(SubPlan 1)": calls of no
// grammar. "x = ANY ('{…}')" stays.
bool opens_sub_plan_test(const std::vector<SqlToken>& list, size_t i) {
  if (!is_symbol(list, i + 1, '(')) return false;
  if (is_word(list, i, "EXISTS") || is_word(list, i, "ARRAY")) return true;
  if (!is_word(list, i, "ANY") && !is_word(list, i, "ALL")) return false;
  return i == 0 || is_symbol(list, i - 1, '(') || is_word(list, i - 1, "NOT") ||
         is_word(list, i - 1, "AND") || is_word(list, i - 1, "OR");
}

Replacement replace_at(const std::vector<SqlToken>& list, size_t i) {
  const bool marked = is_word(list, i, "hashed") || is_word(list, i, "rescan");
  const size_t plan = i + (marked ? 1 : 0);
  if (is_word(list, plan, "SubPlan") && is_plan_name(list, plan + 1)) {
    return {
        cat(" ", kSubPlanSchema, ".", kSubPlanFunction, "('",
            is_word(list, i, "hashed") ? "hashed " : "", "SubPlan ", list[plan + 1].text, "') "),
        plan + 2 - i};
  }
  if (is_word(list, i, "InitPlan") && is_plan_name(list, i + 1)) return {" $1 ", 2};
  if (is_word(list, i, "alternatives") && is_symbol(list, i + 1, ':') &&
      !is_symbol(list, i + 2, ':')) {
    return {" ", 2};
  }
  if (opens_sub_plan_test(list, i)) return {cat(" ", kSubPlanSchema, ".test"), 1};
  return {};
}

std::string to_sql(std::string_view text) {
  const std::vector<SqlToken> list = sql_tokens(text);
  std::string out;
  size_t copied = 0;
  for (size_t i = 0; i < list.size();) {
    const Replacement replacement = replace_at(list, i);
    if (replacement.consumed == 0) {
      ++i;
      continue;
    }
    const auto begin = static_cast<size_t>(list[i].text.data() - text.data());
    out += text.substr(copied, begin - copied);
    out += replacement.text;
    const SqlToken& last = list[i + replacement.consumed - 1];
    copied = static_cast<size_t>(last.text.data() - text.data()) + last.text.size();
    i += replacement.consumed;
  }
  out += text.substr(copied);
  return out;
}

}  // namespace

Result<LocatedExpression> parse_located(std::string_view text) {
  LocatedExpression out{cat("SELECT 1 WHERE ", to_sql(text), "\n"), {}};
  const Tree tree = TRY(parse(out.sql));
  static constexpr std::array<std::string_view, 4> kExpected = {"targetList", "whereClause",
                                                                "limitOption", "op"};
  const Error not_one{ErrorCode::Invalid, "not one expression", {}, {}};
  if (tree.statements().size() != 1) return not_one;
  const json::object* statement = tree.statements()[0].if_object();
  const json::value* node = statement ? member(*statement, "stmt") : nullptr;
  const json::object* select = node ? body_of(*node, "SelectStmt") : nullptr;
  if (!select) return not_one;
  for (const auto& entry : *select) {
    const std::string_view key(entry.key().data(), entry.key().size());
    if (std::ranges::find(kExpected, key) == kExpected.end()) return not_one;
  }
  const json::value* where = member(*select, "whereClause");
  if (!where) return not_one;
  out.tree = *where;
  return out;
}

Result<json::value> parse_expression(std::string_view text) {
  return TRY(parse_located(text)).tree;
}

std::vector<std::string> init_plan_references(std::string_view text) {
  std::vector<std::string> out;
  const std::vector<SqlToken> list = sql_tokens(text);
  for (size_t i = 0; i < list.size(); ++i) {
    if (list[i].kind == SqlTokenKind::Parameter) out.emplace_back(list[i].text);
    if (is_word(list, i, "InitPlan") && is_plan_name(list, i + 1)) {
      out.push_back(cat("InitPlan ", list[i + 1].text));
    }
  }
  return out;
}

}  // namespace pgtend::sql
