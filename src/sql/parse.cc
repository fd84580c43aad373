#include "sql/parse.h"

#include <pg_query.h>

#include <string>
#include <utility>
#include <vector>

#include "base/text.h"

namespace pgtend::sql {
namespace {

// Nesting of the tree's JSON; an expression level takes three.
constexpr size_t kDepthMax = 3000;

// The server's scanner, and ours, reads all operator characters behind each opening comment again:
// "/*/*/*…" costs the square of its length.
bool opens_many_comments(std::string_view sql) {
  constexpr size_t kOpenedMax = 1000;
  constexpr std::string_view kOperators = "~!@#^&|`?+-*/%<>=";
  size_t opened = 0;
  for (size_t i = 0; i < sql.size(); ++i) {
    if (kOperators.find(sql[i]) == kOperators.npos) opened = 0;
    if (sql[i] == '*' && i > 0 && sql[i - 1] == '/' && ++opened > kOpenedMax) return true;
  }
  return false;
}

struct ParseHandle {
  PgQueryParseResult result;
  explicit ParseHandle(const std::string& sql) : result(pg_query_parse(sql.c_str())) {}
  ParseHandle(const ParseHandle&) = delete;
  ParseHandle& operator=(const ParseHandle&) = delete;
  ~ParseHandle() { pg_query_free_parse_result(result); }
};

}  // namespace

const json::array& Tree::statements() const {
  static const json::array kNone;
  const json::object* object = root.if_object();
  const json::value* list = object ? member(*object, "stmts") : nullptr;
  return list && list->is_array() ? list->get_array() : kNone;
}

Result<Tree> parse(std::string_view sql) {
  if (sql.size() > kSqlBytesMax) {
    return Error{ErrorCode::Limit,
                 cat("SQL text of ", sql.size(), " bytes, at most ", kSqlBytesMax, " are parsed")}
        .hinting("shorten its lists, or give the plan that EXPLAIN prints");
  }
  if (sql.find('\0') != std::string_view::npos) {
    return Error{ErrorCode::Invalid, "SQL text with a zero byte"}.hinting("give it as text");
  }
  if (opens_many_comments(sql)) {
    return Error{ErrorCode::Limit, "SQL text that opens a thousand comments at one place"}.hinting(
        "take them out");
  }
  const ParseHandle handle{std::string(sql)};
  if (const PgQueryError* error = handle.result.error) {
    return Error{ErrorCode::Invalid,
                 cat(error->message ? error->message : "cannot be parsed", " (character ",
                     error->cursorpos, ")"),
                 "42601"};
  }
  auto root =
      parse_json(handle.result.parse_tree, {.bytes_max = size_t{1} << 30, .depth_max = kDepthMax});
  if (!root) {
    return std::move(root)
        .error()
        .during("reading the parse tree")
        .hinting("nest the statement less, or give the plan that EXPLAIN prints");
  }
  return Tree{std::move(root).take()};
}

void for_each_member(
    const json::value& root,
    const std::function<void(std::string_view name, const json::value& value)>& visit) {
  struct Entry {
    std::string_view name;
    const json::value* value;
  };
  std::vector<Entry> stack{{{}, &root}};
  while (!stack.empty()) {
    const Entry entry = stack.back();
    stack.pop_back();
    if (!entry.name.empty()) visit(entry.name, *entry.value);
    if (const json::object* object = entry.value->if_object()) {
      for (auto it = object->end(); it != object->begin();) {
        --it;
        stack.push_back({{it->key().data(), it->key().size()}, &it->value()});
      }
    } else if (const json::array* array = entry.value->if_array()) {
      for (auto it = array->end(); it != array->begin();) stack.push_back({{}, &*--it});
    }
  }
}

const json::value* member(const json::object& object, std::string_view name) {
  return object.if_contains(json::string_view(name.data(), name.size()));
}

std::string member_text(const json::object& object, std::string_view name) {
  const json::value* value = member(object, name);
  if (!value || !value->is_string()) return {};
  return {value->get_string().data(), value->get_string().size()};
}

const json::object* body_of(const json::value& node, std::string_view type) {
  const json::object* object = node.if_object();
  if (!object) return nullptr;
  const json::value* body = member(*object, type);
  return body ? body->if_object() : nullptr;
}

std::string_view string_value(const json::value& node) {
  const json::object* body = body_of(node, "String");
  const json::value* text = body ? member(*body, "sval") : nullptr;
  if (!text || !text->is_string()) return {};
  return {text->get_string().data(), text->get_string().size()};
}

}  // namespace pgtend::sql
