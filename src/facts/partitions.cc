#include "facts/partitions.h"

#include <algorithm>
#include <map>

#include "base/text.h"
#include "facts/tables.h"
#include "pg/quote.h"

namespace pgtend::facts {
namespace {

constexpr int kVersionDetachPending = 140000;

// Cuts one bound value off `text`: a quoted literal, a bare word or number.
Result<std::optional<std::string>> take_value(std::string_view& text) {
  const Error wrong{ErrorCode::Invalid, "not a one-column range bound"};
  std::string value;
  if (!text.starts_with('\'')) {
    const size_t end = text.find_first_of(",)");
    if (end == std::string_view::npos || end == 0) return wrong;
    value = text.substr(0, end);
    text.remove_prefix(end);
    if (value == "MINVALUE" || value == "MAXVALUE") return std::optional<std::string>();
    if (value.find_first_not_of("0123456789+-.eE") != std::string::npos) return wrong;
    return std::optional<std::string>(std::move(value));
  }
  for (size_t i = 1; i < text.size(); ++i) {
    if (text[i] != '\'') {
      value += text[i];
    } else if (i + 1 < text.size() && text[i + 1] == '\'') {
      value += '\'';
      ++i;
    } else {
      text.remove_prefix(i + 1);
      return std::optional<std::string>(std::move(value));
    }
  }
  return wrong;
}

bool take(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word)) return false;
  text.remove_prefix(word.size());
  return true;
}

Status load_key(pg::Connection& conn, Layout& layout) {
  const pg::Rows rows = TRY_DURING(conn.query(R"(
select n.nspname, c.relname, c.relkind = 'p',
       coalesce(case p.partstrat when 'r' then 'range' when 'l' then 'list' else 'hash' end, ''),
       coalesce(pg_get_partkeydef(c.oid), ''),
       coalesce(a.attname, ''), coalesce(format_type(a.atttypid, a.atttypmod), '')
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
left join pg_partitioned_table p on p.partrelid = c.oid
left join pg_attribute a on a.attrelid = c.oid and p.partnatts = 1 and a.attnum = p.partattrs[0]
     and a.attnum > 0
where c.oid = $1)",
                                              {cat(layout.oid)}),
                                   "reading the partition key");
  if (rows.empty()) return Error{ErrorCode::NotFound, "the table has just been dropped"};
  const pg::Row row = rows[0];
  layout.schema = row.text(0);
  layout.name = row.text(1);
  layout.partitioned = TRY(row.get<bool>(2));
  if (!layout.partitioned) return ok();
  layout.strategy = row.text(3);
  const std::string_view key = row.text(4);
  const size_t paren = key.find('(');
  layout.key = paren == std::string_view::npos ? key : key.substr(paren);
  layout.column = row.text(5);
  layout.type = row.text(6);
  return ok();
}

std::string partitions_sql(int version) {
  return cat(R"(
select c.oid, n.nspname, c.relname, coalesce(pg_get_expr(c.relpartbound, c.oid), ''),
       c.oid = p.partdefid, c.relkind = 'p', )",
             version >= kVersionDetachPending ? "i.inhdetachpending" : "false", R"(,
       (select coalesce(sum(pg_total_relation_size(t.relid)), 0)::bigint
        from pg_partition_tree(c.oid) t),
       (select coalesce(sum(greatest(l.reltuples, 0)), 0)::float8 from pg_partition_tree(c.oid) t
        join pg_class l on l.oid = t.relid where t.isleaf)
from pg_inherits i
join pg_class c on c.oid = i.inhrelid
join pg_namespace n on n.oid = c.relnamespace
join pg_partitioned_table p on p.partrelid = i.inhparent
where i.inhparent = $1
order by c.oid = p.partdefid, n.nspname, c.relname)");
}

// Fills layout.partitions; true when all bounds are ranges of one column that can be ordered.
Result<bool> load_partitions(pg::Connection& conn, Layout& layout) {
  const pg::Rows rows = TRY_DURING(
      conn.query(partitions_sql(conn.server_version()), {cat(layout.oid)}), "reading partitions");
  bool ranges = layout.strategy == "range" && !layout.column.empty();
  for (const pg::Row row : rows) {
    Partition part;
    part.oid = static_cast<uint32_t>(TRY(row.get<int64_t>(0)));
    part.schema = row.text(1);
    part.name = row.text(2);
    part.bound = row.text(3);
    part.is_default = TRY(row.get<bool>(4));
    part.partitioned = TRY(row.get<bool>(5));
    part.detach_pending = TRY(row.get<bool>(6));
    part.bytes = {TRY(row.get<int64_t>(7))};
    part.rows = TRY(row.get<double>(8));
    if (ranges && !part.is_default) {
      auto bound = parse_range_bound(part.bound);
      ranges = static_cast<bool>(bound);  // a text key may have bounds that only the server reads
      if (bound) {
        part.from = std::move(bound->from);
        part.to = std::move(bound->to);
      }
    }
    layout.partitions.push_back(std::move(part));
  }
  return ranges;
}

bool time_type(const std::string& type) { return type == "date" || type.starts_with("timestamp"); }

