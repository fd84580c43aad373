// The size of rounds and where rows land, as numbers.
#include "vacuum/compact_rounds.h"

#include <gtest/gtest.h>

#include "vacuum/compact_move.h"

namespace pgtend::vacuum {
namespace {

TEST(CompactRounds, PagesAreReadFromRowAddresses) {
  EXPECT_EQ(*page_of("(0,1)"), 0);
  EXPECT_EQ(*page_of("(4294967294,291)"), 4294967294);
  for (const char* wrong : {"", "(1)", "1,2", "(,2)", "(a,2)", "(-1,2)", "(1,2"}) {
    EXPECT_EQ(page_of(wrong).error().code, ErrorCode::Corrupt) << wrong;
  }
}

TEST(CompactRounds, RoundsGrowUntilTheyTakeTheWantedTime) {
  RoundSize size;
  for (int i = 0; i < 20; ++i) size.ran(size.pages(), size.pages() * microseconds(250));

  EXPECT_EQ(size.pages(), 44);  // 11 ms at 0.25 ms a page
  EXPECT_GT(size.rest().count(), 0);
  EXPECT_LT(size.rest(), microseconds(11'000));
}

TEST(CompactRounds, ARoundThatWasTooLongMakesTheNextOneSmallerAtOnce) {
  RoundSize size;
  for (int i = 0; i < 20; ++i) size.ran(size.pages(), size.pages() * microseconds(250));

  size.ran(44, microseconds(88'000));

  EXPECT_EQ(size.pages(), 5);
}

TEST(CompactRounds, NoPageTakesLessThanOneAndNoRoundMoreThanTheLimit) {
  RoundSize slow;
  for (int i = 0; i < 5; ++i) slow.ran(slow.pages(), seconds(1));
  RoundSize quick;
  for (int i = 0; i < 30; ++i) quick.ran(quick.pages(), microseconds(1));

  EXPECT_EQ(slow.pages(), 1);
  EXPECT_EQ(quick.pages(), RoundSize::Limits{}.pages_max);
}

TEST(CompactRounds, SlowAnswersToOthersMakeRoundsSmallerAndRestsLonger) {
  RoundSize size;
  for (int i = 0; i < 10; ++i) size.felt(microseconds(500), 0);
  for (int i = 0; i < 20; ++i) size.ran(size.pages(), size.pages() * microseconds(250));
  const int64_t before = size.pages();

  for (int i = 0; i < 6; ++i) {
    size.felt(microseconds(30'000), 0);
    size.ran(size.pages(), size.pages() * microseconds(250));
  }

  EXPECT_LT(size.pages(), before);
  EXPECT_GT(size.rest(), microseconds(10'000));
  for (int i = 0; i < 30; ++i) {
    size.felt(microseconds(500), 0);
    size.ran(size.pages(), size.pages() * microseconds(250));
  }
  EXPECT_EQ(size.pages(), before);
  EXPECT_LT(size.rest(), microseconds(3'000));
}

TEST(CompactRounds, SomebodyWhoWaitsForUsCountsAsSlow) {
  RoundSize size;
  for (int i = 0; i < 20; ++i) size.ran(size.pages(), size.pages() * microseconds(250));

  size.felt(microseconds(100), 1);
  size.ran(44, microseconds(11'000));

  EXPECT_EQ(size.pages(), 22);
  EXPECT_GT(size.rest(), microseconds(5'000));
}

TEST(CompactRounds, StatementsNameTheTableAndAskForItsOid) {
  const MoveTarget target{.oid = 4711, .table = "a.\"B c\"", .column = "\"D\"", .version = 150000};

  const auto statements = move_preparation(target);

  EXPECT_EQ(move_statement(target),
            "UPDATE ONLY a.\"B c\" SET \"D\" = \"D\" WHERE ctid = ANY (ARRAY(SELECT ctid FROM ONLY "
            "a.\"B c\" WHERE ctid >= $1 AND ctid < $2 AND tableoid = 4711 FOR NO KEY UPDATE SKIP "
            "LOCKED)) RETURNING ctid");
  EXPECT_NE(statements.back().find("xmin = pg_current_xact_id()::xid"), std::string::npos);
  for (const std::string& sql : statements)
    EXPECT_EQ(sql.find("replica"), std::string::npos) << sql;
}

TEST(CompactRounds, TriggersAreSilencedWhereThatIsAllowed) {
  const auto statements = move_preparation(
      {.oid = 1, .table = "t", .column = "c", .replica_role = true, .version = 130000});

  EXPECT_NE(std::ranges::find(statements, "SET session_replication_role = replica"),
            statements.end());
}

}  // namespace
}  // namespace pgtend::vacuum
