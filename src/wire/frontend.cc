#include "wire/frontend.h"

#include "base/text.h"
#include "wire/frame.h"

namespace pgtend::wire::frontend {
namespace {

Error malformed_frontend(std::string_view name) {
  return Error{ErrorCode::Corrupt, cat("malformed_frontend ", name, " message")};
}

void append_empty(std::string& out, char type) { MessageWriter(out, type).finish(); }

void append_target(std::string& out, char type, const Target& target) {
  MessageWriter message(out, type);
  out.push_back(target.kind);
  put_cstring(out, target.name);
  message.finish();
}

Result<Target> read_target(std::string_view body, std::string_view name) {
  Reader in(body);
  Target target;
  target.kind = static_cast<char>(in.u8());
  target.name = in.cstring();
  if (!in.done() || (target.kind != 'S' && target.kind != 'P')) return malformed_frontend(name);
  return target;
}

void put_formats(std::string& out, const std::vector<int16_t>& formats) {
  put_i16(out, static_cast<int16_t>(formats.size()));
  for (const int16_t format : formats) put_i16(out, format);
}

// Counts are 16-bit and unsigned on the wire since PostgreSQL binds up to 65535 parameters.
uint16_t read_list_count(Reader& in) { return static_cast<uint16_t>(in.i16()); }

std::vector<int16_t> read_formats(Reader& in) {
  std::vector<int16_t> formats;
  const uint16_t count = read_list_count(in);
  for (uint16_t i = 0; i < count && in.ok(); ++i) formats.push_back(in.i16());
  return formats;
}

}  // namespace

std::string_view name_of(char type) {
  for (const MessageRow& row : kMessages) {
    if (row.type == type) return row.name;
  }
  return {};
}

void append_query(std::string& out, std::string_view sql) {
  MessageWriter message(out, kQuery);
  put_cstring(out, sql);
  message.finish();
}

void append_parse(std::string& out, const Parse& parse) {
  MessageWriter message(out, kParse);
  put_cstring(out, parse.statement);
  put_cstring(out, parse.sql);
  put_i16(out, static_cast<int16_t>(parse.parameter_types.size()));
  for (const int32_t type : parse.parameter_types) put_i32(out, type);
  message.finish();
}

void append_bind(std::string& out, const Bind& bind) {
  MessageWriter message(out, kBind);
  put_cstring(out, bind.portal);
  put_cstring(out, bind.statement);
  put_formats(out, bind.parameter_formats);
  put_i16(out, static_cast<int16_t>(bind.parameters.size()));
  for (const auto& value : bind.parameters) {
    put_i32(out, value ? static_cast<int32_t>(value->size()) : -1);
    if (value) out.append(*value);
  }
  put_formats(out, bind.result_formats);
  message.finish();
}

void append_describe(std::string& out, const Target& target) {
  append_target(out, kDescribe, target);
}

void append_close(std::string& out, const Target& target) { append_target(out, kClose, target); }

void append_execute(std::string& out, const Execute& execute) {
  MessageWriter message(out, kExecute);
  put_cstring(out, execute.portal);
  put_i32(out, execute.rows_max);
  message.finish();
}

void append_sync(std::string& out) { append_empty(out, kSync); }
void append_flush(std::string& out) { append_empty(out, kFlush); }
void append_terminate(std::string& out) { append_empty(out, kTerminate); }

void append_copy_data(std::string& out, std::string_view data) {
  MessageWriter message(out, kCopyData);
  out.append(data);
  message.finish();
}

void append_copy_done(std::string& out) { append_empty(out, kCopyDone); }

void append_copy_fail(std::string& out, std::string_view reason) {
  MessageWriter message(out, kCopyFail);
  put_cstring(out, reason);
  message.finish();
}

void append_password(std::string& out, std::string_view secret) {
  MessageWriter message(out, kPassword);
  put_cstring(out, secret);
  message.finish();
}

void append_sasl_initial(std::string& out, const SaslInitial& initial) {
  MessageWriter message(out, kPassword);
  put_cstring(out, initial.mechanism);
  put_i32(out, static_cast<int32_t>(initial.data.size()));
  out.append(initial.data);
  message.finish();
}

void append_sasl_response(std::string& out, std::string_view data) {
  MessageWriter message(out, kPassword);
  out.append(data);
  message.finish();
}

Result<Query> read_query(std::string_view body) {
  Reader in(body);
  const Query query{in.cstring()};
  if (!in.done()) return malformed_frontend("Query");
  return query;
}

Result<Parse> read_parse(std::string_view body) {
  Reader in(body);
  Parse parse;
  parse.statement = in.cstring();
  parse.sql = in.cstring();
  const uint16_t count = read_list_count(in);
  for (uint16_t i = 0; i < count && in.ok(); ++i) parse.parameter_types.push_back(in.i32());
  if (!in.done()) return malformed_frontend("Parse");
  return parse;
}

Result<Bind> read_bind(std::string_view body) {
  Reader in(body);
  Bind bind;
  bind.portal = in.cstring();
  bind.statement = in.cstring();
  bind.parameter_formats = read_formats(in);
  const uint16_t count = read_list_count(in);
  for (uint16_t i = 0; i < count && in.ok(); ++i) {
    const int32_t size = in.i32();
    if (size < -1) return malformed_frontend("Bind");
    if (size == -1) {
      bind.parameters.emplace_back();
    } else {
      bind.parameters.emplace_back(in.bytes(static_cast<size_t>(size)));
    }
  }
  bind.result_formats = read_formats(in);
  if (!in.done()) return malformed_frontend("Bind");
  return bind;
}

Result<Target> read_describe(std::string_view body) { return read_target(body, "Describe"); }
Result<Target> read_close(std::string_view body) { return read_target(body, "Close"); }

Result<Execute> read_execute(std::string_view body) {
  Reader in(body);
  Execute execute;
  execute.portal = in.cstring();
  execute.rows_max = in.i32();
  if (!in.done()) return malformed_frontend("Execute");
  return execute;
}

Result<std::string_view> read_password(std::string_view body) {
  Reader in(body);
  const auto secret = in.cstring();
  if (!in.done()) return malformed_frontend("Password");
  return secret;
}

Result<std::string_view> read_copy_fail(std::string_view body) {
  Reader in(body);
  const auto reason = in.cstring();
  if (!in.done()) return malformed_frontend("CopyFail");
  return reason;
}

Result<SaslInitial> read_sasl_initial(std::string_view body) {
  Reader in(body);
  SaslInitial initial;
  initial.mechanism = in.cstring();
  const int32_t size = in.i32();
  if (size < -1) return malformed_frontend("SASLInitialResponse");
  if (size > 0) initial.data = in.bytes(static_cast<size_t>(size));
  if (!in.done()) return malformed_frontend("SASLInitialResponse");
  return initial;
}

}  // namespace pgtend::wire::frontend
