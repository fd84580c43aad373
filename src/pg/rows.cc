#include "pg/rows.h"

#include <libpq-fe.h>

#include <limits>

#include "base/text.h"

namespace pgtend::pg {
namespace {

Error unreadable(const pg_result* result, int column, std::string_view wanted,
                 std::string_view value) {
  const char* name = PQfname(result, column);
  return Error{ErrorCode::Corrupt, cat("column ", name == nullptr ? "?" : printable(name), " is ",
                                       printable(value.substr(0, 60)), ", not ", wanted)};
}

Result<bool> to_bool(std::string_view value) {
  if (value == "t") return true;
  if (value == "f") return false;
  return Error{ErrorCode::Corrupt};
}

Result<int32_t> to_int32(std::string_view value) {
  const int64_t wide = TRY(parse_int(value));
  if (wide < std::numeric_limits<int32_t>::min() || wide > std::numeric_limits<int32_t>::max()) {
    return Error{ErrorCode::Corrupt};
  }
  return static_cast<int32_t>(wide);
}

Result<std::string> to_string(std::string_view value) { return std::string(value); }

}  // namespace

void ClearResult::operator()(pg_result* result) const { PQclear(result); }

bool Row::null(int column) const { return PQgetisnull(result_, row_, column) != 0; }

std::string_view Row::text(int column) const {
  const char* value = PQgetvalue(result_, row_, column);
  if (value == nullptr) return {};
  return {value, static_cast<size_t>(PQgetlength(result_, row_, column))};
}

// One pair of readings (required, optional) a type.
#define PGTEND_ROW_GET(Type, wanted, convert)                                   \
  template <>                                                                   \
  Result<Type> Row::get<Type>(int column) const {                               \
    if (null(column)) return unreadable(result_, column, wanted, "null");       \
    auto value = convert(text(column));                                         \
    if (!value) return unreadable(result_, column, wanted, text(column));       \
    return std::move(value).take();                                             \
  }                                                                             \
  template <>                                                                   \
  Result<std::optional<Type>> Row::get<std::optional<Type>>(int column) const { \
    if (null(column)) return std::optional<Type>();                             \
    return std::optional<Type>(TRY(get<Type>(column)));                         \
  }

PGTEND_ROW_GET(bool, "a boolean", to_bool)
PGTEND_ROW_GET(int32_t, "a 32-bit integer", to_int32)
PGTEND_ROW_GET(int64_t, "a 64-bit integer", parse_int)
PGTEND_ROW_GET(double, "a number", parse_double)
PGTEND_ROW_GET(std::string, "a text", to_string)
#undef PGTEND_ROW_GET

int Rows::size() const { return PQntuples(result_.get()); }

int Rows::columns() const { return PQnfields(result_.get()); }

std::string_view Rows::column_name(int column) const {
  const char* name = PQfname(result_.get(), column);
  return name == nullptr ? std::string_view() : std::string_view(name);
}

std::string_view Rows::tag() const { return PQcmdStatus(result_.get()); }

int64_t Rows::affected() const {
  const auto count = parse_int(PQcmdTuples(result_.get()));
  return count ? *count : 0;
}

Result<std::string> Rows::scalar() const {
  if (size() != 1 || columns() != 1) {
    return Error{ErrorCode::Corrupt,
                 cat("expected one row of one column, got ", size(), " of ", columns())};
  }
  return (*this)[0].get<std::string>(0);
}

}  // namespace pgtend::pg
