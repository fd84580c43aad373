// Finds a layout that is no range: rows are told apart by the hash of columns.
#include <cmath>

#include "base/text.h"
#include "base/units.h"
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

// Types that the server would take as a key, of those whose parts need nothing of their own.
Status must_be_able(pg::Connection& conn, const Definition& table, const std::string& column,
                    const Ability& ability) {
  const pg::Rows rows = TRY_DURING(
      conn.query(R"(
select format_type(a.atttypid, a.atttypmod), t.typtype = 'd',
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
  if (TRY(row.get<bool>(1))) {
    return Error{ErrorCode::Invalid, cat(head, ", a domain")}.hinting(
        "give the column the type below the domain, with its checks as the table's, first");
  }
  if (TRY(row.get<bool>(2))) return ok();
  return Error{ErrorCode::Invalid, cat(head, ", which ", ability.lacks)}.hinting(
      "choose another column");
}

// "_h07"
std::string hash_suffix(int number, int count) {
  const std::string digits = cat(number);
  const size_t width = cat(count - 1).size();
  return cat("_h", std::string(width - digits.size(), '0'), digits);
}

}  // namespace

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
    TRY(must_be_able(conn, table, request.columns[i], kHashed));
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
