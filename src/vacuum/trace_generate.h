// Makes a trace from a description of a load: for tables that no test machine holds, and for what
// has not happened yet.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vacuum/trace.h"

namespace pgtend::vacuum {

// Writers of one table. Rates are rows a second while they are at work; several add up.
struct Load {
  double inserted_per_s = 0;
  double updated_per_s = 0;
  double deleted_per_s = 0;
  double hot_share = 0;  // of the updates
  double from_s = 0;     // at work from then on
  std::optional<double> to_s = {};
  std::optional<double> every_s = {};  // a burst that begins as often as that, from `from_s` on
  double for_s = 0;                    // and lasts so long
  double daily_swing = 0;  // 0 to 1: the rate goes up and down by that share within a day
  double peak_s = 43'200;  // the time of day at which it is highest
  double noise = 0;        // 0 to 1: the rate of each step is up to that share more or less
};

struct Holder {
  double from_s = 0;
  double to_s = 0;
};

struct LoadedTable {
  TraceTable table = {};
  std::vector<Load> loads = {};
};

struct LoadDescription {
  Trace head = {};  // without tables and samples
  double duration_s = 86'400;
  double every_s = 60;  // between two samples
  double xids_per_s = 1;
  int64_t seed = 1;
  std::vector<Holder> holders = {};
  std::vector<LoadedTable> tables = {};
};

// Whether a text is a description ({"pgtend_load": 1, …}) rather than a trace.
bool is_load_description(std::string_view text);

// Reads one JSON document. Errors: Invalid naming the member, Limit.
Result<LoadDescription> read_load(std::string_view text);

// The same description gives the same trace, on every machine. Errors: Limit for more samples than
// a trace may have.
Result<Trace> generate(const LoadDescription& description);

}  // namespace pgtend::vacuum
