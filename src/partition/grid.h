// Widths of any length and where partitions of such a width begin. Pure: what a moment is in a time
// zone, and at which moment the n-th partition begins, the server says (partition/slices.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pgtend::partition {

// Months and days are those of the calendar in the grid's time zone, so that a day may have 23 or
// 25 hours. Seconds pass as they do: an hour is an hour also when the clocks change.
enum class Unit : uint8_t { Months, Days, Seconds };

struct Width {
  Unit unit = Unit::Months;
  int64_t count = 1;  // of the unit, at least 1

  friend bool operator==(const Width&, const Width&) = default;
};

// "1 month", "3 months", "2 weeks", "6 hours", "day", "90 minutes", as SQL intervals are written,
// but of one unit. Errors: Invalid (unknown unit, not a whole number of at least 1, more than about
// a thousand years).
Result<Width> width_from(std::string_view text);
// "3 months", "1 year", "2 weeks", "6 hours": what width_from() reads; also a SQL interval.
std::string text(const Width& width);

// A moment as the server sees it in a zone. Times of day and epochs in microseconds.
struct Moment {
  int64_t month = 0;     // year * 12 + month - 1, of the local calendar
  int month_days = 0;    // how many days that month has
  int day = 0;           // 1 to 31
  int64_t time_us = 0;   // local time of day
  int64_t local_us = 0;  // local time since 1970-01-01 00:00, as if there were no zones
  int64_t epoch_us = 0;  // since 1970-01-01 00:00 UTC; equal to local_us for types without a zone
};

// Partition n begins at the anchor plus n widths, never chained: an anchor on the 31st begins each
// month on its last day.
struct Grid {
  Width width = {};
  int64_t month = 0;      // Months: of partition 0, as in Moment
  int day = 1;            // Months: the wanted day of the month
  int64_t time_us = 0;    // Months: the wanted local time of day
  int64_t anchor_us = 0;  // Days: local_us, Seconds: epoch_us, of the beginning of partition 0
};

Grid grid_at(const Width& width, const Moment& anchor);
// A local time at which partitions of such a width usually begin: the first of a January, else
// midnight of a Monday.
std::string_view usual_anchor(const Width& width);
// The number of the partition that `moment` is in.
int64_t index_of(const Grid& grid, const Moment& moment);

struct MomentRange {
  Moment from = {};
  Moment to = {};
};
// The grid that the newest ranges lie on. `newest_first` are bounded ranges without overlap; at
// least the two newest have to agree, or the only one. Months are preferred to days where both fit.
// nullopt when nothing fits.
std::optional<Grid> infer_grid(const std::vector<MomentRange>& newest_first);

// Cover of the time axis by partitions, epoch in microseconds, and what is left of `wanted`: its
// pieces in order, as pairs of bounds. Pure.
struct Stretch {
  int64_t from_us = 0;
  int64_t to_us = 0;
  std::string from = {};
  std::string to = {};
};
std::vector<Stretch> uncovered(const Stretch& wanted, const std::vector<Stretch>& covered);

}  // namespace pgtend::partition
