// Finds a layout that is no range: rows are told apart by values of a column, or by the hash of
// some.
#include <algorithm>
#include <cmath>
#include <set>

#include "base/text.h"
#include "base/units.h"
#include "partition/calendar.h"
#include "partition/names.h"
#include "partition/propose.h"
#include "partition/statements.h"
#include "pg/quote.h"

namespace pgtend::partition {
namespace {

// What an access method must be able to do with a type so that it can be a key, by number.
struct Ability {
  std::string_view method;
  int function;
  std::string_view lacks;
};
constexpr Ability kHashed{"hash", 2, "has no hash operator class, which a hashed key needs"};

constexpr Ability kListed{"btree", 1, "has no btree operator class, which a list of values needs"};
constexpr int kValuesMost = 100'000;  // in all partitions together
constexpr size_t kValuesTold = 10;

// The type of `column`, without length, if the server would take it as a key; of those whose parts
// need nothing of their own.
Result<std::string> key_type(pg::Connection& conn, const Definition& table,
                             const std::string& column, const Ability& ability) {
  const pg::Rows rows = TRY_DURING(
      conn.query(R"(
select format_type(a.atttypid, a.atttypmod), format_type(a.atttypid, -1),
       t.typtype = 'd',
       t.typtype in ('b', 'e') and t.typcategory <> 'A' and exists (
         select from pg_opclass o join pg_am m on m.oid = o.opcmethod
         join pg_amproc p on p.amprocfamily = o.opcfamily and p.amproclefttype = o.opcintype
              and p.amprocrighttype = o.opcintype and p.amprocnum = $4::int2
         where m.amname = $3 and o.opcdefault
           and (o.opcintype = t.oid or t.typtype = 'e' and o.opcintype = 'anyenum'::regtype
                or exists (select from pg_cast c where c.castsource = t.oid
                           and c.casttarget = o.opcintype and c.castmethod = 'b'
                           and c.castcontext = 'i')))
from pg_attribute a join pg_type t on t.oid = a.atttypid
where a.attrelid = $1 and a.attname = $2 and a.attnum > 0)",
                 {cat(table.oid), column, std::string(ability.method), cat(ability.function)}),
      cat("reading the type of ", pg::ident(column)));
  if (rows.empty()) {
    return Error{ErrorCode::Invalid, cat(table.qualified(), " has no column ", printable(column))};
  }
  const pg::Row row = rows[0];
  const std::string head = cat("column ", pg::ident(column), " is of type ", row.text(0));
  if (TRY(row.get<bool>(2))) {
    return Error{ErrorCode::Invalid, cat(head, ", a domain")}.hinting(
        "give the column the type below the domain, with its checks as the table's, first");
  }
  if (TRY(row.get<bool>(3))) return std::string(row.text(1));
  return Error{ErrorCode::Invalid, cat(head, ", which ", ability.lacks)}.hinting(
      "choose another column");
}

// "_h07"
std::string hash_suffix(int number, int count) {
  const std::string digits = cat(number);
  const size_t width = cat(count - 1).size();
  return cat("_h", std::string(width - digits.size(), '0'), digits);
}

// What one partition of a list takes.
struct Part {
  std::string word = {};                 // of its name
  std::vector<std::string> values = {};  // as the server writes them
  bool null = false;
};

Slice slice_of(const Part& part) {
  std::vector<std::string> values;
  for (const std::string& value : part.values) values.push_back(pg::literal(value));
  if (part.null) values.emplace_back("NULL");
  return {.bound = cat("FOR VALUES IN (", join(values, ", "), ")")};
}

json::array to_json_array(const std::vector<std::string>& texts) {
  json::array out;
  for (const std::string& text : texts) out.emplace_back(text);
  return out;
}

// Reads what the lists are made of, in a transaction that speaks ISO.
class ListReader {
 public:
  ListReader(pg::Connection& conn, const Definition& table, const Column& column, std::string type)
      : conn_(conn),
        table_(table),
        column_(column),
        key_(pg::ident(column.name)),
        type_(std::move(type)) {}

  // The values of the column in their order, NULL left out. Errors: Limit (more than `most`).
  Result<std::vector<std::string>> values(int most);
  Result<std::vector<Part>> parts(const std::vector<ValueGroup>& groups);
  // Errors: Invalid when a row has a value that no part takes.
  Status all_have_places(const std::vector<Part>& parts);

