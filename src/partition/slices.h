// Where the partitions of a grid begin and end, said by the server: zones and their clock changes
// are its business. Bounds mean the same in every session and never depend on the client's zone.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "facts/partitions.h"
#include "partition/grid.h"
#include "partition/partition.h"

namespace pgtend::partition {

// What a grid is laid over. The connection must be in a transaction with TimeZone set to the zone
// (in_time_zone()).
struct Axis {
  std::string table = {};  // bare name: partitions are called after it
  std::string type = {};   // of the key
  std::string time_zone = {};
};

inline constexpr int64_t kSlicesMax = 2'000;

// `value`s of the key's type as moments; nullopt for infinite ones. Errors: Invalid (malformed).
Result<std::vector<std::optional<Moment>>> moments_of(pg::Connection& conn, const Axis& axis,
                                                      const std::vector<std::string>& values);
// A local time of the zone ("2025-01-31", "2025-01-31 06:00") as a moment.
Result<Moment> moment_at(pg::Connection& conn, const Axis& axis, const std::string& local);
// Partitions [first, last] of the grid, oldest first. Those that a clock change leaves empty are
// left out (a day that a zone skipped). Names are the table's with the beginning behind: of months
// and days by the local calendar, of hours by the local clock, with an `a` for the first of two
// equal local times. Errors: Limit (more than kSlicesMax), Invalid (beyond what the type holds).
Result<std::vector<Slice>> slices_of(pg::Connection& conn, const Axis& axis, const Grid& grid,
                                     int64_t first, int64_t last);
// Errors: Invalid when it is not divided by ranges of one date or timestamp column.
Status time_ranges(const facts::Layout& layout);
// `wanted`, or with a number behind where a relation or type of `schema`, or one of `used`, is
// called so; "" when many are. Errors: those of the connection.
Result<std::string> free_name(pg::Connection& conn, const std::string& schema,
                              const std::string& wanted, const std::vector<std::string>& used);
// The grid of `width` through a local time, "" for the usual one. Errors: Invalid (malformed, or
// the width is finer than a date key can be).
Result<Grid> grid_through(pg::Connection& conn, const Axis& axis, const Width& width,
                          const std::string& anchor);
// The grid that the newest partitions of `layout` lie on. Errors: Invalid, saying what to give.
Result<Grid> grid_of_partitions(pg::Connection& conn, const facts::Layout& layout);
// The same when that is the width wanted, or none is and no anchor; else the one through the
// anchor.
Result<Grid> grid_wanted(pg::Connection& conn, const Axis& axis, const facts::Layout& layout,
                         const std::optional<Width>& every, const std::string& anchor);

}  // namespace pgtend::partition
