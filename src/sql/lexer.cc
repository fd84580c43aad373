#include "sql/lexer.h"

#include <algorithm>

namespace pgtend::sql {
namespace {

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool starts_word(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || byte >= 0x80;
}
bool in_word(char c) { return starts_word(c) || is_digit(c) || c == '$'; }

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

size_t run_end(std::string_view text, size_t at, bool (*belongs)(char)) {
  while (at < text.size() && belongs(text[at])) ++at;
  return at;
}

Token word_at(std::string_view text, size_t at) {
  size_t end = run_end(text, at, in_word);
  std::string_view word = text.substr(at, end - at);
  if (word.size() == 1 && (word == "U" || word == "u") && text.substr(end).starts_with("&'")) {
    return {TokenKind::String, text.substr(at, quoted_end(text, end + 1, false) - at)};
  }
  const bool prefix = word.size() == 1 && std::string_view("eEbBxXnN").contains(word[0]);
  if (prefix && end < text.size() && text[end] == '\'') {
    const bool backslash = word == "e" || word == "E";
    return {TokenKind::String, text.substr(at, quoted_end(text, end, backslash) - at)};
  }
  return {TokenKind::Word, word};
}

Token token_at(std::string_view text, size_t at) {
  const char c = text[at];
  const auto upto = [&](TokenKind kind, size_t end) {
    return Token{kind, text.substr(at, end - at)};
  };
  if (c == '\'') return upto(TokenKind::String, quoted_end(text, at, false));
  if (c == '"') return upto(TokenKind::Quoted, quoted_end(text, at, false));
  if (starts_word(c)) return word_at(text, at);
  if (is_digit(c)) {
    return upto(TokenKind::Number,
                run_end(text, at, [](char d) { return in_word(d) || d == '.'; }));
  }
  if (c == '$') {
    if (at + 1 < text.size() && is_digit(text[at + 1])) {
      return upto(TokenKind::Parameter, run_end(text, at + 1, is_digit));
    }
    const size_t end = dollar_end(text, at);
    if (end != at) return upto(TokenKind::String, end);
  }
  return upto(TokenKind::Symbol, at + 1);
}

}  // namespace

std::vector<Token> tokens(std::string_view text) {
  std::vector<Token> out;
  for (size_t at = 0; at < text.size();) {
    if (is_space(text[at])) {
      ++at;
      continue;
    }
    if (const size_t end = comment_end(text, at); end != at) {
      at = end;
      continue;
    }
    out.push_back(token_at(text, at));
    at += out.back().text.size();
  }
  return out;
}

}  // namespace pgtend::sql
