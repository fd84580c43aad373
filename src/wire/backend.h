// Messages from a server to a client: structs, writers and strict readers.
// Readers borrow the body they read; the views die with it. Errors of all readers: Corrupt.
// Thread: any; no state.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pgtend::wire::backend {

// The message types a server may send. Each is a row of kMessages.
enum Type : char {
  kAuthentication = 'R',
  kBackendKeyData = 'K',
  kBindComplete = '2',
  kCloseComplete = '3',
  kCommandComplete = 'C',
  kCopyBothResponse = 'W',
  kCopyData = 'd',
  kCopyDone = 'c',
  kCopyInResponse = 'G',
  kCopyOutResponse = 'H',
  kDataRow = 'D',
  kEmptyQueryResponse = 'I',
  kErrorResponse = 'E',
  kFunctionCallResponse = 'V',
  kNegotiateProtocolVersion = 'v',
  kNoData = 'n',
  kNoticeResponse = 'N',
  kNotificationResponse = 'A',
  kParameterDescription = 't',
  kParameterStatus = 'S',
  kParseComplete = '1',
  kPortalSuspended = 's',
  kReadyForQuery = 'Z',
  kRowDescription = 'T',
};

struct MessageRow {
  char type;
  std::string_view name;
};

inline constexpr MessageRow kMessages[] = {
    {kAuthentication, "Authentication"},
    {kBackendKeyData, "BackendKeyData"},
    {kBindComplete, "BindComplete"},
    {kCloseComplete, "CloseComplete"},
    {kCommandComplete, "CommandComplete"},
    {kCopyBothResponse, "CopyBothResponse"},
    {kCopyData, "CopyData"},
    {kCopyDone, "CopyDone"},
    {kCopyInResponse, "CopyInResponse"},
    {kCopyOutResponse, "CopyOutResponse"},
    {kDataRow, "DataRow"},
    {kEmptyQueryResponse, "EmptyQueryResponse"},
    {kErrorResponse, "ErrorResponse"},
    {kFunctionCallResponse, "FunctionCallResponse"},
    {kNegotiateProtocolVersion, "NegotiateProtocolVersion"},
    {kNoData, "NoData"},
    {kNoticeResponse, "NoticeResponse"},
    {kNotificationResponse, "NotificationResponse"},
    {kParameterDescription, "ParameterDescription"},
    {kParameterStatus, "ParameterStatus"},
    {kParseComplete, "ParseComplete"},
    {kPortalSuspended, "PortalSuspended"},
    {kReadyForQuery, "ReadyForQuery"},
    {kRowDescription, "RowDescription"},
};

// The row's name, or empty for a type that no server may send.
std::string_view name_of(char type);

// What an Authentication message asks for; the numbers are the protocol's.
enum class AuthKind : int32_t {
  Ok = 0,
  Kerberos = 2,
  CleartextPassword = 3,
  Md5Password = 5,
  Scm = 6,
  Gss = 7,
  GssContinue = 8,
  Sspi = 9,
  Sasl = 10,
  SaslContinue = 11,
  SaslFinal = 12,
};

struct Authentication {
  AuthKind kind = AuthKind::Ok;
  std::string_view data;                          // md5: 4 bytes of salt; SASL: the server's data
  std::vector<std::string_view> mechanisms = {};  // of Sasl only
};

struct ParameterStatus {
  std::string_view name;
  std::string_view value;
};

// The secret is 4 bytes in protocol 3.0 and 4 to 256 from 3.2 on.
struct BackendKeyData {
  int32_t pid = 0;
  std::string_view secret;
};

struct Column {
  std::string_view name;
  int32_t table_oid = 0;
  int16_t column_number = 0;
  int32_t type_oid = 25;  // text
  int16_t type_size = -1;
  int32_t type_modifier = -1;
  int16_t format = 0;  // 0 text, 1 binary
};

// ErrorResponse and NoticeResponse. Any field may be missing: servers and poolers leave some out.
struct Report {
  std::optional<std::string_view> severity = {};  // V when present (never translated), else S
  std::optional<std::string_view> sqlstate = {};
  std::optional<std::string_view> message = {};
  std::optional<std::string_view> detail = {};
  std::optional<std::string_view> hint = {};
};

enum class TransactionStatus : char { Idle = 'I', InTransaction = 'T', Failed = 'E' };

// One newer protocol than ours was asked for: what we speak, and the options we do not know.
struct NegotiateProtocolVersion {
  int32_t version = 0;  // major << 16 | minor
  std::vector<std::string_view> unknown_options = {};
};

using Row = std::vector<std::optional<std::string_view>>;  // nullopt is NULL

// Writers append one whole message. Texts must hold no zero byte.
void append_authentication(std::string& out, const Authentication& authentication);
void append_parameter_status(std::string& out, const ParameterStatus& status);
void append_backend_key_data(std::string& out, const BackendKeyData& key);
void append_ready_for_query(std::string& out, TransactionStatus status);
void append_row_description(std::string& out, const std::vector<Column>& columns);
void append_data_row(std::string& out, const Row& row);
void append_command_complete(std::string& out, std::string_view tag);
void append_error(std::string& out, const Report& report);
void append_notice(std::string& out, const Report& report);
void append_negotiate(std::string& out, const NegotiateProtocolVersion& negotiate);
// A message without a body: ParseComplete, BindComplete, CloseComplete, NoData, CopyDone, ...
void append_bare(std::string& out, Type type);

Result<Authentication> read_authentication(std::string_view body);
Result<ParameterStatus> read_parameter_status(std::string_view body);
Result<BackendKeyData> read_backend_key_data(std::string_view body);
Result<TransactionStatus> read_ready_for_query(std::string_view body);
Result<std::vector<Column>> read_row_description(std::string_view body);
Result<Row> read_data_row(std::string_view body);
Result<std::string_view> read_command_complete(std::string_view body);
// Of ErrorResponse and NoticeResponse. Unknown fields are skipped, as the protocol demands.
Result<Report> read_report(std::string_view body);
Result<NegotiateProtocolVersion> read_negotiate(std::string_view body);

// The rows a CommandComplete tag tells: "INSERT 0 5" and "SELECT 5" give 5; nullopt without a
// count.
std::optional<int64_t> rows_in_tag(std::string_view tag);

}  // namespace pgtend::wire::backend
