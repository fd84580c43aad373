#include "facts/kept_statistics.h"

#include <gtest/gtest.h>

namespace pgtend::facts {
namespace {

TEST(KeptStatistics, CallNamesEachMemberWithItsType) {
  const KeptColumn column{.name = "a b",
                          .inherited = true,
                          .members = {{"null_frac", "0.5"},
                                      {"most_common_vals", "{it's,\"x\\\\y\"}"},
                                      {"most_common_freqs", "{0.25,0.125}"}}};

  EXPECT_EQ(column.restore_call("app", "T"),
            "pg_catalog.pg_restore_attribute_stats('schemaname', 'app', 'relname', 'T', "
            "'attname', 'a b', 'inherited', true, 'null_frac', '0.5'::real, "
            "'most_common_vals', E'{it''s,\"x\\\\\\\\y\"}'::text, "
            "'most_common_freqs', '{0.25,0.125}'::real[])");
  EXPECT_EQ(column.clear_call("app", "T"),
            "pg_catalog.pg_clear_attribute_stats('app', 'T', 'a b', true)");
  EXPECT_EQ(column.bytes(), 73U);
}

}  // namespace
}  // namespace pgtend::facts
