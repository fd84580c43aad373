#include "facts/estimates.h"

#include <algorithm>

#include "base/text.h"
#include "facts/columns.h"
#include "facts/members.h"
#include "pg/quote.h"
#include "sql/columns.h"

namespace pgtend::facts {
namespace {

constexpr size_t kCountsMax = 20;
constexpr int64_t kCountedMax = 10'000;
constexpr const char* kCountTime = "1s";
constexpr double kRareShare = 1e-3;        // of the rows: more than that no sample misses
constexpr double kAlmostAllNull = 0.9999;  // three of 30,000 rows are not

// $1 tables. An index depends on the columns of its keys (unless a constraint does in its place)
// and of its condition.
constexpr std::string_view kColumnsSql = R"(
with used as (
  select relid, attnum, min(by) as by from (
    select i.indrelid as relid, k.attnum, 'index ' || x.relname as by
      from pg_index i join pg_class x on x.oid = i.indexrelid,
           unnest(i.indkey::int2[]) with ordinality k(attnum, at)
     where i.indrelid = any ($1::oid[]) and i.indisvalid and k.at <= i.indnkeyatts and k.attnum > 0
    union all
    select i.indrelid, d.refobjsubid::int2, 'index ' || x.relname
      from pg_index i join pg_class x on x.oid = i.indexrelid
      join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = i.indexrelid
                      and d.refclassid = 'pg_class'::regclass and d.refobjid = i.indrelid
     where i.indrelid = any ($1::oid[]) and i.indisvalid and i.indpred is not null
       and d.refobjsubid > 0
    union all
    select conrelid, conkey[1], 'foreign key ' || conname from pg_constraint
     where contype = 'f' and conrelid = any ($1::oid[]) and cardinality(conkey) = 1
    union all
    select stxrelid, k, 'statistics ' || stxname
      from pg_statistic_ext, unnest(stxkeys::int2[]) k where stxrelid = any ($1::oid[])) all_used
   group by relid, attnum)
select c.oid::int8, a.attname, c.relkind = 'p', s.null_frac::float8, s.n_distinct::float8,
       (select split_part(o, '=', 2) from unnest(a.attoptions) o
         where split_part(o, '=', 1) = case c.relkind when 'p' then 'n_distinct_inherited'
                                                      else 'n_distinct' end),
       coalesce(nullif(a.attstattarget, -1), current_setting('default_statistics_target')::int)::int8,
       (select max(coalesce(nullif(o.attstattarget, -1),
                            current_setting('default_statistics_target')::int))::int8
          from pg_attribute o where o.attrelid = c.oid and o.attnum > 0 and not o.attisdropped),
       u.by, f.by, f.rows, b.most, b.sum, b.leaves, b.deepest = 1 and exists (
         select from pg_partitioned_table pt
          where pt.partrelid = c.oid and pt.partnatts = 1 and pt.partattrs[0] = a.attnum),
       c.relkind = 'p' and not row_security_active(c.oid) and exists (
         select from pg_index i
           join pg_class x on x.oid = i.indexrelid and x.relkind = 'I'
           join pg_am m on m.oid = x.relam and m.amname = 'btree'
           join pg_opclass o on o.oid = i.indclass[0] and o.opcdefault
          where i.indrelid = c.oid and i.indisvalid and i.indpred is null
            and i.indkey[0] = a.attnum and i.indcollation[0] = a.attcollation)
  from used u
  join pg_class c on c.oid = u.relid
  join pg_namespace n on n.oid = c.relnamespace
  join pg_attribute a on a.attrelid = u.relid and a.attnum = u.attnum and not a.attisdropped
  join pg_stats s on s.schemaname = n.nspname and s.tablename = c.relname
                 and s.attname = a.attname and s.inherited = (c.relkind = 'p')
  left join lateral (
    select 'foreign key ' || k.conname || ' to ' || r.relname as by,
           greatest(r.reltuples, pg_stat_get_live_tuples(r.oid))::float8 as rows
      from pg_constraint k join pg_class r on r.oid = k.confrelid
     where k.contype = 'f' and k.convalidated and k.conrelid = c.oid
       and k.conkey = array[a.attnum] and r.relkind = 'r' and r.reltuples > 0
     order by 2 limit 1) f on true
  left join lateral (
    select max(l.number) as most, sum(l.number) as sum, count(*)::int8 as leaves,
           max(l.level) as deepest
      from (select case when ls.n_distinct < 0 then -ls.n_distinct * greatest(lc.reltuples, 0)
                        else ls.n_distinct end::float8 as number, p.level
              from pg_partition_tree(c.oid) p
              join pg_class lc on lc.oid = p.relid
              join pg_namespace ln on ln.oid = lc.relnamespace
              join pg_stats ls on ls.schemaname = ln.nspname and ls.tablename = lc.relname
                              and ls.attname = a.attname and not ls.inherited
             where p.isleaf and c.relkind = 'p') l) b on c.relkind = 'p'
 order by c.oid, a.attnum)";

constexpr std::string_view kBtreesSql = R"(
select i.indrelid::int8, coalesce(a.attname, ''), quote_ident(n.nspname) || '.' || quote_ident(x.relname),
       i.indisunique and i.indnkeyatts = 1, coalesce(a.attnotnull, false),
       coalesce(pg_get_expr(i.indpred, i.indrelid), ''), x.reltuples::float8,
       coalesce(pg_relation_size(x.oid), 0) / current_setting('block_size')::int,
       quote_ident(tn.nspname) || '.' || quote_ident(t.relname), row_security_active(t.oid),
       i.indcollation[0] = a.attcollation and exists (
         select from pg_opclass o where o.oid = i.indclass[0] and o.opcdefault)
  from pg_index i
  join pg_class x on x.oid = i.indexrelid and x.relkind = 'i'
  join pg_am m on m.oid = x.relam and m.amname = 'btree'
  join pg_namespace n on n.oid = x.relnamespace
  join pg_class t on t.oid = i.indrelid
  join pg_namespace tn on tn.oid = t.relnamespace
  left join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
 where i.indrelid = any ($1::oid[]) and i.indisvalid and i.indisready
 order by i.indrelid, x.relname)";

