#include "sql/classify.h"

#include <algorithm>
#include <utility>

#include "base/sql_lexer.h"
#include "base/text.h"
#include "sql/fingerprint.h"
#include "sql/parse.h"

namespace pgtend::sql {
namespace {

Result<const json::value*> only_statement(const Tree& tree) {
  if (tree.statements().size() != 1) {
    return Error{ErrorCode::Invalid,
                 cat("exactly one statement is needed, the text holds ", tree.statements().size())}
        .hinting("give one statement at a time");
  }
  const json::object* statement = tree.statements()[0].if_object();
  const json::value* node = statement ? member(*statement, "stmt") : nullptr;
  if (!node) return Error{ErrorCode::Internal, "parse tree without a statement"};
  return node;
}

bool is_word(const SqlToken& token, std::string_view word) {
  return token.kind == SqlTokenKind::Word && equal_ignoring_case(token.text, word);
}

// Where the explained statement begins in `sql`, which the grammar has read as an EXPLAIN.
// `has_options` tells "EXPLAIN (ANALYZE) …" from "EXPLAIN (SELECT …)".
size_t explained_begin(std::string_view sql, bool has_options) {
  const std::vector<SqlToken> list = sql_tokens(sql);
  size_t i = 1;
  if (has_options && i < list.size() && list[i].text == "(") {
    for (int depth = 0; i < list.size();) {
      if (list[i].text == "(") ++depth;
      if (list[i].text == ")") --depth;
      ++i;
      if (depth == 0) break;
    }
  } else {
    while (i < list.size() && (is_word(list[i], "analyze") || is_word(list[i], "analyse") ||
                               is_word(list[i], "verbose"))) {
      ++i;
    }
  }
  return i < list.size() ? static_cast<size_t>(list[i].text.data() - sql.data()) : sql.size();
}

// Whether the options of an ExplainStmt ask for ANALYZE.
bool asks_analyze(const json::array& options) {
  for (const json::value& option : options) {
    const json::object* body = body_of(option, "DefElem");
    const json::value* option_name = body ? member(*body, "defname") : nullptr;
    if (!option_name || *option_name != json::value("analyze")) continue;
    const json::value* arg = member(*body, "arg");
    if (!arg) return true;
    const std::string_view word = string_value(*arg);
    const json::object* number = body_of(*arg, "Integer");
    const bool zero = number && !member(*number, "ival");
    return !zero && !equal_ignoring_case(word, "off") && !equal_ignoring_case(word, "false");
  }
  return false;
}

int largest_parameter(const json::value& statement) {
  int out = 0;
  for_each_member(statement, [&](std::string_view name, const json::value& value) {
    const json::object* body = name == "ParamRef" ? value.if_object() : nullptr;
    const json::value* number = body ? member(*body, "number") : nullptr;
    if (!number || !number->is_int64()) return;
    out = std::max(out, static_cast<int>(std::min<int64_t>(number->get_int64(), 65'535)));
  });
  return out;
}

// Whether an INTO clause of the statement names a temporary table.
bool creates_temporary(const json::value& statement) {
  bool out = false;
  for_each_member(statement, [&](std::string_view name, const json::value& value) {
    const json::object* into = name == "into" || name == "intoClause" ? value.if_object() : nullptr;
    const json::value* rel = into ? member(*into, "rel") : nullptr;
    const json::object* body = rel ? rel->if_object() : nullptr;
    if (!body) return;
    const json::value* persistence = member(*body, "relpersistence");
    const json::value* schema = member(*body, "schemaname");
    out |= persistence && *persistence == json::value("t");
    out |= schema && *schema == json::value("pg_temp");
  });
  return out;
}

StatementKind kind_of(const json::value& statement) {
  if (body_of(statement, "CreateTableAsStmt")) return StatementKind::Into;
  bool into = false, locking = false, modifying = false, select = false;
  for_each_member(statement, [&](std::string_view name, const json::value&) {
    into |= name == "intoClause";
    locking |= name == "lockingClause";
    modifying |=
        name == "InsertStmt" || name == "UpdateStmt" || name == "DeleteStmt" || name == "MergeStmt";
    select |= name == "SelectStmt";
  });
  const bool outer_modifying = modifying && !body_of(statement, "SelectStmt");
  const bool is_dml = body_of(statement, "InsertStmt") || body_of(statement, "UpdateStmt") ||
                      body_of(statement, "DeleteStmt") || body_of(statement, "MergeStmt");
  if (outer_modifying && !is_dml) return StatementKind::Utility;
  if (into) return StatementKind::Into;
  if (modifying) return StatementKind::Modifying;
  if (!select || !body_of(statement, "SelectStmt")) return StatementKind::Utility;
  return locking ? StatementKind::Locking : StatementKind::Select;
}

}  // namespace

std::string_view name(StatementKind kind) {
  switch (kind) {
    case StatementKind::Select:
      return "a reading SELECT";
    case StatementKind::Locking:
      return "a SELECT that locks rows";
    case StatementKind::Into:
      return "a statement that creates a table";
    case StatementKind::Modifying:
      return "a statement that changes rows";
    case StatementKind::Utility:
      return "a utility command";
  }
  return "unknown";
}

Result<StatementInfo> classify(std::string_view sql) {
  StatementInfo info;
  info.text = trim(sql);
  Tree tree = TRY(parse(info.text));
  const json::value* statement = TRY(only_statement(tree));
  if (const json::object* explain = body_of(*statement, "ExplainStmt")) {
    info.asked_explain = true;
    const json::value* options = member(*explain, "options");
    const bool has = options && options->is_array() && !options->get_array().empty();
    info.asked_analyze = has && asks_analyze(options->get_array());
    const std::vector<SqlToken> list = sql_tokens(info.text);
    // The old form "EXPLAIN ANALYZE VERBOSE …" has options without a bracket.
    const bool bracket = has && list.size() > 1 && list[1].text == "(";
    info.text = trim(std::string_view(info.text).substr(explained_begin(info.text, bracket)));
    tree = TRY_DURING(parse(info.text), "reading the statement after EXPLAIN");
    statement = TRY(only_statement(tree));
  }
  while (info.text.ends_with(';'))
    info.text = trim(std::string_view(info.text).substr(0, info.text.size() - 1));
  info.kind = kind_of(*statement);
  info.temporary = creates_temporary(*statement);
  info.parameters = largest_parameter(*statement);
  info.names = names_in(*statement);
  auto print = fingerprint(info.text);
  if (print) info.fingerprint = *print;
  return info;
}

}  // namespace pgtend::sql
