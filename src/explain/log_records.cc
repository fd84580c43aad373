#include "explain/log_records.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "explain/json_string.h"

namespace pgtend::explain {
namespace {

constexpr std::string_view kDuration = "duration: ";
constexpr std::string_view kPlan = " ms  plan:";
constexpr size_t kMessageField = 13;  // of csvlog, from 0, in all versions
constexpr size_t kOpenRecordsMax = 256;

bool is_log_digit(char c) { return c >= '0' && c <= '9'; }

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

// "2026-11-26 14:05:00" at the front of a record.
std::string time_in(std::string_view prefix) {
  constexpr std::string_view kShape = "9999-99-99 99:99:99";
  if (prefix.size() < kShape.size()) return {};
  for (size_t i = 0; i < kShape.size(); ++i) {
    const bool fits = kShape[i] == '9' ? is_log_digit(prefix[i])
                                       : prefix[i] == kShape[i] || (i == 10 && prefix[i] == 'T');
    if (!fits) return {};
  }
  std::string out(prefix.substr(0, kShape.size()));
  out[10] = ' ';
  return out;
}

// Where the closing quote of csvlog's field stands in `line`, which begins inside the quotes; npos
// if the field goes on in the next line.
size_t csv_end(std::string_view line) {
  for (size_t at = line.find('"'); at != line.npos; at = line.find('"', at + 2)) {
    if (at + 1 >= line.size() || line[at + 1] != '"') return at;
  }
  return line.npos;
}

std::string without_doubled_quotes(std::string_view text) {
  std::string out;
  while (true) {
    const size_t at = std::min(text.find("\"\""), text.size());
    out += text.substr(0, at + 1);
    if (at == text.size()) return out;
    text.remove_prefix(at + 2);
  }
}

std::optional<LogMarker> marker_in(std::string_view line) {
  const size_t last = line.find_last_not_of(" \t\r");
  line = line.substr(0, last == std::string_view::npos ? 0 : last + 1);
  if (!line.ends_with(kPlan)) return {};
  line.remove_suffix(kPlan.size());
  const size_t at = line.rfind(kDuration);
  if (at == std::string_view::npos) return {};
  const auto duration = parse_double(line.substr(at + kDuration.size()));
  if (!duration || !(*duration >= 0)) return {};
  return LogMarker{at, *duration};
}

// One behind the string of JSON whose opening quote is at `at`.
size_t end_of_json_string(std::string_view line, size_t at) {
  for (++at; at < line.size(); ++at) {
    if (line[at] == '\\') {
      ++at;
    } else if (line[at] == '"') {
      return at + 1;
    }
  }
  return line.size();
}

// The value of "timestamp" in a record of jsonlog.
std::string json_time(std::string_view line) {
  constexpr std::string_view kName = "\"timestamp\":\"";
  constexpr size_t kNear = 200;
  const size_t at = line.substr(0, kNear).find(kName);
  return at == line.npos ? std::string() : time_in(line.substr(at + kName.size()));
}

}  // namespace

LogReader::LogReader(Sink sink, const LogLimits& limits)
    : sink_(std::move(sink)), limits_(limits) {}

void LogReader::hand_over(LoggedPlan& plan) {
  if (!trim(plan.text).empty()) sink_(plan);
}

void LogReader::close(size_t index) {
  OpenRecord record = std::move(open_[index]);
  open_.erase(open_.begin() + static_cast<ptrdiff_t>(index));
  open_bytes_ -= record.plan.text.size();
  hand_over(record.plan);
}

// Records without a prefix in front of each line are at an end as soon as another line comes.
void LogReader::close_tabbed() {
  if (!tabs_follow_ || !open_.back().tabs_only) return;
  close(open_.size() - 1);
  tabs_follow_ = false;
}

void LogReader::append(OpenRecord& record, std::string_view text) {
  std::string& all = record.plan.text;
  if (open_bytes_ + text.size() > limits_.record_bytes_max) {
    ++too_long_;
    const size_t index = static_cast<size_t>(&record - open_.data());
    open_bytes_ -= all.size();
    all.clear();
    close(index);
    tabs_follow_ = false;
    return;
  }
  all += text;
  open_bytes_ += text.size();
}

void LogReader::append_line(OpenRecord& record, std::string_view line) {
  if (!record.plan.text.empty()) {
    record.plan.text += '\n';
    ++open_bytes_;
  }
  append(record, line);
}

void LogReader::open(std::string_view line, const LogMarker& marker) {
  if (open_.size() >= kOpenRecordsMax) close(0);
  const std::string_view prefix = line.substr(0, marker.at);
  const auto syslog = syslog_prefix(prefix);
  OpenRecord record{syslog ? syslog->key : process_in(prefix), syslog ? "" : masked(prefix), {}};
  if (!syslog) {  // a process has one record at a time
    for (size_t i = open_.size(); i-- > 0;) {
      if (!open_[i].stem.empty() && open_[i].key == record.key) close(i);
    }
  }
  record.plan.line = number_;
  record.plan.duration_ms = marker.duration_ms;
  record.plan.time = time_in(prefix);
  open_.push_back(std::move(record));
}

// The first line of a record of csvlog: its message is a field of its own, in quotes.
bool LogReader::open_csv(std::string_view line, const LogMarker& marker) {
  if (!begins_csv_record(line)) return false;
  std::string_view rest = line.substr(0, marker.at);
  if (!rest.ends_with(",\"")) return false;
  rest.remove_suffix(1);
  size_t fields = 0;
  while (!rest.empty()) {
    csv_field(rest);
    if (!rest.starts_with(',')) return false;
    rest.remove_prefix(1);
    ++fields;
  }
  if (fields != kMessageField) return false;
  csv_ = LoggedPlan{{}, number_, marker.duration_ms, time_in(line)};
  return true;
}

// A further line of a record of csvlog.
bool LogReader::take_csv(std::string_view line) {
  if (!csv_) return false;
  const bool next = begins_csv_record(line);  // inside the quotes: the one before was cut off
  if (!next) {
    const size_t end = csv_end(line);
    if (csv_->text.size() + line.size() >= limits_.record_bytes_max) {
      ++too_long_;
      csv_->text.clear();
    } else {
      if (!csv_->text.empty()) csv_->text += '\n';
      csv_->text += without_doubled_quotes(line.substr(0, end));
      if (end == line.npos) return true;
    }
  }
  LoggedPlan done = std::move(*csv_);
  csv_.reset();
  hand_over(done);
  return !next;
}

// A record of jsonlog, or of a shipper: an object in one line, one of whose texts is the message.
bool LogReader::take_json(std::string_view line) {
  constexpr std::string_view kMark = " ms  plan:\\n";
  const size_t mark = line.find(kMark);
  const bool is_plan = line.find("\"Node Type\"") != line.npos;  // not one inside a text
  if (mark == line.npos || is_plan) return false;
  for (size_t at = line.find('"'); at < mark; at = line.find('"', at)) {
    const size_t end = end_of_json_string(line, at);
    if (end > mark) {
      std::string message;
      if (read_json_string(line, at, message) == QuotedEnd::Bad) return false;
      auto plan = logged_plan(message);
      if (!plan) return false;
      plan->line = number_;
      if (plan->time.empty()) plan->time = json_time(line);
      hand_over(*plan);
      return true;
    }
    at = end;
  }
  return false;
}

// A later chunk of a record: behind a newline it begins with a tab, else it goes on with the line.
bool LogReader::take_syslog(std::string_view line) {
  const auto prefix = syslog_prefix(line);
  if (!prefix) return false;
  for (size_t i = open_.size(); i-- > 0;) {
    if (open_[i].key != prefix->key || prefix->chunk < 2) continue;
    const std::string rest = without_octals(line.substr(prefix->end));
    if (rest.starts_with('\t')) {
      append_line(open_[i], std::string_view(rest).substr(1));
    } else {
      append(open_[i], rest);
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
    append_line(record, std::string_view(rest).substr(1));
    return true;
  }
  return false;
}

void LogReader::take_tabbed(std::string_view line) {
  if (!tabs_follow_) return;  // of a record that is no plan, or that began in another file
  open_.back().tabs_only = true;
  append_line(open_.back(), line.substr(1));
}

void LogReader::take(std::string_view line) {
  ++number_;
  if (csv_ && take_csv(line)) return;
  if (line.starts_with('\t')) return take_tabbed(line);
  if (line.empty()) return;  // an editor took the blanks of an empty line
  if (line.starts_with('{') && take_json(line)) return;
  const auto marker = marker_in(line);
  if (!marker && open_.empty()) return;
  close_tabbed();
  if (marker && open_csv(line, *marker)) return;
  if (!(marker && begins_like_open(line.substr(0, marker->at))) &&
      (take_syslog(line) || take_repeated(line))) {
    return;
  }
  tabs_follow_ = marker.has_value();
  if (marker) {
    open(line, *marker);
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

void LogReader::feed(std::string_view piece) {
  while (!piece.empty()) {
    const size_t end = piece.find('\n');
    const std::string_view part = piece.substr(0, end);
    if (carry_.size() + part.size() > limits_.line_bytes_max) {
      too_long_ += skipping_line_ ? 0 : 1;
      skipping_line_ = true;
      carry_.clear();
    }
    if (end == piece.npos) {
      if (!skipping_line_) carry_ += part;
      return;
    }
    piece.remove_prefix(end + 1);
    if (skipping_line_) {
      ++number_;
    } else if (carry_.empty()) {
      take(part);
    } else {
      carry_ += part;
      take(std::exchange(carry_, {}));
    }
    skipping_line_ = false;
  }
}

void LogReader::finish() {
  if (!carry_.empty()) take(std::exchange(carry_, {}));
  if (csv_) hand_over(*csv_);
  csv_.reset();
  while (!open_.empty()) close(0);
  tabs_follow_ = false;
  skipping_line_ = false;
  number_ = 0;
}

std::optional<LoggedPlan> logged_plan(std::string_view message) {
  const size_t newline = std::min(message.find('\n'), message.size());
  const auto marker = marker_in(message.substr(0, newline));
  if (!marker || newline == message.size()) return {};
  return LoggedPlan{std::string(message.substr(newline + 1)), 1, marker->duration_ms,
                    time_in(message)};
}

std::vector<LoggedPlan> logged_plans(std::string_view text) {
  std::vector<LoggedPlan> out;
  if (text.find(kPlan) == std::string_view::npos) return out;
  LogReader reader([&](LoggedPlan& plan) { out.push_back(std::move(plan)); });
  reader.feed(text);
  reader.finish();
  std::sort(out.begin(), out.end(),
            [](const LoggedPlan& a, const LoggedPlan& b) { return a.line < b.line; });
  return out;
}

}  // namespace pgtend::explain
