#include "demo/tour_report.h"

#include <fmt/core.h>

#include <boost/json/value_from.hpp>
#include <cmath>

#include "base/clock.h"
#include "base/text.h"
#include "base/units.h"

namespace pgtend::demo {

namespace {
json::value number_or_null(const std::optional<double>& value) {
  return value ? json::value(*value) : json::value(nullptr);
}
}  // namespace

std::string value_text(const std::optional<double>& value, const std::string& unit) {
  if (!value) return "-";
  if (unit == "ms") return human(nanoseconds(std::llround(*value * 1e6)));
  if (unit == "bytes") return human(Bytes{std::llround(*value)});
  const std::string number =
      *value == std::floor(*value) ? grouped(std::llround(*value)) : fmt::format("{:.1f}", *value);
  return unit.empty() ? number : cat(number, " ", unit);
}

std::string change_text(const TourRow& row) {
  if (!row.before || !row.after) return "";
  if (*row.before == *row.after) return "unchanged";
  if (*row.before <= 0 || *row.after <= 0) return "";
  const bool less = *row.after < *row.before;
  const double factor = less ? *row.before / *row.after : *row.after / *row.before;
  if (factor < 1.05) return "about the same";
  const std::string size = fmt::format("{:.{}f}", factor, factor >= 9.95 ? 0 : 1);
  return cat(size, " x ", less ? "less" : "more");
}

json::object to_json(const TourReport& report) {
  json::array steps;
  for (const TourStep& step : report.steps) {
    steps.push_back(json::object{{"title", step.title},
                                 {"seconds", step.seconds},
                                 {"lines", json::value_from(step.lines)},
                                 {"data", step.data}});
  }
  json::array table;
  for (const TourRow& row : report.table) {
    table.push_back(json::object{{"what", row.what},
                                 {"unit", row.unit},
                                 {"before", number_or_null(row.before)},
                                 {"after", number_or_null(row.after)},
                                 {"note", row.note}});
  }
  return json::object{{"steps", std::move(steps)}, {"table", std::move(table)}};
}

}  // namespace pgtend::demo
