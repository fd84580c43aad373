#include "pool/touch.h"

#include <algorithm>
#include <array>

#include "base/builtin_names.h"
#include "base/sql_lexer.h"
#include "base/text.h"

namespace pgtend::pool {
namespace {

constexpr size_t kIdentifierBytesMax = 63;

char fold(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool word_is(const SqlToken& token, std::string_view word) {
  return token.kind == SqlTokenKind::Word && equal_ignoring_case(token.text, word);
}
bool symbol_is(const SqlToken& token, char c) {
  return token.kind == SqlTokenKind::Symbol && token.text[0] == c;
}
bool is_name(const SqlToken& token) {
  return token.kind == SqlTokenKind::Word || token.kind == SqlTokenKind::Quoted;
}

// Calls `take` with each character of the name that the token is.
template <class Take>
void each_character(const SqlToken& token, Take take) {
  if (token.kind == SqlTokenKind::Word) {
    for (const char c : token.text) take(fold(c));
    return;
  }
  std::string_view inside = token.text.substr(1);
  if (inside.ends_with('"')) inside.remove_suffix(1);
  for (size_t at = 0; at < inside.size(); ++at) {
    if (inside[at] == '"') ++at;
    if (at < inside.size()) take(inside[at]);
  }
}

// The server cuts longer names.
bool names(const SqlToken& token, std::string_view name) {
  size_t at = 0;
  bool same = true;
  each_character(token, [&](char c) {
    if (at < kIdentifierBytesMax) same = same && at < name.size() && name[at] == c;
    ++at;
  });
  return same && std::min(at, kIdentifierBytesMax) >= std::min(name.size(), kIdentifierBytesMax);
}

using Words = std::span<const std::string_view>;

// `sorted` in alphabetical order.
bool holds(Words sorted, const SqlToken& token) {
  std::array<char, 24> buffer;
  if (token.kind != SqlTokenKind::Word || token.text.size() > buffer.size()) return false;
  std::ranges::transform(token.text, buffer.begin(), fold);
  return std::ranges::binary_search(sorted, std::string_view(buffer.data(), token.text.size()));
}

// Statements that touch no table of anybody, or only what a transaction or a cursor has already.
constexpr auto kHarmless = std::to_array<std::string_view>(
    {"abort", "begin",    "checkpoint", "close", "commit", "deallocate", "discard",
     "end",   "fetch",    "listen",     "load",  "move",   "notify",     "release",
     "reset", "rollback", "savepoint",  "set",   "show",   "start",      "unlisten"});
// Those whose tables stand in their text.
constexpr auto kReadable = std::to_array<std::string_view>(
    {"copy", "declare", "delete", "explain", "insert", "lock", "merge", "prepare", "select",
     "table", "truncate", "update", "values", "with"});
// Words in them that lead somewhere else.
constexpr auto kDoubtful =
    std::to_array<std::string_view>({"call", "cascade", "create", "execute", "regclass"});
// Words behind which a parenthesis opens no call, and calls that the grammar knows.
constexpr auto kNoCalls = std::to_array<std::string_view>({"all",
                                                           "analyze",
                                                           "and",
                                                           "any",
                                                           "array",
                                                           "as",
                                                           "asc",
                                                           "between",
                                                           "by",
                                                           "case",
                                                           "cast",
                                                           "check",
                                                           "coalesce",
                                                           "conflict",
                                                           "copy",
                                                           "cube",
                                                           "current_time",
                                                           "current_timestamp",
                                                           "default",
                                                           "desc",
                                                           "distinct",
                                                           "else",
                                                           "escape",
                                                           "except",
                                                           "exists",
                                                           "explain",
                                                           "extract",
                                                           "filter",
                                                           "first",
                                                           "for",
                                                           "force_not_null",
                                                           "force_null",
                                                           "force_quote",
                                                           "from",
                                                           "greatest",
                                                           "group",
                                                           "grouping",
                                                           "having",
                                                           "ilike",
                                                           "in",
                                                           "insert",
                                                           "intersect",
                                                           "into",
                                                           "is",
                                                           "join",
                                                           "json_array",
                                                           "json_exists",
                                                           "json_query",
                                                           "json_scalar",
                                                           "json_serialize",
                                                           "json_value",
                                                           "lateral",
                                                           "least",
                                                           "like",
                                                           "limit",
                                                           "localtime",
                                                           "localtimestamp",
                                                           "materialized",
                                                           "national",
                                                           "next",
                                                           "normalize",
                                                           "not",
                                                           "nullif",
                                                           "offset",
                                                           "on",
                                                           "only",
                                                           "or",
                                                           "over",
                                                           "overlay",
                                                           "position",
                                                           "precision",
                                                           "repeatable",
                                                           "returning",
                                                           "rollup",
                                                           "row",
                                                           "rows",
                                                           "select",
                                                           "set",
                                                           "sets",
                                                           "similar",
                                                           "some",
                                                           "stdin",
                                                           "stdout",
                                                           "substring",
                                                           "system",
                                                           "then",
                                                           "to",
                                                           "treat",
                                                           "trim",
                                                           "union",
                                                           "using",
                                                           "values",
                                                           "varying",
                                                           "verbose",
                                                           "when",
                                                           "where",
                                                           "window",
                                                           "with",
                                                           "within",
                                                           "xmlconcat",
                                                           "xmlelement",
                                                           "xmlforest",
                                                           "xmlparse",
                                                           "xmlpi",
                                                           "xmlroot",
                                                           "xmlserialize",
                                                           "zone"});
// Functions of the server that lock a table which they are told by value.
constexpr auto kReaders = std::to_array<std::string_view>(
    {"cursor_to_xml", "pg_get_expr", "pg_indexes_size", "pg_partition_tree", "pg_relation_size",
     "pg_table_size", "pg_total_relation_size", "query_to_xml", "row_security_active",
     "to_regclass", "ts_rewrite", "ts_stat"});
static_assert(std::ranges::is_sorted(kHarmless) && std::ranges::is_sorted(kReadable) &&
              std::ranges::is_sorted(kDoubtful) && std::ranges::is_sorted(kNoCalls) &&
              std::ranges::is_sorted(kReaders));

// What is called by the name `token`, not qualified or by pg_catalog, is the server's own and reads
// no table but those that stand in the text.
bool is_harmless_call(const SqlToken& token) {
  std::array<char, 64> buffer;
  if (token.kind != SqlTokenKind::Word || token.text.size() > buffer.size()) return false;
  std::ranges::transform(token.text, buffer.begin(), fold);
  const std::string_view name(buffer.data(), token.text.size());
  if (name.contains("_to_xml") || std::ranges::binary_search(kReaders, name)) return false;
  return is_builtin_function(name) || is_builtin_type(name);
}

// One walk over the tokens of a text that may have several statements.
class Touch {
 public:
  explicit Touch(std::span<const TableName> tables) : tables_(tables) {}

  bool found_in(std::string_view sql) {
    SqlLexer lexer(sql);
    for (SqlToken token; lexer.next(token);) {
      if (look(token)) return true;
      before_last_ = last_;
      last_ = token;
    }
    return false;
  }

 private:
  // Where the words of a statement stand.
  enum class Part : uint8_t { Start, Harmless, Readable };

  bool look(const SqlToken& token) {
    if (symbol_is(token, ';')) {
      part_ = Part::Start;
      return false;
    }
    if (part_ == Part::Harmless) return false;
    if (part_ == Part::Start) return begin(token);
    if (holds(kDoubtful, token)) return true;
    // Where a backslash escapes the string goes on behind it.
    if (token.kind == SqlTokenKind::String && token.text.ends_with("\\'")) return true;
    if (is_name(token)) return look_at_name(token);
    return symbol_is(token, '(') && is_name(last_) && !target_ && !may_open(last_);
  }

  bool begin(const SqlToken& token) {
    if (symbol_is(token, '(')) return false;
    part_ = holds(kHarmless, token) ? Part::Harmless : Part::Readable;
    target_ = false;
    return part_ == Part::Readable && !holds(kReadable, token);
  }

  bool look_at_name(const SqlToken& token) {
    // U&"…" may spell any name.
    if (token.kind == SqlTokenKind::Quoted && symbol_is(last_, '&') && word_is(before_last_, "u")) {
      return true;
    }
    const bool qualified = symbol_is(last_, '.');
    in_catalog_ = qualified && names(before_last_, "pg_catalog");
    target_ = qualified ? target_ : is_opener(last_);
    return std::ranges::any_of(tables_, [&](const TableName& table) {
      if (!names(token, table.name)) return false;
      return !qualified || table.schema.empty() || !is_name(before_last_) ||
             names(before_last_, table.schema);
    });
  }

  // Behind it a name may have a list of columns.
  static bool is_opener(const SqlToken& token) {
    static constexpr auto kOpeners =
        std::to_array<std::string_view>({"as", "copy", "into", "prepare", "recursive", "with"});
    return holds(kOpeners, token);
  }

  // `token`, behind which a parenthesis stands.
  bool may_open(const SqlToken& token) const {
    if (holds(kNoCalls, token)) return true;
    const bool qualified = symbol_is(before_last_, '.');
    return is_harmless_call(token) && (!qualified || in_catalog_);
  }

  std::span<const TableName> tables_;
  Part part_ = Part::Start;
  SqlToken last_{SqlTokenKind::Symbol, ";"};
  SqlToken before_last_{SqlTokenKind::Symbol, ";"};
  bool target_ = false;      // the name at hand may be followed by a list of columns
  bool in_catalog_ = false;  // it is pg_catalog's
};

// Of transactions.
constexpr auto kModes =
    std::to_array<std::string_view>({"committed", "deferrable", "isolation", "level", "not", "only",
                                     "read", "repeatable", "serializable", "uncommitted", "write"});
static_assert(std::ranges::is_sorted(kModes));
constexpr auto kCertainModes = std::to_array<std::string_view>(
    {"", "isolation level read committed", "isolation level read committed , read only",
     "isolation level read committed read only", "isolation level read uncommitted",
     "isolation level repeatable read", "isolation level repeatable read , read only",
     "isolation level repeatable read read only", "read only"});

}  // namespace

std::string text_of(const TableName& table) {
  const auto part = [](const std::string& name) {
    const bool plain = !name.empty() && !(name[0] >= '0' && name[0] <= '9') &&
                       std::ranges::all_of(name, [](char c) {
                         return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
                       });
    if (plain) return name;
    std::string out = "\"";
    for (const char c : name) out += c == '"' ? std::string("\"\"") : std::string(1, c);
    return out + '"';
  };
  return table.schema.empty() ? part(table.name) : cat(part(table.schema), '.', part(table.name));
}

std::optional<TableName> take_table_name(std::string_view& text) {
  SqlLexer lexer(text);
  std::array<std::string, 2> parts;
  size_t count = 0;
  size_t end = 0;
  SqlToken token;
  while (lexer.next(token)) {
    const auto ends_at = static_cast<size_t>(token.text.data() + token.text.size() - text.data());
    const bool open =
        token.kind == SqlTokenKind::Quoted && (token.text.size() < 3 || token.text.back() != '"');
    if (!is_name(token) || open) return std::nullopt;
    std::string& part = parts[count++];
    each_character(token, [&part](char c) {
      if (part.size() < kIdentifierBytesMax) part += c;
    });
    end = ends_at;
    const bool dot = count < parts.size() && text.substr(end).starts_with('.');
    if (!dot) break;
    lexer.next(token);
  }
  if (count == 0 || text.substr(end).starts_with('.')) return std::nullopt;
  text.remove_prefix(end);
  if (count == 1) return TableName{.name = std::move(parts[0])};
  return TableName{.schema = std::move(parts[0]), .name = std::move(parts[1])};
}

bool may_touch(std::string_view sql, std::span<const TableName> tables, bool whole) {
  if (tables.empty()) return false;
  if (!whole) return true;
  // A comment may end at it, which the lexer does not know.
  for (size_t at = sql.find('\r'); at != std::string_view::npos; at = sql.find('\r', at + 1)) {
    if (at + 1 == sql.size() || sql[at + 1] != '\n') return true;
  }
  return Touch(tables).found_in(sql);
}

bool only_begins(std::string_view sql) {
  SqlLexer lexer(sql);
  bool at_start = true;
  for (SqlToken token; lexer.next(token);) {
    const bool end = symbol_is(token, ';');
    if (at_start && !end && !holds(kHarmless, token)) return false;
    at_start = end;
  }
  return true;
}

Beginning beginning_of(std::string_view sql) {
  SqlLexer lexer(sql);
  SqlToken token;
  if (!lexer.next(token)) return Beginning::None;
  const bool starts = word_is(token, "start");
  if (!starts && !word_is(token, "begin")) return Beginning::None;
  bool more = lexer.next(token);
  if (more && (word_is(token, "transaction") || (!starts && word_is(token, "work")))) {
    more = lexer.next(token);
  } else if (starts) {
    return Beginning::None;
  }
  // Of nothing but the words of modes; which of them a server always takes is a short list.
  std::array<char, 64> modes;
  size_t bytes = 0;
  for (; more && !symbol_is(token, ';'); more = lexer.next(token)) {
    if (!symbol_is(token, ',') && !holds(kModes, token)) return Beginning::None;
    if (bytes + token.text.size() + 1 > modes.size()) return Beginning::Perhaps;
    if (bytes > 0) modes[bytes++] = ' ';
    for (const char c : token.text) modes[bytes++] = fold(c);
  }
  if (more && lexer.next(token)) return Beginning::None;
  const std::string_view said(modes.data(), bytes);
  const bool certain = std::ranges::find(kCertainModes, said) != kCertainModes.end();
  return certain ? Beginning::Certain : Beginning::Perhaps;
}

}  // namespace pgtend::pool
