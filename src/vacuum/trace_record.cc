#include "vacuum/trace_record.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "facts/horizon.h"

namespace pgtend::vacuum {
namespace {

constexpr int64_t kTablesMax = 20'000;
constexpr double kMemory = 0.7;  // weight of the look before in what share is pruned
constexpr double kLookS = 0.9;   // between two looks for holders, at least

// The counters of all tables that autovacuum visits, in the order of Seen, after the oid. Functions
// rather than the view, which would group all indexes of the database. The clock is that of the
// statement's end: counters of before 15 are read when the first function asks for them.
constexpr std::string_view kCountersSql = R"(
select c.oid, pg_stat_get_tuples_inserted(c.oid), pg_stat_get_tuples_updated(c.oid),
       pg_stat_get_tuples_hot_updated(c.oid), pg_stat_get_tuples_deleted(c.oid),
       pg_stat_get_live_tuples(c.oid), pg_stat_get_dead_tuples(c.oid),
       pg_stat_get_mod_since_analyze(c.oid),
       pg_stat_get_vacuum_count(c.oid), pg_stat_get_autovacuum_count(c.oid),
       pg_stat_get_analyze_count(c.oid), pg_stat_get_autoanalyze_count(c.oid),
       extract(epoch from pg_stat_get_last_vacuum_time(c.oid))::float8,
       extract(epoch from pg_stat_get_last_autovacuum_time(c.oid))::float8,
       extract(epoch from pg_stat_get_last_analyze_time(c.oid))::float8,
       extract(epoch from pg_stat_get_last_autoanalyze_time(c.oid))::float8,
       c.reltuples::float8, c.relpages,
       extract(epoch from clock_timestamp())::float8,
       txid_snapshot_xmax(txid_current_snapshot())
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'm', 't') and c.relpersistence <> 't'
  and c.oid >= 16384 and n.nspname <> 'information_schema'
order by c.ctid limit 20001)";
constexpr int kColumnClock = 18;
constexpr int kColumnXid = 19;

// TOAST tables, which the list of tables leaves out.
constexpr std::string_view kToastSql = R"(
select t.oid, n.nspname, t.relname, t.reltuples::float8, t.relpages, t.relallvisible,
       pg_relation_size(t.oid) / current_setting('block_size')::int, age(t.relfrozenxid),
       mxid_age(t.relminmxid), pg_stat_get_live_tuples(t.oid), pg_stat_get_dead_tuples(t.oid),
       pg_stat_get_ins_since_vacuum(t.oid), pg_indexes_size(t.oid), p.oid,
       pg_relation_size(t.oid),
       extract(epoch from now() - pg_stat_get_last_vacuum_time(t.oid))::float8,
       extract(epoch from now() - pg_stat_get_last_autovacuum_time(t.oid))::float8
from pg_class p join pg_class t on t.oid = p.reltoastrelid
join pg_namespace n on n.oid = t.relnamespace
where p.relkind in ('r', 'm') and p.relpersistence <> 't' and p.oid >= 16384 order by t.ctid)";

using TablesByOid = std::map<uint32_t, TraceTable>;

Result<TraceTable> to_toast(const pg::Row& row, const TablesByOid& tables) {
  TraceTable out;
  facts::TableFacts& facts = out.facts;
  facts.kind = 't';
  facts.oid = static_cast<uint32_t>(TRY(row.get<int64_t>(0)));
  facts.schema = row.text(1);
  facts.name = row.text(2);
  facts.reltuples = TRY(row.get<double>(3));
  facts.size.pages_known = TRY(row.get<int64_t>(4));
  facts.size.pages_visible = TRY(row.get<int64_t>(5));
  facts.size.pages = TRY(row.get<int64_t>(6));
  facts.xid_age = TRY(row.get<int64_t>(7));
  facts.mxid_age = TRY(row.get<int64_t>(8));
  facts.counters.rows_live = TRY(row.get<int64_t>(9));
  facts.counters.rows_dead = TRY(row.get<int64_t>(10));
  facts.counters.inserted_since_vacuum = TRY(row.get<int64_t>(11));
  facts.counters.present = facts.counters.rows_live > 0 || facts.counters.rows_dead > 0;
  facts.size.indexes = {TRY(row.get<int64_t>(12))};
  out.indexes = 1;
  const auto owner = tables.find(static_cast<uint32_t>(TRY(row.get<int64_t>(13))));
  facts.size.heap = {TRY(row.get<int64_t>(14))};
  facts.age.vacuum = TRY(row.get<std::optional<double>>(15));
  facts.age.autovacuum = TRY(row.get<std::optional<double>>(16));
  if (owner == tables.end()) return out;
  facts.options = owner->second.facts.options;
  facts.parent = owner->second.facts.qualified();
  facts.rights = owner->second.facts.rights;
  return out;
}

