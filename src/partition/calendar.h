// Calendar arithmetic done by the server: where intervals begin and end in a time zone.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "partition/partition.h"

namespace pgtend::partition {

// The span to divide, as local times of the zone ("" is the present).
struct Span {
  std::string from = {};
  std::string to = {};
};

// Whole intervals that cover `span` and `ahead` more, each beginning at the anchor plus n intervals
// (never chained, so the 31st does not drift). Bounds are texts of `type` for the server; names are
// `table` with a suffix. The connection must be in a transaction with TimeZone set to the zone.
// Errors: Invalid (unknown zone, malformed time), Limit (more than `slices_max`).
struct CalendarRequest {
  std::string table = {};
  std::string type = {};
  std::string time_zone = {};
  Interval interval = Interval::Month;
  Span span = {};
  int ahead = 0;
  int slices_max = 2'000;
};
Result<std::vector<Slice>> divide(pg::Connection& conn, const CalendarRequest& request);

// SQL for a local time of `zone_param` ("$1") made of `expression` of `type`, and the way back.
std::string local_sql(const std::string& expression, const std::string& type,
                      const std::string& zone_param);
std::string bound_sql(const std::string& local, const std::string& type,
                      const std::string& zone_param);

// Runs `body` in a read-only transaction that speaks ISO dates in `time_zone`; data exceptions
// (class 22: unknown zone, malformed time) become Invalid.
Status in_time_zone(pg::Connection& conn, const std::string& time_zone,
                    const std::function<Status()>& body);

}  // namespace pgtend::partition
