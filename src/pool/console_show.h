// The tables of SHOW: names, columns and what fills them. Private to the console.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pool/config.h"
#include "pool/group.h"
#include "pool/snapshot.h"

namespace pgtend::pool {

inline constexpr int32_t kInt4Oid = 23;
inline constexpr int32_t kInt8Oid = 20;
inline constexpr int32_t kTextOid = 25;

struct ShowColumn {
  std::string_view name;
  int32_t type;  // an oid
};
using ShowRows = std::vector<std::vector<std::optional<std::string>>>;

// What a table is made of: the merged snapshots of all workers.
struct ShowInput {
  const Snapshot& snapshot;
  const Config& config;
  SteadyTime now;
  Groups& groups;
};

struct Show {
  std::string_view name;
  Part part;
  std::span<const ShowColumn> columns;
  ShowRows (*fill)(const ShowInput& input);
};
// By name.
std::span<const Show> shows();

}  // namespace pgtend::pool
