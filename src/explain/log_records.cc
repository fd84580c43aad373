#include "explain/log_records.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"

namespace pgtend::explain {
namespace {

constexpr std::string_view kDuration = "duration: ";
constexpr std::string_view kPlan = " ms  plan:";
constexpr size_t kMessageField = 13;  // of csvlog, from 0, in all versions
constexpr size_t kOpenRecordsMax = 256;

bool is_log_digit(char c) { return c >= '0' && c <= '9'; }

// Where "duration: 1.5 ms  plan:" begins in `line`, which must end with it; and the number.
struct Marker {
  size_t at = 0;
  double duration_ms = 0;
};
std::optional<Marker> marker_in(std::string_view line) {
  const size_t last = line.find_last_not_of(" \t\r");
  line = line.substr(0, last == std::string_view::npos ? 0 : last + 1);
  if (!line.ends_with(kPlan)) return {};
  line.remove_suffix(kPlan.size());
  const size_t at = line.rfind(kDuration);
  if (at == std::string_view::npos) return {};
  const auto duration = parse_double(line.substr(at + kDuration.size()));
  if (!duration || !(*duration >= 0)) return {};
  return Marker{at, *duration};
}

// "YYYY-MM-DD hh:mm:ss.mmm zone,": how every record of csvlog begins.
bool begins_csv_record(std::string_view text) {
  constexpr std::string_view kShape = "9999-99-99 99:99:99.999 ";
  if (text.size() <= kShape.size()) return false;
  for (size_t i = 0; i < kShape.size(); ++i) {
    if (kShape[i] == '9' ? !is_log_digit(text[i]) : text[i] != kShape[i]) return false;
  }
  constexpr size_t kZoneMax = 40;
  const std::string_view zone = text.substr(kShape.size(), kZoneMax);
  const size_t comma = zone.find(',');
  return comma != std::string_view::npos && zone.find_first_of(" \"\n") > comma;
}

// The next field of csvlog at the front of `text`, which is cut off up to the comma behind it. A
// record that begins inside the quotes ends the field: the one before was cut off.
std::string csv_field(std::string_view& text) {
  std::string out;
  if (!text.starts_with('"')) {
    const size_t end = std::min(text.find_first_of(",\n"), text.size());
    out = text.substr(0, end);
    text.remove_prefix(end);
    return out;
  }
  text.remove_prefix(1);
  while (!text.empty()) {
    const size_t end = std::min(text.find_first_of("\"\n"), text.size());
    out += text.substr(0, end);
    text.remove_prefix(end);
    if (text.empty()) break;
    if (text[0] == '\n') {
      if (begins_csv_record(text.substr(1))) break;
      out += '\n';
      text.remove_prefix(1);
      continue;
    }
    text.remove_prefix(1);
    if (!text.starts_with('"')) break;
    out += '"';
    text.remove_prefix(1);
  }
  return out;
}

std::vector<LoggedPlan> csv_plans(std::string_view text) {
  std::vector<LoggedPlan> out;
  const std::string_view whole = text;
  size_t line = 1, counted = 0;
  while (!text.empty()) {
    if (!begins_csv_record(text)) {  // the end of a record that a rotated file began
      text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
      continue;
    }
    const size_t begin = whole.size() - text.size();
    line += static_cast<size_t>(std::count(whole.begin() + static_cast<ptrdiff_t>(counted),
                                           whole.begin() + static_cast<ptrdiff_t>(begin), '\n'));
    counted = begin;
    for (size_t field = 0; !text.empty() && text[0] != '\n'; ++field) {
      const std::string value = csv_field(text);
      if (text.starts_with(',')) text.remove_prefix(1);
      if (field != kMessageField) continue;
      if (auto plan = logged_plan(value)) {
        plan->line = line;
        out.push_back(std::move(*plan));
      }
    }
    if (!text.empty()) text.remove_prefix(1);
  }
  return out;
}

// A record of which more lines may come.
struct OpenRecord {
  std::string key;   // what all of its lines have in common: process and, in syslog, the sequence
  std::string stem;  // the prefix with digits masked, for lines that repeat it
  LoggedPlan plan;
  bool tabs_only = false;  // its lines begin with a tab and have no prefix
};

// The prefix of syslog's lines: "… postgres[123]: [5-2] ".
struct SyslogPrefix {
  std::string key;
  size_t chunk = 0;
  size_t end = 0;  // bytes
};

// "[5-2] " in `line`; the word before it names the process.
std::optional<SyslogPrefix> syslog_prefix(std::string_view line) {
  constexpr size_t kPrefixMax = 200;
  const std::string_view head = line.substr(0, kPrefixMax);
  for (size_t open = head.find('['); open != std::string_view::npos;
       open = head.find('[', open + 1)) {
    size_t at = open + 1;
    const auto digits = [&] {
      const size_t from = at;
      while (at < head.size() && is_log_digit(head[at])) ++at;
      return head.substr(from, at - from);
    };
    const std::string_view sequence = digits();
    if (sequence.empty() || at >= head.size() || head[at] != '-') continue;
    ++at;
    const auto chunk = parse_int(digits());
    if (!chunk || at >= head.size() || head[at] != ']') continue;
    const std::string_view before = trim(head.substr(0, open));
    const size_t blank = before.rfind(' ');
    const std::string_view word =
        blank == std::string_view::npos ? before : before.substr(blank + 1);
    const size_t end = std::min(at + 2, line.size());
    return SyslogPrefix{cat(word, " ", sequence), static_cast<size_t>(*chunk), end};
  }
  return {};
}

// "[123]" or "postgres[123]" in a prefix: the process, if it tells.
std::string process_in(std::string_view prefix) {
  for (size_t open = prefix.find('['); open != std::string_view::npos;
       open = prefix.find('[', open + 1)) {
    size_t at = open + 1;
    while (at < prefix.size() && is_log_digit(prefix[at])) ++at;
    if (at > open + 1 && at < prefix.size() && prefix[at] == ']') {
      return std::string(prefix.substr(open, at - open));
    }
  }
  return {};
}

// `prefix` with every run of digits as one 9.
std::string masked(std::string_view prefix) {
  std::string out;
  for (const char c : prefix) {
    if (!is_log_digit(c)) {
      out += c;
    } else if (!out.ends_with('9')) {
      out += '9';
    }
  }
  return out;
}

// Syslog writes control characters as "#011".
std::string without_octals(std::string_view text) {
  std::string out;
  while (true) {
    const size_t at = std::min(text.find("#011"), text.size());
    out += text.substr(0, at);
    if (at == text.size()) return out;
    out += '\t';
    text.remove_prefix(at + 4);
  }
}

// Reads the log line by line. Lives during one call.
class LogReader {
 public:
  std::vector<LoggedPlan> run(std::string_view text);

