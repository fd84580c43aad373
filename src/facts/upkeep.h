// What a server gives to maintenance, and what of a table decides how its VACUUM should be run.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "base/units.h"
#include "facts/vacuum_costs.h"
#include "pg/connection.h"

namespace pgtend::facts {

struct Upkeep {
  VacuumCosts costs = {};
  Bytes shared_buffers = {};
  int64_t parallel_workers_max = 2;  // max_parallel_maintenance_workers
  Bytes parallel_index_min = {};     // min_parallel_index_scan_size
  int64_t standbys = 0;              // WAL receivers that are connected now, of any kind
  bool plpgsql = false;              // the language of DO blocks is there
  // By table: how many of its indexes have at least `parallel_index_min`. Absent: none.
  std::map<uint32_t, int64_t> indexes_big = {};
};

// Reads it for the tables `oids`; every role may. Errors: those of the connection.
Result<Upkeep> load_upkeep(pg::Connection& conn, const std::vector<uint32_t>& oids);

}  // namespace pgtend::facts
