#include "facts/horizon.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>

#include "base/text.h"
#include "base/units.h"
#include "facts/members.h"
#include "pg/quote.h"

namespace pgtend::facts {
namespace {

using Kind = HorizonHolder::Kind;

constexpr int kVersionTemporaryApart = 140000;  // own horizon for temporary tables
constexpr int kVersionInactiveSince = 170000;   // pg_replication_slots.inactive_since
constexpr int kVersionBackendId = 160000;       // pg_stat_get_backend_pid() takes pg_temp_N's N

constexpr std::string_view kKindNames[] = {"session", "prepared", "slot", "standby",
                                           "temporary table"};

// `text` as an SQL literal that can be shown: what printable() would change is written \xNN, which
// E'' reads back as the same bytes.
std::string shown_literal(std::string_view text) {
  if (printable(text) == text) return pg::literal(text);
  std::string doubled;
  for (const char c : text) {
    if (c == '\'' || c == '\\') doubled += c;
    doubled += c;
  }
  return cat("E'", printable(doubled), "'");
}

// A quoted identifier that can be shown: what printable() would change is written U&"\\+XXXXXX".
std::string shown_ident(std::string_view quoted) {
  if (printable(quoted) == quoted) return std::string(quoted);
  std::string out = "U&";
  while (!quoted.empty()) {
    const size_t length = std::max<size_t>(character_length(quoted), 1);
    const std::string_view character = quoted.substr(0, length);
    quoted.remove_prefix(length);
    if (character == "\\") {
      out += "\\\\";
    } else if (printable(character) == character) {
      out += character;
    } else {
      uint32_t code = static_cast<unsigned char>(character[0]);
      if (length > 1) code &= 0x7fU >> length;
      for (const char c : character.substr(1)) {
        code = code << 6 | (static_cast<unsigned char>(c) & 0x3fU);
      }
      out += "\\+";
      for (int shift = 20; shift >= 0; shift -= 4) out += "0123456789abcdef"[code >> shift & 0xfU];
    }
  }
  return out;
}

// Sessions. A walsender of a physical standby belongs to no database; one that streams decoded
// changes does, but its snapshot is for catalogs that its slot protects. A lazy VACUUM is in its
// progress view as soon as it has its lock; before, it waits for just that mode, as VACUUM FULL
// does not. The older of transaction and snapshot counts.
constexpr std::string_view kSessionsSql = R"(
select case when a.backend_type = 'walsender' and a.datname is null then 3 else 0 end as kind,
       coalesce(a.application_name, '') as name, coalesce(a.datname::text, '') as database, a.pid,
       coalesce(nullif(a.application_name, ''), a.backend_type, '') as application,
       coalesce(a.usename::text, '') as usename, coalesce(a.state, '') as state,
       extract(epoch from clock_timestamp() - a.xact_start)::float8 as open_s,
       coalesce(left(a.query, 200), '') as query,
       case when a.backend_xmin is null then 'xid' when a.backend_xid is null then 'xmin'
            else 'xid and xmin' end as through,
       case when a.backend_xmin is null or age(a.backend_xid) > age(a.backend_xmin)
            then a.backend_xid else a.backend_xmin end as xid,
       extract(epoch from clock_timestamp() - a.xact_start)::float8 as age_s,
       a.datname is distinct from current_database() and a.datname is not null as elsewhere
from pg_stat_activity a
where a.pid <> pg_backend_pid()
  and (a.backend_xid is not null or a.backend_xmin is not null)
  and a.backend_type is distinct from 'parallel worker'
  and a.pid not in (select v.pid from pg_stat_progress_vacuum v)
  and not (a.wait_event_type is not distinct from 'Lock' and a.query ~* '^\s*vacuum\M'
           and exists (select from pg_locks l where l.pid = a.pid and not l.granted
                       and l.mode = 'ShareUpdateExclusiveLock'))
  and not (a.datname is not null and exists (select from pg_stat_replication r where r.pid = a.pid
           and r.state in ('catchup', 'streaming', 'stopping'))))";

constexpr std::string_view kPreparedSql = R"(
select 1, x.gid, x.database::text, null::int, '', x.owner::text, '', null::float8, '', 'xid',
       x.transaction, extract(epoch from clock_timestamp() - x.prepared)::float8,
       x.database <> current_database()
from pg_prepared_xacts x)";