struct Index {
  uint32_t table = 0;
  std::string column = {};  // the first key; "" for an expression
  std::string name = {};
  bool unique_alone = false;  // unique, with this key alone
  bool not_null = false;
  std::string condition = {};
  double entries = 0;
  int64_t pages = 0;
  std::string table_name = {};
  bool row_security = false;
  bool seekable = false;
};

Result<std::vector<Index>> load_shapes(pg::Connection& conn, const std::string& oids) {
  const pg::Rows rows = TRY_DURING(conn.query(kBtreesSql, {oids}), "reading indexes");
  std::vector<Index> out;
  for (const pg::Row row : rows) {
    out.push_back({.table = static_cast<uint32_t>(TRY(row.get<int64_t>(0))),
                   .column = std::string(row.text(1)),
                   .name = std::string(row.text(2)),
                   .unique_alone = row.text(3) == "t",
                   .not_null = row.text(4) == "t",
                   .condition = std::string(row.text(5)),
                   .entries = TRY(row.get<double>(6)),
                   .pages = TRY(row.get<int64_t>(7)),
                   .table_name = std::string(row.text(8)),
                   .row_security = row.text(9) == "t",
                   .seekable = row.text(10) == "t"});
  }
  return out;
}

Result<ColumnEstimate> to_estimate(const pg::Row& row) {
  ColumnEstimate out{.name = std::string(row.text(1)), .inherited = row.text(2) == "t"};
  out.null_frac = TRY(row.get<double>(3));
  out.n_distinct = TRY(row.get<double>(4));
  if (!row.null(5)) {
    const auto set = parse_double(row.text(5));
    if (set && *set != 0) out.set_distinct = *set;
  }
  out.target = TRY(row.get<int64_t>(6));
  out.sample_target = TRY(row.get<int64_t>(7));
  out.used_by = row.text(8);
  if (!row.null(10)) {
    out.at_most.push_back({TRY(row.get<double>(10)), std::string(row.text(9))});
  }
  if (!row.null(11)) {
    const auto most = TRY(row.get<double>(11));
    const auto sum = TRY(row.get<double>(12));
    const auto leaves = TRY(row.get<int64_t>(13));
    if (row.text(14) == "t") {  // no value is in two partitions
      out.at_least.push_back({sum, cat("the statistics of its ", leaves, " partitions")});
    } else {
      out.at_least.push_back({most, "the statistics of one partition"});
    }
  }
  out.seekable = TRY(row.get<bool>(15));
  return out;
}

// The column and the value of a condition that asks for one, or for anything that is not null.
struct Asked {
  std::string column = {};
  bool not_null = false;
  std::string value = {};
};
std::optional<Asked> asked(const std::string& condition) {
  const auto parts = sql::conditions(condition);
  if (!parts || parts->size() != 1) return {};
  const sql::Predicate& one = parts->front();
  // The server writes a varchar's comparison with a cast.
  const bool as_text = one.wrapping == sql::Wrapping::Cast && one.wrapped_by == "text";
  if (one.column.empty() || (one.wrapping != sql::Wrapping::None && !as_text)) return {};
  if (one.op == "IS NOT NULL") return Asked{.column = one.column, .not_null = true};
  if (one.op == "IS TRUE") return Asked{one.column, false, "t"};
  if (one.op == "NOT") return Asked{one.column, false, "f"};
  if (one.op == "=" && one.literal && !one.any) return Asked{one.column, false, *one.literal};
  return {};
}

