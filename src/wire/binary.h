// Values in PostgreSQL's binary format, made of their text. Thread: any; no state.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pgtend::wire {

inline constexpr int32_t kInt8Oid = 20;
inline constexpr int32_t kInt4Oid = 23;
inline constexpr int32_t kTextOid = 25;
inline constexpr int32_t kByteaOid = 17;
inline constexpr int32_t kNumericOid = 1700;

// What the type's send function gives for `text`: int4, int8, numeric (decimal digits, perhaps with
// a sign and a point; no exponent, NaN or infinity), text. Errors: Invalid.
Result<std::string> binary_of(std::string_view text, int32_t type);

}  // namespace pgtend::wire
