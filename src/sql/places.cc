#include "sql/places.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "base/sql_lexer.h"
#include "base/text.h"
#include "sql/parse.h"

namespace pgtend::sql {

// The tree tells where things begin; the tokens tell where they end. Lives during one call.
class TokenFinder {
 public:
  explicit TokenFinder(std::string_view sql) : sql_(sql), tokens_(sql_tokens(sql)) {}

  // From the first to the last location in `node`, with what belongs to its last token and the
  // brackets that are open.
  std::optional<Place> extent(const json::value& node) const;

 private:
  size_t begin_of(size_t token) const {
    return static_cast<size_t>(tokens_[token].text.data() - sql_.data());
  }
  size_t end_of(size_t token) const { return begin_of(token) + tokens_[token].text.size(); }
  bool symbol(size_t token, std::string_view any) const {
    return token < tokens_.size() && tokens_[token].kind == SqlTokenKind::Symbol &&
           any.find(tokens_[token].text[0]) != any.npos;
  }
  bool word(size_t token, std::string_view text) const {
    return token < tokens_.size() && tokens_[token].kind == SqlTokenKind::Word &&
           equal_ignoring_case(tokens_[token].text, text);
  }
  // The token that begins at byte `location`, or the last one before it.
  std::optional<size_t> token_at(size_t location) const;
  size_t finish(size_t token) const;
  size_t finish_words(size_t token) const;
  bool balance(size_t& first, size_t& last) const;

  std::string_view sql_;
  std::vector<SqlToken> tokens_;
};

std::optional<size_t> TokenFinder::token_at(size_t location) const {
  const auto after = std::ranges::partition_point(tokens_, [&](const SqlToken& token) {
    return static_cast<size_t>(token.text.data() - sql_.data()) <= location;
  });
  if (after == tokens_.begin()) return {};
  return static_cast<size_t>(after - tokens_.begin()) - 1;
}

// Types and tests of several words, whose location is that of the first.
size_t TokenFinder::finish_words(size_t token) const {
  if (word(token, "is")) {
    if (word(token + 1, "not")) ++token;
    if (word(token + 1, "distinct") && word(token + 2, "from")) token += 2;
    return token + 1;
  }
  if (word(token, "double") && word(token + 1, "precision")) return token + 1;
  if (word(token, "character") && word(token + 1, "varying")) return token + 1;
  const bool zone = (word(token + 1, "with") || word(token + 1, "without")) &&
                    word(token + 2, "time") && word(token + 3, "zone");
  return zone ? token + 3 : token;
}

// The last token of what begins with `token`: an operator's operand, a name's further parts.
size_t TokenFinder::finish(size_t token) const {
  while (symbol(token, "+-*/<>=~!@#%^&|`?:") && token + 1 < tokens_.size()) ++token;
  token = finish_words(token);
  while (symbol(token + 1, ".") && token + 2 < tokens_.size()) token += 2;
  return std::min(token, tokens_.size() - 1);
}

// Takes brackets in until as many close as open; a call's stand behind its name. False when they
// never do.
bool TokenFinder::balance(size_t& first, size_t& last) const {
  const bool name =
      tokens_[last].kind == SqlTokenKind::Word || tokens_[last].kind == SqlTokenKind::Quoted;
  if (name && symbol(last + 1, "(")) ++last;
  int open = 0;
  for (size_t i = first; i <= last; ++i) {
    if (symbol(i, "([")) ++open;
    if (!symbol(i, ")]") || --open >= 0) continue;
    do {
      if (first == 0) return false;
      --first;
    } while (!symbol(first, "(["));
    open = 0;
  }
  while (open > 0) {
    if (++last >= tokens_.size()) return false;
    if (symbol(last, "([")) ++open;
    if (symbol(last, ")]")) --open;
  }
  return true;
}

std::optional<Place> TokenFinder::extent(const json::value& node) const {
  int64_t low = std::numeric_limits<int64_t>::max(), high = -1;
  for_each_member(node, [&](std::string_view name, const json::value& value) {
    if (name != "location" || !value.is_int64() || value.get_int64() < 0) return;
    low = std::min(low, value.get_int64());
    high = std::max(high, value.get_int64());
  });
  if (high < 0) return {};
  const auto begin = token_at(static_cast<size_t>(low));
  const auto end = token_at(static_cast<size_t>(high));
  if (!begin || !end) return {};
  size_t first = *begin, last = finish(*end);
  if (!balance(first, last)) return {};
  return Place{begin_of(first), end_of(last)};
}

namespace {

void add_conditions(const TokenFinder& finder, const json::value& expression, Places& out) {
  for (const json::value* conjunct : conjuncts(expression)) {
    const auto place = finder.extent(*conjunct);
    if (!place) continue;
    const json::object* comparison = body_of(*conjunct, "A_Expr");
    const bool between = comparison && member_text(*comparison, "kind") == "AEXPR_BETWEEN";
    out.conditions.push_back({predicates(*conjunct).front(), between, *place});
  }
}

void add_table(const TokenFinder& finder, const json::value& node, Places& out) {
  const json::object& body = node.get_object();
  const json::value* location = member(body, "location");
  if (!location) return;
  const auto place = finder.extent(json::object{{"location", *location}});
  if (!place) return;
  const json::value* alias = member(body, "alias");
  const json::object* named = alias ? alias->if_object() : nullptr;
  // libpg_query has the alias as a plain or as a typed node.
  if (named && member(*named, "Alias")) named = member(*named, "Alias")->if_object();
  out.tables.push_back({member_text(body, "schemaname"), member_text(body, "relname"),
                        named ? member_text(*named, "aliasname") : "", *place});
}

}  // namespace

Extents::Extents(std::string_view sql) : finder_(std::make_unique<TokenFinder>(sql)) {}
Extents::~Extents() = default;

std::optional<Place> Extents::of(const json::value& node) const { return finder_->extent(node); }

Result<Places> find_places(std::string_view sql) {
  const Tree tree = TRY(parse(sql));
  const TokenFinder finder(sql);
  Places out;
  for_each_member(tree.root, [&](std::string_view name, const json::value& value) {
    if (name == "whereClause" || name == "quals" || name == "havingClause") {
      if (value.is_object()) add_conditions(finder, value, out);
    } else if ((name == "RangeVar" || name == "relation") && value.is_object()) {
      if (member(value.get_object(), "relname")) add_table(finder, value, out);
    }
  });
  return out;
}

}  // namespace pgtend::sql
