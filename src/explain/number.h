// Numbers as plans print them. Most are plain; some are beyond what a double holds, "inf", or the
// "N" that regression tests print: those stay the text they were.
#pragma once

#include <optional>
#include <string_view>

#include "explain/properties.h"

namespace pgtend::explain {

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Whether `text` has the form of a JSON number.
bool looks_like_number(std::string_view text);

// The number `source` as a value: an integer for digits alone, else a double ("3.00" is 3.0); the
// source itself, borrowed, where neither would keep all of its digits. Thread: any. Cost: O(size).
Value number_value(std::string_view source);

// The number that `text` begins with: digits, also masked ones ("N.N"), "inf", "nan"; what of
// "0.1..0.2" is before the dots. `length` is its size, 0 when there is none. Cost: O(length).
Value leading_number(std::string_view text, size_t& length);

// Larger numbers are cut to this, so that products of three cannot overflow.
inline constexpr double kNumberMax = 1e100;

// What a value of number_value() counts, within ± kNumberMax ("inf" is that, too). Nullopt for
// other texts, NaN and other kinds of values.
std::optional<double> to_double(const Value& value);

}  // namespace pgtend::explain
