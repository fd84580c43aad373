// What the guided tour measured: one record a step and the closing table, as text and as data.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"

namespace pgtend::demo {

// One step: what was done, how long it took, and what came out of it.
struct TourStep {
  std::string title = {};
  double seconds = 0;
  std::vector<std::string> lines = {};  // for people
  json::object data = {};               // the same as numbers
};

// One row of the closing table. nullopt: was not measured (then `note` says why).
struct TourRow {
  std::string what = {};
  std::string unit = {};  // "ms", "pages", ""
  std::optional<double> before = {};
  std::optional<double> after = {};
  std::string note = {};
};

struct TourReport {
  std::vector<TourStep> steps = {};
  std::vector<TourRow> table = {};
};

// "149.6 ms", "2,239 pages", "0", "-" when it was not measured.
std::string value_text(const std::optional<double>& value, const std::string& unit);
// "40.1 x less", "unchanged", "" when it cannot be said.
std::string change_text(const TourRow& row);

json::object to_json(const TourReport& report);

}  // namespace pgtend::demo
