#include "vacuum/trace_generate.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

#include "base/text.h"
#include "facts/members.h"

namespace pgtend::vacuum {
namespace {

constexpr std::string_view kMark = "pgtend_load";
constexpr double kDayS = 86'400;
constexpr int kPieces = 16;  // of a step, over which a rate is taken as constant
constexpr double kRateMax = 1e9;
constexpr size_t kLoadsMax = 100;
constexpr size_t kHoldersMax = 1000;

template <class Visitor, class T>
void visit_load(Visitor& visit, T& load) {
  visit("inserted_per_s", load.inserted_per_s);
  visit("updated_per_s", load.updated_per_s);
  visit("deleted_per_s", load.deleted_per_s);
  visit("hot_share", load.hot_share);
  visit("from_s", load.from_s);
  visit("to_s", load.to_s);
  visit("every_s", load.every_s);
  visit("for_s", load.for_s);
  visit("daily_swing", load.daily_swing);
  visit("peak_s", load.peak_s);
  visit("noise", load.noise);
}

Error bad_load(std::string what) { return Error{ErrorCode::Invalid, std::move(what)}; }

bool share(double value) { return value >= 0 && value <= 1; }
bool rate(double value) { return value >= 0 && value <= kRateMax; }

Status check_load(const Load& load) {
  if (!rate(load.inserted_per_s) || !rate(load.updated_per_s) || !rate(load.deleted_per_s)) {
    return bad_load("a rate is not within 0 and 1e9 rows a second");
  }
  if (!share(load.hot_share) || !share(load.daily_swing) || !share(load.noise)) {
    return bad_load("hot_share, daily_swing and noise are within 0 and 1");
  }
  const double times[] = {load.from_s, load.to_s.value_or(0), load.for_s, load.peak_s};
  for (const double time : times) {
    if (!(time >= 0 && time <= 1e10)) return bad_load("a time is not within 0 and 1e10 seconds");
  }
  if (load.every_s && !(*load.every_s >= 1e-3 && *load.every_s <= 1e10)) {
    return bad_load("every_s is not within 0.001 and 1e10");
  }
  return ok();
}

// The part of its rate that a load has at `time`.
double strength(const Load& load, double time) {
  if (time < load.from_s || (load.to_s && time >= *load.to_s)) return 0;
  if (load.every_s && std::fmod(time - load.from_s, *load.every_s) >= load.for_s) return 0;
  return 1 + load.daily_swing * std::cos(2 * std::numbers::pi * (time - load.peak_s) / kDayS);
}

// A number from 0 to 1 from a seed and a place (SplitMix64): the same on every machine.
double dice(uint64_t seed, uint64_t place) {
  uint64_t x = seed * 0x9e3779b97f4a7c15U + place * 0xbf58476d1ce4e5b9U + 0x94d049bb133111ebU;
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebU;
  x ^= x >> 31U;
  return static_cast<double>(x >> 11U) * 0x1p-53;
}

// Adds what `load` writes from `from` to `to`.
void add(Writes& sums, const Load& load, double from, double to, double luck) {
  double seconds = 0;
  const double piece = (to - from) / kPieces;
  for (int i = 0; i < kPieces; ++i) seconds += piece * strength(load, from + (i + 0.5) * piece);
  seconds *= 1 + load.noise * (2 * luck - 1);
  const double inserted = load.inserted_per_s * seconds;
  const double updated = load.updated_per_s * seconds;
  const double deleted = load.deleted_per_s * seconds;
  sums.inserted += inserted;
  sums.updated += updated;
  sums.updated_hot += updated * load.hot_share;
  sums.deleted += deleted;
  sums.live += inserted - deleted;
  sums.dead += updated + deleted;
  sums.changed += inserted + updated + deleted;
}

Status read_table(const json::value& value, LoadDescription& out) {
  const json::object* object = value.if_object();
  if (object == nullptr) return bad_load("a table must be an object");
  const json::value* loads = object->if_contains("load");
  json::object rest = *object;
  rest.erase("load");
  LoadedTable table;
  // The same members as in a trace, checked there.
  if (const json::value* facts = rest.if_contains("table")) {
    table.table.facts = TRY(facts::table_from_json(*facts));
  }
  rest.erase("table");
  facts::MemberReader reader(rest);
  reader("indexes", table.table.indexes);
  TRY(reader.finish());
  json::object wrapped;
  if (loads != nullptr) wrapped["load"] = *loads;
  facts::MemberReader load_reader(wrapped);
  load_reader.list("load", table.loads, [](auto& visit, Load& load) { visit_load(visit, load); });
  TRY(load_reader.finish());
  if (table.loads.size() > kLoadsMax) return Error{ErrorCode::Limit, "more than 100 loads"};
  for (const Load& load : table.loads) TRY(check_load(load));
  if (table.table.facts.oid == 0) {
    table.table.facts.oid = 16'384 + static_cast<uint32_t>(out.tables.size());
  }
  out.tables.push_back(std::move(table));
  return ok();
}

}  // namespace

bool is_load_description(std::string_view text) {
  return text.substr(0, 1000).find(cat('"', kMark, '"')) != std::string_view::npos;
}

Result<LoadDescription> read_load(std::string_view text) {
  const json::value value = TRY(parse_json(text, {.bytes_max = size_t{64} << 20, .depth_max = 16}));
  const json::object* object = value.if_object();
  if (object == nullptr || !object->contains(kMark))
    return bad_load("a load begins with {\"pgtend_load\": 1, …}");
  if (const json::value& version = object->at(kMark); version != json::value(kTraceVersion)) {
    return bad_load(cat("this program reads loads of version ", kTraceVersion));
  }
  LoadDescription out;
  // What a trace has, too, is read and checked as one.
  json::object head = {{"pgtend_trace", kTraceVersion}};
  json::object rest;
  for (const auto& member : *object) {
    const std::string_view name = member.key();
    if (name == "settings" || name == "costs" || name == "databases" || name == "database") {
      head.insert(member);
    } else if (name != kMark && name != "tables") {
      rest.insert(member);
    }
  }
  facts::MemberReader reader(rest);
  reader("duration_s", out.duration_s);
  reader("every_s", out.every_s);
  reader("xids_per_s", out.xids_per_s);
  reader("seed", out.seed);
  reader.list("holders", out.holders, [](auto& visit, Holder& holder) {
    visit("from_s", holder.from_s);
    visit("to_s", holder.to_s);
  });
  TRY(reader.finish());
  if (!(out.duration_s > 0 && out.duration_s <= 1e10) ||
      !(out.every_s > 0 && out.every_s <= 1e10)) {
    return bad_load("duration_s and every_s must be above 0, and at most 1e10");
  }
  if (!(out.xids_per_s >= 0 && out.xids_per_s <= 1e7))
    return bad_load("xids_per_s is not within 0 and 1e7");
  if (out.holders.size() > kHoldersMax) return Error{ErrorCode::Limit, "more than 1000 holders"};
  out.head = TRY(read_trace(cat(pgtend::to_text(head), "\n{\"at\": 0}\n")));
  out.head.samples.clear();
  const json::value* tables = object->if_contains("tables");
  if (tables == nullptr || !tables->is_array()) return bad_load("\"tables\" must be a list");
  for (const json::value& table : tables->as_array()) {
    TRY_DURING(read_table(table, out), cat("table ", out.tables.size() + 1));
  }
  return out;
}

Result<Trace> generate(const LoadDescription& description) {
  Trace out = description.head;
  for (const LoadedTable& table : description.tables) out.tables.push_back(table.table);
  const double steps = std::ceil(description.duration_s / description.every_s);
  const auto most = static_cast<double>(TraceLimits{}.table_samples_max);
  if (steps * static_cast<double>(std::max<size_t>(out.tables.size(), 1)) > most) {
    return Error{ErrorCode::Limit, cat("more than ", TraceLimits{}.table_samples_max,
                                       " table samples: every_s is too small")};
  }
  // A scale on which no age of the description is negative.
  constexpr double kFirstXid = 4e9;
  std::vector<Writes> sums(out.tables.size());
  double before = 0;
  for (double step = 0; step <= steps; ++step) {
    Sample sample{.at = std::min(step * description.every_s, description.duration_s)};
    const double xid = kFirstXid + description.xids_per_s * sample.at;
    double horizon = xid;
    for (const Holder& holder : description.holders) {
      if (sample.at < holder.from_s || sample.at >= holder.to_s) continue;
      horizon = std::min(horizon, kFirstXid + description.xids_per_s * holder.from_s);
    }
    sample.xid = static_cast<int64_t>(xid);
    sample.horizon = static_cast<int64_t>(horizon);
    for (size_t i = 0; i < out.tables.size() && step > 0; ++i) {
      const auto& loads = description.tables[i].loads;
      for (size_t load = 0; load < loads.size(); ++load) {
        const auto place = (static_cast<uint64_t>(step) * out.tables.size() + i) * kLoadsMax + load;
        add(sums[i], loads[load], before, sample.at,
            dice(static_cast<uint64_t>(description.seed), place));
      }
      sample.tables.push_back({.oid = out.tables[i].facts.oid, .writes = sums[i]});
    }
    before = sample.at;
    out.samples.push_back(std::move(sample));
  }
  // Whatever the description made of it is held to what a file may be.
  return read_trace(write_trace(out));
}

}  // namespace pgtend::vacuum
