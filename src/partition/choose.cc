#include "partition/choose.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "base/text.h"
#include "base/units.h"

namespace pgtend::partition {
namespace {

struct CalendarWidth {
  Interval interval;
  std::string_view name;
  double days;
};
// Coarsest last; choose() starts at the month.
constexpr CalendarWidth kWidths[] = {{Interval::Day, "day", 1},
                                     {Interval::Week, "week", 7},
                                     {Interval::Month, "month", 30.44},
                                     {Interval::Year, "year", 365.25}};

const CalendarWidth& width(Interval interval) { return kWidths[static_cast<size_t>(interval)]; }

Choice choice_of(Interval interval, double rows_per_day, double days) {
  return {.interval = interval,
          .rows_per_partition = rows_per_day * width(interval).days,
          .partitions = std::ceil(days / width(interval).days)};
}

}  // namespace

std::string_view name(Interval interval) { return width(interval).name; }

Result<Interval> interval_from(std::string_view word) {
  for (const CalendarWidth& known : kWidths) {
    if (known.name == word) return known.interval;
  }
  return Error{ErrorCode::Invalid,
               cat("interval ", printable(word), " is none of day, week, month, year")};
}

Choice choose(double rows_per_day, double span_days, const Policy& policy) {
  const double days = std::max(span_days, policy.horizon_days);
  Choice best = choice_of(Interval::Month, rows_per_day, days);
  if (best.partitions > policy.partitions_good) {
    best = choice_of(Interval::Year, rows_per_day, days);
    best.reason = cat("months over ", compact(days), " days would be more than ",
                      policy.partitions_good, " partitions");
    return best;
  }
  if (rows_per_day <= 0) {
    best.reason = "the number of rows a day is unknown; months are a safe width";
    return best;
  }
  best.reason = cat("about ", compact(best.rows_per_partition), " rows a month fit one partition");
  for (const Interval finer : {Interval::Week, Interval::Day}) {
    if (best.rows_per_partition <= policy.rows_max) break;
    const Choice next = choice_of(finer, rows_per_day, days);
    if (next.partitions > policy.partitions_good) {
      best.reason =
          cat("a ", name(best.interval), " holds about ", compact(best.rows_per_partition),
              " rows, but a partition a ", name(finer), " would make ", next.partitions,
              " of them, and every query without the ", "key would be planned over all");
      break;
    }
    best = next;
    best.reason =
        cat("a partition a ", name(finer), " holds about ", compact(best.rows_per_partition),
            " rows; wider ones more than ", compact(policy.rows_max));
  }
  return best;
}

double planning_ms_without_key(double partitions) {
  struct Point {
    double partitions;
    double ms;
  };
  constexpr Point kMeasured[] = {{10, 0.20}, {100, 1.2}, {1000, 70}, {4961, 699}};
  if (partitions <= kMeasured[0].partitions) return kMeasured[0].ms;
  size_t i = 1;
  while (i + 1 < std::size(kMeasured) && partitions > kMeasured[i].partitions) ++i;
  const Point& low = kMeasured[i - 1];
  const Point& high = kMeasured[i];
  const double share = (std::log(partitions) - std::log(low.partitions)) /
                       (std::log(high.partitions) - std::log(low.partitions));
  return std::exp(std::log(low.ms) + share * (std::log(high.ms) - std::log(low.ms)));
}

}  // namespace pgtend::partition
