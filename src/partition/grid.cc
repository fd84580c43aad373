#include "partition/grid.h"

#include <algorithm>

#include "base/text.h"

namespace pgtend::partition {
namespace {

constexpr int64_t kSecond = 1'000'000;
constexpr int64_t kDay = 86'400 * kSecond;
constexpr int64_t kYears = 1'000;  // no width is longer

struct UnitWord {
  std::string_view name;
  Unit unit;
  int64_t count;
};
constexpr UnitWord kWords[] = {
    {"second", Unit::Seconds, 1}, {"minute", Unit::Seconds, 60}, {"hour", Unit::Seconds, 3'600},
    {"day", Unit::Days, 1},       {"week", Unit::Days, 7},       {"month", Unit::Months, 1},
    {"quarter", Unit::Months, 3}, {"year", Unit::Months, 12},
};

int64_t longest(Unit unit) {
  switch (unit) {
    case Unit::Months:
      return kYears * 12;
    case Unit::Days:
      return kYears * 366;
    case Unit::Seconds:
      return kYears * 366 * 86'400;
  }
  return 0;
}

int64_t floor_divided(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }

int64_t place(const Grid& grid, const Moment& moment) {
  return grid.width.unit == Unit::Days ? moment.local_us : moment.epoch_us;
}

int64_t length_us(const Width& width) {
  return width.count * (width.unit == Unit::Days ? kDay : kSecond);
}

// The days of the month that a bound may stand for: on the last day of its month, all later ones.
struct Days {
  int low = 1;
  int high = 31;

  bool take(const Moment& at) {
    low = std::max(low, at.day);
    high = std::min(high, at.day == at.month_days ? 31 : at.day);
    return low <= high;
  }
};

// How many of the newest ranges lie on one grid of months.
size_t run_of_months(const std::vector<MomentRange>& ranges, Grid& grid) {
  const Moment& first = ranges[0].from;
  grid.width = {Unit::Months, ranges[0].to.month - first.month};
  if (grid.width.count < 1 || grid.width.count > longest(Unit::Months)) return 0;
  grid.month = first.month;
  grid.time_us = first.time_us;
  Days days;
  size_t run = 0;
  for (const MomentRange& range : ranges) {
    Days more = days;
    const bool fits = range.to.month - range.from.month == grid.width.count &&
                      (range.from.month - grid.month) % grid.width.count == 0 &&
                      range.from.time_us == grid.time_us && range.to.time_us == grid.time_us &&
                      more.take(range.from) && more.take(range.to);
    if (!fits) break;
    days = more;
    ++run;
  }
  grid.day = days.high;
  return run;
}

size_t run_of(Unit unit, const std::vector<MomentRange>& ranges, Grid& grid) {
  if (unit == Unit::Months) return run_of_months(ranges, grid);
  grid.width.unit = unit;
  const int64_t one = unit == Unit::Days ? kDay : kSecond;
  const int64_t span = place(grid, ranges[0].to) - place(grid, ranges[0].from);
  if (span < one || span % one != 0 || span / one > longest(unit)) return 0;
  grid.width.count = span / one;
  grid.anchor_us = place(grid, ranges[0].from);
  size_t run = 0;
  for (const MomentRange& range : ranges) {
    const int64_t from = place(grid, range.from);
    if (place(grid, range.to) - from != span || (from - grid.anchor_us) % span != 0) break;
    ++run;
  }
  return run;
}

}  // namespace

Result<Width> width_from(std::string_view given) {
  const std::string lowered = lower(trim(given));
  const std::string_view all = lowered;
  const size_t blank = all.find_first_of(" \t");
  const bool counted = blank != std::string_view::npos;
  std::string_view word = counted ? trim(all.substr(blank)) : all;
  const auto count = counted ? parse_int(all.substr(0, blank)) : Result<int64_t>(int64_t{1});
  if (counted && word.ends_with('s')) word.remove_suffix(1);
  const auto* known = std::ranges::find(kWords, word, &UnitWord::name);
  if (known != std::end(kWords) && count && *count >= 1 &&
      *count <= longest(known->unit) / known->count) {
    return Width{known->unit, *count * known->count};
  }
  return Error{ErrorCode::Invalid, cat("\"", printable(given), "\" is no interval")}.hinting(
      "one number and one unit: '6 hours', '1 day', '2 weeks', '1 month', '1 quarter', '1 year'");
}

std::string text(const Width& width) {
  // The longest unit that the width is a whole number of.
  const UnitWord* best = nullptr;
  for (const UnitWord& word : kWords) {
    const bool whole = word.unit == width.unit && width.count % word.count == 0;
    if (whole && word.name != "quarter") best = &word;
  }
  CHECK(best != nullptr);
  const int64_t count = width.count / best->count;
  return cat(count, " ", best->name, count == 1 ? "" : "s");
}

Grid grid_at(const Width& width, const Moment& anchor) {
  Grid out{.width = width, .month = anchor.month, .day = anchor.day, .time_us = anchor.time_us};
  out.anchor_us = place(out, anchor);
  return out;
}

std::string_view usual_anchor(const Width& width) {
  return width.unit == Unit::Months ? "2000-01-01" : "2000-01-03";
}

int64_t index_of(const Grid& grid, const Moment& moment) {
  if (grid.width.unit != Unit::Months) {
    return floor_divided(place(grid, moment) - grid.anchor_us, length_us(grid.width));
  }
  const int begins = std::min(grid.day, moment.month_days);
  const bool before =
      moment.day < begins || (moment.day == begins && moment.time_us < grid.time_us);
  return floor_divided(moment.month - grid.month - (before ? 1 : 0), grid.width.count);
}

std::optional<Grid> infer_grid(const std::vector<MomentRange>& ranges) {
  if (ranges.empty()) return std::nullopt;
  std::optional<Grid> best;
  size_t longest_run = 0;
  for (const Unit unit : {Unit::Months, Unit::Days, Unit::Seconds}) {
    Grid grid;
    const size_t run = run_of(unit, ranges, grid);
    if (run <= longest_run) continue;
    longest_run = run;
    best = grid;
  }
  if (longest_run < std::min<size_t>(2, ranges.size())) return std::nullopt;
  return best;
}

std::vector<Stretch> uncovered(const Stretch& wanted, const std::vector<Stretch>& covered) {
  std::vector<Stretch> out;
  Stretch rest = wanted;
  for (const Stretch& part : covered) {  // in order, without overlap
    if (part.to_us <= rest.from_us) continue;
    if (part.from_us >= rest.to_us) break;
    if (part.from_us > rest.from_us) {
      out.push_back(
          {.from_us = rest.from_us, .to_us = part.from_us, .from = rest.from, .to = part.from});
    }
    rest.from_us = part.to_us;
    rest.from = part.to;
    if (rest.from_us >= rest.to_us) return out;
  }
  out.push_back(rest);
  return out;
}

}  // namespace pgtend::partition
