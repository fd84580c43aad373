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
#include "facts/autovacuum.h"
#include "facts/estimates.h"
#include "facts/horizon.h"
#include "facts/settings.h"
#include "facts/tables.h"
#include "facts/vacuum_costs.h"
#include "vacuum/bloat_report.h"

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
  // How far statistics must be off: n_distinct from what is proven, rows from what is counted.
  double estimate_factor = 4;
  double estimate_changed_max = 0.2;  // of the rows since ANALYZE: then that is what is missing
  double miss_chance_max = 0.01;      // of a sample, for rows that are rare
  double miss_chance_told = 0.1;      // while the present sample has seen them
  double starved_factor = 2;          // over autovacuum's limit, when seen once
  double starved_naptimes = 3;        // how long a due table may wait
  // Bloat is told when the low ends of share and bytes are both above these.
  double bloat_share_min = 0.2;
  Bytes bloat_min = 100_MiB;
  double bloat_share_grave = 0.5;  // from here on, and ten times the bytes, it is a warning
  double reuse_days = 7;           // bloat that growth fills within is left alone
};

// What the rules look at; holders are those of ordinary tables, oldest first.
struct Context {
  facts::ServerSettings settings = {};
  std::vector<facts::HorizonHolder> holders = {};
  std::optional<facts::VacuumCosts> costs = {};
  // By table, from 16 on: updates whose new row found no room on its page.
  std::map<uint32_t, int64_t> updated_to_new_page = {};
  facts::Estimates estimates = {};  // of tables so large that ANALYZE samples them
  std::optional<facts::AutovacuumNow> autovacuum = {};
  BloatReport bloat = {};  // of the tables that were looked at
};

struct Rule {
  std::string_view id;
  std::string_view about;  // one line for the manual
  std::optional<care::Finding> (*check)(const facts::TableFacts&, const Context&, const Policy&);
};

// The same of one column.
struct ColumnRule {
  std::string_view id;
  std::string_view about;
  std::optional<care::Finding> (*check)(const facts::TableFacts&, const facts::ColumnEstimate&,
                                        const Context&, const Policy&);
};

// Thread: any; the rules are constants.
std::span<const Rule> rules();
std::span<const ColumnRule> column_rules();

}  // namespace pgtend::vacuum
