#include "explain/anonymous_sql.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "base/builtin_names.h"
#include "base/json.h"
#include "base/text.h"
#include "explain/number.h"
#include "pg/quote.h"
#include "sql/expression.h"
#include "sql/names.h"
#include "sql/parse.h"

namespace pgtend::explain {
namespace {

// 0 is "a", 25 "z", 26 "aa".
std::string letters_of(size_t number) {
  std::string out;
  for (size_t rest = number + 1; rest > 0; rest = (rest - 1) / 26) {
    out.insert(out.begin(), static_cast<char>('a' + (rest - 1) % 26));
  }
  return out;
}

char prefix_of(NameKind kind) {
  switch (kind) {
    case NameKind::Schema:
      return 's';
    case NameKind::Table:
      return 't';
    case NameKind::Alias:
      return 'a';
    case NameKind::Index:
      return 'i';
    case NameKind::Function:
      return 'f';
    case NameKind::Column:
      return 'c';
    case NameKind::Other:
      return 'n';
  }
  return 'n';
}

// `name` with "#" for each run of digits.
std::string without_digits(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (!is_digit(c)) {
      out += c;
    } else if (!out.ends_with('#')) {
      out += '#';
    }
  }
  return out;
}

// What the parse tree says of the words of a text.
struct Roles {
  bool parsed = false;
  // How often a word stands as any name, and of these as a type or a function.
  std::map<std::string, int, std::less<>> names = {};
};

std::string_view text_of(const json::value& value) {
  if (!value.is_string()) return {};
  return {value.get_string().data(), value.get_string().size()};
}

void count_parts(const json::object& body, std::string_view list, int by, Roles& roles) {
  const json::value* parts = sql::member(body, list);
  if (!parts || !parts->is_array()) return;
  for (const json::value& part : parts->get_array()) {
    roles.names[std::string(sql::string_value(part))] += by;
  }
}

// All names in `tree` but those of types, functions and operators.
void add_names(const json::value& tree, Roles& roles) {
  static constexpr std::array<std::string_view, 11> kPlain = {
      "relname", "schemaname", "catalogname", "aliasname", "name",     "ctename",
      "refname", "conname",    "indexname",   "colname",   "savepoint"};
  sql::for_each_member(tree, [&](std::string_view name, const json::value& value) {
    if (value.is_string() && std::ranges::find(kPlain, name) != kPlain.end()) {
      ++roles.names[std::string(text_of(value))];
    }
    const json::object* body = value.if_object();
    if (!body) return;
    if (name == "String") {
      const json::value* text = sql::member(*body, "sval");
      if (text) ++roles.names[std::string(text_of(*text))];
    } else if (name == "FuncCall") {
      count_parts(*body, "funcname", -1, roles);
    } else if (name == "A_Expr") {
      count_parts(*body, "name", -1, roles);
    } else if (sql::member(*body, "typemod")) {  // a TypeName, under whatever name
      count_parts(*body, "names", -1, roles);
    }
  });
}

// The grammar reads statements, expressions and sort keys.
Roles roles_of(std::string_view text) {
  Roles out;
  const auto add = [&](const json::value& tree) {
    out.parsed = true;
    add_names(tree, out);
  };
  if (const auto statement = sql::parse(text)) {
    add(statement->root);
  } else if (const auto expression = sql::parse_expression(text)) {
    add(*expression);
  } else if (const auto key = sql::parse(cat("SELECT 1 ORDER BY ", text, "\n"))) {
    add(key->root);
  }
  return out;
}

// "'it''s'" as it's, whatever kind of string it is; escapes stay as written.
std::string_view content_of(std::string_view token) {
  const size_t quote = token.find('\'');
  if (quote != token.npos && token[0] != '$') {
    token.remove_prefix(quote + 1);
    if (token.ends_with('\'')) token.remove_suffix(1);
    return token;
  }
  const size_t open = token.find('$', 1);
  if (open == token.npos) return token;
  const std::string_view tag = token.substr(0, open + 1);
  token.remove_prefix(tag.size());
  if (token.ends_with(tag)) token.remove_suffix(tag.size());
  return token;
}

// Rewrites one text. Lives during one call.
class NameWriter {
 public:
  NameWriter(std::string_view text, Pseudonyms& pseudonyms)
      : text_(text), tokens_(sql_tokens(text)), roles_(roles_of(text)), pseudonyms_(pseudonyms) {}

