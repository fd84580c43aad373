#include "pool/shape.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "base/sql_lexer.h"
#include "base/text.h"

namespace pgtend::pool {
namespace {

using Kind = SqlTokenKind;

// FNV-1a, a byte a step, finished by mixing: short words, no table.
constexpr uint64_t kSeed = 0xcbf29ce484222325;
constexpr uint64_t kPrime = 0x100000001b3;
constexpr uint64_t kSpread = 0x9e3779b97f4a7c15;
constexpr char kLiteral = '\x01';
constexpr char kBetween = '\x02';

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool is_word(const SqlToken& token, std::string_view word) {
  return token.kind == Kind::Word && equal_ignoring_case(token.text, word);
}

bool is_symbol(const SqlToken& token, char c) {
  return token.kind == Kind::Symbol && token.text[0] == c;
}

// Words that matter for the shape.
enum class Role : uint8_t {
  None,
  Literal,  // NULL, TRUE, FALSE; also tokens that are no words
  In,
  Array,
  Values,
  Verb,  // behind which a sign is no operator
};

struct KnownWord {
  std::string_view word;
  Role role;
};
// In alphabetical order.
constexpr KnownWord kKnownWords[] = {
    {"and", Role::Verb},      {"array", Role::Array},    {"between", Role::Verb},
    {"by", Role::Verb},       {"else", Role::Verb},      {"false", Role::Literal},
    {"in", Role::In},         {"like", Role::Verb},      {"limit", Role::Verb},
    {"not", Role::Verb},      {"null", Role::Literal},   {"offset", Role::Verb},
    {"or", Role::Verb},       {"returning", Role::Verb}, {"select", Role::Verb},
    {"set", Role::Verb},      {"then", Role::Verb},      {"true", Role::Literal},
    {"values", Role::Values}, {"when", Role::Verb},      {"where", Role::Verb}};

// Where the words of a first letter begin, by letter; one more for the end of the last.
constexpr std::array<uint8_t, 27> kFirstOfLetter = [] {
  std::array<uint8_t, 27> first{};
  for (size_t letter = 0; letter < first.size(); ++letter) {
    while (first[letter] < std::size(kKnownWords) &&
           kKnownWords[first[letter]].word[0] < static_cast<char>('a' + letter)) {
      ++first[letter];
    }
  }
  return first;
}();

Role role_of(std::string_view word) {
  const auto letter = static_cast<size_t>(lower(word[0]) - 'a');
  if (letter >= 26) return Role::None;
  for (size_t i = kFirstOfLetter[letter]; i < kFirstOfLetter[letter + 1]; ++i) {
    const KnownWord& known = kKnownWords[i];
    if (known.word.size() == word.size() && equal_ignoring_case(known.word, word)) {
      return known.role;
    }
  }
  return Role::None;
}

// A token and what it is for the shape, looked up once.
struct ShapePart {
  SqlToken token{};
  Role role = Role::None;

