#include "sql/operands.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "sql/names.h"

namespace pgtend::sql {
namespace {

bool opens(const SqlToken& token) {
  return token.kind == SqlTokenKind::Symbol && (token.text == "(" || token.text == "[");
}
bool closes(const SqlToken& token) {
  return token.kind == SqlTokenKind::Symbol && (token.text == ")" || token.text == "]");
}
bool is_operator_character(const SqlToken& token) {
  constexpr std::string_view kCharacters = "+-*/<>=~!@#%^&|`?";
  return token.kind == SqlTokenKind::Symbol && kCharacters.find(token.text[0]) != kCharacters.npos;
}
bool is_dot(const SqlToken& token) {
  return token.kind == SqlTokenKind::Symbol && token.text == ".";
}

}  // namespace

Operands::Operands(std::string_view sql)
    : sql_(sql), tokens_(sql_tokens(sql)), partner_(tokens_.size()) {
  std::vector<size_t> open;
  for (size_t i = 0; i < tokens_.size(); ++i) {
    partner_[i] = i;
    if (opens(tokens_[i])) open.push_back(i);
    if (!closes(tokens_[i]) || open.empty()) continue;
    partner_[i] = open.back();
    partner_[open.back()] = i;
    open.pop_back();
  }
}

size_t Operands::offset(size_t token) const {
  return static_cast<size_t>(tokens_[token].text.data() - sql_.data());
}

size_t Operands::operator_end(size_t token) const {
  if (lower(tokens_[token].text) == "operator" && token + 1 < tokens_.size()) {
    return std::max(partner_[token + 1], token + 1) + 1;  // OPERATOR(schema.=)
  }
  size_t end = token;
  while (end < tokens_.size() && is_operator_character(tokens_[end]) &&
         offset(end) == offset(token) + (end - token)) {
    ++end;
  }
  return end;
}

// Words between conditions of one level.
bool Operands::separates(size_t token) const {
  static constexpr std::array<std::string_view, 4> kWords = {"and", "or", "not", "where"};
  return tokens_[token].kind == SqlTokenKind::Word &&
         std::ranges::find(kWords, lower(tokens_[token].text)) != kWords.end();
}

std::string Operands::text(size_t begin, size_t end, std::string_view qualifier) const {
  while (end > begin + 1 && opens(tokens_[begin]) && partner_[begin] == end - 1) {
    ++begin;
    --end;
  }
  std::string out;
  size_t copied = begin < end ? offset(begin) : 0;
  for (size_t i = begin; i + 2 < end && !qualifier.empty(); ++i) {
    const bool column = is_name(tokens_[i]) && is_dot(tokens_[i + 1]) && is_name(tokens_[i + 2]);
    if (!column || (i > begin && is_dot(tokens_[i - 1]))) continue;
    const bool call = i + 3 < end && tokens_[i + 3].text == "(";
    if (call || name_of(tokens_[i]) != qualifier) continue;
    out += sql_.substr(copied, offset(i) - copied);
    copied = offset(i + 2);
  }
  if (begin >= end) return out;
  out += sql_.substr(copied, offset(end - 1) + tokens_[end - 1].text.size() - copied);
  return out;
}

OperandTexts Operands::around(size_t location, std::string_view qualifier) const {
  const auto found = std::ranges::lower_bound(tokens_, location, {}, [&](const SqlToken& token) {
    return static_cast<size_t>(token.text.data() - sql_.data());
  });
  const auto at = static_cast<size_t>(found - tokens_.begin());
  if (at >= tokens_.size() || offset(at) != location) return {};
  const size_t after = operator_end(at);
  if (after == at) return {};
  size_t begin = at;
  while (begin > 0) {
    const size_t before = begin - 1;
    if (separates(before) || (opens(tokens_[before]) && partner_[before] != before)) break;
    begin = std::min(partner_[before], before);
  }
  size_t end = after;
  while (end < tokens_.size() && !separates(end)) {
    if (closes(tokens_[end])) break;
    end = std::max(partner_[end], end) + 1;
  }
  return {text(begin, at, qualifier), text(after, std::min(end, tokens_.size()), qualifier)};
}

}  // namespace pgtend::sql
