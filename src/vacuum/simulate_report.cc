#include "vacuum/simulate_report.h"

#include <algorithm>
#include <span>

#include "base/text.h"
#include "vacuum/server_rules.h"
#include "vacuum/workload.h"

namespace pgtend::vacuum {
namespace {

constexpr double kStopAge = 2147483648.0 - 3'000'000;

// The options of a table that autovacuum reads.
constexpr std::string_view kTableOptions[] = {"autovacuum_enabled",
                                              "autovacuum_vacuum_threshold",
                                              "autovacuum_vacuum_max_threshold",
                                              "autovacuum_vacuum_scale_factor",
                                              "autovacuum_vacuum_insert_threshold",
                                              "autovacuum_vacuum_insert_scale_factor",
                                              "autovacuum_analyze_threshold",
                                              "autovacuum_analyze_scale_factor",
                                              "autovacuum_vacuum_cost_delay",
                                              "autovacuum_vacuum_cost_limit",
                                              "autovacuum_freeze_min_age",
                                              "autovacuum_freeze_max_age",
                                              "autovacuum_freeze_table_age",
                                              "autovacuum_multixact_freeze_max_age"};

Error unknown(std::string_view what, std::string_view name,
              const std::vector<std::string_view>& known) {
  Error error{ErrorCode::NotFound, cat("unknown ", what, " ", printable(name))};
  if (const auto near = nearest(name, known)) error.hint = cat("did you mean ", *near, "?");
  return error;
}

Status set_table(Trace& trace, std::string_view table, std::string_view name,
                 std::string_view value) {
  const bool known = std::ranges::find(kTableOptions, name) != std::end(kTableOptions);
  if (!known) {
    return unknown("table option", name, {std::begin(kTableOptions), std::end(kTableOptions)});
  }
  if (name != "autovacuum_enabled" && !parse_double(value)) {
    return Error{ErrorCode::Invalid, cat(name, " needs a number, not ", printable(value))};
  }
  bool found = false;
  for (TraceTable& one : trace.tables) {
    const bool main = one.facts.kind != 't';
    if (!main || (one.facts.name != table && one.facts.qualified() != table)) continue;
    one.facts.options[std::string(name)] = value;
    found = true;
  }
  if (found) return ok();
  return Error{ErrorCode::NotFound, cat("the trace has no table ", printable(table))};
}

struct Unit {
  std::string_view name;
  double factor;
};
constexpr Unit kMemoryUnits[] = {{"kB", 1}, {"MB", 1024}, {"GB", 1048576}, {"TB", 1073741824}};
constexpr Unit kSecondUnits[] = {{"ms", 0.001}, {"s", 1}, {"min", 60}, {"h", 3600}, {"d", 86400}};
constexpr Unit kMillisecondUnits[] = {{"us", 0.001}, {"ms", 1}, {"s", 1000}};

// A number with a unit as in postgresql.conf: of memory, of time.
std::optional<double> number_of(std::string_view name, std::string_view text) {
  const size_t end = text.find_first_not_of("0123456789.+-eE");
  const auto number = parse_double(trim(text.substr(0, end)));
  if (!number) return {};
  if (end == std::string_view::npos) return *number;
  std::span<const Unit> units;
  if (name.ends_with("_mem")) units = kMemoryUnits;
  if (name.ends_with("_naptime")) units = kSecondUnits;
  if (name.ends_with("_delay")) units = kMillisecondUnits;
  for (const Unit& unit : units) {
    if (unit.name == trim(text.substr(end))) return *number * unit.factor;
  }
  return {};
}

// The value with the type that the member has now.
Result<json::value> typed(const json::value& now, std::string_view name, std::string_view text) {
  if (now.is_bool()) {
    if (text == "on" || text == "true") return json::value(true);
    if (text == "off" || text == "false") return json::value(false);
    return Error{ErrorCode::Invalid, cat(name, " is on or off, not ", printable(text))};
  }
  if (now.is_string()) return json::value(text);
  const auto number = number_of(name, text);
  if (!number)
    return Error{ErrorCode::Invalid, cat(name, " needs a number, not ", printable(text))};
  return json::value(*number);
}

Status set_server(Trace& trace, std::string_view name, std::string_view value) {
  json::object settings = facts::to_json(trace.settings);
  // Absent up to 17.
  const std::string_view cap = "autovacuum_vacuum_max_threshold";
  if (!settings.contains(cap) && trace.settings.version >= 180000) settings[cap] = 100'000'000;
  json::object costs = facts::to_json(trace.costs);
  std::vector<std::string_view> known;
  for (const auto* object : {&settings, &costs}) {
    for (const auto& member : *object) known.push_back(member.key());
  }
  json::object& object = settings.contains(name) ? settings : costs;
  json::value* member = object.if_contains(name);
  if (member == nullptr || name == "version" || name == "block_size") {
    return unknown("setting", name, known);
  }
  *member = TRY(typed(*member, name, value));
  trace.settings = TRY(facts::settings_from_json(settings));
  trace.costs = TRY(facts::vacuum_costs_from_json(costs, trace.costs));
  return ok();
}

json::object to_json(const TableOutcome& outcome) {
  return {{"vacuums", outcome.vacuums},
          {"analyzes", outcome.analyzes},
          {"forced", outcome.forced},
          {"useless", outcome.useless},
          {"dead_rows_peak", outcome.dead_peak},
          {"dead_rows_average", outcome.dead_average},
          {"above_limit_s", outcome.above_limit_s},
          {"waiting_s_max", outcome.waiting_s_max},
          {"xid_age", outcome.xid_age_end},
          {"pages", outcome.pages_end}};
}

json::object to_json(const SimulatedRun& run, const Trace& trace) {
  return {{"table", trace.tables[run.table].facts.qualified()},
          {"run", run.analyze ? "analyze" : "vacuum"},
          {"cause", name(run.cause)},
          {"started_s", run.started},
          {"ended_s", run.ended},
          {"earliest_s", run.earliest},
          {"latest_s", run.latest},
          {"rows_removed", run.work.rows_removed},
          {"rows_kept", run.rows_kept},
          {"pages_scanned", run.work.pages_scanned},
          {"index_passes", run.work.index_passes},
          {"aggressive", run.work.aggressive},
          {"failsafe", run.work.failsafe}};
}

double longest(const Replay& replay, bool analyze) {
  double out = 0;
  for (const SimulatedRun& run : replay.runs) {
    if (run.analyze == analyze) out = std::max(out, run.ended - run.started);
  }
  return out;
}

json::value or_null(const std::optional<double>& value) {
  return value ? json::value(*value) : json::value(nullptr);
}

}  // namespace

Status apply_setting(Trace& trace, std::string_view text) {
  for (const std::string_view one : split(text, ',')) {
    const size_t equals = one.find('=');
    if (equals == std::string_view::npos) {
      return Error{ErrorCode::Invalid, cat("\"", printable(one), "\" is not name=value")};
    }
    const std::string_view name = trim(one.substr(0, equals));
    const std::string_view value = trim(one.substr(equals + 1));
    const size_t dot = name.rfind('.');
    if (dot == std::string_view::npos) {
      TRY(set_server(trace, name, value));
    } else {
      TRY(set_table(trace, name.substr(0, dot), name.substr(dot + 1), value));
    }
  }
  return check_trace_settings(trace);
}

Result<Variant> simulate(std::string name, const Trace& trace, const ReplaySetup& setup) {
  Variant out{.name = std::move(name), .trace = trace, .setup = setup};
  out.setup.model.server = trace.settings;
  out.setup.model.costs = trace.costs;
  const Workload workload = workload_of(trace);
  out.replay = TRY(replay(trace, workload, out.setup));
  for (const int cached : {0, 1}) {
    ReplaySetup other = out.setup;
    other.model.assumed.cached = cached;
    other.phases = 1;
    other.probes.clear();
    const Replay bound = TRY(replay(trace, workload, other));
    out.longest_vacuum_s[cached] = longest(bound, false);
    out.longest_analyze_s[cached] = longest(bound, true);
  }
  return out;
}

Runway runway_of(const Variant& variant) {
  Runway out{.age = variant.replay.xid_age_end, .rate = variant.replay.xid_rate};
  if (out.rate <= 0) return out;
  const auto until = [&](double age) { return std::max(age - out.age, 0.0) / out.rate; };
  const auto forced = static_cast<double>(variant.trace.settings.autovacuum.freeze_age_max);
  out.forced_s = until(forced);
  if (variant.trace.settings.version >= kVersionBypass) {
    out.failsafe_s =
        until(std::max(static_cast<double>(variant.trace.costs.failsafe_age), 1.05 * forced));
  }
  out.stop_s = until(kStopAge);
  return out;
}

json::object to_json(const Variant& variant, size_t runs_max) {
  const Replay& replay = variant.replay;
  json::array tables;
  for (size_t i = 0; i < replay.tables.size(); ++i) {
    json::object table = to_json(replay.tables[i]);
    table["table"] = variant.trace.tables[i].facts.qualified();
    tables.emplace_back(std::move(table));
  }
  json::array runs;
  for (size_t i = 0; i < std::min(runs_max, replay.runs.size()); ++i) {
    runs.emplace_back(to_json(replay.runs[i], variant.trace));
  }
  const Runway runway = runway_of(variant);
  return {{"name", variant.name},
          {"duration_s", replay.duration_s},
          {"worker_s", replay.worker_s},
          {"all_workers_busy_s", replay.all_busy_s},
          {"starved_s", replay.starved_s},
          {"queue_max", replay.queue_max},
          {"cost_share", replay.cost_share},
          {"longest_vacuum_s", {variant.longest_vacuum_s[1], variant.longest_vacuum_s[0]}},
          {"longest_analyze_s", {variant.longest_analyze_s[1], variant.longest_analyze_s[0]}},
          {"runway",
           {{"xid_age", runway.age},
            {"xids_per_s", runway.rate},
            {"forced_s", or_null(runway.forced_s)},
            {"failsafe_s", or_null(runway.failsafe_s)},
            {"stop_s", or_null(runway.stop_s)}}},
          {"tables", std::move(tables)},
          {"runs", std::move(runs)},
          {"runs_all", replay.runs.size()}};
}

json::object to_json(const Comparison& comparison, const Trace& trace) {
  json::array runs;
  for (const Matched& run : comparison.runs) {
    runs.emplace_back(json::object{{"table", trace.tables[run.table].facts.qualified()},
                                   {"run", run.analyze ? "analyze" : "vacuum"},
                                   {"measured_s", or_null(run.measured)},
                                   {"simulated_s", or_null(run.simulated)}});
  }
  json::array dead;
  for (const DeadCompared& one : comparison.dead) {
    dead.emplace_back(json::object{{"table", trace.tables[one.table].facts.qualified()},
                                   {"measured_average", one.measured_average},
                                   {"simulated_average", one.simulated_average},
                                   {"measured_peak", one.measured_peak},
                                   {"simulated_peak", one.simulated_peak}});
  }
  return {{"worst_s", comparison.worst_s()}, {"median_s", comparison.median_s()},
          {"missed", comparison.missed()},   {"extra", comparison.extra()},
          {"unseen", comparison.unseen},     {"runs", std::move(runs)},
          {"dead_rows", std::move(dead)}};
}

}  // namespace pgtend::vacuum
