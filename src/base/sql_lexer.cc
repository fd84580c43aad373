#include "base/sql_lexer.h"

#include <algorithm>
#include <array>

namespace pgtend {
namespace {

// What a character may be, by table: this runs for every query of a pool.
enum Class : uint8_t { kWhite = 1, kDigit = 2, kStart = 4, kInside = 8 };

constexpr std::array<uint8_t, 256> kClasses = [] {
  std::array<uint8_t, 256> classes{};
  for (size_t c = 0; c < classes.size(); ++c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
    const bool digit = c >= '0' && c <= '9';
    if (c == ' ' || (c >= '\t' && c <= '\r')) classes[c] |= kWhite;
    if (digit) classes[c] |= kDigit;
    if (letter) classes[c] |= kStart;
    if (letter || digit || c == '$') classes[c] |= kInside;
  }
  return classes;
}();

bool is(char c, Class one) { return (kClasses[static_cast<unsigned char>(c)] & one) != 0; }
bool is_white(char c) { return is(c, kWhite); }
bool is_digit(char c) { return is(c, kDigit); }
bool starts_word(char c) { return is(c, kStart); }
bool in_word(char c) { return is(c, kInside); }

// The end of the quoted run that starts at `at` (on the opening quote).
size_t quoted_end(std::string_view text, size_t at, bool backslash) {
  const char quote = text[at];
  for (size_t i = at + 1; i < text.size(); ++i) {
    if (backslash && text[i] == '\\') {
      ++i;
    } else if (text[i] == quote) {
      if (i + 1 < text.size() && text[i + 1] == quote) {
        ++i;
      } else {
        return i + 1;
      }
    }
  }
  return text.size();
}

// The end of the comment that starts at `at`, or `at` if none does. Block comments nest.
size_t comment_end(std::string_view text, size_t at) {
  if (text[at] != '-' && text[at] != '/') return at;
  const std::string_view rest = text.substr(at);
  if (rest.starts_with("--")) return std::min(text.find('\n', at), text.size());
  if (!rest.starts_with("/*")) return at;
  int depth = 0;
  for (size_t i = at; i + 1 < text.size(); ++i) {
    if (text[i] == '/' && text[i + 1] == '*') {
      ++depth, ++i;
    } else if (text[i] == '*' && text[i + 1] == '/') {
      ++i;
      if (--depth == 0) return i + 1;
    }
  }
  return text.size();
}

// The end of the dollar-quoted string at `at`, or `at` if it is none.
size_t dollar_end(std::string_view text, size_t at) {
  size_t tag = at + 1;
  while (tag < text.size() && in_word(text[tag]) && text[tag] != '$') ++tag;
  if (tag >= text.size() || text[tag] != '$') return at;
  const std::string_view delimiter = text.substr(at, tag + 1 - at);
  const size_t close = text.find(delimiter, tag + 1);
  return close == std::string_view::npos ? text.size() : close + delimiter.size();
}

template <class Belongs>
size_t run_end(std::string_view text, size_t at, Belongs belongs) {
  while (at < text.size() && belongs(text[at])) ++at;
  return at;
}

SqlToken word_at(std::string_view text, size_t at) {
  size_t end = run_end(text, at, [](char c) { return in_word(c); });
  std::string_view word = text.substr(at, end - at);
  if (word.size() == 1 && (word == "U" || word == "u") && text.substr(end).starts_with("&'")) {
    return {SqlTokenKind::String, text.substr(at, quoted_end(text, end + 1, false) - at)};
  }
  const bool prefix = word.size() == 1 && std::string_view("eEbBxXnN").contains(word[0]);
  if (prefix && end < text.size() && text[end] == '\'') {
    const bool backslash = word == "e" || word == "E";
    return {SqlTokenKind::String, text.substr(at, quoted_end(text, end, backslash) - at)};
  }
  return {SqlTokenKind::Word, word};
}

SqlToken token_at(std::string_view text, size_t at) {
  const char c = text[at];
  const auto upto = [&](SqlTokenKind kind, size_t end) {
    return SqlToken{kind, text.substr(at, end - at)};
  };
  if (c == '\'') return upto(SqlTokenKind::String, quoted_end(text, at, false));
  if (c == '"') return upto(SqlTokenKind::Quoted, quoted_end(text, at, false));
  if (starts_word(c)) return word_at(text, at);
  if (is_digit(c)) {
    return upto(SqlTokenKind::Number,
                run_end(text, at, [](char d) { return in_word(d) || d == '.'; }));
  }
  if (c == '$') {
    if (at + 1 < text.size() && is_digit(text[at + 1])) {
      return upto(SqlTokenKind::Parameter,
                  run_end(text, at + 1, [](char d) { return is_digit(d); }));
    }
    const size_t end = dollar_end(text, at);
    if (end != at) return upto(SqlTokenKind::String, end);
  }
  return upto(SqlTokenKind::Symbol, at + 1);
}

}  // namespace

bool SqlLexer::next(SqlToken& token) {
  while (at_ < text_.size()) {
    if (is_white(text_[at_])) {
      ++at_;
    } else if (const size_t end = comment_end(text_, at_); end != at_) {
      at_ = end;
    } else {
      token = token_at(text_, at_);
      at_ += token.text.size();
      return true;
    }
  }
  return false;
}

std::vector<SqlToken> sql_tokens(std::string_view text) {
  std::vector<SqlToken> out;
  SqlLexer lexer(text);
  for (SqlToken token; lexer.next(token);) out.push_back(token);
  return out;
}

}  // namespace pgtend
