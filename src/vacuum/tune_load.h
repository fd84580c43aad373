// What advice on settings rests on: rates of writes from the server's counters or from a recorded
// trace, and a replay of them with the settings of today and the advised ones.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pg/connection.h"
#include "vacuum/trace_record.h"
#include "vacuum/tune.h"

namespace pgtend::vacuum {

// Rates from counters: what happened since the last VACUUM or ANALYZE. Those of tables that never
// had one, or had one within the last minute, are unknown. Pure.
TuneInput tune_input(Trace head);

// Takes the rates of `recorded`, which knows the same tables by name, where it is at least a second
// long. Pure.
void take_rates(TuneInput& input, const Trace& recorded);

// Reads tables and settings. Errors: those of Recorder::begin.
struct LoadedTune {
  Recorder recorder;  // begun now: a sample of it tells the rates since then
  TuneInput input = {};
};
Result<LoadedTune> load_tune(pg::Connection& conn);

struct TuneAdvice {
  std::vector<SettingAdvice> tables = {};
  std::vector<SettingAdvice> server = {};
  // The load at these rates for `duration_s`, replayed; nullopt when no rate is known.
  std::optional<Variant> today = {};
  std::optional<Variant> advised = {};
  double duration_s = 0;
  size_t tables_replayed = 0;
};

// Advises on `tables` (qualified names; all when empty) and the server, and replays both ways: as
// long as the slowest table needs for two VACUUMs, within a day and 30 days; the 200 tables with
// most writes. Pure. Errors: those of replay().
Result<TuneAdvice> advise(const TuneInput& input, const std::vector<std::string>& tables,
                          const TunePolicy& policy = {});

json::object to_json(const TuneAdvice& advice);

}  // namespace pgtend::vacuum