  std::string write() {
    std::string out;
    size_t end = 0;  // of the token before
    for (size_t i = 0; i < tokens_.size(); ++i) {
      const size_t begin = offset(i);
      out += between(text_.substr(end, begin - end));
      end = begin + tokens_[i].text.size();
      out += token(i);
    }
    return out;
  }

 private:
  size_t offset(size_t i) const {
    return static_cast<size_t>(tokens_[i].text.data() - text_.data());
  }
  bool symbol(size_t i, char c) const {
    return i < tokens_.size() && tokens_[i].kind == SqlTokenKind::Symbol && tokens_[i].text[0] == c;
  }
  bool word(size_t i, std::string_view text) const {
    return i < tokens_.size() && tokens_[i].kind == SqlTokenKind::Word &&
           equal_ignoring_case(tokens_[i].text, text);
  }
  // White space; a blank for comments.
  static std::string between(std::string_view gap) {
    return std::string(gap.find_first_not_of(" \t\r\n\f\v") == gap.npos ? gap : " ");
  }
  bool sub_plan_word(size_t i) const { return word(i, "subplan") || word(i, "initplan"); }
  bool behind_cast(size_t i) const { return i >= 2 && symbol(i - 1, ':') && symbol(i - 2, ':'); }
  bool used_as_name(const std::string& name) const {
    const auto found = roles_.names.find(name);
    return found != roles_.names.end() && found->second > 0;
  }

  std::string token(size_t i);
  std::string string(const SqlToken& token);
  std::string identifier(size_t i);
  bool stays(size_t i, const std::string& name) const;
  bool part_stays(size_t i, const std::string& name) const;
  NameKind kind_of(size_t i) const;

  std::string_view text_;
  std::vector<SqlToken> tokens_;
  Roles roles_;
  Pseudonyms& pseudonyms_;
};

std::string NameWriter::string(const SqlToken& token) {
  const bool escapes = token.text[0] == 'E' || token.text[0] == 'e';
  return cat(escapes ? "E'" : "'", pseudonyms_.literal(content_of(token.text)), "'");
}

// Of a name of several parts only those of pg_catalog stay; "(InitPlan 1).col1" is EXPLAIN's own.
bool NameWriter::part_stays(size_t i, const std::string& name) const {
  if (symbol(i + 1, '.')) return name == "pg_catalog" && !(i > 0 && symbol(i - 1, '.'));
  if (i >= 2 && word(i - 2, "pg_catalog") && !(i >= 3 && symbol(i - 3, '.'))) {
    return is_builtin_function(name) || is_builtin_type(name);
  }
  const bool output = i >= 4 && symbol(i - 2, ')') && tokens_[i - 3].kind == SqlTokenKind::Number &&
                      sub_plan_word(i - 4);
  return output && name.starts_with("col") && is_whole_number(std::string_view(name).substr(3));
}

// Whether the word is one of the language, or built in.
bool NameWriter::stays(size_t i, const std::string& name) const {
  if (symbol(i + 1, '.') || (i > 0 && symbol(i - 1, '.'))) return part_stays(i, name);
  if (behind_cast(i)) return is_builtin_type(name);
  const bool call = symbol(i + 1, '(');
  if (call && is_builtin_function(name)) return true;
  if (used_as_name(name)) return false;
  const bool plan_word =
      sub_plan_word(i) && i + 1 < tokens_.size() && tokens_[i + 1].kind == SqlTokenKind::Number;
  if (plan_word || (word(i, "hashed") && sub_plan_word(i + 1))) return true;
  // A keyword that is no name without quotes; names with a $ want quotes, too.
  if (!name.contains('$') && pg::ident(name) != name) return true;
  if (roles_.parsed) return is_soft_keyword(name) || is_builtin_type(name);
  return name == "nulls" || name == "first" || name == "last" || name == "zone" || name == "at";
}

NameKind NameWriter::kind_of(size_t i) const {
  if (symbol(i + 1, '(')) return NameKind::Function;
  if (symbol(i + 1, '.')) return NameKind::Alias;
  return NameKind::Column;
}

std::string NameWriter::identifier(size_t i) {
  const SqlToken& token = tokens_[i];
  const std::string name = sql::name_of(token);
  if (token.kind == SqlTokenKind::Quoted) {
    if (behind_cast(i) && name == "char") return std::string(token.text);
  } else if (std::ranges::all_of(name,
                                 [](char c) { return static_cast<unsigned char>(c) < 128; }) &&
             stays(i, name)) {
    return std::string(token.text);
  }
  return pseudonyms_.name(name, kind_of(i));
}

std::string NameWriter::token(size_t i) {
  const SqlToken& token = tokens_[i];
  switch (token.kind) {
    case SqlTokenKind::Word:
    case SqlTokenKind::Quoted:
      return identifier(i);
    case SqlTokenKind::String:
      return string(token);
    case SqlTokenKind::Number:
      if (i > 0 && sub_plan_word(i - 1) && is_whole_number(token.text)) {
        return std::string(token.text);
      }
      return pseudonyms_.number(token.text);
    case SqlTokenKind::Parameter:
      return is_whole_number(token.text.substr(1)) ? std::string(token.text) : "$0";
    case SqlTokenKind::Symbol:
      // Bytes of other scripts outside of names are none of SQL.
      return static_cast<unsigned char>(token.text[0]) < 128 ? std::string(token.text) : "?";
  }
  return "?";
}

}  // namespace

