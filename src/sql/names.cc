#include "sql/names.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "base/sql_lexer.h"
#include "base/text.h"
#include "sql/parse.h"
#include "sql/tokens.h"

namespace pgtend::sql {
namespace {

// Operators that the grammar uses without writing them: BETWEEN, IN, LIKE, NULLIF, USING, CASE.
constexpr std::array<std::string_view, 12> kImplied = {
    "=", "<>", "<", "<=", ">", ">=", "~~", "!~~", "~~*", "!~~*", "~", "!~"};
constexpr std::string_view kOperatorCharacters = "+-*/<>=~!@#%^&|`?";

// Statements of a body that reach beyond the transaction, or whose effect is not in the text.
constexpr std::array<std::string_view, 12> kOpaqueStatements = {
    "copy", "call",       "do",     "listen",  "notify",  "load",
    "lock", "checkpoint", "vacuum", "analyze", "reindex", "cluster"};

std::string_view text_of(const json::value* value) {
  if (!value || !value->is_string()) return {};
  return {value->get_string().data(), value->get_string().size()};
}

QualifiedName function_name(const json::value* parts) {
  QualifiedName out;
  if (!parts || !parts->is_array()) return out;
  for (const json::value& part : parts->get_array()) {
    out.schema = std::exchange(out.name, std::string(string_value(part)));
  }
  return out;
}

bool is_operator(const SqlToken& token) {
  return token.kind == SqlTokenKind::Symbol && kOperatorCharacters.contains(token.text[0]);
}

// Adds the run of operator characters at `i` with each of its beginnings ("=-1" is "=" and "-");
// returns its length.
size_t add_operators(const std::vector<SqlToken>& list, size_t i, Names& names) {
  constexpr size_t kOperatorMax = 63;
  std::string run;
  size_t end = i;
  for (; end < list.size() && is_operator(list[end]); ++end) {
    const bool joined =
        end == i || list[end].text.data() == list[end - 1].text.data() + list[end - 1].text.size();
    if (!joined || run.size() >= kOperatorMax) break;
    run += list[end].text;
    names.words.insert(run);
  }
  return end - i;
}

// Whether a statement of PL/pgSQL or SQL begins at `i`.
bool begins_statement(const std::vector<SqlToken>& list, size_t i) {
  static constexpr std::array<std::string_view, 5> kBefore = {"begin", "then", "else", "loop",
                                                              "atomic"};
  if (i == 0 || is_symbol(list, i - 1, ';') || is_symbol(list, i - 1, '>')) return true;
  return list[i - 1].kind == SqlTokenKind::Word &&
         std::ranges::find(kBefore, lower(list[i - 1].text)) != kBefore.end();
}

// What of `list` from `i` on hides its effect; "" if nothing does.
std::string_view opaque_at(const std::vector<SqlToken>& list, size_t i) {
  if (list[i].kind != SqlTokenKind::Word) return {};
  const std::string word = lower(list[i].text);
  if (word == "execute") return "EXECUTE";
  if (word == "u" && is_symbol(list, i + 1, '&')) return "U&\"...\"";
  const auto* found = std::ranges::find(kOpaqueStatements, word);
  return found != kOpaqueStatements.end() && begins_statement(list, i) ? *found
                                                                       : std::string_view{};
}

}  // namespace

bool is_name(const SqlToken& token) {
  return token.kind == SqlTokenKind::Word || token.kind == SqlTokenKind::Quoted;
}

std::string name_of(const SqlToken& token) {
  if (token.kind != SqlTokenKind::Quoted) return lower(token.text);
  std::string_view inner = token.text.substr(1);
  if (inner.ends_with('"')) inner.remove_suffix(1);
  std::string out;
  for (size_t i = 0; i < inner.size(); ++i) {
    out += inner[i];
    if (inner[i] == '"' && i + 1 < inner.size() && inner[i + 1] == '"') ++i;
  }
  return out;
}

void Names::add(Names more) {
  functions.merge(more.functions);
  relations.merge(more.relations);
  words.merge(more.words);
}

Names names_in(const json::value& tree) {
  Names out;
  for (const std::string_view op : kImplied) out.words.emplace(op);
  for_each_member(tree, [&](std::string_view name, const json::value& value) {
    const json::object* body = value.if_object();
    if (!body) return;
    if (name == "FuncCall") {
      out.functions.insert(function_name(member(*body, "funcname")));
    } else if (name == "String") {
      out.words.emplace(text_of(member(*body, "sval")));
    }
    const json::value* relation = member(*body, "relname");
    if (!relation) return;
    out.relations.insert(
        {std::string(text_of(member(*body, "schemaname"))), std::string(text_of(relation))});
  });
  return out;
}

TextNames names_in_text(std::string_view text) {
  TextNames out;
  for (const std::string_view op : kImplied) out.names.words.emplace(op);
  const std::vector<SqlToken> list = sql_tokens(text);
  for (size_t i = 0; i < list.size();) {
    if (is_operator(list[i])) {
      i += add_operators(list, i, out.names);
      continue;
    }
    if (out.opaque.empty()) out.opaque = opaque_at(list, i);
    if (is_name(list[i])) {
      const std::string name = name_of(list[i]);
      out.names.words.insert(name);
      out.names.relations.insert({{}, name});
      if (is_symbol(list, i + 1, '(')) out.names.functions.insert({{}, name});
    }
    ++i;
  }
  return out;
}

}  // namespace pgtend::sql
