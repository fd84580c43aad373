#include "vacuum/tune_load.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "base/text.h"
#include "facts/runway.h"
#include "vacuum/triggers.h"

namespace pgtend::vacuum {
namespace {

using facts::TableFacts;

constexpr double kCounterAgeMin = 60;  // seconds: younger counters tell no rate
constexpr double kRecordedMin = 1;
constexpr double kCheckpointAgeMin = 10;
constexpr double kDayLong = 86'400;
constexpr double kDurationMax = 30 * kDayLong;
constexpr size_t kTablesReplayed = 200;
constexpr double kVisitsMax = 2e7;  // of tables in one replay
constexpr int kSamples = 200;
constexpr double kFirstXid = 4e9;   // a scale on which no age is negative
constexpr double kShrinkMax = 0.5;  // of a table's rows within the replay

std::optional<double> since(const std::optional<double>& a, const std::optional<double>& b) {
  if (!a && !b) return {};
  const double age = std::min(a.value_or(INFINITY), b.value_or(INFINITY));
  return age >= kCounterAgeMin ? std::optional(age) : std::nullopt;
}

TableRates counted(const TableFacts& table) {
  TableRates out;
  const facts::TableCounters& counters = table.counters;
  if (!counters.present) return out;
  if (const auto age = since(table.age.vacuum, table.age.autovacuum)) {
    out.inserted = static_cast<double>(counters.inserted_since_vacuum) / *age;
    out.dead = static_cast<double>(counters.rows_dead) / *age;
  }
  if (const auto age = since(table.age.analyze, table.age.autoanalyze)) {
    out.changed = static_cast<double>(counters.modified_since_analyze) / *age;
  }
  return out;
}

bool writes(const TableRates& rates) {
  return rates.inserted.value_or(0) > 0 || rates.dead.value_or(0) > 0 ||
         rates.changed.value_or(0) > 0;
}

// What a table is written in `seconds` at its rates. Updates and deletes share the dead rows as
// they do in its counters.
Writes written(const TableFacts& table, const TableRates& rates, double seconds, double whole) {
  const facts::TableCounters& counters = table.counters;
  const auto changed = static_cast<double>(counters.updated + counters.deleted);
  const double deletes = changed > 0 ? static_cast<double>(counters.deleted) / changed : 0;
  const double hot = counters.updated > 0 ? static_cast<double>(counters.updated_hot) /
                                                static_cast<double>(counters.updated)
                                          : 0;
  const double inserted = rates.inserted.value_or(0);
  const double dead = rates.dead.value_or(0);
  const double deleted = std::min(deletes * dead, inserted + kShrinkMax * table.rows() / whole);
  const double updated = dead - deleted;
  return {.inserted = inserted * seconds,
          .updated = updated * seconds,
          .updated_hot = hot * updated * seconds,
          .deleted = deleted * seconds,
          .live = (inserted - deleted) * seconds,
          .dead = dead * seconds,
          .changed = rates.changed.value_or(inserted + dead) * seconds};
}

// The tables that are written to, most first, at most kTablesReplayed.
std::vector<TraceTable> written_tables(const TuneInput& input) {
  std::vector<std::pair<double, const TraceTable*>> order;
  for (const TraceTable& table : input.head.tables) {
    const auto found = input.rates.find(table.facts.oid);
    if (found == input.rates.end() || !writes(found->second)) continue;
    const TableRates& rates = found->second;
    order.emplace_back(rates.dead.value_or(0) + rates.inserted.value_or(0), &table);
  }
  std::ranges::stable_sort(order, std::ranges::greater{},
                           [](const auto& entry) { return entry.first; });
  order.resize(std::min(order.size(), kTablesReplayed));
  std::vector<TraceTable> out;
  for (const auto& [weight, table] : order) out.push_back(*table);
  return out;
}

// Twice as long as the slowest of `tables` needs from one VACUUM to the next.
double duration_for(const TuneInput& input, const std::vector<TraceTable>& tables) {
  double longest = kDayLong;
  for (const TraceTable& one : tables) {
    const TableRates& rates = input.rates.at(one.facts.oid);
    const Triggers limits = triggers(one.facts, input.head.settings);
    if (rates.dead.value_or(0) > 0) longest = std::max(longest, 2 * limits.dead / *rates.dead);
    if (limits.inserts && rates.inserted.value_or(0) > 0) {
      longest = std::max(longest, 2 * *limits.inserts / *rates.inserted);
    }
  }
  const double naptime = std::max(input.head.settings.autovacuum.naptime_s, 1.0);
  const double bearable = kVisitsMax / static_cast<double>(tables.size()) * naptime;
  return std::min({longest, kDurationMax, std::max(bearable, naptime)});
}

Trace load_of(const TuneInput& input, std::vector<TraceTable> tables, double duration) {
  Trace out{.database = input.head.database,
            .settings = input.head.settings,
            .costs = input.head.costs,
            .others = input.head.others,
            .tables = std::move(tables)};
  for (int i = 0; i <= kSamples; ++i) {
    Sample sample{.at = duration * i / kSamples};
    sample.xid = static_cast<int64_t>(kFirstXid + input.xids_per_s * sample.at);
    sample.horizon = sample.xid;
    for (const TraceTable& one : out.tables) {
      sample.tables.push_back(
          {.oid = one.facts.oid,
           .writes = written(one.facts, input.rates.at(one.facts.oid), sample.at, duration)});
    }
    out.samples.push_back(std::move(sample));
  }
  return out;
}

Trace with_tables(Trace trace, const std::vector<SettingAdvice>& advice) {
  for (TraceTable& one : trace.tables) {
    for (const SettingAdvice& setting : advice) {
      // TOAST follows its table.
      const bool toast = one.facts.kind == 't' && setting.table == one.facts.parent;
      if (toast || setting.table == one.facts.qualified()) {
        one.facts.options[setting.name] = setting.advised;
      }
    }
  }
  return trace;
}

}  // namespace

TuneInput tune_input(Trace head) {
  TuneInput out{.head = std::move(head)};
  for (const TraceTable& table : out.head.tables) out.rates[table.facts.oid] = counted(table.facts);
  return out;
}

void take_rates(TuneInput& input, const Trace& recorded) {
  const double duration = recorded.duration_s();
  if (duration < kRecordedMin) return;
  std::map<uint32_t, const Writes*> sums;
  for (const Sample& sample : recorded.samples) {
    for (const TableSample& table : sample.tables) sums[table.oid] = &table.writes;
  }
  std::map<std::string, TableRates> rates;
  for (const TraceTable& table : recorded.tables) {
    const auto found = sums.find(table.facts.oid);
    const Writes wrote = found == sums.end() ? Writes() : *found->second;
    rates[table.facts.qualified()] = {.inserted = wrote.inserted / duration,
                                      .dead = std::max(wrote.dead, 0.0) / duration,
                                      .changed = std::max(wrote.changed, 0.0) / duration};
  }
  for (const TraceTable& table : input.head.tables) {
    const auto found = rates.find(table.facts.qualified());
    if (found != rates.end()) input.rates[table.facts.oid] = found->second;
  }
  const auto first = static_cast<double>(recorded.samples.front().xid);
  const auto last = static_cast<double>(recorded.samples.back().xid);
  input.xids_per_s = std::max(last - first, 0.0) / duration;
}

Result<LoadedTune> load_tune(pg::Connection& conn) {
  Recorder recorder = TRY(Recorder::begin(conn));
  TuneInput input = tune_input(recorder.head());
  const facts::Runway runway = TRY(facts::load_runway(conn));
  if (runway.used && runway.used->seconds >= kCheckpointAgeMin) {
    input.xids_per_s = static_cast<double>(runway.used->xids) / runway.used->seconds;
  }
  return LoadedTune{.recorder = std::move(recorder), .input = std::move(input)};
}

Result<TuneAdvice> advise(const TuneInput& input, const std::vector<std::string>& tables,
                          const TunePolicy& policy) {
  TuneAdvice out{.tables = advise_tables(input, policy)};
  const std::set<std::string> wanted(tables.begin(), tables.end());
  if (!wanted.empty()) {
    std::erase_if(out.tables,
                  [&](const SettingAdvice& advice) { return !wanted.contains(advice.table); });
  }
  std::vector<TraceTable> busy = written_tables(input);
  if (busy.empty()) return out;
  out.tables_replayed = busy.size();
  out.duration_s = duration_for(input, busy);
  const Trace load = load_of(input, std::move(busy), out.duration_s);
  ReplaySetup setup{.phases = 1};
  out.today = TRY(simulate("today", load, setup));
  Trace changed = with_tables(load, out.tables);
  out.advised = TRY(simulate("advised", changed, setup));
  out.server = advise_server(input, *out.advised, policy);
  if (out.server.empty()) return out;
  for (const SettingAdvice& advice : out.server) {
    TRY(apply_setting(changed, cat(advice.name, "=", advice.advised)));
  }
  out.advised = TRY(simulate("advised", changed, setup));
  return out;
}

json::object to_json(const TuneAdvice& advice) {
  json::array settings;
  for (const auto* list : {&advice.tables, &advice.server}) {
    for (const SettingAdvice& one : *list) settings.emplace_back(to_json(one));
  }
  json::object out = {{"settings", std::move(settings)},
                      {"replayed_s", advice.duration_s},
                      {"tables_replayed", advice.tables_replayed}};
  json::array variants;
  for (const auto* variant : {&advice.today, &advice.advised}) {
    if (*variant) variants.emplace_back(to_json(**variant, 0));
  }
  out["variants"] = std::move(variants);
  return out;
}

}  // namespace pgtend::vacuum