// What a slot holds by one of its columns. Lost slots hold nothing.
std::string slot_sql(int version, std::string_view column, std::string_view condition) {
  const std::string_view since =
      version >= kVersionInactiveSince
          ? "extract(epoch from clock_timestamp() - s.inactive_since)::float8"
          : "null::float8";
  return cat(R"(
select 2, s.slot_name::text, coalesce(s.database::text, ''), s.active_pid, '', '',
       case when s.active then 'active' else 'inactive' end, null::float8, '', ')",
             column, "', s.", column, ", ", since, R"(, false
from pg_replication_slots s
where s.wal_status is distinct from 'lost' and )",
             condition);
}

// Temporary tables of other sessions that autovacuum would freeze if it could read them. The number
// in the name of their schema is their session's, which the server translates from 16 on.
std::string temporary_sql(int version) {
  const std::string_view pid =
      version >= kVersionBackendId
          ? "pg_stat_get_backend_pid(substring(n.nspname from '[0-9]+$')::int)"
          : "null::int";
  return cat(R"(
select 4, quote_ident(n.nspname) || '.' || quote_ident(c.relname), current_database()::text, )",
             pid, R"(, '', pg_get_userbyid(c.relowner)::text, '', null::float8, '', 'relfrozenxid',
       c.relfrozenxid, null::float8, false
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relpersistence = 't' and c.relkind = 'r' and c.relnamespace <> pg_my_temp_schema()
  and age(c.relfrozenxid) > current_setting('autovacuum_freeze_max_age')::int)");
}

std::string holders_sql(int version) {
  return cat(R"(
select q.kind, q.name, q.database, q.pid, q.application, q.usename, q.state, q.open_s, q.query,
       q.through, q.xid::text::bigint, age(q.xid)::bigint, q.age_s, q.elsewhere
from ()",
             kSessionsSql, " union all ", kPreparedSql, " union all ",
             slot_sql(version, "xmin", "s.xmin is not null"), " union all ",
             // It holds catalogs alone, and says more than an xmin only when it is older.
             slot_sql(version, "catalog_xmin",
                      "s.catalog_xmin is not null and (s.xmin is null or age(s.catalog_xmin) > "
                      "age(s.xmin))"),
             " union all ", temporary_sql(version),
             ") q order by age(q.xid) desc, q.kind, q.name limit 200");
}

Holds holds_of(const HorizonHolder& holder, int version) {
  constexpr int kVersionWalsendersMarked = 150000;  // before, all without a database count for all
  Holds all{.temporary = version < kVersionTemporaryApart};
  const Holds shared{.catalogs = false, .data = false};
  switch (holder.kind) {
    case Kind::Session:
      if (holder.database.empty() && version >= kVersionWalsendersMarked) return shared;
      return holder.elsewhere ? shared : all;
    case Kind::Prepared:
      return holder.elsewhere ? shared : all;
    case Kind::Slot:
      if (holder.through == "catalog_xmin") all.data = all.temporary = false;
      return all;
    case Kind::Standby:
      return all;
    case Kind::TemporaryTable:
      return {.shared_catalogs = false, .catalogs = false, .data = false};
  }
  std::abort();
}

Result<HorizonHolder> to_holder(const pg::Row& row, int version) {
  HorizonHolder holder;
  const int kind = TRY(row.get<int32_t>(0));
  CHECK(kind >= 0 && kind < static_cast<int>(std::size(kKindNames)));
  holder.kind = static_cast<Kind>(kind);
  holder.name = row.text(1);
  holder.database = row.text(2);
  holder.session.pid = TRY(row.get<std::optional<int32_t>>(3)).value_or(0);
  holder.session.application = row.text(4);
  holder.session.user = row.text(5);
  holder.session.state = row.text(6);
  holder.session.open_s = TRY(row.get<std::optional<double>>(7));
  holder.session.query = row.text(8);
  holder.through = row.text(9);
  holder.xid = TRY(row.get<int64_t>(10));
  holder.age_xids = TRY(row.get<int64_t>(11));
  holder.age_s = TRY(row.get<std::optional<double>>(12));
  holder.elsewhere = TRY(row.get<bool>(13));
  holder.holds = holds_of(holder, version);
  return holder;
}

// All members but kind and holds.
template <class Visitor, class Item>
void visit_holder(Visitor& visit, Item& h) {
  visit("name", h.name);
  visit("database", h.database);
  visit("elsewhere", h.elsewhere);
  visit("through", h.through);
  visit("xid", h.xid);
  visit("age_xids", h.age_xids);
  visit("age_s", h.age_s);
  visit_session(visit, h.session);
}