 private:
  void take(std::string_view line, size_t number);
  bool take_syslog(std::string_view line);
  bool take_repeated(std::string_view line);
  void open(std::string_view line, const Marker& marker, size_t number);
  void close(size_t index);
  void end_records_of(std::string_view line);
  bool begins_like_open(std::string_view prefix) const;

  std::vector<OpenRecord> open_;
  bool tabs_follow_ = false;  // the last record's lines begin with a tab
  std::vector<LoggedPlan> done_;
};

void LogReader::close(size_t index) {
  done_.push_back(std::move(open_[index].plan));
  open_.erase(open_.begin() + static_cast<ptrdiff_t>(index));
}

void LogReader::open(std::string_view line, const Marker& marker, size_t number) {
  if (open_.size() >= kOpenRecordsMax) close(0);
  const std::string_view prefix = line.substr(0, marker.at);
  const auto syslog = syslog_prefix(prefix);
  OpenRecord record{syslog ? syslog->key : process_in(prefix), syslog ? "" : masked(prefix), {}};
  if (!syslog) {  // a process has one record at a time
    for (size_t i = open_.size(); i-- > 0;) {
      if (!open_[i].stem.empty() && open_[i].key == record.key) close(i);
    }
  }
  record.plan.line = number;
  record.plan.duration_ms = marker.duration_ms;
  open_.push_back(std::move(record));
}

// A later chunk of a record: behind a newline it begins with a tab, else it goes on with the line.
bool LogReader::take_syslog(std::string_view line) {
  const auto prefix = syslog_prefix(line);
  if (!prefix) return false;
  for (size_t i = open_.size(); i-- > 0;) {
    if (open_[i].key != prefix->key || prefix->chunk < 2) continue;
    const std::string rest = without_octals(line.substr(prefix->end));
    std::string& text = open_[i].plan.text;
    if (rest.starts_with('\t')) {
      text += cat(text.empty() ? "" : "\n", std::string_view(rest).substr(1));
    } else {
      text += rest;
    }
    return true;
  }
  return prefix->chunk > 1;
}

// Lines of containers and journals: the prefix is in front of each, then the tab.
bool LogReader::take_repeated(std::string_view line) {
  const size_t octal = line.find("#011");
  const size_t tab = std::min(line.find('\t'), octal);
  if (tab == std::string_view::npos || tab == 0 || open_.empty()) return false;
  const std::string_view prefix = line.substr(0, tab);
  const std::string process = process_in(prefix);
  const std::string stem = masked(prefix);
  for (size_t i = open_.size(); i-- > 0;) {
    OpenRecord& record = open_[i];
    if (record.tabs_only || record.stem.empty() || !record.stem.starts_with(stem)) continue;
    // Without a process in front of it a line belongs to what stands above it.
    if (process.empty() && !(tabs_follow_ && i + 1 == open_.size())) continue;
    if (!process.empty() && !record.key.empty() && process != record.key) continue;
    const std::string rest = without_octals(line.substr(tab));
    record.plan.text += cat(record.plan.text.empty() ? "" : "\n", std::string_view(rest).substr(1));
    return true;
  }
  return false;
}

void LogReader::take(std::string_view line, size_t number) {
  if (line.starts_with('\t')) {
    if (!tabs_follow_) return;  // of a record that is no plan, or that began in another file
    open_.back().tabs_only = true;
    std::string& text = open_.back().plan.text;
    text += cat(text.empty() ? "" : "\n", line.substr(1));
    return;
  }
  if (line.empty()) return;  // an editor took the blanks of an empty line
  const auto marker = marker_in(line);
  if (!(marker && begins_like_open(line.substr(0, marker->at))) &&
      (take_syslog(line) || take_repeated(line))) {
    return;
  }
  tabs_follow_ = marker.has_value();
  if (marker) {
    open(line, *marker, number);
  } else {
    end_records_of(line);
  }
}

// Whether `prefix` is one of a whole record, as that of one that is open: it may hold tabs.
bool LogReader::begins_like_open(std::string_view prefix) const {
  if (open_.empty()) return false;
  const std::string stem = masked(prefix);
  return std::any_of(open_.begin(), open_.end(),
                     [&](const OpenRecord& record) { return record.stem == stem; });
}

// The process that begins another record with `line` has ended the one before.
void LogReader::end_records_of(std::string_view line) {
  constexpr size_t kPrefixMax = 200;
  if (open_.empty()) return;
  const std::string process = process_in(line.substr(0, kPrefixMax));
  for (size_t i = open_.size(); i-- > 0;) {
    const OpenRecord& record = open_[i];
    const bool other = !record.key.empty() && !process.empty() && record.key != process;
    if (!record.stem.empty() && !other) close(i);
  }
}

std::vector<LoggedPlan> LogReader::run(std::string_view text) {
  size_t number = 0;
  for (const std::string_view line : split(text, '\n')) take(line, ++number);
  while (!open_.empty()) close(0);
  std::sort(done_.begin(), done_.end(),
            [](const LoggedPlan& a, const LoggedPlan& b) { return a.line < b.line; });
  done_.erase(std::remove_if(done_.begin(), done_.end(),
                             [](const LoggedPlan& plan) { return trim(plan.text).empty(); }),
              done_.end());
  return std::move(done_);
}

// Whether some line of `text` begins a record of csvlog.
bool is_csv_log(std::string_view text) {
  constexpr size_t kLinesLooked = 1000;
  for (size_t i = 0; i < kLinesLooked && !text.empty(); ++i) {
    if (begins_csv_record(text)) return true;
    text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  }
  return false;
}

}  // namespace

std::optional<LoggedPlan> logged_plan(std::string_view message) {
  const size_t newline = std::min(message.find('\n'), message.size());
  const auto marker = marker_in(message.substr(0, newline));
  if (!marker || newline == message.size()) return {};
  return LoggedPlan{std::string(message.substr(newline + 1)), 1, marker->duration_ms};
}

std::vector<LoggedPlan> logged_plans(std::string_view text) {
  if (text.find(kPlan) == std::string_view::npos) return {};
  return is_csv_log(text) ? csv_plans(text) : LogReader().run(text);
}

}  // namespace pgtend::explain
