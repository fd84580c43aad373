#include "partition/integers.h"

#include <limits>

#include "base/text.h"
#include "base/units.h"
#include "partition/names.h"

namespace pgtend::partition {
namespace {

template <class T>
constexpr IntegerType type_of(std::string_view name) {
  return {name, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()};
}
constexpr IntegerType kTypes[] = {type_of<int16_t>("smallint"), type_of<int32_t>("integer"),
                                  type_of<int64_t>("bigint")};

int64_t floor_of(int64_t value, int64_t step) { return value / step - (value % step < 0 ? 1 : 0); }

// Where the n-th partition begins; nullopt beyond what the type holds.
std::optional<int64_t> begin_of(const IntegerSpan& span, int64_t n) {
  int64_t out = 0;
  if (__builtin_mul_overflow(n, span.step, &out)) return std::nullopt;
  if (out < span.type.low || out > span.type.high) return std::nullopt;
  return out;
}

}  // namespace

const IntegerType* integer_type(std::string_view type) {
  for (const IntegerType& known : kTypes) {
    if (known.name == type) return &known;
  }
  return nullptr;
}

Result<std::vector<Slice>> integer_slices(const IntegerSpan& span) {
  const int64_t last = floor_of(span.to, span.step);
  std::vector<Slice> out;
  for (int64_t n = floor_of(span.from, span.step);; ++n) {
    if (n > last && n - last > span.ahead) return out;
    if (out.size() == static_cast<size_t>(span.slices_max)) {
      return Error{ErrorCode::Limit, cat("partitions of ", grouped(span.step),
                                         " numbers would be more than ", span.slices_max)}
          .hinting("choose a wider --every, or look for rows with numbers far off");
    }
    const std::optional<int64_t> from = begin_of(span, n);
    int64_t next = 0;
    const bool ends = __builtin_add_overflow(n, 1, &next);
    const std::optional<int64_t> to = ends ? std::nullopt : begin_of(span, next);
    out.push_back({.name = integer_name(span.table, from),
                   .from = from ? cat(*from) : "",
                   .to = to ? cat(*to) : ""});
    if (!to) return out;
  }
}

std::string integer_name(const std::string& table, const std::optional<int64_t>& from) {
  if (!from) return name_with(table, "_min");
  const std::string digits = cat(*from);
  const bool negative = digits.starts_with('-');
  return name_with(table, negative ? cat("_m", digits.substr(1)) : cat("_", digits));
}

}  // namespace pgtend::partition
