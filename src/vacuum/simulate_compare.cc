#include "vacuum/simulate_compare.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace pgtend::vacuum {
namespace {

using Times = std::map<RunKey, std::vector<double>>;

struct Measured {
  Times runs = {};
  int64_t unseen = 0;
  std::vector<std::vector<double>> dead_at = {};  // by table, then sample
};

std::map<uint32_t, size_t> places_of(const Trace& trace) {
  std::map<uint32_t, size_t> places;
  for (size_t i = 0; i < trace.tables.size(); ++i) places[trace.tables[i].facts.oid] = i;
  return places;
}

// What the server did by the samples.
Measured measured_of(const Trace& trace) {
  Measured out;
  const auto places = places_of(trace);
  std::vector<Outcome> last(trace.tables.size());
  for (size_t i = 0; i < last.size(); ++i) {
    last[i].rows_dead = trace.tables[i].facts.counters.rows_dead;
  }
  out.dead_at.resize(trace.tables.size());
  const auto add = [&](RunKey key, int64_t count, std::optional<double> at) {
    if (count <= 0 || !at) return;
    out.runs[key].push_back(*at);
    out.unseen += count - 1;
  };
  for (const Sample& sample : trace.samples) {
    for (const TableSample& table : sample.tables) {
      const auto place = places.find(table.oid);
      if (place == places.end() || !table.outcome) continue;
      const size_t i = place->second;
      const Outcome& now = *table.outcome;
      add({i, false}, now.autovacuums - last[i].autovacuums, now.autovacuum_at);
      add({i, true}, now.autoanalyzes - last[i].autoanalyzes, now.autoanalyze_at);
      last[i] = now;
    }
    for (size_t i = 0; i < last.size(); ++i) {
      out.dead_at[i].push_back(static_cast<double>(last[i].rows_dead));
    }
  }
  return out;
}

// Pairs two lists, ascending in time, in order.
std::vector<Matched> paired(RunKey key, const std::vector<double>& measured,
                            const std::vector<const SimulatedRun*>& simulated, double apart_s) {
  std::vector<Matched> out;
  size_t m = 0;
  size_t s = 0;
  while (m < measured.size() || s < simulated.size()) {
    Matched one{.table = key.first, .analyze = key.second};
    const bool both = m < measured.size() && s < simulated.size();
    const bool near = both && std::abs(measured[m] - simulated[s]->ended) < apart_s;
    if (near || (m < measured.size() && (!both || measured[m] < simulated[s]->ended))) {
      one.measured = measured[m];
    }
    if (near || !one.measured) {
      one.simulated = simulated[s]->ended;
      one.earliest = simulated[s]->earliest;
      one.latest = simulated[s]->latest;
    }
    if (one.measured) ++m;
    if (one.simulated) ++s;
    out.push_back(one);
  }
  return out;
}

double average(const std::vector<double>& values, const std::vector<double>& times) {
  double sum = 0;
  for (size_t i = 1; i < times.size(); ++i) {
    sum += (times[i] - times[i - 1]) * (values[i] + values[i - 1]) / 2;
  }
  const double length = times.empty() ? 0 : times.back() - times.front();
  return length > 0 ? sum / length : 0;
}

std::vector<double> distances(const std::vector<Matched>& runs) {
  std::vector<double> out;
  for (const Matched& run : runs) {
    if (run.measured && run.simulated) out.push_back(run.off_s());
  }
  std::ranges::sort(out);
  return out;
}

}  // namespace

double Matched::off_s() const {
  return measured && simulated ? std::abs(*measured - *simulated) : 0;
}
double Matched::off_span_s() const {
  if (!measured || !simulated) return 0;
  return std::max({earliest - *measured, *measured - latest, 0.0});
}

double Comparison::worst_s() const {
  const auto all = distances(runs);
  return all.empty() ? 0 : all.back();
}
double Comparison::median_s() const {
  const auto all = distances(runs);
  return all.empty() ? 0 : all[all.size() / 2];
}
int64_t Comparison::missed() const {
  return std::ranges::count_if(runs, [](const Matched& run) { return !run.simulated; });
}
int64_t Comparison::extra() const {
  return std::ranges::count_if(runs, [](const Matched& run) { return !run.measured; });
}

std::vector<double> probe_times(const Trace& trace) {
  std::vector<double> out;
  for (const Sample& sample : trace.samples) out.push_back(sample.at);
  return out;
}

std::optional<Comparison> compare(const Trace& trace, const Replay& replay, double apart_s) {
  const bool any = std::ranges::any_of(trace.samples, [](const Sample& sample) {
    return std::ranges::any_of(sample.tables,
                               [](const TableSample& table) { return table.outcome.has_value(); });
  });
  if (!any) return {};
  Comparison out;
  const Measured measured = measured_of(trace);
  out.unseen = measured.unseen;
  std::map<RunKey, std::vector<const SimulatedRun*>> simulated;
  for (const SimulatedRun& run : replay.runs) {
    if (run.cause != Cause::Person) simulated[{run.table, run.analyze}].push_back(&run);
  }
  Times times_of = measured.runs;
  for (const auto& [key, runs] : simulated) times_of.try_emplace(key);
  for (const auto& [key, seen] : times_of) {
    const auto runs = paired(key, seen, simulated[key], apart_s);
    out.runs.insert(out.runs.end(), runs.begin(), runs.end());
  }
  const auto times = probe_times(trace);
  for (size_t i = 0; i < trace.tables.size(); ++i) {
    if (replay.dead_at[i].size() != times.size() || times.empty()) continue;
    const DeadCompared dead{.table = i,
                            .measured_average = average(measured.dead_at[i], times),
                            .simulated_average = average(replay.dead_at[i], times),
                            .measured_peak = std::ranges::max(measured.dead_at[i]),
                            .simulated_peak = std::ranges::max(replay.dead_at[i])};
    if (dead.measured_peak > 0 || dead.simulated_peak >= 0.5) out.dead.push_back(dead);
  }
  return out;
}

}  // namespace pgtend::vacuum
