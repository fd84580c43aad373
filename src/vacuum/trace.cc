#include "vacuum/trace.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>

#include "base/text.h"
#include "facts/members.h"

namespace pgtend::vacuum {
namespace {

constexpr double kSecondsMax = 1e10;  // 300 years
constexpr double kRowsMax = 1e15;
constexpr int64_t kXidMax = int64_t{1} << 62;

template <class Visitor, class Other>
void visit_other(Visitor& visit, Other& other) {
  visit("name", other.name);
  visit("xid_age", other.xid_age);
  visit("freeze_s", other.freeze_s);
}

template <class Visitor, class T>
void visit_outcome(Visitor& visit, T& outcome) {
  visit("rows_live", outcome.rows_live);
  visit("rows_dead", outcome.rows_dead);
  visit("reltuples", outcome.reltuples);
  visit("autovacuums", outcome.autovacuums);
  visit("autoanalyzes", outcome.autoanalyzes);
  visit("autovacuum_at", outcome.autovacuum_at);
  visit("autoanalyze_at", outcome.autoanalyze_at);
}

template <class Visitor, class T>
void visit_sample(Visitor& visit, T& sample) {
  visit("oid", sample.oid);
  visit("inserted", sample.writes.inserted);
  visit("updated", sample.writes.updated);
  visit("updated_hot", sample.writes.updated_hot);
  visit("deleted", sample.writes.deleted);
  visit("live", sample.writes.live);
  visit("dead", sample.writes.dead);
  visit("changed", sample.writes.changed);
  visit("pages", sample.pages);
  visit("vacuum_at", sample.vacuum_at);
  visit("analyze_at", sample.analyze_at);
}

Error bad(std::string what) { return Error{ErrorCode::Invalid, std::move(what)}; }

bool within(double value, double low, double high) { return value >= low && value <= high; }

Status check_table(const TraceTable& table) {
  const facts::TableFacts& facts = table.facts;
  if (facts.oid == 0) return bad("a table needs an oid");
  const int64_t pages[] = {facts.size.pages, facts.size.pages_known, facts.size.pages_visible,
                           facts.size.pages_frozen.value_or(0)};
  for (const int64_t number : pages) {
    if (number < 0 || number > int64_t{1} << 32) return bad("pages are not within 0 and 2^32");
  }
  if (!within(facts.reltuples, -1, kRowsMax)) return bad("reltuples is not within -1 and 1e15");
  const int64_t rows[] = {facts.counters.rows_live, facts.counters.rows_dead,
                          facts.counters.inserted_since_vacuum,
                          facts.counters.modified_since_analyze};
  for (const int64_t number : rows) {
    if (!within(static_cast<double>(number), 0, kRowsMax)) {
      return bad("a counter of rows is not within 0 and 1e15");
    }
  }
  if (facts.size.indexes.count < 0 || facts.size.indexes.count > int64_t{1} << 50) {
    return bad("index_bytes is not within 0 and 2^50");
  }
  if (table.indexes < 0 || table.indexes > 10'000) return bad("indexes is not within 0 and 10000");
  if (!within(static_cast<double>(facts.xid_age), 0, 4e9)) return bad("xid_age is not an age");
  return ok();
}

Status check_writes(const TableSample& sample, const Writes& before, double at) {
  const Writes& now = sample.writes;
  const double grown[][2] = {{before.inserted, now.inserted},
                             {before.updated, now.updated},
                             {before.updated_hot, now.updated_hot},
                             {before.deleted, now.deleted},
                             {before.changed, now.changed}};
  for (const auto& pair : grown) {
    if (!within(pair[1], pair[0], kRowsMax)) {
      return bad(cat("a sum of table ", sample.oid, " is below the one before, or beyond 1e15"));
    }
  }
  if (!within(now.live, -kRowsMax, kRowsMax) || !within(now.dead, -kRowsMax, kRowsMax)) {
    return bad(cat("live or dead rows of table ", sample.oid, " are beyond 1e15"));
  }
  if (sample.pages && !within(static_cast<double>(*sample.pages), 0, 4'294'967'296.0)) {
    return bad("pages are not within 0 and 2^32");
  }
  for (const auto& run : {sample.vacuum_at, sample.analyze_at}) {
    if (run && !within(*run, -kSecondsMax, at)) return bad("a run ended after its sample");
  }
  return ok();
}

// The members of `object` but those of these names.
json::object without(const json::object& object, std::initializer_list<std::string_view> names) {
  json::object out;
  for (const auto& member : object) {
    if (std::ranges::find(names, std::string_view(member.key())) == names.end()) out.insert(member);
  }
  return out;
}

// Reads a trace line by line; all state of the checks.
class Reader {
 public:
  explicit Reader(const TraceLimits& limits) : limits_(limits) {}

  Status line(std::string_view text) {
    const json::value value =
        TRY(parse_json(text, {.bytes_max = limits_.line_bytes_max, .depth_max = 16}));
    const json::object* object = value.if_object();
    if (object == nullptr) return bad("not an object");
    if (!headed_) {
      headed_ = true;
      return header(*object);
    }
    if (const json::value* table = object->if_contains("table")) return add_table(*object, *table);
    return sample(*object);
  }
  Result<Trace> finish() {
    if (!headed_) return bad("line 1: a trace begins with {\"pgtend_trace\": 1, …}");
    if (trace_.samples.empty()) return bad("a trace needs at least one sample");
    return std::move(trace_);
  }

 private:
  Status header(const json::object& object) {
    const json::value* version = object.if_contains("pgtend_trace");
    if (version == nullptr) return bad("a trace begins with {\"pgtend_trace\": 1, …}");
    if (!version->is_int64() || version->as_int64() != kTraceVersion) {
      return bad(cat("this program reads traces of version ", kTraceVersion));
    }
    if (const json::value* settings = object.if_contains("settings")) {
      trace_.settings = TRY(facts::settings_from_json(*settings));
    }
    trace_.costs = facts::default_vacuum_costs(trace_.settings.version);
    if (const json::value* costs = object.if_contains("costs")) {
      trace_.costs = TRY(facts::vacuum_costs_from_json(*costs, trace_.costs));
    }
    const json::object rest = without(object, {"pgtend_trace", "settings", "costs"});
    facts::MemberReader reader(rest);
    reader("database", trace_.database);
    reader("started", trace_.started);
    reader.list("databases", trace_.others, [](auto& visit, auto& o) { visit_other(visit, o); });
    TRY(reader.finish());
    if (trace_.others.size() > 10'000) return Error{ErrorCode::Limit, "more than 10000 databases"};
    return check_trace_settings(trace_);
  }
  Status add_table(const json::object& object, const json::value& facts) {
    if (!trace_.samples.empty()) return bad("tables come before the samples");
    if (trace_.tables.size() >= limits_.tables_max) {
      return Error{ErrorCode::Limit, cat("more than ", limits_.tables_max, " tables")};
    }
    TraceTable table;
    table.facts = TRY(facts::table_from_json(facts));
    const json::object rest = without(object, {"table"});
    facts::MemberReader reader(rest);
    reader("indexes", table.indexes);
    TRY(reader.finish());
    TRY(check_table(table));
    if (!before_.emplace(table.facts.oid, Writes{}).second) {
      return bad(cat("a second table with oid ", table.facts.oid));
    }
    trace_.tables.push_back(std::move(table));
    return ok();
  }
  Status sample(const json::object& object) {
    Sample sample;
    const json::object rest = without(object, {"tables"});
    facts::MemberReader reader(rest);
    reader("at", sample.at);
    reader("xid", sample.xid);
    reader("horizon", sample.horizon);
    TRY(reader.finish());
    const bool first = trace_.samples.empty();
    if (!within(sample.at, first ? 0 : std::nextafter(trace_.samples.back().at, kSecondsMax),
                kSecondsMax)) {
      return bad("\"at\" must grow from sample to sample");
    }
    if (sample.xid > kXidMax || sample.xid < (first ? 0 : trace_.samples.back().xid)) {
      return bad("\"xid\" must not shrink");
    }
    if (sample.horizon && (*sample.horizon < 0 || *sample.horizon > sample.xid)) {
      return bad("\"horizon\" must be within 0 and \"xid\"");
    }
    if (const json::value* tables = object.if_contains("tables")) {
      if (!tables->is_array()) return bad("\"tables\" must be a list");
      for (const json::value& table : tables->as_array()) TRY(add_sample(table, sample));
    }
    trace_.samples.push_back(std::move(sample));
    return ok();
  }
  Status add_sample(const json::value& value, Sample& sample) {
    const json::object* object = value.if_object();
    if (object == nullptr) return bad("a table's sample must be an object");
    if (++table_samples_ > limits_.table_samples_max) {
      return Error{ErrorCode::Limit,
                   cat("more than ", limits_.table_samples_max, " table samples")};
    }
    const json::value* oid = object->if_contains("oid");
    const auto known =
        oid != nullptr && oid->is_int64() ? before_.find(oid->as_int64()) : before_.end();
    if (known == before_.end()) return bad("a sample of a table that no line before describes");
    TableSample out;
    out.writes = known->second;  // a sum that is not named has not changed
    const json::object rest = without(*object, {"outcome"});
    facts::MemberReader reader(rest);
    visit_sample(reader, out);
    reader("reset", out.reset);
    TRY(reader.finish());
    TRY(check_writes(out, known->second, sample.at));
    if (const json::value* outcome = object->if_contains("outcome")) {
      if (!outcome->is_object()) return bad("\"outcome\" must be an object");
      out.outcome.emplace();
      facts::MemberReader outcome_reader(outcome->as_object());
      visit_outcome(outcome_reader, *out.outcome);
      TRY(outcome_reader.finish());
    }
    known->second = out.writes;
    sample.tables.push_back(std::move(out));
    return ok();
  }

  const TraceLimits& limits_;
  Trace trace_;
  bool headed_ = false;
  std::map<int64_t, Writes> before_;  // by oid: the sums of the last sample
  size_t table_samples_ = 0;
};

json::object members_of(const TableSample& sample) {
  facts::MemberWriter writer;
  visit_sample(writer, sample);
  json::object out = std::move(writer).take();
  if (sample.reset) out["reset"] = true;
  if (sample.outcome) {
    facts::MemberWriter outcome;
    visit_outcome(outcome, *sample.outcome);
    out["outcome"] = std::move(outcome).take();
  }
  return out;
}

}  // namespace

const TraceTable* Trace::find(uint32_t oid) const {
  const auto found =
      std::ranges::find(tables, oid, [](const TraceTable& table) { return table.facts.oid; });
  return found == tables.end() ? nullptr : &*found;
}

Result<Trace> read_trace(std::string_view text, const TraceLimits& limits) {
  if (text.size() > limits.bytes_max) {
    return Error{ErrorCode::Limit, cat("a trace of more than ", limits.bytes_max, " bytes")};
  }
  Reader reader(limits);
  int64_t number = 0;
  while (!text.empty()) {
    ++number;
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (trim(line).empty()) continue;
    TRY_DURING(reader.line(line), cat("line ", number));
  }
  return reader.finish();
}

json::object header_line(const Trace& trace) {
  json::object out{{"pgtend_trace", kTraceVersion},
                   {"database", trace.database},
                   {"started", trace.started},
                   {"settings", facts::to_json(trace.settings)},
                   {"costs", facts::to_json(trace.costs)}};
  facts::MemberWriter writer;
  writer.list("databases", trace.others, [](auto& visit, auto& o) { visit_other(visit, o); });
  out["databases"] = std::move(std::move(writer).take()["databases"]);
  return out;
}

json::object table_line(const TraceTable& table) {
  return {{"table", facts::to_json(table.facts)}, {"indexes", table.indexes}};
}

json::object sample_line(const Sample& sample) {
  json::array tables;
  for (const TableSample& table : sample.tables) tables.emplace_back(members_of(table));
  json::object out{{"at", sample.at}, {"xid", sample.xid}};
  if (sample.horizon) out["horizon"] = *sample.horizon;
  out["tables"] = std::move(tables);
  return out;
}

std::string write_trace(const Trace& trace) {
  std::string out = pgtend::to_text(header_line(trace)) + '\n';
  for (const TraceTable& table : trace.tables) out += pgtend::to_text(table_line(table)) + '\n';
  for (const Sample& sample : trace.samples) out += pgtend::to_text(sample_line(sample)) + '\n';
  return out;
}

Status check_trace_settings(const Trace& trace) {
  const auto& set = trace.settings.autovacuum;
  const auto& costs = trace.costs;
  if (!within(trace.settings.version, 130000, 199999)) {
    return bad("settings: version is not one of 13 to 19, as 150020");
  }
  if (!within(set.naptime_s, 1, 2'147'483)) return bad("settings: autovacuum_naptime is below 1 s");
  if (!within(static_cast<double>(set.workers_max), 1, 262'143)) {
    return bad("settings: autovacuum_max_workers is not within 1 and 262143");
  }
  if (!within(static_cast<double>(trace.settings.statistics_target), 1, 10'000)) {
    return bad("settings: default_statistics_target is not within 1 and 10000");
  }
  const double numbers[] = {costs.page_hit, costs.page_miss, costs.page_dirty};
  for (const double number : numbers) {
    if (!within(number, 0, 10'000)) return bad("costs: a page's cost is not within 0 and 10000");
  }
  if (!within(costs.effective_delay_ms(), 0, 100) || !within(costs.effective_limit(), 1, 10'000)) {
    return bad("costs: a cost delay is within 0 and 100 ms, a cost limit within 1 and 10000");
  }
  if (!within(static_cast<double>(costs.block_size), 1024, 32'768)) return bad("costs: block_size");
  if (!within(costs.effective_memory_bytes(), 65'536, 1e15))
    return bad("costs: memory below 64 kB");
  return ok();
}

Trace without_outcome(Trace trace) {
  for (Sample& sample : trace.samples) {
    for (TableSample& table : sample.tables) table.outcome.reset();
  }
  return trace;
}

}  // namespace pgtend::vacuum
