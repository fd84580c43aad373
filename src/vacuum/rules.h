// What a table needs: pure functions from facts to findings, one row each in a table.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/units.h"
#include "care/finding.h"
#include "facts/horizon.h"
#include "facts/settings.h"
#include "facts/tables.h"
#include "facts/vacuum_costs.h"

namespace pgtend::vacuum {

// When a table is worth a finding. Shares are of its rows.
struct Policy {
  double dead_share_max = 0.1;    // dead of live and dead rows
  int64_t dead_rows_min = 1'000;  // fewer are never reported
  // Changed since ANALYZE of all rows: below autovacuum's 10 %, because the newest values of a
  // rising column are outside the histogram long before that.
  double stale_share_max = 0.03;
  int64_t stale_rows_min = 1'000;
  double invisible_share_max = 0.5;  // pages not all-visible, of tables that only grow
  Bytes invisible_size_min = 64_MiB;
  double hot_share_min = 0.5;     // of the updates; less is worth a look
  int64_t updates_min = 100'000;  // since the counters began
  double no_room_share = 0.5;     // of updates that were not HOT: then room is what is missing
};

// What the rules look at; holders are those of ordinary tables, oldest first.
struct Context {
  facts::ServerSettings settings = {};
  std::vector<facts::HorizonHolder> holders = {};
  std::optional<facts::VacuumCosts> costs = {};
  // By table, from 16 on: updates whose new row found no room on its page.
  std::map<uint32_t, int64_t> updated_to_new_page = {};
};

struct Rule {
  std::string_view id;
  std::string_view about;  // one line for the manual
  std::optional<care::Finding> (*check)(const facts::TableFacts&, const Context&, const Policy&);
};

// Thread: any; the rules are constants.
std::span<const Rule> rules();

}  // namespace pgtend::vacuum