Result<std::vector<OtherDatabase>> load_others(pg::Connection& conn) {
  const pg::Rows rows = TRY_DURING(
      conn.query("select d.datname, age(d.datfrozenxid) from pg_database d where d.datname <> "
                 "current_database() and (pg_stat_get_db_xact_commit(d.oid) > 0 or "
                 "age(d.datfrozenxid) > current_setting('autovacuum_freeze_max_age')::int) "
                 "order by 1"),
      "reading databases");
  std::vector<OtherDatabase> out;
  for (const pg::Row row : rows) {
    out.push_back(
        {.name = std::string(row.text(0)), .xid_age = TRY(row.get<int64_t>(1)), .freeze_s = 0});
  }
  return out;
}

// How many indexes each table has.
Result<std::map<uint32_t, int64_t>> load_indexes(pg::Connection& conn) {
  const pg::Rows rows = TRY_DURING(conn.query("select indrelid, count(*) from pg_index group by 1"),
                                   "reading indexes");
  std::map<uint32_t, int64_t> out;
  for (const pg::Row row : rows) {
    out[static_cast<uint32_t>(TRY(row.get<int64_t>(0)))] = TRY(row.get<int64_t>(1));
  }
  return out;
}

// The oldest transaction (32 bits) that a holder of ordinary tables holds on to; nullopt: none.
Result<std::optional<uint32_t>> load_oldest(pg::Connection& conn,
                                            std::vector<facts::MissingRight>* missing) {
  const facts::Holders holders = TRY(facts::load_holders(conn));
  if (missing != nullptr) {
    missing->insert(missing->end(), holders.missing.begin(), holders.missing.end());
  }
  for (const facts::HorizonHolder& holder : holders.holders) {  // oldest first
    if (holder.holds.data) return std::optional(static_cast<uint32_t>(holder.xid));
  }
  return std::optional<uint32_t>();
}

// The sizes of the tables, as far as nobody has locked one.
std::map<uint32_t, int64_t> load_pages(pg::Connection& conn, const Sample& sample) {
  std::map<uint32_t, int64_t> out;
  std::vector<std::string> oids;
  for (const TableSample& table : sample.tables) oids.push_back(cat(table.oid));
  if (oids.empty()) return out;
  const auto rows = conn.query(
      "select o, pg_relation_size(o::oid) / current_setting('block_size')::int from "
      "unnest($1::bigint[]) o where pg_relation_size(o::oid) is not null",
      {cat("{", join(oids, ","), "}")});
  if (!rows) return out;
  for (const pg::Row row : *rows) {
    const auto oid = row.get<int64_t>(0);
    const auto pages = row.get<int64_t>(1);
    if (oid && pages) out[static_cast<uint32_t>(*oid)] = *pages;
  }
  return out;
}

}  // namespace

Result<Recorder::Seen> Recorder::to_seen(const pg::Row& row, int first) {
  Seen seen;
  int64_t* const counters[] = {&seen.inserted,    &seen.updated,  &seen.updated_hot, &seen.deleted,
                               &seen.live,        &seen.dead,     &seen.changed,     &seen.vacuums,
                               &seen.autovacuums, &seen.analyzes, &seen.autoanalyzes};
  for (int64_t* const counter : counters) *counter = TRY(row.get<int64_t>(first++));
  std::optional<double>* const times[] = {&seen.vacuum_at, &seen.autovacuum_at, &seen.analyze_at,
                                          &seen.autoanalyze_at};
  for (std::optional<double>* const time : times) {
    *time = TRY(row.get<std::optional<double>>(first++));
  }
  seen.reltuples = TRY(row.get<double>(first++));
  seen.pages_known = TRY(row.get<int64_t>(first));
  return seen;
}