 private:
  Result<bool> indexed();

  pg::Connection& conn_;
  const Definition& table_;
  const Column& column_;
  std::string key_;
  std::string type_;
};

// Whether an index has the values in the order of < on the column.
Result<bool> ListReader::indexed() {
  const pg::Rows rows = TRY_DURING(conn_.query(R"(
select exists (
  select from pg_index i join pg_class x on x.oid = i.indexrelid join pg_am m on m.oid = x.relam
  join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
  join pg_opclass o on o.oid = i.indclass[0]
  where i.indrelid = $1 and i.indisvalid and i.indpred is null and m.amname = 'btree'
    and a.attname = $2 and i.indcollation[0] = a.attcollation and o.opcdefault))",
                                               {cat(table_.oid), column_.name}),
                                   "looking for an index");
  return rows[0].get<bool>(0);
}

Result<std::vector<std::string>> ListReader::values(int most) {
  const std::string from = cat("from only ", table_.qualified(), " x where x.", key_);
  const std::string next = cat("select x.", key_, " ", from);
  const std::string order = cat(" order by x.", key_, " limit 1");
  // From value to value through the index, or one scan.
  const std::string sql =
      TRY(indexed())
          ? cat("with recursive w(v) as ((", next, " is not null", order, ") union all select (",
                next, " > w.v", order, ") from w where w.v is not null) select v::text from w ",
                "where v is not null limit $1")
          : cat("select v::text from (select distinct x.", key_, " as v ", from,
                " is not null) d order by d.v limit $1");
  const pg::Rows rows =
      TRY_DURING(conn_.query(sql, {cat(most + 1)}), cat("reading the values of ", key_));
  if (rows.size() > most) {
    return Error{ErrorCode::Limit,
                 cat("column ", key_, " has more than ", grouped(most), " values")}
        .hinting("--values NAME=… with --default for the rest, or --hash, which spreads them");
  }
  std::vector<std::string> out;
  for (const pg::Row row : rows) out.emplace_back(row.text(0));
  return out;
}

Result<std::vector<Part>> ListReader::parts(const std::vector<ValueGroup>& groups) {
  std::vector<Part> out;
  std::set<std::string> names;
  json::array given;
  bool null = false;
  for (const ValueGroup& group : groups) {
    if (!names.insert(group.name).second) {
      return Error{ErrorCode::Invalid, cat("there are two groups ", group.name)};
    }
    out.push_back({.word = group.name});
    for (const Word& word : group.values) {
      if (word.quoted || lower(word.text) != "null") {
        given.emplace_back(json::object{{"g", out.size() - 1}, {"v", word.text}});
        continue;
      }
      if (null) return Error{ErrorCode::Invalid, "null is listed twice"};
      out.back().null = null = true;
    }
  }
  const pg::Rows rows = TRY_DURING(
      conn_.query(
          cat("select g, v::text, count(*) over (partition by v) from (select g, n, v::", type_,
              " as v from rows from (json_to_recordset($1::json) as (g int, v text)) "
              "with ordinality x(g, v, n)) y order by n"),
          {to_text(json::value(std::move(given)))}),
      "reading the values that are listed");
  for (const pg::Row row : rows) {
    if (TRY(row.get<int64_t>(2)) > 1) {
      return Error{ErrorCode::Invalid, cat("value ", pg::literal(row.text(1)), " is listed twice")};
    }
    out.at(static_cast<size_t>(TRY(row.get<int64_t>(0)))).values.emplace_back(row.text(1));
  }
  return out;
}

Status ListReader::all_have_places(const std::vector<Part>& parts) {
  std::vector<std::string> listed;
  bool null = column_.not_null;
  for (const Part& part : parts) {
    listed.insert(listed.end(), part.values.begin(), part.values.end());
    null = null || part.null;
  }
  const std::vector<std::string> there = TRY(values(kValuesMost));
  const pg::Rows rows = TRY_DURING(
      conn_.query(cat("select t from json_array_elements_text($1::json) t where not exists (select "
                      "from json_array_elements_text($2::json) l where l::",
                      type_, " = t::", type_, ")"),
                  {to_text(json::value(to_json_array(there))),
                   to_text(json::value(to_json_array(listed)))}),
      "comparing values");
  std::vector<std::string> without;
  for (const pg::Row row : rows) {
    if (without.size() < kValuesTold) without.push_back(pg::literal(row.text(0)));
  }
  auto count = static_cast<size_t>(rows.size());
  if (!null) {
    const pg::Rows found = TRY(conn_.query(
        cat("select exists (select from only ", table_.qualified(), " where ", key_, " is null)")));
    if (TRY(found[0].get<bool>(0))) {
      without.emplace_back("NULL");
      ++count;
    }
  }
  if (count == 0) return ok();
  return Error{ErrorCode::Invalid,
               cat("no group has ", join(without, ", "),
                   count > without.size() ? cat(" and ", count - without.size(), " more") : "",
                   ", which rows have in ", key_)}
      .hinting("name them in --values, or let --default take them");
}

}  // namespace

