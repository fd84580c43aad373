#include "sql/fingerprint.h"

#include <pg_query.h>

#include "base/text.h"
#include "sql/parse.h"

namespace pgtend::sql {
namespace {

Status check_text(std::string_view sql) {
  if (sql.size() > kSqlBytesMax) return Error{ErrorCode::Limit, "SQL text too long to parse"};
  if (sql.find('\0') != std::string_view::npos) {
    return Error{ErrorCode::Invalid, "SQL text with a zero byte"};
  }
  return ok();
}

Error to_error(const PgQueryError& error) {
  return {ErrorCode::Invalid, error.message ? error.message : "cannot be parsed", "42601"};
}

}  // namespace

Result<uint64_t> fingerprint(std::string_view sql) {
  TRY(check_text(sql));
  const PgQueryFingerprintResult result = pg_query_fingerprint(std::string(sql).c_str());
  Result<uint64_t> out = result.error ? Result<uint64_t>(to_error(*result.error))
                                      : Result<uint64_t>(result.fingerprint);
  pg_query_free_fingerprint_result(result);
  return out;
}

Result<std::string> normalise(std::string_view sql) {
  TRY(check_text(sql));
  const PgQueryNormalizeResult result = pg_query_normalize(std::string(sql).c_str());
  Result<std::string> out = result.error
                                ? Result<std::string>(to_error(*result.error))
                                : Result<std::string>(std::string(result.normalized_query));
  pg_query_free_normalize_result(result);
  return out;
}

}  // namespace pgtend::sql
