// The server's settings that decide how long an autovacuum takes and what it freezes.
#pragma once

#include <cstdint>

#include "base/json.h"
#include "pg/connection.h"

namespace pgtend::facts {

// Named as PostgreSQL names them; defaults are those of 14 to 18. What says -1 there ("take the
// other setting") is resolved by the functions.
struct VacuumCosts {
  double delay_ms = 0;             // vacuum_cost_delay
  double autovacuum_delay_ms = 2;  // -1: the one above
  int64_t limit = 200;
  int64_t autovacuum_limit = -1;  // -1: vacuum_cost_limit
  double page_hit = 1;
  double page_miss = 2;  // 10 up to 13
  double page_dirty = 20;
  int64_t memory_kb = 65'536;         // maintenance_work_mem
  int64_t autovacuum_memory_kb = -1;  // -1: maintenance_work_mem
  int64_t freeze_min_age = 50'000'000;
  int64_t freeze_table_age = 150'000'000;
  int64_t failsafe_age = 1'600'000'000;  // 14 and later
  int64_t block_size = 8192;
  bool full_page_writes = true;
  bool checksums = false;  // or wal_log_hints: a first hint logs the page, too

  double effective_delay_ms() const;
  double effective_limit() const;
  double effective_memory_bytes() const;
};

// Reads them; every role may. Errors: those of the connection.
Result<VacuumCosts> load_vacuum_costs(pg::Connection& conn);

// The defaults of a server version, 150020 for 15.20.
VacuumCosts default_vacuum_costs(int version);

json::object to_json(const VacuumCosts& costs);
// Absent members keep what `base` has. Errors: Invalid naming the member.
Result<VacuumCosts> vacuum_costs_from_json(const json::value& value, const VacuumCosts& base);

}  // namespace pgtend::facts
