// Messages from a client to a server: structs, writers and strict readers.
// Readers borrow the body they read; the views die with it. Errors of all readers: Corrupt.
// Thread: any; no state.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pgtend::wire::frontend {

// The message types a client may send after its start packet. Each is a row of kMessages.
enum Type : char {
  kBind = 'B',
  kClose = 'C',
  kCopyData = 'd',
  kCopyDone = 'c',
  kCopyFail = 'f',
  kDescribe = 'D',
  kExecute = 'E',
  kFlush = 'H',
  kFunctionCall = 'F',
  kParse = 'P',
  kPassword = 'p',  // also SASLInitialResponse and SASLResponse: the state tells which
  kQuery = 'Q',
  kSync = 'S',
  kTerminate = 'X',
};

struct MessageRow {
  char type;
  std::string_view name;
};

inline constexpr MessageRow kMessages[] = {
    {kBind, "Bind"},         {kClose, "Close"},         {kCopyData, "CopyData"},
    {kCopyDone, "CopyDone"}, {kCopyFail, "CopyFail"},   {kDescribe, "Describe"},
    {kExecute, "Execute"},   {kFlush, "Flush"},         {kFunctionCall, "FunctionCall"},
    {kParse, "Parse"},       {kPassword, "Password"},   {kQuery, "Query"},
    {kSync, "Sync"},         {kTerminate, "Terminate"},
};

// The row's name, or empty for a type that no client may send.
std::string_view name_of(char type);

struct Query {
  std::string_view sql;
};
struct Parse {
  std::string_view statement;
  std::string_view sql;
  std::vector<int32_t> parameter_types = {};
};
// Formats: none = all text, one = for all, else one each; 0 text, 1 binary.
struct Bind {
  std::string_view portal;
  std::string_view statement;
  std::vector<int16_t> parameter_formats = {};
  std::vector<std::optional<std::string_view>> parameters = {};  // nullopt is NULL
  std::vector<int16_t> result_formats = {};
};
// Of Describe and Close: 'S' a statement, 'P' a portal.
struct Target {
  char kind = 'S';
  std::string_view name;
};
struct Execute {
  std::string_view portal;
  int32_t rows_max = 0;  // 0 = all
};
struct SaslInitial {
  std::string_view mechanism;
  std::string_view data;
};

// Writers append one whole message. Names and SQL must hold no zero byte.
void append_query(std::string& out, std::string_view sql);
void append_parse(std::string& out, const Parse& parse);
void append_bind(std::string& out, const Bind& bind);
void append_describe(std::string& out, const Target& target);
void append_close(std::string& out, const Target& target);
void append_execute(std::string& out, const Execute& execute);
void append_sync(std::string& out);
void append_flush(std::string& out);
void append_terminate(std::string& out);
void append_copy_data(std::string& out, std::string_view data);
void append_copy_done(std::string& out);
void append_copy_fail(std::string& out, std::string_view reason);
// A clear-text password or an md5 answer.
void append_password(std::string& out, std::string_view secret);
void append_sasl_initial(std::string& out, const SaslInitial& initial);
void append_sasl_response(std::string& out, std::string_view data);

Result<Query> read_query(std::string_view body);
Result<Parse> read_parse(std::string_view body);
Result<Bind> read_bind(std::string_view body);
Result<Target> read_describe(std::string_view body);
Result<Target> read_close(std::string_view body);
Result<Execute> read_execute(std::string_view body);
Result<std::string_view> read_password(std::string_view body);
Result<std::string_view> read_copy_fail(std::string_view body);
Result<SaslInitial> read_sasl_initial(std::string_view body);

}  // namespace pgtend::wire::frontend
