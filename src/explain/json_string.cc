#include "explain/json_string.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace pgtend::explain {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<uint32_t> four_digits(std::string_view text, size_t at) {
  if (at + 4 > text.size()) return {};
  uint32_t code = 0;
  for (const char c : text.substr(at, 4)) {
    const int digit = hex_digit(c);
    if (digit < 0) return {};
    code = code * 16 + static_cast<uint32_t>(digit);
  }
  return code;
}

// Behind "\u".
bool read_unicode(std::string_view text, size_t& at, std::string& out) {
  const auto first = four_digits(text, at);
  if (!first) return false;
  at += 4;
  uint32_t code = *first;
  if (code >= 0xd800 && code < 0xdc00 && text.substr(at, 2) == "\\u") {
    const auto second = four_digits(text, at + 2);
    if (second && *second >= 0xdc00 && *second < 0xe000) {
      code = 0x10000 + ((code - 0xd800) << 10) + (*second - 0xdc00);
      at += 6;
    }
  }
  append_utf8(out, code);
  return true;
}

// Behind the backslash, of which there is at least one byte.
bool read_escape(std::string_view text, size_t& at, std::string& out) {
  static constexpr std::pair<char, char> kEscapes[] = {{'"', '"'},  {'\\', '\\'}, {'/', '/'},
                                                       {'b', '\b'}, {'f', '\f'},  {'n', '\n'},
                                                       {'r', '\r'}, {'t', '\t'}};
  const char c = text[at];
  if (c == 'u') return read_unicode(text, ++at, out);
  for (const auto& [name, meaning] : kEscapes) {
    if (c != name) continue;
    out += meaning;
    ++at;
    return true;
  }
  return false;
}

}  // namespace

void append_utf8(std::string& out, uint32_t code) {
  if (code == 0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) code = 0xfffd;
  const auto byte = [&](uint32_t bits) { out += static_cast<char>(bits); };
  if (code < 0x80) return byte(code);
  if (code < 0x800) {
    byte(0xc0 | code >> 6);
  } else if (code < 0x10000) {
    byte(0xe0 | code >> 12);
    byte(0x80 | (code >> 6 & 0x3f));
  } else {
    byte(0xf0 | code >> 18);
    byte(0x80 | (code >> 12 & 0x3f));
    byte(0x80 | (code >> 6 & 0x3f));
  }
  byte(0x80 | (code & 0x3f));
}

QuotedEnd read_json_string(std::string_view text, size_t& at, std::string& out) {
  out.clear();
  ++at;
  while (true) {
    const size_t end = std::min(text.find_first_of("\"\\", at), text.size());
    out += text.substr(at, end - at);
    at = end;
    if (at == text.size()) return QuotedEnd::CutOff;
    if (text[at++] == '"') return QuotedEnd::Whole;
    const size_t longest = text.size() - at;  // of an escape: "uXXXX"
    if (longest == 0 || (text[at] == 'u' && longest < 5)) {
      at = text.size();
      return QuotedEnd::CutOff;
    }
    if (!read_escape(text, at, out)) return QuotedEnd::Bad;
  }
}

}  // namespace pgtend::explain
