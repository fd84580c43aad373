// Ranges of whole numbers: where they begin and end.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "partition/partition.h"

namespace pgtend::partition {

// What a type can hold.
struct IntegerType {
  std::string_view name;
  int64_t low = 0;
  int64_t high = 0;
};
// nullptr for what is no smallint, integer or bigint.
const IntegerType* integer_type(std::string_view type);

// Partitions that take `step` numbers each, from multiple to multiple of it.
struct IntegerSpan {
  std::string table = {};  // partitions are called after it and their lowest number
  IntegerType type = {};
  int64_t step = 1;
  int64_t from = 0;  // both have their place
  int64_t to = 0;
  int ahead = 0;  // partitions after that of `to`
  int slices_max = 2'000;
};
// Without gap or overlap, lowest first. Where the type ends before a bound, MINVALUE or MAXVALUE
// stands for it and there are no more. Pure. Errors: Limit (more than `slices_max`).
Result<std::vector<Slice>> integer_slices(const IntegerSpan& span);

// What a partition of `table` is called that begins at `from`; nullopt: MINVALUE.
std::string integer_name(const std::string& table, const std::optional<int64_t>& from);

}  // namespace pgtend::partition
