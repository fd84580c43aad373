// The ways to give space back, compared and picked from numbers.
#include "vacuum/compact_plan.h"

#include <gmock/gmock.h>

namespace pgtend::vacuum {
namespace {

using testing::HasSubstr;

Bloat bloat(int64_t pages, double needed) {
  return {.method = Method::Statistics,
          .pages = pages,
          .needed = {.low = needed, .best = needed, .high = needed}};
}

// The table of the measurements: 1 M rows of 150 bytes, 60 % deleted, two indexes.
CompactFacts facts() {
  CompactFacts out;
  out.table = {.oid = 1,
               .table = "public.t",
               .schema = "public",
               .name = "t",
               .pages = 19'231,
               .version = 150000};
  out.database = "app";
  out.heap = bloat(19'231, 7'697);
  out.rows = 400'000;
  out.indexes = {{"public.t_pkey", true, bloat(2'745, 1'100)},
                 {"public.t_i", true, bloat(950, 488)}};
  out.tail = Tail{};
  return out;
}

CompactPlan plan(const CompactFacts& known) {
  auto out = plan_compaction(known);
  EXPECT_TRUE(out);
  return *out;
}

TEST(CompactPlan, AHalfEmptyTableIsCompactedInPlaceAtTheCostThatWasMeasured) {
  const CompactPlan out = plan(facts());

  EXPECT_EQ(out.pick, Way::InPlace);
  EXPECT_THAT(out.because, HasSubstr("60 %"));
  const WayCost& cost = out.cost(Way::InPlace);
  // 115 MB for moving, 11 MB for indexes and VACUUM's 5 MB; the rows' locks come on top.
  EXPECT_NEAR(static_cast<double>(cost.wal.count), 145e6, 25e6);
  EXPECT_LT(cost.wal, cost.wal_max);
  EXPECT_GT(cost.seconds, 5);
  EXPECT_LT(cost.seconds, 40);
  EXPECT_EQ(cost.won.count, (19'231 - 7'697 + 2'745 - 1'100 + 950 - 488) * 8'192);
  EXPECT_LT(cost.disk.count, 20'000'000);
  EXPECT_LT(out.cost(Way::VacuumFull).seconds, cost.seconds);
  EXPECT_GT(out.cost(Way::VacuumFull).disk.count, 70'000'000);
}

TEST(CompactPlan, EveryWayIsListedOnceWithItsName) {
  const CompactPlan out = plan(facts());

  ASSERT_EQ(out.ways.size(), std::size(kWays));
  for (const Way way : kWays) {
    EXPECT_EQ(out.cost(way).way, way);
    EXPECT_EQ(*way_named(name(way)), way);
    EXPECT_FALSE(out.cost(way).lock.empty());
  }
  EXPECT_THAT(way_named("inplace").error().hint, HasSubstr("in-place"));
}

TEST(CompactPlan, HeadroomAndSmallTablesAreLeftAlone) {
  CompactFacts known = facts();
  known.indexes.clear();
  known.heap = bloat(10'000, 8'500);
  EXPECT_EQ(plan(known).pick, Way::Nothing);
  EXPECT_THAT(plan(known).because, HasSubstr("headroom"));

  known.heap = bloat(9, 1);
  EXPECT_EQ(plan(known).pick, Way::Nothing);
}

TEST(CompactPlan, BloatedIndexesAloneAreWrittenAnew) {
  CompactFacts known = facts();
  known.heap = bloat(8'000, 7'697);

  EXPECT_EQ(plan(known).pick, Way::Reindex);
  EXPECT_EQ(plan(known).cost(Way::Reindex).won.count, (2'745 - 1'100 + 950 - 488) * 8'192);
}

TEST(CompactPlan, SpaceThatGrowthFillsSoonIsLeft) {
  CompactFacts known = facts();
  known.indexes.clear();
  known.growth_bytes_day = 40e6;
  EXPECT_EQ(plan(known).pick, Way::Nothing);
  EXPECT_THAT(plan(known).because, HasSubstr("3 days"));

  known.growth_bytes_day = 1e6;
  EXPECT_EQ(plan(known).pick, Way::InPlace);
  known.growth_bytes_day = -40e6;
  EXPECT_EQ(plan(known).pick, Way::InPlace);
}

TEST(CompactPlan, AnEmptyEndIsTrimmedWhenThatIsMostOfIt) {
  CompactFacts known = facts();
  known.heap = bloat(10'000, 8'000);
  known.tail = Tail{.pages = 1'900, .rows = 40};
  EXPECT_EQ(plan(known).pick, Way::Tail);
  EXPECT_LT(plan(known).cost(Way::Tail).wal, plan(known).cost(Way::InPlace).wal);

  known.heap = bloat(10'000, 4'000);  // much would stay
  EXPECT_EQ(plan(known).pick, Way::InPlace);
}

TEST(CompactPlan, AnEndWithoutRowsIsCutEvenWhereRowsMustNotMove) {
  CompactFacts known = facts();
  known.why_not_move = "public.t is published by feed";
  known.heap = bloat(10'000, 8'000);
  known.tail = Tail{.pages = 1'900, .rows = 0};
  EXPECT_EQ(plan(known).pick, Way::Tail);

  known.tail->rows = 1;
  EXPECT_EQ(plan(known).pick, Way::Reindex);
  EXPECT_THAT(plan(known).because, HasSubstr("feed"));
}

TEST(CompactPlan, UnknownBloatIsNoReasonToMoveAnything) {
  CompactFacts known = facts();
  known.indexes.clear();
  known.heap = unknown_bloat(19'231, "never analysed");

  EXPECT_EQ(plan(known).pick, Way::Nothing);
  EXPECT_THAT(plan(known).because, HasSubstr("never analysed"));
  EXPECT_EQ(plan_compaction(known, Way::InPlace)->pick, Way::InPlace);
}

TEST(CompactPlan, RewritersAreShownWithTheirCommandAndWhatTheyLack) {
  CompactFacts known = facts();
  EXPECT_EQ(plan(known).cost(Way::Repack).why_not, "not installed");

  known.table.table = "public.\"it's\"";
  known.rewriters = {.repack = "1.4.8", .squeeze = "1.5", .superuser = true};
  EXPECT_THAT(plan(known).cost(Way::Repack).why_not, HasSubstr("primary key"));
  known.rewriters.key = true;
  EXPECT_EQ(plan(known).cost(Way::Repack).command,
            "pg_repack --no-kill-backend --wait-timeout=60 --no-order "
            "--table='public.\"it'\\''s\"' 'app'");
  EXPECT_THAT(plan(known).cost(Way::Repack).why_not, HasSubstr("client program"));
  known.rewriters.client = {.program = "/bin/pg_repack", .version = "1.5.0"};
  EXPECT_EQ(plan(known).cost(Way::Repack).why_not, "its client is 1.5.0, its extension 1.4.8");
  known.rewriters.client.version = "1.4.8";
  known.rewriters.free_bytes = 1'000'000;
  EXPECT_THAT(plan(known).cost(Way::Repack).why_not, HasSubstr("of free disk, there are 977 kB"));
  known.rewriters.free_bytes = 1'000'000'000;
  EXPECT_EQ(plan(known).cost(Way::Repack).why_not, "");
  EXPECT_EQ(plan_compaction(known, Way::Repack)->pick, Way::Repack);
  EXPECT_THAT(plan(known).cost(Way::Squeeze).why_not, HasSubstr("wal_level"));
}

TEST(CompactPlan, RepackIsPickedOnlyWhereRowsMustNotBeMoved) {
  CompactFacts known = facts();
  known.rewriters = {.repack = "1.4.8",
                     .key = true,
                     .superuser = true,
                     .client = {.program = "/bin/pg_repack", .version = "1.4.8"}};
  EXPECT_EQ(plan(known).pick, Way::InPlace);
  known.why_not_move = "it has a trigger";

  const CompactPlan out = plan(known);

  EXPECT_EQ(out.pick, Way::Repack);
  EXPECT_THAT(out.because, HasSubstr("rows must not be moved: it has a trigger"));
}

TEST(CompactRepack, ItsClientIsUnderstoodOnlyWhereItTellsItsVersion) {
  EXPECT_EQ(repack_version_of("pg_repack 1.4.8\n"), "1.4.8");
  EXPECT_EQ(repack_version_of("pg_repack 1.5.0-dev"), "1.5.0");
  EXPECT_EQ(repack_version_of("pg_reorg 1.1"), "");
  EXPECT_EQ(repack_version_of(""), "");
}

TEST(CompactRepack, ItMustNotEndSessionsAndGivesUpByItself) {
  const auto words =
      repack_arguments({.table = {.table = "a.\"B c\""}, .wait_timeout = seconds(5)});

  EXPECT_THAT(words, testing::ElementsAre("--no-kill-backend", "--wait-timeout=5", "--no-order",
                                          "--table=a.\"B c\""));
}

TEST(CompactPlan, AWayThatCannotBeTakenIsRefusedWithItsReason) {
  const auto full = plan_compaction(facts(), Way::VacuumFull);
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, ErrorCode::Invalid);
  EXPECT_THAT(full.error().hint, HasSubstr("VACUUM (FULL"));

  CompactFacts known = facts();
  known.why_not_move = "because";
  EXPECT_THAT(plan_compaction(known, Way::InPlace).error().message, HasSubstr("because"));
  EXPECT_FALSE(plan_compaction(facts(), Way::Tail));
}

TEST(CompactPlan, BloatedToastIsStoredAnewWithTheRowsMoving) {
  CompactFacts known = facts();
  const WayCost before = plan(known).cost(Way::InPlace);
  known.toast = bloat(10'000, 4'000);

  const CompactPlan both = plan(known);
  known.heap = bloat(8'000, 7'697);
  const CompactPlan alone = plan(known);

  EXPECT_EQ(both.pick, Way::InPlace);
  EXPECT_TRUE(both.toast);
  EXPECT_THAT(both.because, HasSubstr("60 % of its TOAST is free"));
  EXPECT_EQ(both.cost(Way::InPlace).won.count - before.won.count, 6'000 * 8'192);
  EXPECT_GT(both.cost(Way::InPlace).wal.count - before.wal.count, 4'000 * 8'192);
  EXPECT_EQ(alone.pick, Way::InPlace);
  EXPECT_TRUE(alone.toast);
}

TEST(CompactPlan, ToastThatIsSmallDenseUnknownOrBarredIsLeftAndTold) {
  CompactFacts known = facts();
  known.heap = bloat(8'000, 7'697);
  known.indexes.clear();
  known.toast = bloat(10'000, 9'000);
  EXPECT_EQ(plan(known).pick, Way::Nothing);
  known.toast = bloat(900, 100);
  EXPECT_EQ(plan(known).pick, Way::Nothing);
  known.toast = bloat(10'000, 4'000);
  CompactPolicy without;
  without.toast = false;
  EXPECT_EQ(plan_compaction(known, {}, without)->pick, Way::Nothing);
  known.why_not_store = "no value can be";

  const CompactPlan barred = plan(known);

  EXPECT_EQ(barred.pick, Way::Nothing);
  EXPECT_FALSE(barred.toast);
  EXPECT_THAT(barred.because, HasSubstr("60 % of its TOAST is free, but its values are not stored "
                                        "anew: no value can be"));
}

}  // namespace
}  // namespace pgtend::vacuum
