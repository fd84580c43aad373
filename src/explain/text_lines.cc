#include "explain/text_lines.h"

#include <algorithm>
#include <array>

#include "base/memory.h"

namespace pgtend::explain {
namespace {

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

// Lines that the server prints without quoting names: a quote in them is a character like others.
constexpr std::array<std::string_view, 8> kUnquoted = {
    "CTE ",          "InitPlan",         "SubPlan",  "Trigger ",
    "Foreign File:", "Foreign Program:", "Settings", "Conflict Arbiter Indexes:"};

bool is_unquoted(std::string_view line) {
  return std::ranges::any_of(kUnquoted, [&](std::string_view word) {
    return !line.empty() && line[0] == word[0] && line.starts_with(word);
  });
}

// How far a name with newlines in it is looked for.
constexpr size_t kNameLinesMax = 16;
// A quote that does not end costs a look at the whole rest, so only the first ones get it.
constexpr int kOpenQuotesMax = 8;
constexpr size_t kLinesMin = 64;

size_t blanks_at(std::string_view text, size_t at) {
  size_t end = at;
  while (end < text.size() && (text[end] == ' ' || text[end] == '\t')) ++end;
  return end - at;
}

size_t end_of_line(std::string_view text, size_t at) {
  return std::min(text.find('\n', at), text.size());
}

// The end of the line that begins at `at`, over newlines in literals and quoted names; npos when
// one of them does not end.
size_t end_of_quoting_line(std::string_view text, size_t at) {
  while (at < text.size() && text[at] != '\n') {
    if (text[at] != '\'' && text[at] != '"') {
      ++at;
      continue;
    }
    at = end_of_quoted(text, at);
    if (at == text.npos) return at;
  }
  return at;
}

}  // namespace

// Names without quotes may hold newlines: a CTE's name ends before the arrow two columns on,
// settings end with a quote.
size_t TextLineReader::end_of_unquoted(size_t start, size_t indent) {
  const size_t first = end_of_line(text_, start);
  const bool cte = text_.substr(start).starts_with("CTE ");
  if (!cte && !text_.substr(start).starts_with("Settings")) return first;
  size_t end = first;
  for (size_t line = 0; line < kNameLinesMax && end < text_.size(); ++line) {
    const size_t next = end + 1, blanks = blanks_at(text_, next);
    if (cte && blanks == indent + 2 && text_.substr(next + blanks).starts_with("->")) return end;
    if (!cte && text_[end - 1] == '\'') return end;
    end = end_of_line(text_, next);
  }
  all_ended_ = all_ended_ && end < text_.size();
  return first;
}

// Whether a line below `at` can only be one of a plan.
bool TextLineReader::structure_follows(size_t at) const {
  while (at < text_.size()) {
    const std::string_view line = text_.substr(at + blanks_at(text_, at));
    if (line.starts_with("->  ") || line.starts_with("Planning Time:") ||
        line.starts_with("Execution Time:")) {
      return true;
    }
    at = end_of_line(text_, at) + 1;
  }
  return false;
}

// A quote that never ends: the input is cut off there, or it is a stray character.
size_t TextLineReader::end_of_open_quote(size_t start) {
  const size_t first = end_of_line(text_, start);
  return structure_follows(first + 1) ? first : text_.size();
}

void TextLineReader::read_line() {
  TextLine line{.number = next_.number, .indent = blanks_at(text_, next_.at)};
  size_t start = next_.at + line.indent;
  if (text_.substr(start).starts_with("->")) {
    line.arrow = true;
    start += 2;
    start += blanks_at(text_, start);
  }
  const std::string_view rest = text_.substr(start);
  const size_t physical = end_of_line(text_, start);
  const bool label = !line.arrow && !lines_.empty();
  const std::string_view printed = text_.substr(start, physical - start);
  size_t end = physical;
  if (label && is_unquoted(rest)) {
    end = end_of_unquoted(start, line.indent);
  } else if (printed.find('\'') != printed.npos || printed.find('"') != printed.npos) {
    size_t from = start;
    if (rest.starts_with("Custom Scan (")) from = std::min(text_.find(')', start), physical);
    const bool whole = next_.open_quotes < kOpenQuotesMax;
    end = end_of_quoting_line(whole ? text_ : text_.substr(0, physical), from);
    if (end == text_.npos) {
      ++next_.open_quotes;
      line.closed = false;
      end = whole ? end_of_open_quote(start) : physical;
    }
  }
  line.text = text_.substr(start, end - start);
  // Most lines are one line of the input.
  const std::string_view more = end > physical ? text_.substr(physical, end - physical) : "";
  next_.number += static_cast<size_t>(std::ranges::count(more, '\n')) + 1;
  next_.at = end + 1;
  while (!line.text.empty() && (line.text.back() == ' ' || line.text.back() == '\r')) {
    line.text.remove_suffix(1);
  }
  if (line.text.empty() && !line.arrow) return;
  if (lines_.size() == lines_.capacity()) {
    std::vector<TextLine> larger;
    larger.reserve(std::max(kLinesMin, lines_.size() * 2));
    expect_filling(larger.data(), larger.capacity() * sizeof(TextLine));
    larger.assign(lines_.begin(), lines_.end());
    lines_.swap(larger);
  }
  lines_.push_back(line);
}

void TextLineReader::read(std::string_view text) {
  text_ = text;
  next_ = resume_;
  lines_.resize(resume_.lines);
  all_ended_ = true;
  while (next_.at < text_.size()) {
    const Place before = next_;
    const bool ended = all_ended_;
    read_line();
    if (lines_.size() == before.lines) continue;
    next_.lines = lines_.size();
    if (ended) resume_ = before;
    all_ended_ = all_ended_ && lines_.back().closed;
  }
}

size_t end_of_quoted(std::string_view text, size_t at) {
  const char quote = text[at];
  const bool escapes = quote == '\'' && at > 0 && (text[at - 1] == 'E' || text[at - 1] == 'e') &&
                       (at == 1 || !is_name_character(text[at - 2]));
  for (++at; at < text.size(); ++at) {
    if (escapes && text[at] == '\\') {
      ++at;
    } else if (text[at] == quote) {
      if (at + 1 >= text.size() || text[at + 1] != quote) return at + 1;
      ++at;
    }
  }
  return text.npos;
}

std::vector<TextLine> read_text_lines(std::string_view text) {
  TextLineReader reader;
  reader.read(text);
  return reader.take();
}

std::vector<std::string_view> split_list(std::string_view list) {
  std::vector<std::string_view> out;
  size_t start = 0;
  int depth = 0;
  for (size_t at = 0; at < list.size();) {
    const char c = list[at];
    if (c == '\'' || c == '"') {
      at = std::min(end_of_quoted(list, at), list.size());
      continue;
    }
    if (c == '(' || c == '[' || c == '{') ++depth;
    if (c == ')' || c == ']' || c == '}') --depth;
    if (depth <= 0 && c == ',' && at + 1 < list.size() && list[at + 1] == ' ') {
      out.push_back(list.substr(start, at - start));
      start = at + 2;
      ++at;
    }
    ++at;
  }
  if (!list.empty()) out.push_back(list.substr(start));
  return out;
}

std::vector<std::string_view> split_words(std::string_view text) {
  std::vector<std::string_view> out;
  size_t start = 0;
  for (size_t at = 0; at <= text.size();) {
    if (at == text.size() || text[at] == ' ') {
      if (at > start) out.push_back(text.substr(start, at - start));
      start = ++at;
    } else {
      at = text[at] == '"' ? std::min(end_of_quoted(text, at), text.size()) : at + 1;
    }
  }
  return out;
}

size_t end_of_query_text(std::string_view text) {
  // Outside of the query's literals first; a query that is cut off or no SQL may not close one.
  for (const bool quoting : {true, false}) {
    for (size_t at = 0; at < text.size();) {
      const size_t end =
          quoting ? std::min(end_of_quoting_line(text, at), text.size()) : end_of_line(text, at);
      const std::string_view line = text.substr(at, end - at);
      if (line.find("  (cost=") != std::string_view::npos && line.ends_with(")")) return at;
      if (at > 0 && line.starts_with("Query Parameters: ")) return at;
      at = end + 1;
    }
  }
  return text.size();
}

}  // namespace pgtend::explain