Result<Proposal> propose_list(pg::Connection& conn, const Definition& table, const Request& request,
                              const Policy& policy) {
  if (request.columns.size() != 1) {
    return Error{ErrorCode::Invalid, "a list is of the values of one column"};
  }
  Proposal out{.schema = table.schema,
               .table = table.name,
               .method = Method::List,
               .column = request.columns.front(),
               .reason = "a partition for each value that is there"};
  const std::string type = TRY(key_type(conn, table, out.column, kListed));
  const Column& column = *table.column(out.column);
  out.type = column.type;
  if (type == "real" || type == "double precision") {
    return Error{ErrorCode::Invalid, cat("column ", pg::ident(out.column), " is of type ", type,
                                         ", whose values are equal or not by rounding")};
  }
  std::vector<Part> parts;
  const auto read = [&]() -> Status {
    TRY(conn.exec("SET LOCAL IntervalStyle = 'postgres'; SET LOCAL bytea_output = 'hex'"));
    ListReader reader(conn, table, column, type);
    if (!request.groups.empty()) {
      out.reason = "as asked";
      parts = TRY(reader.parts(request.groups));
      return request.add_default ? ok() : reader.all_have_places(parts);
    }
    for (const std::string& value : TRY(reader.values(policy.partitions_max))) {
      parts.push_back({.word = name_word(value), .values = {value}});
    }
    if (parts.empty()) {
      return Error{ErrorCode::Invalid, cat("no row has a value in ", pg::ident(out.column))}
          .hinting("--values NAME=… names those that will come");
    }
    if (!column.not_null) parts.push_back({.word = "null", .null = true});
    return ok();
  };
  TRY(in_time_zone(conn, "UTC", read));
  std::vector<std::string> words;
  for (const Part& part : parts) {
    words.push_back(part.word);
    out.slices.push_back(slice_of(part));
  }
  if (request.add_default) {
    words.emplace_back("default");
    out.slices.push_back({.bound = std::string(kDefaultBound)});
  }
  const std::vector<std::string> names = names_of_parts(table.name, words);
  for (size_t i = 0; i < names.size(); ++i) out.slices[i].name = names[i];
  return out;
}

Result<Proposal> propose_hash(pg::Connection& conn, const Definition& table, const Request& request,
                              const Policy& policy) {
  if (request.columns.empty()) return Error{ErrorCode::Invalid, "name the columns of the key"};
  if (request.partitions < 2 || request.partitions > policy.partitions_max) {
    return Error{ErrorCode::Invalid,
                 cat("a table is divided by hash into 2 to ", policy.partitions_max, " partitions")}
        .hinting("--partitions N says into how many");
  }
  Proposal out{.schema = table.schema,
               .table = table.name,
               .method = Method::Hash,
               .column = request.columns.front(),
               .more = {request.columns.begin() + 1, request.columns.end()}};
  for (size_t i = 0; i < request.columns.size(); ++i) {
    TRY(key_type(conn, table, request.columns[i], kHashed));
    if (contains({request.columns.begin(), request.columns.begin() + static_cast<ptrdiff_t>(i)},
                 request.columns[i])) {
      return Error{ErrorCode::Invalid,
                   cat("column ", pg::ident(request.columns[i]), " is named twice")};
    }
  }
  out.type = table.column(out.column)->type;
  out.reason = cat("about ", compact(std::round(table.rows / request.partitions)),
                   " rows in each, if no value stands out");
  for (int i = 0; i < request.partitions; ++i) {
    out.slices.push_back(
        {.name = name_with(table.name, hash_suffix(i, request.partitions)),
         .bound = cat("FOR VALUES WITH (MODULUS ", request.partitions, ", REMAINDER ", i, ")")});
  }
  return out;
}

}  // namespace pgtend::partition
