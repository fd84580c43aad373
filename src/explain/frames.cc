#include "explain/frames.h"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include "base/text.h"

namespace pgtend::explain {
namespace {

using Lines = std::span<const std::string_view>;

constexpr std::string_view kTitle = "QUERY PLAN";
constexpr std::string_view kBars[] = {"|", "\xe2\x94\x82", "\xe2\x95\x91", "\xe2\x94\x83"};
constexpr size_t kNoColumn = static_cast<size_t>(-1);

struct CodeRange {
  uint32_t first, last;
};
// What terminals show in two columns, and in none.
constexpr CodeRange kWide[] = {
    {0x1100, 0x115f}, {0x2e80, 0xa4cf}, {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe30, 0xfe6f},
    {0xff00, 0xff60}, {0xffe0, 0xffe6}, {0x1f300, 0x1f64f}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd}};
constexpr CodeRange kZero[] = {{0x300, 0x36f}, {0x200b, 0x200f}, {0xfe00, 0xfe0f}};

bool in_ranges(std::span<const CodeRange> ranges, uint32_t code) {
  return std::any_of(ranges.begin(), ranges.end(), [&](const CodeRange& range) {
    return code >= range.first && code <= range.last;
  });
}

// The columns that psql has counted for `text`.
size_t display_width(std::string_view text) {
  size_t width = 0;
  while (!text.empty()) {
    const size_t length = std::max<size_t>(character_length(text), 1);
    if (length == 1) {
      ++width;
    } else {
      uint32_t code = static_cast<unsigned char>(text[0]) & (0xffU >> (length + 1));
      for (const char c : text.substr(1, length - 1)) {
        code = code << 6 | (static_cast<unsigned char>(c) & 0x3f);
      }
      width += in_ranges(kZero, code) ? 0 : in_ranges(kWide, code) ? 2 : 1;
    }
    text.remove_prefix(length);
  }
  return width;
}

std::string_view right_trimmed(std::string_view text) {
  const size_t last = text.find_last_not_of(" \t\r");
  return text.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

// The bytes of the vertical bar that `text` begins (or ends) with; 0 if there is none.
size_t bar_length(std::string_view text) {
  for (const std::string_view bar : kBars) {
    if (text.starts_with(bar)) return bar.size();
  }
  return 0;
}

size_t last_bar_length(std::string_view text) {
  for (const std::string_view bar : kBars) {
    if (text.ends_with(bar)) return bar.size();
  }
  return 0;
}

// Whether `text` begins with a box-drawing character (U+2500 to U+257F).
bool is_box_character(std::string_view text) {
  return text.size() >= 3 && text[0] == '\xe2' && (text[1] == '\x94' || text[1] == '\x95');
}

// A line of dashes of any kind, with corners and (in markdown) bars, colons and blanks.
bool is_rule(std::string_view line) {
  line = trim(line);
  const bool markdown = line.starts_with('|');
  size_t dashes = 0;
  while (!line.empty()) {
    if (is_box_character(line)) {
      ++dashes;
      line.remove_prefix(3);
      continue;
    }
    const char c = line[0];
    if (c == '-') ++dashes;
    if (c != '-' && c != '+' && !(markdown && (c == '|' || c == ':' || c == ' '))) return false;
    line.remove_prefix(1);
  }
  return dashes >= 3;
}

bool is_digit_at(std::string_view text, size_t at) {
  return at < text.size() && text[at] >= '0' && text[at] <= '9';
}

// "-[ RECORD 1 ]----", "* Record 1", in any language and with any kind of line.
bool is_record_header(std::string_view line) {
  line = right_trimmed(line);
  if (line.starts_with("* ")) return is_digit_at(line, line.size() - 1);
  if (!line.starts_with('-') && !line.starts_with('+') && !is_box_character(line)) return false;
  const size_t open = line.find("[ ");
  const size_t close = line.find(" ]");
  return open != std::string_view::npos && close != std::string_view::npos && open < close &&
         is_digit_at(line, close - 1) &&
         (trim(line.substr(close + 2)).empty() || is_rule(line.substr(close + 2)) ||
          line.size() - close < 6);
}

// The number in "(8 rows)", "(8 Zeilen)", "(8개 행)".
std::optional<size_t> footer_count(std::string_view line) {
  constexpr size_t kFooterMax = 60;
  line = right_trimmed(line);
  if (line.size() > kFooterMax || !line.starts_with('(') || !line.ends_with(')')) return {};
  if (!is_digit_at(line, 1)) return {};
  size_t end = 1;
  while (is_digit_at(line, end)) ++end;
  const auto count = parse_int(line.substr(1, end - 1));
  if (!count || line.substr(end).find_first_of("(=,") != std::string_view::npos) return {};
  return static_cast<size_t>(*count);
}

bool is_title(std::string_view line) {
  line = trim(line);
  if (line.size() > 2 && line.starts_with('"') && line.ends_with('"')) {
    line = line.substr(1, line.size() - 2);
  }
  return equal_ignoring_case(line, kTitle);
}

// The mark in the last column: the cell goes on in the next line.
enum class Mark : uint8_t { None, Newline, Wrap };

// Takes the mark off the end of `text`.
Mark take_mark(std::string_view& text) {
  static constexpr std::pair<std::string_view, Mark> kMarks[] = {{"+", Mark::Newline},
                                                                 {"\xe2\x86\xb5", Mark::Newline},
                                                                 {".", Mark::Wrap},
                                                                 {"\xe2\x80\xa6", Mark::Wrap}};
  for (const auto& [sign, mark] : kMarks) {
    if (!text.ends_with(sign)) continue;
    text.remove_suffix(sign.size());
    return mark;
  }
  return Mark::None;
}

// Puts the lines of cells together again.
class Cells {
 public:
  // `left`: the column before the text, which holds a blank or the mark of a wrapped line.
  // `mark_column`: where marks stand in the line from `left` on.
  Cells(bool left, size_t mark_column) : left_(left), mark_column_(mark_column) {}

  void add(std::string_view line) {
    const std::string_view whole = line;
    Mark mark = take_mark(line);
    if (mark != Mark::None && display_width(line) != mark_column_) {
      mark = Mark::None;
      line = whole;
    }
    // Old ASCII has no marks but fills lines of cells up.
    if (mark == Mark::None && line.ends_with(' ') && display_width(line) == mark_column_ + 1) {
      line = right_trimmed(line);
    }
    add_marked(line, mark);
  }

  // The same for lines whose last column is always that of the mark.
  void add_boxed(std::string_view line) {
    const Mark mark = take_mark(line);
    add_marked(mark == Mark::Wrap ? line : right_trimmed(line), mark);
  }

  std::string take() { return std::move(text_); }

 private:
  void add_marked(std::string_view line, Mark mark) {
    bool wrapped = wrap_open_;
    if (left_) {
      const bool continues = line.starts_with('.') || line.starts_with("\xe2\x80\xa6");
      wrapped = wrapped && continues;
      if (line.starts_with(' ')) {
        line.remove_prefix(1);
      } else if (wrapped) {
        line.remove_prefix(line[0] == '.' ? 1 : 3);
      }
    }
    if (mark == Mark::Newline) line = right_trimmed(line);
    if (!first_ && !wrapped) text_ += '\n';
    text_ += line;
    first_ = false;
    wrap_open_ = mark == Mark::Wrap;
  }

  bool left_;
  size_t mark_column_;
  bool first_ = true;
  bool wrap_open_ = false;
  std::string text_;
};

// Walks over the lines once. Lives during one call.
class Unframer {
 public:
  explicit Unframer(std::string_view text) : lines_(split(text, '\n')) {}

  std::vector<Region> run();

 private:
  bool exists(size_t at) const { return at < lines_.size(); }
  std::string_view line(size_t at) const { return lines_[at]; }
  bool blank(size_t at) const { return trim(lines_[at]).empty(); }
  bool is_bar_row(size_t at) const;
  void emit(size_t begin, std::string text);
  void skip_footer();

  bool try_ruled();
  std::optional<size_t> footer_of(size_t first, size_t stop) const;
  size_t next_frame(size_t at) const;
  size_t ruled_end(size_t first, bool margin) const;
  bool try_boxed();
  bool try_expanded();
  void expanded_unaligned();
  bool try_csv();
  bool looks_like_csv(size_t first) const;
  void csv_rows(size_t begin);
  bool try_titled();

  std::vector<std::string_view> lines_;
  size_t at_ = 0;
  size_t plain_ = 0;  // where the lines between frames begin that are not handed over yet
  std::vector<Region> regions_;
};

// The frame from line `begin` to at_ held `text`.
void Unframer::emit(size_t begin, std::string text) {
  if (plain_ < begin) {
    const char* first = lines_[plain_].data();
    const char* last = lines_[begin - 1].data() + lines_[begin - 1].size();
    const std::string_view between(first, static_cast<size_t>(last - first));
    if (!trim(between).empty()) regions_.push_back({.plain = between, .line = plain_ + 1});
  }
  plain_ = at_;
  if (!trim(text).empty()) {
    regions_.push_back({.cells = std::move(text), .line = begin + 1, .framed = true});
  }
}

void Unframer::skip_footer() {
  if (exists(at_) && footer_count(line(at_))) ++at_;
}

// The line of the footer of rows that begin at `first` and end before `stop`; nullopt if there is
// none. A literal may look like a footer: one that counts the rows is preferred to others, which
// cells of several lines have.
std::optional<size_t> Unframer::footer_of(size_t first, size_t stop) const {
  std::optional<size_t> other;
  for (size_t at = first; at < stop; ++at) {
    const auto count = footer_count(line(at));
    if (!count) continue;
    if (*count == at - first) return at;
    if (!other && (!exists(at + 1) || blank(at + 1) || is_title(line(at + 1)))) other = at;
  }
  return other;
}

// Where the next frame begins, at the latest.
size_t Unframer::next_frame(size_t at) const {
  for (; exists(at); ++at) {
    if (is_title(line(at)) || is_record_header(line(at))) return at;
    if (exists(at + 1) && !blank(at) && is_rule(line(at + 1))) return at;
  }
  return at;
}

// Where the rows end that begin at `first`: `margin` is the blank in front of each.
size_t Unframer::ruled_end(size_t first, bool margin) const {
  const size_t stop = next_frame(first);
  size_t at = first;
  if (margin) {
    const auto inside = [](std::string_view row) {
      return row.starts_with(' ') || row.starts_with('.') || row.starts_with("\xe2\x80\xa6");
    };
    while (at < stop && (blank(at) || inside(line(at)))) ++at;
    return at;
  }
  if (const auto footer = footer_of(first, stop)) return *footer;
  while (at < stop && !blank(at)) ++at;
  return at;
}

// Title, rule, rows. DBeaver's copies end each line with a bar.
bool Unframer::try_ruled() {
  if (!exists(at_ + 2) || blank(at_) || is_rule(line(at_)) || !is_rule(line(at_ + 1))) return false;
  const std::string_view rule = trim(line(at_ + 1));
  const bool barred = rule.ends_with('+');
  if (rule.find('+') < rule.size() - 1 || rule.starts_with('|')) return false;  // columns
  const size_t begin = at_;
  const bool margin = line(at_ + 2).starts_with(' ');
  const size_t first = at_ + 2;
  at_ = ruled_end(first, margin);
  const size_t width = display_width(rule);
  Cells cells(margin, margin ? width - 1 : width);
  size_t last = at_;
  while (last > first && blank(last - 1)) --last;
  for (size_t i = first; i < last; ++i) {
    std::string_view row = line(i);
    if (barred && right_trimmed(row).ends_with('|')) {
      row = right_trimmed(row);
      row = right_trimmed(row.substr(0, row.size() - 1));
    }
    cells.add(row);
  }
  skip_footer();
  emit(begin, cells.take());
  return true;
}

bool Unframer::is_bar_row(size_t at) const {
  if (!exists(at)) return false;
  const std::string_view row = right_trimmed(line(at));
  const size_t bar = bar_length(row);
  return bar > 0 && row.size() > bar && last_bar_length(row) > 0 && !is_rule(row);
}

// Border 2, with or without \x, and markdown tables.
bool Unframer::try_boxed() {
  const auto is_line = [&](size_t at) {
    return exists(at) && (is_rule(line(at)) || is_record_header(line(at)));
  };
  if (!(is_line(at_) && is_bar_row(at_ + 1)) && !(is_bar_row(at_) && is_line(at_ + 1)))
    return false;
  const size_t begin = at_;
  bool expanded = false, titled = false;
  Cells cells(true, kNoColumn);
  Cells title(true, kNoColumn);
  bool any = false, rule_after_rows = false;
  for (; is_line(at_) || is_bar_row(at_); ++at_) {
    if (is_line(at_)) {
      expanded = expanded || is_record_header(line(at_));
      rule_after_rows = any;
      continue;
    }
    if (rule_after_rows && !expanded && !titled) {
      cells = title;  // what stood above the rule was the title
      titled = true;
    }
    std::string_view row = right_trimmed(line(at_));
    row.remove_suffix(last_bar_length(row));
    row.remove_prefix(bar_length(row));
    if (expanded) {
      const size_t key = std::min(
          row.find(kTitle) == 1 ? kTitle.size() + 1 : row.find_first_not_of(' '), row.size());
      size_t bar = key;
      while (bar < row.size() && row[bar] == ' ') ++bar;
      row.remove_prefix(bar);
      const bool old_ascii = row.starts_with(':') || row.starts_with(';');
      row.remove_prefix(old_ascii ? 1 : bar_length(row));
    }
    cells.add_boxed(row);
    any = true;
  }
  skip_footer();
  emit(begin, cells.take());
  return true;
}

// -A -x: "QUERY PLAN|text", lines of the cell, a blank line between records.
void Unframer::expanded_unaligned() {
  const size_t begin = at_;
  std::string text;
  const std::string start = cat(kTitle, "|");
  for (; exists(at_); ++at_) {
    std::string_view row = line(at_);
    if (row.empty()) {
      if (!exists(at_ + 1) || !line(at_ + 1).starts_with(start)) break;
      continue;
    }
    if (row.starts_with(start)) row.remove_prefix(start.size());
    text += cat(at_ == begin ? "" : "\n", row);
  }
  emit(begin, std::move(text));
}

// \x with border 0 or 1.
bool Unframer::try_expanded() {
  if (line(at_).starts_with(cat(kTitle, "|")) && !(exists(at_ + 1) && is_rule(line(at_ + 1)))) {
    expanded_unaligned();
    return true;
  }
  if (!is_record_header(line(at_)) || !exists(at_ + 1)) return false;
  const std::string_view first = line(at_ + 1);
  if (!first.starts_with(kTitle)) return false;
  const size_t begin = at_;
  const size_t bar = bar_length(first.substr(std::min(first.size(), kTitle.size() + 1)));
  const std::string margin(kTitle.size(), ' ');
  const size_t width = display_width(line(at_));
  const size_t before = kTitle.size() + 1 + (bar > 0 ? 1 : 0);
  const size_t mark = bar > 0 ? width : width + 1;
  Cells cells(bar > 0, mark > before ? mark - before : kNoColumn);
  for (; exists(at_); ++at_) {
    std::string_view row = line(at_);
    if (is_record_header(row)) continue;
    if (!row.starts_with(kTitle) && !row.starts_with(margin)) break;
    row.remove_prefix(std::min(row.size(), kTitle.size() + 1 + bar));
    cells.add(row);
  }
  emit(begin, cells.take());
  return true;
}

// Whether the rows from `first` on are CSV: quotes in front of what a plan's line begins with.
bool Unframer::looks_like_csv(size_t first) const {
  constexpr size_t kRowsMax = 100;
  for (size_t i = first; i < first + kRowsMax && exists(i) && !blank(i); ++i) {
    const std::string_view row = line(i);
    if (row.size() < 2 || row[0] != '"') continue;
    if (std::string_view(" [{<-").find(row[1]) != std::string_view::npos) return true;
    if (i == first && right_trimmed(row).ends_with('"') && row[1] != '"') return true;
  }
  return false;
}

// Rows until the next frame or, without a title, a blank line outside quotes.
void Unframer::csv_rows(size_t begin) {
  std::string text;
  bool quoted = false;
  const bool titled = at_ > begin;
  const size_t stop = titled ? next_frame(at_) : lines_.size();
  for (; quoted ? exists(at_) : at_ < stop; ++at_) {
    std::string_view row = line(at_);
    if (!quoted && !titled && blank(at_)) break;
    if (at_ > begin + (titled ? 1 : 0)) text += '\n';
    const bool opened = !quoted && row.starts_with('"');
    if (opened) row.remove_prefix(1);
    if (!quoted && !opened) {
      text += row;
      continue;
    }
    quoted = true;
    while (quoted) {
      const size_t quote = row.find('"');
      text += row.substr(0, quote);
      if (quote == std::string_view::npos) break;
      row.remove_prefix(quote + 1);
      quoted = row.starts_with('"');
      if (quoted) {
        text += '"';
        row.remove_prefix(1);
      }
    }
  }
  emit(begin, std::move(text));
}

bool Unframer::try_csv() {
  const size_t first = at_ + (is_title(line(at_)) ? 1 : 0);
  if (first == at_ && !line(at_).starts_with('"')) return false;
  if (!exists(first) || !looks_like_csv(first)) return false;
  const size_t begin = at_;
  at_ = first;
  csv_rows(begin);
  return true;
}

// -A: the title, then rows as they are.
bool Unframer::try_titled() {
  if (!is_title(line(at_))) return false;
  const size_t begin = at_++;
  std::string text;
  const size_t first = at_;
  const size_t stop = next_frame(first);
  for (const size_t end = footer_of(first, stop).value_or(stop); at_ < end; ++at_) {
    text += cat(at_ == first ? "" : "\n", line(at_));
  }
  skip_footer();
  emit(begin, std::move(text));
  return true;
}

std::vector<Region> Unframer::run() {
  while (exists(at_)) {
    if (!blank(at_) &&
        (try_expanded() || try_boxed() || try_ruled() || try_csv() || try_titled())) {
      continue;
    }
    ++at_;
  }
  emit(at_, "");
  return std::move(regions_);
}

}  // namespace

std::vector<Region> unframed(std::string_view text) { return Unframer(text).run(); }

}  // namespace pgtend::explain
