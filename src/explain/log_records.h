// auto_explain's plans in server logs: stderr with any log_line_prefix, syslog, csvlog, jsonlog and
// what containers make of them. Line by line, so that a log of any size is read in little memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pgtend::explain {

// A plan that auto_explain has logged, without what the log puts around and in front of it.
struct LoggedPlan {
  std::string text = {};
  size_t line = 1;  // of the input, where the record begins
  double duration_ms = 0;
  std::string time = {};  // "2026-11-26 14:05:00", as logged; "" if the record does not tell
};

// What "duration: 12.3 ms  plan:\n…" says; nullopt if `message` is none of auto_explain's.
std::optional<LoggedPlan> logged_plan(std::string_view message);

// Bounds of what a reader keeps.
struct LogLimits {
  size_t line_bytes_max = size_t{64} << 20;    // a longer line is passed over
  size_t record_bytes_max = size_t{64} << 20;  // of a plan's text, and of all that are open
};

// Where "duration: 1.5 ms  plan:" begins in a line that ends with it.
struct LogMarker {
  size_t at = 0;
  double duration_ms = 0;
};

// Takes a log in pieces. Records of several processes may alternate; a record that the end of the
// log or the next record cuts off gives what there is of it. Thread: one. Cost: O(size); memory:
// the line and the records that are open.
class LogReader {
 public:
  // `sink` gets each plan once its record is at an end, and may take its text.
  using Sink = std::function<void(LoggedPlan&)>;
  explicit LogReader(Sink sink, const LogLimits& limits = {});

  // The next piece, which may end anywhere.
  void feed(std::string_view piece);
  // The log is at its end. The next feed() begins another one.
  void finish();

  // Records and lines that were over the limits.
  uint64_t too_long() const { return too_long_; }

 private:
  // A record of which more lines may come.
  struct OpenRecord {
    std::string key;   // what all of its lines have in common: process and, in syslog, the sequence
    std::string stem;  // the prefix with digits masked, for lines that repeat it
    LoggedPlan plan;
    bool tabs_only = false;  // its lines begin with a tab and have no prefix
  };

  void take(std::string_view line);
  void take_tabbed(std::string_view line);
  bool take_csv(std::string_view line);
  bool take_json(std::string_view line);
  bool take_syslog(std::string_view line);
  bool take_repeated(std::string_view line);
  bool open_csv(std::string_view line, const LogMarker& marker);
  void open(std::string_view line, const LogMarker& marker);
  void append(OpenRecord& record, std::string_view text);
  void append_line(OpenRecord& record, std::string_view line);
  void close(size_t index);
  void close_tabbed();
  void end_records_of(std::string_view line);
  bool begins_like_open(std::string_view prefix) const;
  void hand_over(LoggedPlan& plan);

  Sink sink_;
  LogLimits limits_;
  std::string carry_;           // the line that the last piece did not end
  bool skipping_line_ = false;  // that line was too long
  size_t number_ = 0;           // of the line that was taken last
  std::vector<OpenRecord> open_;
  size_t open_bytes_ = 0;
  bool tabs_follow_ = false;       // the last record's lines begin with a tab
  std::optional<LoggedPlan> csv_;  // the record of csvlog that is open
  uint64_t too_long_ = 0;
};

// All plans of the log `text`, in order of their records' beginnings. Empty if `text` is no log.
// Thread: any. Cost: O(size).
std::vector<LoggedPlan> logged_plans(std::string_view text);

}  // namespace pgtend::explain