bool is_whole_number(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, is_digit);
}

std::string Pseudonyms::name(std::string_view name, NameKind kind) {
  if (name.empty()) return {};
  if (const auto known = names_.find(name); known != names_.end()) return known->second;
  const std::string stem = without_digits(name);
  const auto [family, fresh] = families_.try_emplace(stem);
  if (fresh) {
    family->second.letters =
        cat(std::string(1, prefix_of(kind)), "_", letters_of(families_.size() - 1));
  }
  const size_t member = ++family->second.members;
  std::string out = family->second.letters;
  if (stem != name) out += cat(member);
  return names_.emplace(name, std::move(out)).first->second;
}

std::string Pseudonyms::piece(std::string_view content) {
  if (content.empty()) return {};
  const auto [known, fresh] = literals_.try_emplace(std::string(content));
  if (fresh) known->second = cat("v_", letters_of(literals_.size() - 1));
  return known->second;
}

std::string Pseudonyms::literal(std::string_view content) {
  if (content.size() >= 2 && content.starts_with('{') && content.ends_with('}')) {
    std::string out = "{";
    std::string element;
    bool quoted = false;
    for (size_t i = 1; i < content.size(); ++i) {
      const bool last = i + 1 == content.size();
      if (content[i] == '"') quoted = !quoted;
      if (last || (content[i] == ',' && !quoted)) {
        out += cat(piece(element), last ? "}" : ",");
        element.clear();
      } else {
        element += content[i];
      }
    }
    return out;
  }
  const auto wild = [](char c) { return c == '%' || c == '_' || c == '^' || c == '$'; };
  size_t begin = 0, end = content.size();
  while (begin < end && wild(content[begin])) ++begin;
  while (end > begin && wild(content[end - 1])) --end;
  return cat(content.substr(0, begin), piece(content.substr(begin, end - begin)),
             content.substr(end));
}

std::string Pseudonyms::number(std::string_view text) {
  if (text == "0" || text == "1") return std::string(text);
  const auto [known, fresh] = numbers_.try_emplace(std::string(text), numbers_.size() + 101);
  return cat(known->second, text.find('.') != text.npos ? ".5" : "");
}

std::string anonymous_sql(std::string_view text, Pseudonyms& pseudonyms) {
  return NameWriter(text, pseudonyms).write();
}

}  // namespace pgtend::explain