// Ends whoever has `xid` as its snapshot, on the standby that the snapshot comes from; the session
// that asks may have the same one.
std::string on_standby(int64_t xid) {
  return cat("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_xmin = '", xid,
             "' AND pid <> pg_backend_pid()");
}

}  // namespace

std::string_view name(Horizon horizon) {
  constexpr std::string_view kNames[] = {"shared catalogs", "catalogs", "data", "temporary"};
  return kNames[static_cast<size_t>(horizon)];
}

bool Holds::includes(Horizon horizon) const {
  switch (horizon) {
    case Horizon::SharedCatalogs:
      return shared_catalogs;
    case Horizon::Catalogs:
      return catalogs;
    case Horizon::Data:
      return data;
    case Horizon::Temporary:
      return temporary;
  }
  std::abort();
}

std::string Holds::describe() const {
  std::vector<std::string> parts;
  for (const Horizon horizon : kHorizons) {
    if (includes(horizon)) parts.emplace_back(facts::name(horizon));
  }
  return join(parts, ", ");
}

std::string HorizonHolder::describe() const {
  const std::string since = age_s ? cat(" for ", human_seconds(*age_s)) : "";
  const std::string where = elsewhere ? cat(" in database ", printable(database)) : "";
  switch (kind) {
    case Kind::Session:
      return session.describe() + where;
    case Kind::Prepared:
      return cat("prepared transaction ", printable(name), since, where);
    case Kind::Slot:
      return cat("replication slot ", printable(name), " (", session.state, since, ")");
    case Kind::Standby:
      return cat("standby ", printable(name), " (hot_standby_feedback)");
    case Kind::TemporaryTable:
      return cat("temporary table ", printable(name),
                 session.pid > 0 ? cat(" of pid ", session.pid) : "");
  }
  std::abort();
}

std::string HorizonHolder::remedy() const {
  switch (kind) {
    case Kind::Session:  // without its statement a transaction is rolled back and lets go
      return cat("SELECT ",
                 session.state == "active" ? "pg_cancel_backend(" : "pg_terminate_backend(",
                 session.pid, ")");
    case Kind::Prepared:
      return cat("ROLLBACK PREPARED ", shown_literal(name));
    case Kind::Slot: {
      if (session.state == "active" && through == "xmin") return on_standby(xid);
      const std::string drop = cat("SELECT pg_drop_replication_slot(", shown_literal(name), ")");
      if (session.state != "active" || session.pid <= 0) return drop;
      return cat("SELECT pg_terminate_backend(", session.pid, "); ", drop);
    }
    case Kind::Standby:
      return on_standby(xid);
    case Kind::TemporaryTable: {
      const size_t table = name.find('.') + 1;  // the schema is pg_temp_N
      return cat("DROP TABLE ", name.substr(0, table), shown_ident(name.substr(table)));
    }
  }
  std::abort();
}

std::string HorizonHolder::remedy_note() const {
  const std::string there = elsewhere ? cat("in database ", printable(database), "; ") : "";
  switch (kind) {
    case Kind::Session:
      return session.state == "active" ? "its transaction is rolled back"
                                       : "its transaction is rolled back and its client loses the "
                                         "connection";
    case Kind::Prepared:
      return cat(there, "or COMMIT PREPARED: the transaction manager that prepared it knows which");
    case Kind::Slot:
      if (session.state == "active" && through == "xmin") {
        return "on the standby that uses the slot, which asks by hot_standby_feedback";
      }
      return session.state == "active"
                 ? "only when its consumer is not wanted any more: it cannot go on without the slot"
                 : "only when nobody comes back for it: who used it has to be built anew";
    case Kind::Standby:
      return "on the standby, which asks by hot_standby_feedback";
    case Kind::TemporaryTable:
      return "its session loses the table; a VACUUM FREEZE of it in that session is milder";
  }
  std::abort();
}

Result<Holders> load_holders(pg::Connection& conn) {
  const int version = conn.server_version();
  const pg::Rows rows = TRY_DURING(conn.query(holders_sql(version)), "reading who holds rows");
  Holders out;
  for (const pg::Row row : rows) out.holders.push_back(TRY(to_holder(row, version)));
  const pg::Rows rights = TRY(conn.query(
      "select pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'), quote_ident(current_user)"));
  if (!TRY(rights[0].get<bool>(0))) {
    out.missing.push_back(
        {"open transactions of other users", cat("GRANT pg_monitor TO ", rights[0].text(1))});
  }
  return out;
}

