// Which settings of autovacuum fit the tables better than those they have, with the numbers behind
// each. Pure: tune_load.h reads what this needs, tune_apply.h carries it out.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/units.h"
#include "vacuum/simulate_report.h"
#include "vacuum/trace.h"

namespace pgtend::vacuum {

// What advice aims at. Shares are of a table's rows.
struct TunePolicy {
  Bytes size_min = 100_MiB;    // smaller tables are served well by the stock limits
  double dead_share = 0.05;    // dead rows that may pile up
  double change_share = 0.03;  // changed rows, as Policy::stale_share_max
  double insert_share = 0.05;  // rows on pages that no VACUUM has seen
  // The newest rows are those that are read: they are to be visible to index-only scans, and in the
  // histogram, by then.
  double insert_period_s = 21'600;
  double change_period_s = 86'400;
  double share_min = 0.001;  // no limit is set below this share,
  double rows_min = 1'000;   // and this number of rows
  double duty = 0.05;        // of the time that VACUUM, or ANALYZE, of one table may take
  double worth = 1.5;        // limits that are less than this times too high are left as they are
  Bytes freeze_size_min = 1_GiB;
  double budget_share = 0.5;      // of the common cost budget that may be used in the long run
  double cost_limit_max = 2'000;  // ten times the stock one: 390 MB/s written from 14 on
  double busy_share = 0.2;        // of the time that all workers may be busy
};

// Rows a second; nullopt where the counters do not tell.
struct TableRates {
  std::optional<double> inserted = {};
  std::optional<double> dead = {};
  std::optional<double> changed = {};
};

struct TuneInput {
  Trace head = {};  // settings, costs and tables as they are; its samples are not read
  std::map<uint32_t, TableRates> rates = {};
  double xids_per_s = 0;
};

// One setting to change.
struct SettingAdvice {
  std::string table = {};    // qualified, quoted; "" is the server
  std::string name = {};     // "autovacuum_vacuum_scale_factor"
  std::string now = {};      // the value that holds now
  std::string advised = {};  // as it stands in SQL, without unit
  std::string why = {};
  bool own = false;      // `now` is a reloption of the table's own
  bool restart = false;  // holds after a restart of the server
};

// For tables and materialised views that are owned by our role; biggest first; then for TOAST whose
// values die, by options `toast.…` of its table, where it is not served by following the table:
// a small table may have large TOAST. Cost settings of a table are never advised:
// such a table leaves the common budget.
std::vector<SettingAdvice> advise_tables(const TuneInput& input, const TunePolicy& policy = {});

// For the server as a whole, from what a replay with the tables' advice came to.
std::vector<SettingAdvice> advise_server(const TuneInput& input, const Variant& variant,
                                         const TunePolicy& policy = {});

json::object to_json(const SettingAdvice& advice);

}  // namespace pgtend::vacuum
