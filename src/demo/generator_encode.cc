#include "demo/generator_encode.h"

#include <bit>
#include <cstring>
#include <type_traits>

#include "base/check.h"

namespace pgtend::demo {

namespace {

constexpr int64_t kEpochSeconds = 946'684'800;  // 2000-01-01 00:00 UTC, PostgreSQL's zero
constexpr int64_t kNumericUnitsMax = 10'000'000'000'000'000;
constexpr size_t kReadingBytesMax = 64;

template <class T>
char* put(char* at, T value) {
  auto bits = static_cast<std::make_unsigned_t<T>>(value);
  for (size_t i = sizeof(T); i-- > 0;) {
    at[i] = static_cast<char>(bits & 0xff);
    if constexpr (sizeof(T) > 1) bits >>= 8;
  }
  return at + sizeof(T);
}

char* put_int4(char* at, int32_t value) { return put(put(at, int32_t{4}), value); }
char* put_int8(char* at, int64_t value) { return put(put(at, int32_t{8}), value); }
char* put_time(char* at, int64_t seconds) {
  return put_int8(at, (seconds - kEpochSeconds) * 1'000'000);
}

// Digits to the base of 10,000: the last one is exactly the four decimals. Zeros at both ends are
// left out, as the server itself stores them.
char* put_numeric4(char* at, int64_t units) {
  CHECK(units < kNumericUnitsMax && units > -kNumericUnitsMax);
  constexpr int16_t kScale = 4;
  constexpr int16_t kNegative = 0x4000;
  const int16_t sign = units < 0 ? kNegative : int16_t{0};
  uint64_t rest =
      units < 0 ? uint64_t{0} - static_cast<uint64_t>(units) : static_cast<uint64_t>(units);
  int16_t digits[4];  // least significant first
  int count = 0;
  int skipped = 0;
  for (; rest > 0; rest /= 10'000) {
    const auto digit = static_cast<int16_t>(rest % 10'000);
    if (digit == 0 && count == 0) {
      ++skipped;
    } else {
      digits[count++] = digit;
    }
  }
  const int weight = count == 0 ? 0 : count + skipped - 2;
  at = put(at, static_cast<int32_t>(8 + 2 * count));
  at = put(at, static_cast<int16_t>(count));
  at = put(at, static_cast<int16_t>(weight));
  at = put(at, sign);
  at = put(at, kScale);
  while (count > 0) at = put(at, digits[--count]);
  return at;
}

}  // namespace

void CopyEncoder::begin() {
  out_.append("PGCOPY\n\377\r\n\0", 11);
  out_.append(8, '\0');  // flags, length of the header extension
}

void CopyEncoder::end() { out_.append("\377\377", 2); }

void CopyEncoder::fields(int16_t count) {
  char bytes[2];
  put(bytes, count);
  out_.append(bytes, sizeof bytes);
}

void CopyEncoder::null() { out_.append("\377\377\377\377", 4); }

void CopyEncoder::int4(int32_t value) {
  char bytes[8];
  put_int4(bytes, value);
  out_.append(bytes, sizeof bytes);
}

void CopyEncoder::int8(int64_t value) {
  char bytes[12];
  put_int8(bytes, value);
  out_.append(bytes, sizeof bytes);
}

void CopyEncoder::text(std::string_view value) {
  char bytes[4];
  put(bytes, static_cast<int32_t>(value.size()));
  out_.append(bytes, sizeof bytes).append(value);
}

void CopyEncoder::timestamptz(int64_t seconds) {
  char bytes[12];
  put_time(bytes, seconds);
  out_.append(bytes, sizeof bytes);
}

void CopyEncoder::numeric4(int64_t units) {
  char bytes[20];
  out_.append(bytes, put_numeric4(bytes, units));
}

void CopyEncoder::reading(int64_t id, int32_t meter, int64_t seconds, int64_t units) {
  char row[kReadingBytesMax];
  char* at = put(row, int16_t{4});
  at = put_int8(at, id);
  at = put_int4(at, meter);
  at = put_time(at, seconds);
  at = put_numeric4(at, units);
  out_.append(row, at);
}

void CopyEncoder::reading(int32_t meter, int64_t seconds, int64_t units) {
  char row[kReadingBytesMax];
  char* at = put(row, int16_t{3});
  at = put_int4(at, meter);
  at = put_time(at, seconds);
  at = put_numeric4(at, units);
  out_.append(row, at);
}

}  // namespace pgtend::demo
