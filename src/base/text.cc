#include "base/text.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <system_error>

namespace pgtend {

namespace detail {
void append_piece(std::string& out, std::string_view piece) { out += piece; }
void append_piece(std::string& out, char piece) { out += piece; }
void append_piece(std::string& out, double piece) {
  char digits[40];
  const auto end = std::to_chars(digits, digits + sizeof digits, piece);
  out.append(digits, end.ptr);
}
}  // namespace detail

namespace {
bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
char lower_char(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

void append_hex(std::string& out, char c) {
  static constexpr char kHex[] = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  out += "\\x";
  out += kHex[byte >> 4];
  out += kHex[byte & 15];
}

// The bytes of a character that does nothing but show itself: neither a control character (C0, DEL,
// C1, line separators) nor one that turns the direction of what follows.
size_t harmless_length(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x20 || lead == 0x7f) return 0;
  const size_t length = character_length(text);
  if (length == 2 && lead == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0) return 0;
  if (length != 3 || lead != 0xe2) return length;
  const std::string_view rest = text.substr(1, 2);
  const bool separator_or_turn = rest >= "\x80\xa8" && rest <= "\x80\xae";
  const bool mark = rest == "\x80\x8e" || rest == "\x80\x8f";
  const bool isolate = rest >= "\x81\xa6" && rest <= "\x81\xa9";
  return separator_or_turn || mark || isolate ? 0 : length;
}

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substitute = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
    }
  }
  return row.back();
}
}  // namespace

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> pieces;
  pieces.reserve(static_cast<size_t>(std::count(text.begin(), text.end(), separator)) + 1);
  while (true) {
    const size_t at = text.find(separator);
    pieces.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return pieces;
    text.remove_prefix(at + 1);
  }
}

std::string join(const std::vector<std::string>& pieces, std::string_view separator) {
  std::string out;
  for (const std::string& piece : pieces) {
    if (&piece != pieces.data()) out += separator;
    out += piece;
  }
  return out;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), lower_char);
  return out;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower_char, lower_char);
}

Result<int64_t> parse_int(std::string_view text) {
  int64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure == std::errc::result_out_of_range) {
    return Error{ErrorCode::Invalid, cat("number out of range: ", printable(text))};
  }
  if (failure != std::errc{} || end != text.data() + text.size()) {
    return Error{ErrorCode::Invalid, cat("not a whole number: \"", printable(text), "\"")};
  }
  return value;
}

Result<double> parse_double(std::string_view text) {
  if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (text == "Infinity") return std::numeric_limits<double>::infinity();
  if (text == "-Infinity") return -std::numeric_limits<double>::infinity();
  double value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{} || end != text.data() + text.size()) {
    return Error{ErrorCode::Invalid, cat("not a number: \"", printable(text), "\"")};
  }
  return value;
}

size_t character_length(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return 0;
  for (const char c : text.substr(1, length - 1)) {
    if ((static_cast<unsigned char>(c) & 0xc0) != 0x80) return 0;
  }
  const auto second = static_cast<unsigned char>(text[1]);
  const bool overlong = (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
  const bool beyond = (lead == 0xed && second > 0x9f) || (lead == 0xf4 && second > 0x8f);
  return overlong || beyond ? 0 : length;
}

std::string printable(std::string_view text, bool lines) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const char c = text.front();
    const bool kept = lines && (c == '\n' || c == '\t');
    const size_t length = harmless_length(text);
    if (length > 0 || kept) {
      out += text.substr(0, std::max<size_t>(length, 1));
    } else {
      append_hex(out, c);
    }
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return out;
}

size_t columns(std::string_view text) {
  return static_cast<size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string wrapped(std::string_view text, size_t width, size_t indent) {
  const size_t first = std::min(text.find_first_not_of(' '), text.size());
  const std::string margin(first + indent, ' ');
  std::string out(text.substr(0, first));
  size_t column = first;
  bool line_empty = true;
  for (const std::string_view word : split(text.substr(first), ' ')) {
    const size_t needed = columns(word) + (line_empty ? 0 : 1);
    if (!line_empty && column + needed > width) {
      out += '\n' + margin;
      column = margin.size();
      line_empty = true;
    }
    if (!line_empty) out += ' ';
    out += word;
    column += columns(word) + (line_empty ? 0 : 1);
    line_empty = false;
  }
  return out;
}

std::optional<std::string_view> nearest(std::string_view word,
                                        const std::vector<std::string_view>& known) {
  std::optional<std::string_view> best;
  size_t best_distance = std::max<size_t>(1, word.size() / 3) + 1;
  for (const std::string_view candidate : known) {
    const size_t distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace pgtend