Result<Recorder> Recorder::begin(pg::Connection& conn) {
  Recorder out;
  Trace& head = out.head_;
  head.settings = TRY(facts::load_settings(conn));
  head.costs = TRY(facts::load_vacuum_costs(conn));
  head.others = TRY(load_others(conn));
  const pg::Rows name =
      TRY(conn.query("select current_database(), to_char(now() at time zone 'UTC', "
                     "'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"));
  if (name.size() == 1) {
    head.database = name[0].text(0);
    head.started = name[0].text(1);
  }
  const auto indexes = TRY(load_indexes(conn));
  facts::Tables tables = TRY(facts::load_tables(conn));
  out.missing_ = std::move(tables.missing);
  TablesByOid known;
  for (facts::TableFacts& facts : tables.tables) {
    if (facts.kind == 'p') continue;
    const auto count = indexes.find(facts.oid);
    const uint32_t oid = facts.oid;
    known[oid] = {.facts = std::move(facts), .indexes = count == indexes.end() ? 0 : count->second};
  }
  const pg::Rows toasts = TRY_DURING(conn.query(kToastSql), "reading TOAST tables");
  for (const pg::Row row : toasts) {
    TraceTable toast = TRY(to_toast(row, known));
    known[toast.facts.oid] = std::move(toast);
  }
  TRY(out.take_counters(conn, known));
  TRY(load_oldest(conn, &out.missing_));
  return out;
}

// The counters that the sums begin at, and the tables in the order of the catalog, as far as that
// can be known: a worker reads it from its begin.
Status Recorder::take_counters(pg::Connection& conn, std::map<uint32_t, TraceTable>& known) {
  const pg::Rows counters = TRY_DURING(conn.query(kCountersSql), "reading counters");
  if (counters.size() > kTablesMax) {
    return Error{ErrorCode::Limit, cat("more than ", kTablesMax, " tables")};
  }
  for (const pg::Row row : counters) {
    const auto oid = static_cast<uint32_t>(TRY(row.get<int64_t>(0)));
    const Seen seen = TRY(to_seen(row, 1));
    started_ = TRY(row.get<double>(kColumnClock));
    const auto table = known.find(oid);
    if (table == known.end()) continue;
    facts::TableFacts& facts = table->second.facts;
    facts.counters.rows_live = seen.live;
    facts.counters.rows_dead = seen.dead;
    facts.counters.modified_since_analyze = seen.changed;
    facts.reltuples = seen.reltuples;
    facts.size.pages_known = seen.pages_known;
    watched_[oid].seen = seen;
    head_.tables.push_back(std::move(table->second));
  }
  std::ranges::stable_partition(head_.tables,
                                [](const TraceTable& table) { return table.facts.kind != 't'; });
  return ok();
}