ColumnEstimate* find(Estimates& all, uint32_t table, const std::string& column) {
  const auto of_table = all.find(table);
  if (of_table == all.end()) return nullptr;
  const auto found = std::ranges::find(of_table->second, column, &ColumnEstimate::name);
  return found == of_table->second.end() ? nullptr : &*found;
}

// How many rows meet the condition; nullopt when it cannot be told within the limits.
std::optional<int64_t> count_rare(pg::Connection& conn, const Index& index,
                                  const std::string& condition) {
  const auto run = [&]() -> Result<int64_t> {
    TRY(
        conn.exec(cat("begin read only; set local enable_seqscan = off; "
                      "set local statement_timeout = '",
                      kCountTime, "'")));
    const pg::Rows rows =
        TRY(conn.query(cat("select count(*) from (select from only ", index.table_name, " where ",
                           condition, " limit ", kCountedMax, ") counted")));
    return TRY(rows[0].get<int64_t>(0));
  };
  const auto counted = run();
  if (!conn.exec("rollback") || !counted) return {};
  return *counted;
}

class RareFinder {
 public:
  RareFinder(pg::Connection& conn, Estimates& all) : conn_(conn), all_(all) {}

  Status look(const Index& index, double rows) {
    const auto want = index.condition.empty() ? of_nulls(index) : asked(index.condition);
    if (!want) return ok();
    ColumnEstimate* column = find(all_, index.table, want->column);
    if (column == nullptr || column->inherited || index.pages < 2) return ok();
    const bool partial = !index.condition.empty();
    const double known = partial ? index.entries : rows * (1 - column->null_frac);
    if (rows <= column->sample_rows() || known > kRareShare * rows) return ok();
    RareRows out{.not_null = want->not_null, .index = index.name, .rows = known};
    out.condition = partial ? index.condition : cat(pg::ident(want->column), " IS NOT NULL");
    const auto same = [&](const RareRows& other) { return other.condition == out.condition; };
    if (std::ranges::any_of(column->rare, same)) return ok();
    out.believed = 1 - column->null_frac;
    if (!want->not_null) out.believed = TRY(share(index.table, *want, rows));
    if (!index.row_security && counts_++ < kCountsMax) {
      if (const auto counted = count_rare(conn_, index, out.condition)) {
        out.rows = static_cast<double>(*counted);
        out.counted = true;
        out.more = *counted >= kCountedMax;
      }
    }
    if (out.rows > 0) column->rare.push_back(std::move(out));
    return ok();
  }

 private:
  // A plain index finds what is not null as well as a partial one.
  std::optional<Asked> of_nulls(const Index& index) {
    const ColumnEstimate* column = find(all_, index.table, index.column);
    if (column == nullptr || column->null_frac < kAlmostAllNull) return {};
    return Asked{.column = index.column, .not_null = true};
  }
  Result<double> share(uint32_t table, const Asked& want, double rows) {
    const auto columns = TRY(load_columns(conn_, table, {want.column}));
    if (columns.empty() || !columns[0].stats) return 1.0;
    return columns[0].stats->frequency(want.value, rows);
  }

  pg::Connection& conn_;
  Estimates& all_;
  size_t counts_ = 0;
};

// What the index tells about the column that it begins with.
void add_bounds(const Index& index, double rows, Estimates& all) {
  ColumnEstimate* column = find(all, index.table, index.column);
  if (column == nullptr) return;
  if (index.condition.empty()) {
    column->room.push_back({index.name, std::max(index.entries, 0.0), index.pages, index.seekable});
    column->unique = column->unique || index.unique_alone;
  } else if (index.unique_alone && index.entries > 0) {
    const double nulls = index.not_null ? 0 : column->null_frac * rows;
    if (index.entries > nulls) {
      column->at_least.push_back({index.entries - nulls, cat("the unique index ", index.name)});
    }
  }
}