  bool is_symbol(char c) const { return token.kind == Kind::Symbol && token.text[0] == c; }
  bool is_literal() const { return role == Role::Literal; }
  bool is_operand() const {
    return is_literal() || token.kind == Kind::Quoted || is_symbol(')') || is_symbol(']') ||
           (token.kind == Kind::Word && role == Role::None);
  }
};

ShapePart part_of(const SqlToken& token) {
  switch (token.kind) {
    case Kind::Word:
      return {token, role_of(token.text)};
    case Kind::String:
    case Kind::Number:
    case Kind::Parameter:
      return {token, Role::Literal};
    case Kind::Quoted:
    case Kind::Symbol:
      break;
  }
  return {token, Role::None};
}

// Semicolons at the end say nothing.
std::string_view without_end(std::string_view sql) {
  const size_t last = sql.find_last_not_of("; \t\r\n");
  return sql.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

// Hands over the tokens that make the shape: list items and VALUES rows after the first are left
// out, and so are the signs of numbers.
class ShapeParts {
 public:
  explicit ShapeParts(std::string_view sql)
      : lexer_(without_end(sql).substr(0, kShapeBytes)), cut_(sql.size() > kShapeBytes) {}

  bool next(ShapePart& part) {
    while (take(part)) {
      if (drops(part)) continue;
      follow(part);
      return true;
    }
    return false;
  }

 private:
  enum class Rows : uint8_t { None, Awaited, First, Between };

  bool take(ShapePart& part) {
    if (!has_ahead_) return read(part);
    part = ahead_;
    has_ahead_ = false;
    return true;
  }
  const ShapePart* peek() {
    if (!has_ahead_) has_ahead_ = read(ahead_);
    return has_ahead_ ? &ahead_ : nullptr;
  }

  // A sign belongs to its number where an operator cannot stand.
  bool read(ShapePart& part) {
    SqlToken token;
    if (has_spare_) {
      token = spare_;
      has_spare_ = false;
    } else if (!lexer_.next(token)) {
      return false;
    }
    part = part_of(token);
    if (!after_operand_ && (part.is_symbol('-') || part.is_symbol('+'))) {
      has_spare_ = lexer_.next(spare_);
      if (has_spare_ && spare_.kind == Kind::Number) {
        part = part_of(spare_);
        has_spare_ = false;
      }
    }
    after_operand_ = part.is_operand();
    return true;
  }

  bool drops(const ShapePart& part) {
    if (!part.is_symbol(',')) return false;
    const ShapePart* after = peek();
    if (rows_ == Rows::Between && (after == nullptr || after->is_symbol('('))) {
      has_ahead_ = false;
      skip_row();
      return true;
    }
    if (!in_list_ || (after != nullptr && !after->is_literal())) return false;
    has_ahead_ = false;
    return true;
  }

  // A row behind the first one of VALUES, from behind its parenthesis. Of a text that is not looked
  // at to its end all that follows is taken for rows.
  void skip_row() {
    after_operand_ = true;
    if (cut_) lexer_ = SqlLexer({});
    int depth = 1;
    for (SqlToken token; depth > 0 && lexer_.next(token);) {
      if (token.kind != Kind::Symbol) continue;
      depth += token.text[0] == '(' ? 1 : token.text[0] == ')' ? -1 : 0;
    }
  }

  // What `part`, which is kept, says about those that follow.
  void follow(const ShapePart& part) {
    switch (rows_) {
      case Rows::Awaited:
        rows_ = part.is_symbol('(') ? Rows::First : Rows::None;
        depth_ = 1;
        break;
      case Rows::First:
        if (part.is_symbol('(')) ++depth_;
        if (part.is_symbol(')') && --depth_ == 0) rows_ = Rows::Between;
        break;
      case Rows::Between:
      case Rows::None:
        rows_ = Rows::None;
        break;
    }
    if (part.role == Role::Values) rows_ = Rows::Awaited;
    if (opens_list_ && (part.is_symbol('(') || part.is_symbol('['))) {
      in_list_ = true;
    } else if (!part.is_literal()) {
      in_list_ = in_list_ && part.is_symbol(',');
    }
    opens_list_ = part.role == Role::In || part.role == Role::Array;
  }

  SqlLexer lexer_;
  bool cut_;
  ShapePart ahead_;
  SqlToken spare_{};
  bool has_ahead_ = false;
  bool has_spare_ = false;
  bool after_operand_ = false;
  bool opens_list_ = false;
  bool in_list_ = false;
  Rows rows_ = Rows::None;
  int depth_ = 0;
};

uint64_t finish(uint64_t hash) {
  hash ^= hash >> 33;
  hash *= 0xff51afd7ed558ccd;
  hash ^= hash >> 33;
  return hash == 0 ? 1 : hash;
}

// Where white space changes nothing, none is written.
bool joins(const SqlToken& left, const SqlToken& right) {
  if (is_symbol(left, '(') || is_symbol(left, '[') || is_symbol(left, '.')) return true;
  if (is_symbol(left, ':') || is_symbol(right, ':')) return true;
  if (right.kind != Kind::Symbol) return false;
  if (std::string_view("),].;[").contains(right.text[0])) return true;
  // Operators of several characters come as single ones, and calls have no space.
  if (left.kind == Kind::Symbol && left.text[0] != ')' && left.text[0] != ',') {
    return left.text.data() + 1 == right.text.data();
  }
  return right.text[0] == '(' && left.text.data() + left.text.size() == right.text.data();
}

}  // namespace

uint64_t shape_of(std::string_view sql) {
  uint64_t hash = kSeed;
  const auto add = [&hash](char c) { hash = (hash ^ static_cast<unsigned char>(c)) * kPrime; };
  ShapeParts parts(sql);
  for (ShapePart part; parts.next(part); add(kBetween)) {
    if (part.is_literal()) {
      add(kLiteral);
    } else if (part.token.kind == Kind::Word) {
      for (const char c : part.token.text) add(lower(c));
    } else {
      for (const char c : part.token.text) add(c);
    }
  }
  return finish(hash);
}

uint64_t ShapeCache::shape(std::string_view sql) {
  uint64_t text = kSeed ^ sql.size();
  const std::string_view looked_at = sql.substr(0, kShapeBytes);
  size_t at = 0;
  uint64_t piece = 0;
  for (; at + sizeof piece <= looked_at.size(); at += sizeof piece) {
    std::memcpy(&piece, looked_at.data() + at, sizeof piece);
    text = std::rotl((text ^ piece) * kSpread, 29);
  }
  piece = 0;
  std::memcpy(&piece, looked_at.data() + at, looked_at.size() - at);
  text = finish((text ^ piece) * kSpread);
  Entry& entry = entries_[text % entries_.size()];
  if (entry.text != text) entry = {text, shape_of(sql)};
  return entry.shape;
}

std::string shape_text(std::string_view sql, size_t bytes_max) {
  int64_t number = 0;
  SqlLexer lexer(sql.substr(0, kShapeBytes));
  for (SqlToken token; lexer.next(token);) {
    if (token.kind != Kind::Parameter) continue;
    const auto used = parse_int(token.text.substr(1));
    if (used) number = std::max(number, *used);
  }
  std::string out;
  SqlToken before{Kind::Symbol, "("};
  ShapeParts parts(sql);
  for (ShapePart part; parts.next(part) && out.size() < bytes_max; before = part.token) {
    const SqlToken& token = part.token;
    if (!out.empty() && !joins(before, token)) out += ' ';
    const bool is_value = token.kind == Kind::String || token.kind == Kind::Number;
    if (is_value) {
      out += cat('$', ++number);
    } else {
      out += token.text;
    }
  }
  // A character of several bytes is kept whole or not at all.
  size_t end = std::min(out.size(), bytes_max);
  while (end < out.size() && end > 0 && (static_cast<unsigned char>(out[end]) & 0xc0) == 0x80)
    --end;
  out.resize(end);
  return out;
}

std::string target_of(std::string_view sql) {
  SqlLexer lexer(sql.substr(0, kShapeBytes));
  SqlToken token;
  bool found = false;
  while (!found && lexer.next(token)) {
    found = is_word(token, "into") || is_word(token, "copy") || is_word(token, "update") ||
            is_word(token, "table") || is_word(token, "from") || is_word(token, "index") ||
            is_word(token, "truncate");
  }
  std::string name;
  bool wants_part = true;
  while (found && lexer.next(token)) {
    if (wants_part && name.empty() &&
        (is_word(token, "only") || is_word(token, "if") || is_word(token, "not") ||
         is_word(token, "exists") || is_word(token, "table") || is_word(token, "concurrently"))) {
      continue;
    }
    const bool is_name = token.kind == Kind::Word || token.kind == Kind::Quoted;
    if (wants_part ? !is_name : !is_symbol(token, '.')) break;
    name += token.text;
    wants_part = !wants_part;
  }
  return name;
}

}  // namespace pgtend::pool
