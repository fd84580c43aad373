#include "explain/input_text.h"

#include <algorithm>
#include <cstdint>

#include "base/memory.h"
#include "base/text.h"
#include "explain/json_string.h"

namespace pgtend::explain {
namespace {

constexpr std::string_view kNoBreakSpace = "\xc2\xa0";
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
constexpr int kQuoteLevelsMax = 8;

// UTF-16 with its byte order mark, to UTF-8.
std::string from_utf16(std::string_view text, bool big_endian) {
  std::string out;
  const auto unit = [&](size_t at) {
    const auto first = static_cast<unsigned char>(text[at]);
    const auto second = static_cast<unsigned char>(text[at + 1]);
    return static_cast<uint32_t>(big_endian ? first << 8 | second : second << 8 | first);
  };
  for (size_t at = 2; at + 1 < text.size(); at += 2) {
    uint32_t code = unit(at);
    if (code >= 0xd800 && code < 0xdc00 && at + 3 < text.size()) {
      const uint32_t low = unit(at + 2);
      if (low >= 0xdc00 && low < 0xe000) {
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        at += 2;
      }
    }
    append_utf8(out, code);
  }
  return out;
}

// The length of the terminal escape that `text` (from ESC on) begins with: ESC [ … letter, ESC ] …
// BEL, ESC and one more. At least 1.
size_t escape_length(std::string_view text) {
  constexpr size_t kEscapeMax = 64;
  text = text.substr(0, kEscapeMax);
  if (text.size() < 2) return text.size();
  if (text[1] == '[') {
    const auto end =
        std::find_if(text.begin() + 2, text.end(), [](char c) { return c >= '@' && c <= '~'; });
    return end == text.end() ? 2 : static_cast<size_t>(end - text.begin()) + 1;
  }
  if (text[1] == ']') {
    const size_t end = text.find('\a');
    return end == std::string_view::npos ? 2 : end + 1;
  }
  return 2;
}

// Appends the character at the front of `text` and says how many bytes it took.
size_t append_character(std::string& out, std::string_view text) {
  const size_t length = character_length(text);
  if (length > 0) {
    out += text.substr(0, length);
    return length;
  }
  append_utf8(out, static_cast<unsigned char>(text[0]));
  return 1;
}

// The length of what `text` begins with and that is taken as it is; there is no more in most texts.
size_t plain_length(std::string_view text) {
  const auto end = std::find_if(text.begin(), text.end(), [](char c) {
    return static_cast<signed char>(c) < '\t' || c == '\x1b' || c == '\r';
  });
  return static_cast<size_t>(end - text.begin());
}

bool is_quote(std::string_view line) { return line.starts_with('>'); }

// Most lines that say something are quoted.
bool mostly_quoted(std::string_view text) {
  if (!text.starts_with('>') && text.find("\n>") == std::string_view::npos) return false;
  size_t quoted = 0, others = 0;
  for (const std::string_view line : split(text, '\n')) {
    if (trim(line).empty()) continue;
    ++(is_quote(line) ? quoted : others);
  }
  return quoted > 1 && quoted > others;
}

}  // namespace

std::string plain_text(std::string_view text) {
  std::string converted;
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff")) {
    converted = from_utf16(text, text[0] == '\xfe');
    text = converted;
  }
  // Elsewhere a carriage return in front of a newline is part of a literal.
  const size_t newline = text.find('\n');
  const bool crlf = newline != std::string_view::npos && newline > 0 && text[newline - 1] == '\r';
  std::string out;
  out.reserve(text.size());
  expect_filling(out.data(), text.size());
  bool margin = true;  // nothing but blanks in this line so far
  while (!text.empty()) {
    if (const size_t plain = plain_length(text); plain > 0) {
      const std::string_view run = text.substr(0, plain);
      const size_t line = run.rfind('\n');
      const std::string_view last = line == run.npos ? run : run.substr(line + 1);
      margin = (margin || line != run.npos) && last.find_first_not_of(" \t") == last.npos;
      out += run;
      text.remove_prefix(plain);
      continue;
    }
    size_t used = 1;
    if (text.starts_with(kByteOrderMark)) {
      used = kByteOrderMark.size();
    } else if (text[0] == '\x1b') {
      used = escape_length(text);
    } else if (crlf && text[0] == '\r' && (text.size() == 1 || text[1] == '\n')) {
      // The newline follows.
    } else if (margin && text.starts_with(kNoBreakSpace)) {
      out += ' ';
      used = kNoBreakSpace.size();
    } else {
      margin = false;
      used = append_character(out, text);
    }
    text.remove_prefix(used);
  }
  return out;
}

std::string unquoted(std::string text) {
  for (int level = 0; level < kQuoteLevelsMax && mostly_quoted(text); ++level) {
    std::string out;
    out.reserve(text.size());
    for (std::string_view line : split(text, '\n')) {
      if (is_quote(line)) line.remove_prefix(line.starts_with("> ") ? 2 : 1);
      out += line;
      out += '\n';
    }
    out.pop_back();
    text = std::move(out);
  }
  if (text.find("```") == std::string::npos) return text;
  std::string out;
  out.reserve(text.size());
  for (const std::string_view line : split(text, '\n')) {
    if (!trim(line).starts_with("```")) out += line;
    out += '\n';
  }
  out.pop_back();
  return out;
}

}  // namespace pgtend::explain
