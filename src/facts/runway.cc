#include "facts/runway.h"

#include "base/text.h"
#include "facts/members.h"

namespace pgtend::facts {
namespace {

constexpr std::string_view kDatabasesSql = R"(
select datname, age(datfrozenxid), mxid_age(datminmxid) from pg_database
order by age(datfrozenxid) desc, datname limit 1000)";

// The oldest by either id. An age that is 0 or of no id (partitioned tables) never is.
constexpr std::string_view kRelationsSql = R"(
select quote_ident(n.nspname) || '.' || quote_ident(coalesce(m.relname, o.relname)),
       o.relkind = 't', n.nspname in ('pg_catalog', 'information_schema'), o.relpersistence = 't',
       age(o.relfrozenxid), mxid_age(o.relminmxid),
       o.relpages + coalesce((select sum(i.relpages) from pg_index x
                              join pg_class i on i.oid = x.indexrelid
                              where x.indrelid = o.oid), 0)::int8
from pg_class o
left join pg_class m on o.relkind = 't' and m.reltoastrelid = o.oid
join pg_namespace n on n.oid = coalesce(m.relnamespace, o.relnamespace)
where o.relkind in ('r', 'm', 't') and o.relfrozenxid::text <> '0'
order by greatest(age(o.relfrozenxid) / 2e9, mxid_age(o.relminmxid) / 2e9) desc, 1 limit 20)";

// next_xid is "epoch:xid"; age() counts from the next one that will be given out.
constexpr std::string_view kUsedSql = R"(
select extract(epoch from clock_timestamp() - checkpoint_time)::float8,
       age(split_part(next_xid, ':', 2)::xid)::int8, mxid_age(next_multixact_id)::int8,
       next_multixact_id::text::int8, next_multi_offset::text::int8
from pg_control_checkpoint() where not pg_is_in_recovery())";

template <class Visitor, class Item>
void visit_database(Visitor& visit, Item& item) {
  visit("name", item.name);
  visit("xid_age", item.xid_age);
  visit("mxid_age", item.mxid_age);
}

template <class Visitor, class Item>
void visit_relation(Visitor& visit, Item& item) {
  visit("table", item.table);
  visit("toast", item.toast);
  visit("catalog", item.catalog);
  visit("temporary", item.temporary);
  visit("xid_age", item.xid_age);
  visit("mxid_age", item.mxid_age);
  visit("pages", item.pages);
}

template <class Visitor, class Item>
void visit_used(Visitor& visit, Item& item) {
  visit("seconds", item.seconds);
  visit("xids", item.xids);
  visit("mxids", item.mxids);
  visit("mxid_next", item.mxid_next);
  visit("member_next", item.member_next);
}

}  // namespace

Result<Runway> load_runway(pg::Connection& conn) {
  Runway out;
  const pg::Rows databases = TRY_DURING(conn.query(std::string(kDatabasesSql)), "reading ages");
  for (const pg::Row row : databases) {
    out.databases.push_back({.name = std::string(row.text(0)),
                             .xid_age = TRY(row.get<int64_t>(1)),
                             .mxid_age = TRY(row.get<int64_t>(2))});
  }
  const pg::Rows relations = TRY_DURING(conn.query(std::string(kRelationsSql)), "reading ages");
  for (const pg::Row row : relations) {
    out.relations.push_back({.table = std::string(row.text(0)),
                             .toast = row.text(1) == "t",
                             .catalog = row.text(2) == "t",
                             .temporary = row.text(3) == "t",
                             .xid_age = TRY(row.get<int64_t>(4)),
                             .mxid_age = TRY(row.get<int64_t>(5)),
                             .pages = TRY(row.get<int64_t>(6))});
  }
  auto used = conn.query(std::string(kUsedSql));
  if (!used && used.error().sqlstate != "42501") return std::move(used).error();
  if (used && !used->empty()) {
    const pg::Row row = (*used)[0];
    out.used = Consumption{.seconds = TRY(row.get<double>(0)),
                           .xids = TRY(row.get<int64_t>(1)),
                           .mxids = TRY(row.get<int64_t>(2)),
                           .mxid_next = TRY(row.get<int64_t>(3)),
                           .member_next = TRY(row.get<int64_t>(4))};
  }
  return out;
}

json::object to_json(const Runway& runway) {
  MemberWriter writer;
  writer.list("databases", runway.databases,
              [](auto& visit, auto& item) { visit_database(visit, item); });
  writer.list("relations", runway.relations,
              [](auto& visit, auto& item) { visit_relation(visit, item); });
  json::object out = std::move(writer).take();
  if (runway.used) {
    MemberWriter used;
    visit_used(used, *runway.used);
    out["used"] = std::move(used).take();
  }
  return out;
}

Result<Runway> runway_from_json(const json::value& value) {
  if (!value.is_object()) return Error{ErrorCode::Invalid, "runway must be an object"};
  Runway out;
  json::object rest = value.as_object();
  if (const json::value* used = rest.if_contains("used")) {
    if (!used->is_object()) return Error{ErrorCode::Invalid, "used must be an object"};
    const json::object object = used->as_object();
    MemberReader reader(object);
    visit_used(reader, out.used.emplace());
    TRY(reader.finish());
    rest.erase("used");
  }
  MemberReader reader(rest);
  reader.list("databases", out.databases,
              [](auto& visit, auto& item) { visit_database(visit, item); });
  reader.list("relations", out.relations,
              [](auto& visit, auto& item) { visit_relation(visit, item); });
  TRY(reader.finish());
  return out;
}

}  // namespace pgtend::facts
