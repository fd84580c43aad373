#include "vacuum/simulate.h"

#include <algorithm>
#include <map>

#include "base/text.h"
#include "vacuum/launcher.h"

namespace pgtend::vacuum {
namespace {

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values.empty() ? 0 : values[values.size() / 2];
}

// The runs of one kind of one table, in order.
std::map<RunKey, std::vector<const SimulatedRun*>> by_table(const Replay& replay) {
  std::map<RunKey, std::vector<const SimulatedRun*>> out;
  for (const SimulatedRun& run : replay.runs) out[{run.table, run.analyze}].push_back(&run);
  return out;
}

// The n-th run of each table at the median of its times over all phases; those that most phases do
// not reach are left out.
std::vector<SimulatedRun> combined_runs(const std::vector<Replay>& all) {
  std::map<std::pair<RunKey, size_t>, std::vector<const SimulatedRun*>> same;
  for (const Replay& one : all) {
    for (const auto& [key, runs] : by_table(one)) {
      for (size_t n = 0; n < runs.size(); ++n) same[{key, n}].push_back(runs[n]);
    }
  }
  std::vector<SimulatedRun> out;
  for (auto& [key, runs] : same) {
    if (2 * runs.size() <= all.size()) continue;
    std::ranges::sort(runs, {}, [](const SimulatedRun* run) { return run->ended; });
    SimulatedRun run = *runs[runs.size() / 2];
    run.earliest = runs.front()->ended;
    run.latest = runs.back()->ended;
    out.push_back(run);
  }
  std::ranges::stable_sort(out, {}, &SimulatedRun::ended);
  return out;
}

template <class Member>
void combine(std::vector<double>& values, const std::vector<Replay>& all, Member member) {
  values.clear();
  for (const Replay& one : all) values.push_back(static_cast<double>(member(one)));
}

TableOutcome combined_table(const std::vector<Replay>& all, size_t table) {
  std::vector<double> values;
  const auto of = [&](auto TableOutcome::*member) {
    combine(values, all, [&](const Replay& one) { return one.tables[table].*member; });
    return median(values);
  };
  const auto count = [&](auto TableOutcome::*member) { return static_cast<int64_t>(of(member)); };
  return {.dead_peak = of(&TableOutcome::dead_peak),
          .dead_average = of(&TableOutcome::dead_average),
          .above_limit_s = of(&TableOutcome::above_limit_s),
          .waiting_s_max = of(&TableOutcome::waiting_s_max),
          .vacuums = count(&TableOutcome::vacuums),
          .analyzes = count(&TableOutcome::analyzes),
          .forced = count(&TableOutcome::forced),
          .useless = count(&TableOutcome::useless),
          .xid_age_end = of(&TableOutcome::xid_age_end),
          .pages_end = of(&TableOutcome::pages_end)};
}

Replay combined(std::vector<Replay> all) {
  if (all.size() == 1) return std::move(all.front());
  Replay out;
  out.runs = combined_runs(all);
  for (size_t i = 0; i < all.front().tables.size(); ++i) {
    out.tables.push_back(combined_table(all, i));
  }
  std::vector<double> values;
  const auto of = [&](auto Replay::*member) {
    combine(values, all, [&](const Replay& one) { return one.*member; });
    return median(values);
  };
  out.duration_s = all.front().duration_s;
  out.worker_s = of(&Replay::worker_s);
  out.all_busy_s = of(&Replay::all_busy_s);
  out.starved_s = of(&Replay::starved_s);
  out.queue_max = static_cast<int64_t>(of(&Replay::queue_max));
  out.cost_share = of(&Replay::cost_share);
  out.xid_rate = all.front().xid_rate;
  out.xid_age_end = of(&Replay::xid_age_end);
  out.dead_at.resize(out.tables.size());
  for (size_t i = 0; i < out.tables.size(); ++i) {
    for (size_t at = 0; at < all.front().dead_at[i].size(); ++at) {
      combine(values, all, [&](const Replay& one) { return one.dead_at[i][at]; });
      out.dead_at[i].push_back(median(values));
    }
  }
  return out;
}

}  // namespace

std::string_view name(Cause cause) {
  switch (cause) {
    case Cause::DeadRows:
      return "dead rows";
    case Cause::Inserts:
      return "inserts";
    case Cause::Changes:
      return "changes";
    case Cause::Age:
      return "age";
    case Cause::Person:
      return "by hand";
  }
  std::abort();
}

ModelSettings model_of(const Trace& trace) {
  return {.server = trace.settings, .costs = trace.costs, .assumed = {}};
}

Result<Replay> replay(const Trace& trace, const Workload& workload, const ReplaySetup& setup) {
  const double naptime = std::max(setup.model.server.autovacuum.naptime_s, 1.0);
  const double visits = trace.duration_s() / naptime + static_cast<double>(setup.probes.size());
  const double steps = (visits + 1) * static_cast<double>(std::max<size_t>(trace.tables.size(), 1));
  if (steps > kStepsMax) {
    return Error{ErrorCode::Limit, cat("a replay of ", static_cast<int64_t>(steps),
                                       " table visits; at most ", static_cast<int64_t>(kStepsMax),
                                       " are made: a shorter trace, or fewer tables")};
  }
  // Where the trace is long, the phase within one naptime matters to nobody.
  const int phases = std::clamp(static_cast<int>(2e7 / steps), 1, std::max(setup.phases, 1));
  std::vector<Replay> all;
  for (int i = 0; i < phases; ++i) {
    Launcher launcher(trace, workload, setup, naptime * (i + 0.5) / phases);
    all.push_back(launcher.run());
  }
  return combined(std::move(all));
}

}  // namespace pgtend::vacuum
