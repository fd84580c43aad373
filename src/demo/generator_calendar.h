// The stretch of time that readings cover, and where clocks change in it. Asked from the server,
// because all calendar arithmetic is the server's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "pg/connection.h"

namespace pgtend::demo {

inline constexpr int kQuarterSeconds = 900;
inline constexpr int kQuartersPerDay = 96;  // of a day without a clock change

// From `quarter` on (quarter-hours since 1970-01-01 00:00 UTC), local time is UTC + `offset`
// quarter-hours.
struct ClockChange {
  int64_t quarter = 0;
  int offset = 0;
  friend bool operator==(const ClockChange&, const ClockChange&) = default;
};

// The readings of one load: consecutive UTC quarter-hours. A local day in it has 92, 96 or 100.
struct Calendar {
  int64_t first = 0;  // the first reading's quarter-hour since 1970-01-01 00:00 UTC
  int64_t slots = 0;  // how many quarter-hours
  // Ascending, not empty; the first entry holds for everything before the second.
  std::vector<ClockChange> changes = {{0, 0}};

  // UTC + this = local, in quarter-hours.
  int offset_at(int64_t quarter) const;
  // Quarter-hours of local time since 1970-01-01 00:00 local: divide by 96 for day and time of day.
  int64_t local(int64_t quarter) const { return quarter + offset_at(quarter); }
  WallTime first_reading() const;
  WallTime last_reading() const;

  friend bool operator==(const Calendar&, const Calendar&) = default;
};

enum class Extend : uint8_t { After, Before };

// The `days` local days that end with the last quarter-hour not after `end` (the server's now()
// when nullopt), in `time_zone` as PostgreSQL names it. Errors: Invalid for an unknown zone or more
// than kDaysMax days, and what the connection gives.
Result<Calendar> load_calendar(pg::Connection& conn, std::optional<WallTime> end, int days,
                               const std::string& time_zone);
// The local day next to `known`, after its end or before its beginning. Errors: as above.
Result<Calendar> load_next_day(pg::Connection& conn, const Calendar& known, Extend where,
                               const std::string& time_zone);

inline constexpr int kDaysMax = 3660;

}  // namespace pgtend::demo