// Adds up what writers did since the last look. What a run has set anew meanwhile tells nothing of
// the writers: then their own counters do, less the share that was pruned away lately.
void Recorder::follow(Watched& watched, const Seen& now, TableSample& out) const {
  const Seen before = watched.seen;
  Seen from = before;
  const auto lost = [&](int64_t Seen::*counter) { return now.*counter < before.*counter; };
  out.reset = lost(&Seen::inserted) || lost(&Seen::updated) || lost(&Seen::deleted) ||
              lost(&Seen::vacuums) || lost(&Seen::autovacuums);
  if (out.reset) from = Seen{};
  const auto grown = [&](int64_t Seen::*counter) {
    return static_cast<double>(std::max<int64_t>(now.*counter - from.*counter, 0));
  };
  Writes& sums = watched.writes;
  const double inserted = grown(&Seen::inserted);
  const double deleted = grown(&Seen::deleted);
  const double written = grown(&Seen::updated) + deleted;
  sums.inserted += inserted;
  sums.updated += grown(&Seen::updated);
  sums.updated_hot += grown(&Seen::updated_hot);
  sums.deleted += deleted;
  const bool vacuumed = now.vacuums != from.vacuums || now.autovacuums != from.autovacuums;
  const bool analyzed = now.analyzes != from.analyzes || now.autoanalyzes != from.autoanalyzes;
  if (vacuumed || analyzed) {
    const double share = watched.dead_written > 0
                             ? std::clamp(watched.dead_made / watched.dead_written, 0.0, 1.0)
                             : 1;
    sums.live += inserted - deleted;
    // A run leaves no more dead rows than there were: what is more now is the writers'.
    const auto more = static_cast<double>(now.dead - from.dead);
    sums.dead += std::max(written * share, std::min(more, written));
  } else {
    const auto dead = static_cast<double>(now.dead - from.dead);
    sums.live += static_cast<double>(now.live - from.live);
    sums.dead += dead;
    if (written > 0) {
      watched.dead_made = kMemory * watched.dead_made + dead;
      watched.dead_written = kMemory * watched.dead_written + written;
    }
  }
  sums.changed += analyzed ? inserted + written : grown(&Seen::changed);
  watched.outcome.autovacuums += now.autovacuums - from.autovacuums;
  watched.outcome.autoanalyzes += now.autoanalyzes - from.autoanalyzes;
  const auto since = [&](const std::optional<double>& at) {
    return at ? std::optional<double>(*at - started_) : std::nullopt;
  };
  if (now.vacuums != from.vacuums) out.vacuum_at = since(now.vacuum_at);
  if (now.analyzes != from.analyzes) out.analyze_at = since(now.analyze_at);
  Outcome& outcome = watched.outcome;
  outcome.rows_live = now.live;
  outcome.rows_dead = now.dead;
  outcome.reltuples = now.reltuples;
  outcome.autovacuum_at = since(now.autovacuum_at);
  outcome.autoanalyze_at = since(now.autoanalyze_at);
  watched.seen = now;
  out.writes = sums;
  out.outcome = outcome;
}

Result<Sample> Recorder::sample(pg::Connection& conn, bool sizes) {
  // Holders first: whoever comes between the two looks holds what the second one counts. They stay
  // for longer than counters do, and cost more to look up.
  const bool look = looked_at_ + kLookS <= last_at_ || looked_at_ < 0;
  std::optional<uint32_t> oldest;
  if (look) oldest = TRY(load_oldest(conn, nullptr));
  const pg::Rows rows = TRY_DURING(conn.query(kCountersSql), "reading counters");
  if (rows.empty()) return Error{ErrorCode::NotFound, "no table is left to watch"};
  Sample out;
  out.at = TRY(rows[0].get<double>(kColumnClock)) - started_;
  out.xid = TRY(rows[0].get<int64_t>(kColumnXid));
  last_at_ = out.at;
  if (look) {
    looked_at_ = out.at;
    // The holder's number on the scale of 64 bits: it is not far from the next one.
    const auto next = static_cast<uint32_t>(out.xid);
    const int64_t age = oldest ? static_cast<int32_t>(next - *oldest) : 0;
    out.horizon = std::clamp<int64_t>(out.xid - age, 0, out.xid);
  }
  for (const pg::Row row : rows) {
    const auto oid = static_cast<uint32_t>(TRY(row.get<int64_t>(0)));
    const auto known = watched_.find(oid);
    if (known == watched_.end()) continue;
    Seen now = TRY(to_seen(row, 1));
    if (now == known->second.seen) continue;
    TableSample table{.oid = oid};
    follow(known->second, now, table);
    if (table.reset) ++resets_;
    out.tables.push_back(std::move(table));
  }
  if (sizes) {
    const auto pages = load_pages(conn, out);
    for (TableSample& table : out.tables) {
      if (const auto at = pages.find(table.oid); at != pages.end()) table.pages = at->second;
    }
  }
  return out;
}

}  // namespace pgtend::vacuum
