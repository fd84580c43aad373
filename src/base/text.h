// Small text helpers that the standard library lacks: joining, splitting, strict numbers, cleaning.
#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pgtend {

namespace detail {
void append_piece(std::string& out, std::string_view piece);
void append_piece(std::string& out, char piece);
void append_piece(std::string& out, double piece);
template <std::integral T>
void append_piece(std::string& out, T piece) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, piece);
  out.append(digits, end.ptr);
}
}  // namespace detail

// Joins pieces: strings, characters, integers, doubles (shortest form that reads back the same).
template <class... Pieces>
std::string cat(const Pieces&... pieces) {
  std::string out;
  (detail::append_piece(out, pieces), ...);
  return out;
}

// Pieces of `text` between `separator`s; "" gives one empty piece. The views borrow `text`.
std::vector<std::string_view> split(std::string_view text, char separator);
// Joins `pieces` with `separator` between them.
std::string join(const std::vector<std::string>& pieces, std::string_view separator);
// `text` without ASCII white space at both ends.
std::string_view trim(std::string_view text);
// ASCII only; other bytes stay.
std::string lower(std::string_view text);
bool equal_ignoring_case(std::string_view a, std::string_view b);

// The whole of `text` as a decimal integer (no spaces, no plus sign). Invalid otherwise.
Result<int64_t> parse_int(std::string_view text);
// The whole of `text` as a number; accepts PostgreSQL's NaN, Infinity, -Infinity. Invalid
// otherwise.
Result<double> parse_double(std::string_view text);

// `text` with control characters (C0, DEL, C1), marks that turn the direction of writing and bytes
// that are no UTF-8 shown as \xNN: no text drives a terminal. `lines` keeps newline and tab.
std::string printable(std::string_view text, bool lines = false);

// The bytes of the UTF-8 character that `text`, which is not empty, begins with; 0 when it begins
// with none.
size_t character_length(std::string_view text);

// Display columns of UTF-8 `text`, one a code point (no wide-character table).
size_t columns(std::string_view text);

// `text` in lines of at most `width` columns, broken at blanks (a longer word stays whole), each
// line but the first indented by `indent` more columns than `text` itself is. No final newline.
std::string wrapped(std::string_view text, size_t width, size_t indent);

// The entry of `known` nearest to `word` by edit distance if it is near enough to be a typing
// mistake (at most a third of the word's length), for "did you mean".
std::optional<std::string_view> nearest(std::string_view word,
                                        const std::vector<std::string_view>& known);

}  // namespace pgtend