std::vector<HorizonHolder> of(const std::vector<HorizonHolder>& holders, Horizon horizon) {
  std::vector<HorizonHolder> out;
  std::ranges::copy_if(holders, std::back_inserter(out),
                       [&](const HorizonHolder& holder) { return holder.holds.includes(horizon); });
  return out;
}

// Catalogs are the tables that initdb's first phase makes (IsCatalogRelation: oids below
// FirstUnpinnedObjectId); with logical decoding user_catalog_tables are treated like them.
Result<std::vector<DeadRows>> load_dead_rows(pg::Connection& conn, int64_t most) {
  const pg::Rows rows = TRY_DURING(conn.query(R"(
select quote_ident(n.nspname) || '.' || quote_ident(coalesce(o.relname, c.relname)),
       c.relkind = 't',
       case when c.relisshared then 0
            when c.oid < 12000 then 1
            when current_setting('wal_level') = 'logical' and exists (
                 select from pg_options_to_table(coalesce(o.reloptions, c.reloptions)) x
                 where x.option_name = 'user_catalog_table' and x.option_value::bool) then 1
            else 2 end,
       pg_stat_get_live_tuples(c.oid), pg_stat_get_dead_tuples(c.oid),
       extract(epoch from clock_timestamp() - greatest(pg_stat_get_last_vacuum_time(c.oid),
               pg_stat_get_last_autovacuum_time(c.oid)))::float8
from pg_class c
left join pg_class o on c.relkind = 't' and o.reltoastrelid = c.oid
join pg_namespace n on n.oid = coalesce(o.relnamespace, c.relnamespace)
where c.relkind in ('r', 'm', 't') and c.relpersistence <> 't'
  and pg_stat_get_dead_tuples(c.oid) > 0
order by pg_stat_get_dead_tuples(c.oid) desc, 1, 2 limit $1)",
                                              {cat(most)}),
                                   "reading dead rows");
  std::vector<DeadRows> out;
  for (const pg::Row row : rows) {
    const int horizon = TRY(row.get<int32_t>(2));
    CHECK(horizon >= 0 && horizon < static_cast<int>(std::size(kHorizons)));
    out.push_back({.table = std::string(row.text(0)),
                   .toast = TRY(row.get<bool>(1)),
                   .horizon = kHorizons[horizon],
                   .rows_live = TRY(row.get<int64_t>(3)),
                   .rows_dead = TRY(row.get<int64_t>(4)),
                   .vacuum_age_s = TRY(row.get<std::optional<double>>(5))});
  }
  return out;
}

json::object to_json(const HorizonHolder& holder) {
  MemberWriter writer;
  std::vector<std::string> holds;
  for (const Horizon horizon : kHorizons) {
    if (holder.holds.includes(horizon)) holds.emplace_back(name(horizon));
  }
  writer("kind", std::string(kKindNames[static_cast<size_t>(holder.kind)]));
  writer("holds", holds);
  visit_holder(writer, holder);
  return std::move(writer).take();
}

Result<HorizonHolder> holder_from_json(const json::value& value) {
  if (!value.is_object()) return Error{ErrorCode::Invalid, "a horizon holder must be an object"};
  HorizonHolder holder;
  std::string kind(kKindNames[0]);
  std::vector<std::string> holds;
  MemberReader reader(value.as_object());
  reader("kind", kind);
  reader("holds", holds);
  visit_holder(reader, holder);
  TRY_DURING(reader.finish(), "horizon holder");
  if (value.as_object().contains("holds")) {
    const auto has = [&](Horizon horizon) {
      return std::ranges::find(holds, name(horizon)) != holds.end();
    };
    holder.holds = {.shared_catalogs = has(Horizon::SharedCatalogs),
                    .catalogs = has(Horizon::Catalogs),
                    .data = has(Horizon::Data),
                    .temporary = has(Horizon::Temporary)};
  }
  const auto* const found = std::ranges::find(kKindNames, kind);
  if (found == std::end(kKindNames)) {
    return Error{ErrorCode::Invalid, cat("unknown kind of horizon holder ", printable(kind))};
  }
  holder.kind = static_cast<Kind>(found - std::begin(kKindNames));
  return holder;
}

json::object to_json(const DeadRows& rows) {
  MemberWriter writer;
  writer("table", rows.table);
  writer("toast", rows.toast);
  writer("horizon", std::string(name(rows.horizon)));
  writer("rows_live", rows.rows_live);
  writer("rows_dead", rows.rows_dead);
  writer("vacuum_age_s", rows.vacuum_age_s);
  return std::move(writer).take();
}

}  // namespace pgtend::facts
