#include "wire/backend.h"

#include "base/text.h"
#include "wire/frame.h"

namespace pgtend::wire::backend {
namespace {

constexpr size_t kSecretBytesMin = 4;
constexpr size_t kSecretBytesMax = 256;

Error malformed_backend(std::string_view name) {
  return Error{ErrorCode::Corrupt, cat("malformed_backend ", name, " message")};
}

void put_field(std::string& out, char field, const std::optional<std::string_view>& value) {
  if (!value) return;
  out.push_back(field);
  put_cstring(out, *value);
}

void append_report(std::string& out, char type, const Report& report) {
  MessageWriter message(out, type);
  put_field(out, 'S', report.severity);
  put_field(out, 'V', report.severity);
  put_field(out, 'C', report.sqlstate);
  put_field(out, 'M', report.message);
  put_field(out, 'D', report.detail);
  put_field(out, 'H', report.hint);
  out.push_back('\0');
  message.finish();
}

// Columns of a table are at most 1600, but a count is what the other side claims.
uint16_t read_count(Reader& in) { return static_cast<uint16_t>(in.i16()); }

}  // namespace

std::string_view name_of(char type) {
  for (const MessageRow& row : kMessages) {
    if (row.type == type) return row.name;
  }
  return {};
}

void append_authentication(std::string& out, const Authentication& authentication) {
  MessageWriter message(out, kAuthentication);
  put_i32(out, static_cast<int32_t>(authentication.kind));
  if (authentication.kind == AuthKind::Sasl) {
    for (const auto& mechanism : authentication.mechanisms) put_cstring(out, mechanism);
    out.push_back('\0');
  } else {
    out.append(authentication.data);
  }
  message.finish();
}

void append_parameter_status(std::string& out, const ParameterStatus& status) {
  MessageWriter message(out, kParameterStatus);
  put_cstring(out, status.name);
  put_cstring(out, status.value);
  message.finish();
}

void append_backend_key_data(std::string& out, const BackendKeyData& key) {
  MessageWriter message(out, kBackendKeyData);
  put_i32(out, key.pid);
  out.append(key.secret);
  message.finish();
}

void append_ready_for_query(std::string& out, TransactionStatus status) {
  MessageWriter message(out, kReadyForQuery);
  out.push_back(static_cast<char>(status));
  message.finish();
}

void append_row_description(std::string& out, const std::vector<Column>& columns) {
  MessageWriter message(out, kRowDescription);
  put_i16(out, static_cast<int16_t>(columns.size()));
  for (const Column& column : columns) {
    put_cstring(out, column.name);
    put_i32(out, column.table_oid);
    put_i16(out, column.column_number);
    put_i32(out, column.type_oid);
    put_i16(out, column.type_size);
    put_i32(out, column.type_modifier);
    put_i16(out, column.format);
  }
  message.finish();
}

void append_data_row(std::string& out, const Row& row) {
  MessageWriter message(out, kDataRow);
  put_i16(out, static_cast<int16_t>(row.size()));
  for (const auto& value : row) {
    put_i32(out, value ? static_cast<int32_t>(value->size()) : -1);
    if (value) out.append(*value);
  }
  message.finish();
}

void append_command_complete(std::string& out, std::string_view tag) {
  MessageWriter message(out, kCommandComplete);
  put_cstring(out, tag);
  message.finish();
}

void append_error(std::string& out, const Report& report) {
  append_report(out, kErrorResponse, report);
}

void append_notice(std::string& out, const Report& report) {
  append_report(out, kNoticeResponse, report);
}

void append_negotiate(std::string& out, const NegotiateProtocolVersion& negotiate) {
  MessageWriter message(out, kNegotiateProtocolVersion);
  put_i32(out, negotiate.version);
  put_i32(out, static_cast<int32_t>(negotiate.unknown_options.size()));
  for (const auto& option : negotiate.unknown_options) put_cstring(out, option);
  message.finish();
}

void append_bare(std::string& out, Type type) { MessageWriter(out, type).finish(); }

Result<Authentication> read_authentication(std::string_view body) {
  Reader in(body);
  Authentication result;
  result.kind = static_cast<AuthKind>(in.i32());
  if (result.kind == AuthKind::Sasl) {
    while (in.ok() && !in.at_end()) {
      const auto mechanism = in.cstring();
      if (mechanism.empty()) break;
      result.mechanisms.push_back(mechanism);
    }
    if (!in.done() || result.mechanisms.empty()) return malformed_backend("AuthenticationSASL");
    return result;
  }
  result.data = in.rest();
  if (!in.ok()) return malformed_backend("Authentication");
  if (result.kind == AuthKind::Md5Password && result.data.size() != 4) {
    return malformed_backend("AuthenticationMD5Password");
  }
  return result;
}

Result<ParameterStatus> read_parameter_status(std::string_view body) {
  Reader in(body);
  ParameterStatus status;
  status.name = in.cstring();
  status.value = in.cstring();
  if (!in.done()) return malformed_backend("ParameterStatus");
  return status;
}

Result<BackendKeyData> read_backend_key_data(std::string_view body) {
  Reader in(body);
  BackendKeyData key;
  key.pid = in.i32();
  key.secret = in.rest();
  if (!in.ok() || key.secret.size() < kSecretBytesMin || key.secret.size() > kSecretBytesMax) {
    return malformed_backend("BackendKeyData");
  }
  return key;
}

Result<TransactionStatus> read_ready_for_query(std::string_view body) {
  if (body.size() == 1 && (body[0] == 'I' || body[0] == 'T' || body[0] == 'E')) {
    return static_cast<TransactionStatus>(body[0]);
  }
  return malformed_backend("ReadyForQuery");
}

Result<std::vector<Column>> read_row_description(std::string_view body) {
  Reader in(body);
  std::vector<Column> columns;
  const uint16_t count = read_count(in);
  for (uint16_t i = 0; i < count && in.ok(); ++i) {
    Column column;
    column.name = in.cstring();
    column.table_oid = in.i32();
    column.column_number = in.i16();
    column.type_oid = in.i32();
    column.type_size = in.i16();
    column.type_modifier = in.i32();
    column.format = in.i16();
    columns.push_back(column);
  }
  if (!in.done()) return malformed_backend("RowDescription");
  return columns;
}

Result<Row> read_data_row(std::string_view body) {
  Reader in(body);
  Row row;
  const uint16_t count = read_count(in);
  for (uint16_t i = 0; i < count && in.ok(); ++i) {
    const int32_t size = in.i32();
    if (size < -1) return malformed_backend("DataRow");
    if (size == -1) {
      row.emplace_back();
    } else {
      row.emplace_back(in.bytes(static_cast<size_t>(size)));
    }
  }
  if (!in.done()) return malformed_backend("DataRow");
  return row;
}

Result<std::string_view> read_command_complete(std::string_view body) {
  Reader in(body);
  const auto tag = in.cstring();
  if (!in.done()) return malformed_backend("CommandComplete");
  return tag;
}

Result<Report> read_report(std::string_view body) {
  Reader in(body);
  Report report;
  std::optional<std::string_view> localized;
  while (in.ok()) {
    const char field = static_cast<char>(in.u8());
    if (field == '\0') break;
    const auto value = in.cstring();
    if (field == 'S') localized = value;
    if (field == 'V') report.severity = value;
    if (field == 'C') report.sqlstate = value;
    if (field == 'M') report.message = value;
    if (field == 'D') report.detail = value;
    if (field == 'H') report.hint = value;
  }
  if (!in.done()) return malformed_backend("ErrorResponse");
  if (!report.severity) report.severity = localized;
  return report;
}

Result<NegotiateProtocolVersion> read_negotiate(std::string_view body) {
  Reader in(body);
  NegotiateProtocolVersion negotiate;
  negotiate.version = in.i32();
  const int32_t count = in.i32();
  for (int32_t i = 0; i < count && in.ok(); ++i) negotiate.unknown_options.push_back(in.cstring());
  if (!in.done() || count < 0) return malformed_backend("NegotiateProtocolVersion");
  return negotiate;
}

std::optional<int64_t> rows_in_tag(std::string_view tag) {
  const size_t space = tag.rfind(' ');
  if (space == std::string_view::npos) return {};
  auto count = parse_int(tag.substr(space + 1));
  if (!count) return {};
  return *count;
}

}  // namespace pgtend::wire::backend
