#include "facts/vacuum_costs.h"

#include <gtest/gtest.h>

namespace pgtend::facts {
namespace {

TEST(VacuumCosts, AutovacuumTakesTheGeneralSettingWhereItsOwnIsOff) {
  VacuumCosts costs = default_vacuum_costs(150000);
  EXPECT_EQ(costs.effective_delay_ms(), 2);
  EXPECT_EQ(costs.effective_limit(), 200);
  EXPECT_EQ(costs.effective_memory_bytes(), 64.0 * 1024 * 1024);
  costs.delay_ms = 7;
  costs.autovacuum_delay_ms = -1;
  costs.autovacuum_limit = 500;
  costs.autovacuum_memory_kb = 1024;
  EXPECT_EQ(costs.effective_delay_ms(), 7);
  EXPECT_EQ(costs.effective_limit(), 500);
  EXPECT_EQ(costs.effective_memory_bytes(), 1024.0 * 1024);
}

TEST(VacuumCosts, JsonIsReadBackAndUnknownMembersRefused) {
  VacuumCosts costs = default_vacuum_costs(130000);
  EXPECT_EQ(costs.page_miss, 10);
  costs.checksums = true;
  const auto again = vacuum_costs_from_json(to_json(costs), default_vacuum_costs(180000));
  ASSERT_TRUE(again);
  EXPECT_EQ(to_json(*again), to_json(costs));
  EXPECT_FALSE(vacuum_costs_from_json(json::object{{"vacuum_cost", 1}}, costs));
  EXPECT_FALSE(vacuum_costs_from_json(json::array{}, costs));
}

}  // namespace
}  // namespace pgtend::facts