// Orders the ranges and finds the gaps. The server compares: it alone knows the key's order.
Status order_ranges(pg::Connection& conn, Layout& layout) {
  json::array bounds;
  for (size_t i = 0; i < layout.partitions.size(); ++i) {
    const Partition& part = layout.partitions[i];
    if (part.is_default) continue;
    json::object bound{{"i", i}};
    if (part.from) bound["lo"] = *part.from;
    if (part.to) bound["hi"] = *part.to;
    bounds.emplace_back(std::move(bound));
  }
  // format_type() has quoted the type's name where that is needed.
  const std::string& type = layout.type;
  const std::string runway =
      time_type(type) ? "extract(epoch from (max(hi) over ())::timestamptz - now())::float8"
                      : "null::float8";
  const pg::Rows rows = TRY_DURING(
      conn.query(cat("select i, lead(lo) over w > hi, hi::text, (lead(lo) over w)::text, "
                     "bool_or(hi is null) over (), ",
                     runway, " from (select i, lo::", type, " as lo, hi::", type,
                     " as hi from json_to_recordset($1::json) as x(i int, lo text, hi text)) b "
                     "window w as (order by lo nulls first) order by lo nulls first"),
                 {to_text(json::value(std::move(bounds)))}),
      "ordering partitions");
  std::vector<Partition> ordered;
  for (const pg::Row row : rows) {
    const int64_t index = TRY(row.get<int64_t>(0));
    ordered.push_back(layout.partitions.at(static_cast<size_t>(index)));
    if (TRY(row.get<std::optional<bool>>(1)).value_or(false)) {
      layout.gaps.push_back({std::string(row.text(2)), std::string(row.text(3))});
    }
    if (!TRY(row.get<bool>(4))) layout.runway_s = TRY(row.get<std::optional<double>>(5));
  }
  for (Partition& part : layout.partitions) {
    if (part.is_default) ordered.push_back(part);
  }
  layout.partitions = std::move(ordered);
  return ok();
}

Status load_inside(pg::Connection& conn, Layout& layout) {
  TRY(conn.query("select set_config('TimeZone', $1, true), set_config('DateStyle', 'ISO', true)",
                 {layout.time_zone}));
  TRY(load_key(conn, layout));
  if (!layout.partitioned) return ok();
  if (TRY(load_partitions(conn, layout))) TRY(order_ranges(conn, layout));
  return ok();
}

}  // namespace

std::string Partition::qualified() const { return pg::qualified(schema, name); }
std::string Layout::qualified() const { return pg::qualified(schema, name); }

bool Layout::has_default() const {
  return std::ranges::any_of(partitions, [](const Partition& part) { return part.is_default; });
}

Result<RangeBound> parse_range_bound(std::string_view text) {
  RangeBound out;
  bool good = take(text, "FOR VALUES FROM (");
  if (good) {
    out.from = TRY(take_value(text));
    good = take(text, ") TO (");
  }
  if (good) {
    out.to = TRY(take_value(text));
    good = take(text, ")");
  }
  if (!good || !text.empty()) return Error{ErrorCode::Invalid, "not a one-column range bound"};
  return out;
}

Result<Layout> load_layout(pg::Connection& conn, const std::string& table,
                           const std::string& time_zone) {
  Layout layout{.oid = TRY(resolve_table(conn, table)), .time_zone = time_zone};
  const bool own = !conn.in_transaction();
  if (own) TRY(conn.exec("BEGIN TRANSACTION READ ONLY"));
  Status status = load_inside(conn, layout);
  if (own) {
    const Status ended = conn.exec(status ? "COMMIT" : "ROLLBACK");
    if (status && !ended) return ended.error();
  }
  if (!status) {
    Error error = std::move(status).error();
    if (error.sqlstate == "22023") error.code = ErrorCode::Invalid;
    return error;
  }
  return layout;
}

json::object to_json(const Layout& layout) {
  json::array partitions;
  for (const Partition& part : layout.partitions) {
    json::object out{{"schema", part.schema},
                     {"name", part.name},
                     {"bound", part.bound},
                     {"default", part.is_default},
                     {"bytes", part.bytes.count},
                     {"rows", part.rows},
                     {"partitioned", part.partitioned},
                     {"detach_pending", part.detach_pending}};
    if (part.from) out["from"] = *part.from;
    if (part.to) out["to"] = *part.to;
    partitions.emplace_back(std::move(out));
  }
  json::array gaps;
  for (const Gap& gap : layout.gaps) {
    gaps.emplace_back(json::object{{"from", gap.from}, {"to", gap.to}});
  }
  json::object out{{"schema", layout.schema},
                   {"name", layout.name},
                   {"partitioned", layout.partitioned},
                   {"strategy", layout.strategy},
                   {"key", layout.key},
                   {"column", layout.column},
                   {"type", layout.type},
                   {"time_zone", layout.time_zone},
                   {"partitions", std::move(partitions)},
                   {"gaps", std::move(gaps)}};
  if (layout.runway_s) out["runway_s"] = *layout.runway_s;
  return out;
}

}  // namespace pgtend::facts
