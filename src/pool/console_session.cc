#include "pool/console_session.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/text.h"
#include "pool/texts.h"
#include "wire/backend.h"
#include "wire/binary.h"
#include "wire/frame.h"
#include "wire/frontend.h"

namespace pgtend::pool {
namespace {

namespace be = wire::backend;
namespace fe = wire::frontend;

constexpr int16_t kBinary = 1;
// PostgreSQL's SQLSTATEs, and its texts below.
constexpr std::string_view kNoStatement = "26000";
constexpr std::string_view kNoPortal = "34000";

std::string no_statement(std::string_view name) {
  return cat("prepared statement \"", printable(name), "\" does not exist");
}
std::string no_portal(std::string_view name) {
  return cat("portal \"", printable(name), "\" does not exist");
}

int16_t format_at(const std::vector<int16_t>& formats, size_t column) {
  if (formats.empty()) return 0;
  return formats.size() == 1 ? formats[0] : formats[column];
}

void append_columns(std::string& out, const std::vector<ShowColumn>& columns,
                    const std::vector<int16_t>& formats) {
  std::vector<be::Column> described;
  for (const ShowColumn& column : columns) {
    const int16_t size = column.type == wire::kInt4Oid ? 4 : column.type == wire::kInt8Oid ? 8 : -1;
    described.push_back({.name = column.name,
                         .type_oid = column.type,
                         .type_size = size,
                         .format = format_at(formats, described.size())});
  }
  be::append_row_description(out, described);
}

void append_row(std::string& out, const std::vector<ShowColumn>& columns,
                const std::vector<std::optional<std::string>>& cells,
                const std::vector<int16_t>& formats) {
  DCHECK(cells.size() == columns.size());
  std::vector<std::string> binary(cells.size());
  be::Row row;
  for (size_t i = 0; i < cells.size(); ++i) {
    // A zero byte cannot come: names end at one on the wire.
    if (cells[i] && format_at(formats, i) == kBinary) {
      binary[i] = wire::binary_of(*cells[i], columns[i].type).take();
      row.emplace_back(binary[i]);
    } else {
      row.push_back(cells[i]);
    }
  }
  be::append_data_row(out, row);
}

// What closes an answer that was not an error.
void append_end(std::string& out, const ConsoleAnswer& answer) {
  if (answer.tag.empty()) return be::append_bare(out, be::kEmptyQueryResponse);
  be::append_command_complete(out, answer.tag);
}

}  // namespace

Result<std::optional<std::string>> ConsoleSession::take(char type, std::string_view body,
                                                        std::string& out) {
  DCHECK(!busy_);
  std::optional<std::string> command;
  const Error unknown{ErrorCode::Corrupt, "unknown pkt"};
  if (fe::name_of(type).empty() || type == fe::kPassword || type == fe::kFunctionCall) {
    return unknown;
  }
  if (type == fe::kSync) {
    failed_ = false;
    portals_.clear();
    be::append_ready_for_query(out, be::TransactionStatus::Idle);
    return command;
  }
  if (failed_) return command;
  switch (type) {
    case fe::kQuery:
      executing_ = nullptr;
      command = TRY(fe::read_query(body)).sql;
      break;
    case fe::kParse:
      parse(body, out);
      break;
    case fe::kBind:
      bind(body, out);
      break;
    case fe::kDescribe:
      describe(body, out);
      break;
    case fe::kExecute:
      command = execute(body, out);
      break;
    case fe::kClose:
      close(body, out);
      break;
    default:  // Flush: nothing is held back. Late messages of a COPY mean nothing.
      break;
  }
  busy_ = command.has_value();
  return command;
}

void ConsoleSession::refuse(std::string_view text, std::string_view sqlstate, std::string& out) {
  out += error_message(text, sqlstate);
  failed_ = true;
}

void ConsoleSession::parse(std::string_view body, std::string& out) {
  const auto message = fe::read_parse(body);
  if (!message) return refuse(message.error().message, kPoolerState, out);
  const std::string name(message->statement);
  if (!name.empty() && statements_.contains(name)) {
    const std::string text = cat("prepared statement \"", printable(name), "\" already exists");
    return refuse(text, "42P05", out);
  }
  if (statements_.size() >= kStatementsMax && !statements_.contains(name)) {
    return refuse("too many prepared statements for the admin console", "54000", out);
  }
  statements_[name] = message->sql;
  be::append_bare(out, be::kParseComplete);
}

void ConsoleSession::bind(std::string_view body, std::string& out) {
  auto message = fe::read_bind(body);
  if (!message) return refuse(message.error().message, kPoolerState, out);
  const auto statement = statements_.find(message->statement);
  if (statement == statements_.end()) {
    return refuse(no_statement(message->statement), kNoStatement, out);
  }
  if (!message->parameters.empty()) {
    return refuse("the admin console takes no parameters", kPoolerState, out);
  }
  const std::vector<int16_t>& formats = message->result_formats;
  const size_t columns = console_columns(statement->second).size();
  const bool fits = formats.size() <= 1 || formats.size() == columns;
  if (!fits || std::ranges::any_of(formats, [](int16_t f) { return f != 0 && f != kBinary; })) {
    return refuse(cat("bind message has ", formats.size(), " result formats but query has ",
                      columns, " columns"),
                  kPoolerState, out);
  }
  const bool is_new = !portals_.contains(message->portal);
  if (is_new && portals_.size() >= kStatementsMax) {
    return refuse("too many portals for the admin console", "54000", out);
  }
  if (!is_new && !message->portal.empty()) {
    return refuse(cat("cursor \"", printable(message->portal), "\" already exists"), "42P03", out);
  }
  portals_[std::string(message->portal)] = {.sql = statement->second, .formats = formats};
  be::append_bare(out, be::kBindComplete);
}

void ConsoleSession::describe(std::string_view body, std::string& out) {
  const auto message = fe::read_describe(body);
  if (!message) return refuse(message.error().message, kPoolerState, out);
  std::string_view sql;
  std::vector<int16_t> formats;
  if (message->kind == 'S') {
    const auto statement = statements_.find(message->name);
    if (statement == statements_.end()) {
      return refuse(no_statement(message->name), kNoStatement, out);
    }
    sql = statement->second;
    wire::MessageWriter none(out, be::kParameterDescription);
    wire::put_i16(out, 0);
    none.finish();
  } else {
    const auto portal = portals_.find(message->name);
    if (portal == portals_.end()) {
      return refuse(no_portal(message->name), kNoPortal, out);
    }
    sql = portal->second.sql;
    formats = portal->second.formats;
  }
  const auto columns = console_columns(sql);
  if (columns.empty()) return be::append_bare(out, be::kNoData);
  append_columns(out, columns, formats);
}

std::optional<std::string> ConsoleSession::execute(std::string_view body, std::string& out) {
  const auto message = fe::read_execute(body);
  if (!message) {
    refuse(message.error().message, kPoolerState, out);
    return std::nullopt;
  }
  const auto portal = portals_.find(message->portal);
  if (portal == portals_.end()) {
    refuse(no_portal(message->portal), kNoPortal, out);
    return std::nullopt;
  }
  rows_max_ = message->rows_max;
  executing_ = &portal->second;
  if (!executing_->has_run) return executing_->sql;
  fetch(*executing_, out);
  return std::nullopt;
}

void ConsoleSession::close(std::string_view body, std::string& out) {
  const auto message = fe::read_close(body);
  if (!message) return refuse(message.error().message, kPoolerState, out);
  if (message->kind == 'S') {
    const auto statement = statements_.find(message->name);
    if (statement != statements_.end()) statements_.erase(statement);
  } else {
    const auto portal = portals_.find(message->name);
    if (portal != portals_.end()) portals_.erase(portal);
  }
  be::append_bare(out, be::kCloseComplete);
}

// As many rows as were asked for.
void ConsoleSession::fetch(Portal& portal, std::string& out) {
  ConsoleAnswer& result = portal.result;
  const size_t count = rows_max_ > 0 ? std::min(static_cast<size_t>(rows_max_), result.rows.size())
                                     : result.rows.size();
  for (size_t i = 0; i < count; ++i) {
    append_row(out, result.columns, result.rows[i], portal.formats);
  }
  result.rows.erase(result.rows.begin(), result.rows.begin() + static_cast<ptrdiff_t>(count));
  if (!result.rows.empty()) return be::append_bare(out, be::kPortalSuspended);
  append_end(out, result);
}

void ConsoleSession::answer(const ConsoleAnswer& answer, std::string& out) {
  busy_ = false;
  if (answer.ends) return;
  out += answer.notices;
  if (!answer.error.empty()) {
    refuse(answer.error, answer.sqlstate, out);
  } else if (executing_ != nullptr) {
    executing_->has_run = true;
    executing_->result = answer;
    fetch(*executing_, out);
  } else {
    if (!answer.columns.empty()) append_columns(out, answer.columns, {});
    for (const auto& row : answer.rows) append_row(out, answer.columns, row, {});
    append_end(out, answer);
  }
  if (executing_ != nullptr) return;
  failed_ = false;
  be::append_ready_for_query(out, be::TransactionStatus::Idle);
}

}  // namespace pgtend::pool
