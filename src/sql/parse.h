// SQL text to PostgreSQL's own parse tree (libpg_query, grammar of PostgreSQL 15), as JSON.
// libpg_query is included in this module only.
#pragma once

#include <functional>
#include <string_view>

#include "base/json.h"
#include "base/result.h"

namespace pgtend::sql {

inline constexpr size_t kSqlBytesMax = size_t{4} << 20;

// The parse tree of one SQL text. A typed node is an object with one member named after its type
// ({"SelectStmt": {…}}); members in lower case are fields.
struct Tree {
  json::value root;

  // One object a statement; its "stmt" member is the statement's node.
  const json::array& statements() const;
};

// Parses `sql`. Errors: Invalid with PostgreSQL's message and the character position (the text may
// still be right for a server newer than 15: never report it as the user's fault without asking the
// server); Limit beyond kSqlBytesMax or too deep. Thread: any. Cost: about 10 us a statement.
Result<Tree> parse(std::string_view sql);

// Calls `visit(name, value)` for every object member at every depth, parents before children, in
// the order of the text. Iterative: safe for any depth.
void for_each_member(
    const json::value& root,
    const std::function<void(std::string_view name, const json::value& value)>& visit);

// The member `name` of `object` if there, else nullptr.
const json::value* member(const json::object& object, std::string_view name);
// The text of it; "" when it is absent or no text.
std::string member_text(const json::object& object, std::string_view name);
// The body of node `type` when `node` is one ({"ColumnRef": {…}}), else nullptr.
const json::object* body_of(const json::value& node, std::string_view type);
// The string of a {"String": {"sval": …}} node; "" for anything else.
std::string_view string_value(const json::value& node);

}  // namespace pgtend::sql
