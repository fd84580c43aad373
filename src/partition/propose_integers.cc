// Finds a layout by ranges of whole numbers.
#include <algorithm>
#include <optional>

#include "base/text.h"
#include "base/units.h"
#include "facts/partitions.h"
#include "partition/integers.h"
#include "partition/names.h"
#include "partition/propose.h"
#include "pg/quote.h"

namespace pgtend::partition {
namespace {

Result<int64_t> number_of(std::string_view text, const IntegerType& type) {
  const auto value = parse_int(text);
  if (value && *value >= type.low && *value <= type.high) return *value;
  return Error{ErrorCode::Invalid, cat(printable(text), " is no ", type.name)};
}

// The bounds of a partition that is divided by its parent's key; nullopt where there is none.
struct IntegerSeat {
  std::optional<int64_t> from = {};
  std::optional<int64_t> to = {};
};

Result<IntegerSeat> integer_seat(const Definition& table, const IntegerType& type) {
  const facts::RangeBound bound = TRY(facts::parse_range_bound(table.seat.bound));
  IntegerSeat out;
  if (bound.from) out.from = TRY(number_of(*bound.from, type));
  if (bound.to) out.to = TRY(number_of(*bound.to, type));
  return out;
}

// The slices within the bounds, and what lies before or after them all.
void fit_into(const IntegerSeat& seat, const std::string& name, std::vector<Slice>& slices) {
  if (seat.from) {
    slices.front().from = cat(*seat.from);
    slices.front().name = integer_name(name, seat.from);  // a neighbour may end within the multiple
  } else if (!slices.front().from.empty()) {
    slices.insert(slices.begin(), {.name = name_with(name, "_before"), .to = slices.front().from});
  }
  if (seat.to) {
    slices.back().to = cat(*seat.to);
  } else if (!slices.back().to.empty()) {
    slices.push_back({.name = name_with(name, "_after"), .from = slices.back().to});
  }
}

}  // namespace

Result<Proposal> propose_integers(pg::Connection& conn, const Definition& table,
                                  const Request& request, const Policy& policy) {
  const Column* column = table.column(request.column);
  const IntegerType* type = column == nullptr ? nullptr : integer_type(column->type);
  if (type == nullptr) {
    return Error{ErrorCode::Invalid,
                 column == nullptr
                     ? cat(table.qualified(), " has no column ", printable(request.column))
                     : cat("column ", pg::ident(column->name), " is of type ", column->type,
                           ", not smallint, integer or bigint")}
        .hinting("name a column of whole numbers with --by, or give an interval");
  }
  const std::string key = pg::ident(column->name);
  const pg::Rows rows = TRY_DURING(conn.query(cat("select min(", key, ")::text, max(", key,
                                                  ")::text from only ", table.qualified())),
                                   cat("reading the range of ", key));
  Proposal out{.schema = table.schema,
               .table = table.name,
               .column = column->name,
               .type = column->type,
               .step = request.step,
               .reason = "as asked",
               .data_from = std::string(rows[0].text(0)),
               .data_to = std::string(rows[0].text(1))};
  IntegerSpan span{.table = table.name,
                   .type = *type,
                   .step = request.step,
                   .ahead = request.ahead,
                   .slices_max = policy.partitions_max};
  if (!request.from.empty()) span.from = span.to = TRY(number_of(request.from, *type));
  if (!out.data_from.empty()) {
    const int64_t low = TRY(number_of(out.data_from, *type));
    span.from = request.from.empty() ? low : std::min(low, span.from);
    span.to = std::max(TRY(number_of(out.data_to, *type)), span.from);
  }
  const bool within = table.seat.column == column->name && table.seat.bound != "DEFAULT";
  if (!within) {
    out.slices = TRY(integer_slices(span));
    return out;
  }
  const IntegerSeat seat = TRY(integer_seat(table, *type));
  span.table = table.seat.parent_name;
  if (seat.from) {
    span.from = *seat.from;
    span.to = std::max(span.to, span.from);
  }
  if (seat.to) {
    span.to = *seat.to > type->low ? *seat.to - 1 : type->low;
    span.from = std::min(span.from, span.to);
    span.ahead = 0;
  }
  out.slices = TRY(integer_slices(span));
  fit_into(seat, span.table, out.slices);
  return out;
}

}  // namespace pgtend::partition
