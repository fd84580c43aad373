// The tables of SHOW: names, columns and what fills them. Private to the console.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pool/config.h"
#include "pool/console.h"
#include "pool/group.h"
#include "pool/snapshot.h"

namespace pgtend::pool {

// What a table is made of: the merged snapshots of all workers.
struct ShowInput {
  const Snapshot& snapshot;
  const Config& config;
  SteadyTime now;
  Groups& groups;
  bool is_suspended = false;
};

struct Show {
  std::string_view name;
  Part part;
  std::span<const ShowColumn> columns;
  ShowRows (*fill)(const ShowInput& input);
  bool admins_alone = false;
};
// By name.
std::span<const Show> shows();

}  // namespace pgtend::pool
