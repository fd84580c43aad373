// What a look at a pooler is on paper: lines of text for a screen of any size, or a snapshot. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/json.h"
#include "cli/output.h"
#include "cli/pool_rates.h"
#include "cli/pool_reading.h"
#include "cli/pool_view.h"

namespace pgtend::cli {

// All that there is to show. Borrows.
struct PoolScene {
  const PoolReading& reading;
  const PoolRates& rates;
  nanoseconds watched{0};    // how long this view has been running
  std::string trouble = {};  // why no newer reading is there; "" when all is well
  bool ascii = false;        // of the terminal: other characters become ?
};

struct ScreenSize {
  size_t columns = 80;
  size_t lines = 24;
};

// Without line end, no wider than the screen, free of control characters.
struct ScreenLine {
  std::string text = {};
  Style style = Style::Plain;
};

struct PoolScreen {
  std::vector<ScreenLine> lines = {};  // at most as many as the screen has
  size_t scroll_max = 0;               // rows that can be scrolled away
  size_t page = 1;                     // rows that the scrolled table shows
};

// The screen of `scene` as `view` wants it.
PoolScreen draw_pool(const PoolScene& scene, const PoolView& view, ScreenSize size);

// The scene as text that stands alone and says what its numbers cover: all pools, the first
// `shapes_max` queries in the order of `sort`, the last events. `columns_max` cuts lines.
std::vector<ScreenLine> pool_snapshot(const PoolScene& scene, ShapeSort sort, size_t shapes_max,
                                      size_t columns_max);

// The same as the members of "data", with every query. Times end in _us, what is not known is null.
json::object pool_json(const PoolScene& scene, ShapeSort sort);

// What the pooler cannot tell, for a person; "" when it tells everything.
std::string pool_gaps(const PoolReading& reading);

}  // namespace pgtend::cli
