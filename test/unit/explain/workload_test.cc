#include "explain/workload.h"

#include <gmock/gmock.h>

namespace pgtend::explain {
namespace {

using testing::HasSubstr;
using testing::Not;

KnownStatement planned(double before, double after, bool changed) {
  return {.id = "1",
          .text = "SELECT 1",
          .values = {},
          .cost_before = before,
          .cost_after = after,
          .shape_before = 1,
          .shape_after = changed ? 2u : 1u};
}

TEST(Workload, ProvesOnlyWhereStatementsAreKnownAndNoneGetsDearer) {
  EXPECT_FALSE(Workload{}.proves());
  EXPECT_TRUE(Workload{.statements = {planned(10, 10.05, false)}}.proves());
  EXPECT_FALSE((Workload{.statements = {planned(10, 1, true), planned(10, 12, true)}}.proves()));
  EXPECT_FALSE((Workload{.statements = {planned(10, 1, true)}, .why_not = "lost"}.proves()));
}

TEST(Workload, TellsHowManyPlansChange) {
  EXPECT_EQ(effect_text({.statements = {planned(10, 10, false)}}),
            "1 other statement reads the table: no plan changes, none gets dearer");
  EXPECT_EQ(
      effect_text({.statements = {planned(9, 1, true), planned(9, 1, true), planned(9, 12, true)},
                   .unplanned = 4}),
      "3 other statements read the table: 3 plans change, 1 gets dearer (4 could not be planned)");
  EXPECT_EQ(effect_text({}), "no other statement that pg_stat_statements knows reads the table");
  EXPECT_EQ(effect_text({.why_not = "no extension"}), "other statements: no extension");
}

TEST(Workload, WritesAreCountedByTheDayWhereTheServerTellsSinceWhen) {
  const WriteCounters writes{.since = "2026-01-01",
                             .days = 10,
                             .inserted = 20'000,
                             .updated = 8'000,
                             .updated_hot = 6'000,
                             .rows = 1000,
                             .indexes = {90'000},
                             .index = {20'000}};
  EXPECT_EQ(
      write_text(writes),
      "2,200 rows a day were inserted or moved by updates since 2026-01-01: each writes one "
      "entry more of 20 bytes; 75 % of the updates touch no index (HOT): those that change an "
      "indexed column will");
  EXPECT_THAT(write_text({.inserted = 5}), HasSubstr("5 rows were inserted"));
  EXPECT_THAT(write_text({.inserted = 5}), Not(HasSubstr("HOT")));
  EXPECT_EQ(write_text({}), "");
}

}  // namespace
}  // namespace pgtend::explain