template <class Visitor, class Item>
void visit_told(Visitor& visit, Item& told) {
  visit("number", told.number);
  visit("by", told.by);
}
template <class Visitor, class Item>
void visit_room(Visitor& visit, Item& room) {
  visit("index", room.index);
  visit("entries", room.entries);
  visit("pages", room.pages);
  visit("seekable", room.seekable);
}
template <class Visitor, class Item>
void visit_rare(Visitor& visit, Item& rare) {
  visit("condition", rare.condition);
  visit("not_null", rare.not_null);
  visit("index", rare.index);
  visit("rows", rare.rows);
  visit("counted", rare.counted);
  visit("more", rare.more);
  visit("believed", rare.believed);
}
template <class Visitor, class Item>
void visit_counted(Visitor& visit, Item& counted) {
  visit("low", counted.low);
  visit("best", counted.best);
  visit("high", counted.high);
  visit("at_least", counted.at_least);
  visit("how", counted.how);
}
template <class Visitor, class Item>
void visit_column(Visitor& visit, Item& column) {
  visit("name", column.name);
  visit("unique", column.unique);
  visit("inherited", column.inherited);
  visit("seekable", column.seekable);
  visit("rows", column.rows);
  visit("null_frac", column.null_frac);
  visit("n_distinct", column.n_distinct);
  visit("set_distinct", column.set_distinct);
  visit("target", column.target);
  visit("sample_target", column.sample_target);
  visit("used_by", column.used_by);
  const auto told = [](auto& v, auto& item) { visit_told(v, item); };
  visit.list("at_least", column.at_least, told);
  visit.list("at_most", column.at_most, told);
  visit.list("room", column.room, [](auto& v, auto& item) { visit_room(v, item); });
  visit.list("rare", column.rare, [](auto& v, auto& item) { visit_rare(v, item); });
}

}  // namespace

double ColumnEstimate::distinct() const {
  const double number = n_distinct < 0 ? -n_distinct * rows : n_distinct;
  return std::clamp(number, 1.0, std::max(rows, 1.0));
}

Result<Estimates> load_estimates(pg::Connection& conn, const std::vector<EstimateTable>& tables) {
  Estimates out;
  if (tables.empty()) return out;
  std::string oids = "{";
  std::map<uint32_t, double> rows_of;
  for (const EstimateTable& table : tables) {
    oids += cat(oids.size() > 1 ? "," : "", table.oid);
    rows_of[table.oid] = table.rows;
  }
  oids += '}';
  const pg::Rows rows = TRY_DURING(conn.query(kColumnsSql, {oids}), "reading what columns hold");
  for (const pg::Row row : rows) {
    const auto oid = static_cast<uint32_t>(TRY(row.get<int64_t>(0)));
    out[oid].push_back(TRY_DURING(to_estimate(row), "reading what columns hold"));
    out[oid].back().rows = rows_of[oid];
  }
  const std::vector<Index> indexes = TRY(load_shapes(conn, oids));
  RareFinder rare(conn, out);
  for (const Index& index : indexes) {
    add_bounds(index, rows_of[index.table], out);
    TRY(rare.look(index, rows_of[index.table]));
  }
  return out;
}

namespace {
json::object to_json(const ColumnEstimate& column) {
  MemberWriter writer;
  visit_column(writer, column);
  json::object out = std::move(writer).take();
  if (column.counted) out["counted"] = facts::to_json(*column.counted);
  return out;
}

Result<ColumnEstimate> estimate_from_json(const json::value& value) {
  if (!value.is_object()) return Error{ErrorCode::Invalid, "a column must be an object"};
  json::object object = value.get_object();
  ColumnEstimate out;
  if (const json::value* counted = object.if_contains("counted")) {
    if (!counted->is_object()) return Error{ErrorCode::Invalid, "counted must be an object"};
    MemberReader reader(counted->get_object());
    visit_counted(reader, out.counted.emplace());
    TRY_DURING(reader.finish(), "counted");
    object.erase("counted");
  }
  MemberReader reader(object);
  visit_column(reader, out);
  TRY_DURING(reader.finish(), cat("column ", out.name));
  return out;
}
}  // namespace

json::object to_json(const CountedValues& counted) {
  MemberWriter writer;
  visit_counted(writer, counted);
  return std::move(writer).take();
}

json::object to_json(const Estimates& estimates) {
  json::object out;
  for (const auto& [oid, columns] : estimates) {
    json::array list;
    for (const ColumnEstimate& column : columns) list.emplace_back(to_json(column));
    out[cat(oid)] = std::move(list);
  }
  return out;
}

Result<Estimates> estimates_from_json(const json::value& value) {
  const Error wrong{ErrorCode::Invalid, "estimates must be lists of columns by oid"};
  if (!value.is_object()) return wrong;
  Estimates out;
  for (const auto& member : value.get_object()) {
    const auto oid = parse_int(std::string_view(member.key()));
    if (!oid || !member.value().is_array()) return wrong;
    auto& columns = out[static_cast<uint32_t>(*oid)];
    for (const json::value& column : member.value().get_array()) {
      columns.push_back(TRY(estimate_from_json(column)));
    }
  }
  return out;
}

}  // namespace pgtend::facts
