#include "facts/vacuum_costs.h"

#include "base/text.h"
#include "facts/members.h"

namespace pgtend::facts {
namespace {

constexpr int kVersionCheapMiss = 140000;

// Each setting once: PostgreSQL's name for it and where it goes. pg_settings gives most numbers in
// the unit that is meant here (ms, kB).
template <class Visitor, class Costs>
void visit_costs(Visitor& visit, Costs& c) {
  visit("vacuum_cost_delay", c.delay_ms);
  visit("autovacuum_vacuum_cost_delay", c.autovacuum_delay_ms);
  visit("vacuum_cost_limit", c.limit);
  visit("autovacuum_vacuum_cost_limit", c.autovacuum_limit);
  visit("vacuum_cost_page_hit", c.page_hit);
  visit("vacuum_cost_page_miss", c.page_miss);
  visit("vacuum_cost_page_dirty", c.page_dirty);
  visit("maintenance_work_mem", c.memory_kb);
  visit("autovacuum_work_mem", c.autovacuum_memory_kb);
  visit("vacuum_freeze_min_age", c.freeze_min_age);
  visit("vacuum_freeze_table_age", c.freeze_table_age);
  visit("vacuum_failsafe_age", c.failsafe_age);
  visit("block_size", c.block_size);
  visit("full_page_writes", c.full_page_writes);
  visit("data_checksums", c.checksums);
}

}  // namespace

double VacuumCosts::effective_delay_ms() const {
  return autovacuum_delay_ms < 0 ? delay_ms : autovacuum_delay_ms;
}
double VacuumCosts::effective_limit() const {
  return static_cast<double>(autovacuum_limit < 1 ? limit : autovacuum_limit);
}
double VacuumCosts::effective_memory_bytes() const {
  return 1024.0 * static_cast<double>(autovacuum_memory_kb < 0 ? memory_kb : autovacuum_memory_kb);
}

Result<VacuumCosts> load_vacuum_costs(pg::Connection& conn) {
  // As JSON of the right types, so that one reader serves servers and files.
  const pg::Rows rows = TRY_DURING(
      conn.query("select json_object_agg(name, case vartype when 'bool' then to_json(setting = "
                 "'on') else to_json(setting::float8) end) from pg_settings where vartype in "
                 "('bool', 'integer', 'real') and (name like 'vacuum_cost%' or name in "
                 "('autovacuum_vacuum_cost_delay', 'autovacuum_vacuum_cost_limit', "
                 "'maintenance_work_mem', 'autovacuum_work_mem', 'vacuum_freeze_min_age', "
                 "'vacuum_freeze_table_age', 'vacuum_failsafe_age', 'block_size', "
                 "'full_page_writes', 'data_checksums'))"),
      "reading settings");
  if (rows.size() != 1) return Error{ErrorCode::Corrupt, "no settings"};
  return vacuum_costs_from_json(TRY(parse_json(rows[0].text(0))),
                                default_vacuum_costs(conn.server_version()));
}

VacuumCosts default_vacuum_costs(int version) {
  VacuumCosts costs;
  if (version < kVersionCheapMiss) costs.page_miss = 10;
  return costs;
}

json::object to_json(const VacuumCosts& costs) {
  MemberWriter writer;
  visit_costs(writer, costs);
  return std::move(writer).take();
}

Result<VacuumCosts> vacuum_costs_from_json(const json::value& value, const VacuumCosts& base) {
  if (!value.is_object()) return Error{ErrorCode::Invalid, "costs must be an object"};
  VacuumCosts costs = base;
  MemberReader reader(value.as_object());
  visit_costs(reader, costs);
  TRY_DURING(reader.finish(), "costs");
  return costs;
}

}  // namespace pgtend::facts
