// How long a running VACUUM will still take: all its phases, and the passes over the indexes that
// are still to come.
#pragma once

#include <cstdint>
#include <optional>

#include "base/json.h"
#include "facts/running.h"

namespace pgtend::vacuum {

// Pages are of 8 kB, of table and indexes alike: what is cheap about one is dear about the other.
struct Eta {
  int64_t pages_done = 0;
  int64_t pages_left = 0;             // at most: pages without dead rows are passed over
  int64_t passes_left = 0;            // over the indexes, the running one included
  std::optional<double> left_s = {};  // at the pace so far; nullopt until there is one

  double share() const;  // done of all, 0..1
};

// From one look. The passes are those that the dead rows seen so far let expect for the whole
// table; with few of them (below 2 % of the pages) 14 and later leave the indexes alone. `before_s`
// and `before` are an earlier look at the same VACUUM, so many seconds ago: the pace is then that
// between the two, if anything moved; else it is that since the beginning. nullopt without work to
// see. Pure.
std::optional<Eta> eta(const facts::Running& now, int version,
                       const facts::Running* before = nullptr, double before_s = 0);

json::object to_json(const Eta& eta);

}  // namespace pgtend::vacuum
