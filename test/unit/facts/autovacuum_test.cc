#include "facts/autovacuum.h"

#include <gtest/gtest.h>

namespace pgtend::facts {
namespace {

TEST(AutovacuumNow, GoesThroughJsonUnchanged) {
  AutovacuumNow now{.workers_max = 2, .forced_databases = {"old"}};
  now.workers = {
      {.pid = 7, .database = "d", .table = 16384, .work = "VACUUM public.t", .runs_s = 2.5}};
  now.locks = {{.table = 16384, .granted = false, .session = {.pid = 9, .lock_mode = "ShareLock"}}};

  const auto back = autovacuum_from_json(to_json(now));

  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(to_text(to_json(*back)), to_text(to_json(now)));
  EXPECT_FALSE(autovacuum_from_json(*parse_json(R"({"worker": []})")));
}

TEST(AutovacuumNow, WorkOfAWorkerIsVacuumAnalyzeOrBoth) {
  const auto with = [](const char* work) { return AutovacuumWorker{.work = work}; };
  EXPECT_TRUE(with("VACUUM public.analyze").vacuums());
  EXPECT_FALSE(with("VACUUM public.analyze").analyzes());
  EXPECT_TRUE(with("VACUUM ANALYZE public.t").vacuums());
  EXPECT_TRUE(with("VACUUM ANALYZE public.t").analyzes());
  EXPECT_TRUE(with("ANALYZE public.t").analyzes());
  EXPECT_FALSE(with("ANALYZE public.t").vacuums());
  EXPECT_FALSE(with("").vacuums() || with("").analyzes());
}

TEST(AutovacuumNow, IsBusyWhenNoWorkerIsFree) {
  AutovacuumNow now{.workers_max = 1};
  EXPECT_FALSE(now.busy());
  now.workers.emplace_back();
  EXPECT_TRUE(now.busy());
}

}  // namespace
}  // namespace pgtend::facts
