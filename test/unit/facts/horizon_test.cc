#include "facts/horizon.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace pgtend::facts {
namespace {

using Kind = HorizonHolder::Kind;

HorizonHolder slot(const std::string& through, const std::string& state, int pid) {
  return {.kind = Kind::Slot,
          .name = "s",
          .session = {.pid = pid, .state = state},
          .through = through,
          .xid = 745};
}

TEST(HorizonHolder, ComesBackFromJson) {
  const HorizonHolder holder{.kind = Kind::Prepared,
                             .name = "x'y",
                             .database = "d",
                             .session = {.user = "alice"},
                             .through = "xid",
                             .xid = 745,
                             .age_xids = 9,
                             .age_s = 7200,
                             .holds = {.catalogs = false, .data = false},
                             .elsewhere = true};

  const auto back = holder_from_json(to_json(holder));

  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->describe(), "prepared transaction x'y for 2 h 00 min in database d");
  EXPECT_EQ(back->remedy(), "ROLLBACK PREPARED 'x''y'");
  EXPECT_EQ(back->holds.describe(), "shared catalogs");
  EXPECT_EQ(back->xid, 745);
  EXPECT_EQ(back->session.user, "alice");
}

TEST(HorizonHolder, UnknownKindsAndMembersAreRefused) {
  json::object holder = to_json(HorizonHolder{});
  holder["kind"] = "ghost";
  EXPECT_EQ(holder_from_json(holder).error().code, ErrorCode::Invalid);
  EXPECT_EQ(holder_from_json(json::object{{"nmae", "x"}}).error().code, ErrorCode::Invalid);
  EXPECT_EQ(holder_from_json(json::array{}).error().code, ErrorCode::Invalid);
}

TEST(HorizonHolder, RemedyFitsWhatItIsAndHowItHolds) {
  EXPECT_EQ(HorizonHolder({.session = {.pid = 7, .state = "active"}}).remedy(),
            "SELECT pg_cancel_backend(7)");
  EXPECT_EQ(HorizonHolder({.session = {.pid = 7, .state = "idle in transaction"}}).remedy(),
            "SELECT pg_terminate_backend(7)");
  EXPECT_EQ(slot("catalog_xmin", "inactive", 0).remedy(), "SELECT pg_drop_replication_slot('s')");
  EXPECT_EQ(slot("catalog_xmin", "active", 7).remedy(),
            "SELECT pg_terminate_backend(7); SELECT pg_drop_replication_slot('s')");
  const std::string there =
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_xmin = '745' "
      "AND pid <> pg_backend_pid()";
  EXPECT_EQ(slot("xmin", "active", 7).remedy(), there);
  EXPECT_EQ(slot("xmin", "inactive", 0).remedy(), "SELECT pg_drop_replication_slot('s')");
  EXPECT_EQ(HorizonHolder({.kind = Kind::Standby, .xid = 745}).remedy(), there);
}

TEST(HorizonHolder, RemediesAreExactAndPrintableForHostileNames) {
  const HorizonHolder prepared{.kind = Kind::Prepared, .name = "a'\\\x1b\n"};
  const HorizonHolder table{.kind = Kind::TemporaryTable,
                            .name = "pg_temp_3.\"a\"\".\\\x1b\u202e\""};

  EXPECT_EQ(prepared.remedy(), "ROLLBACK PREPARED E'a''\\\\\\x1b\\x0a'");
  EXPECT_EQ(table.remedy(), "DROP TABLE pg_temp_3.U&\"a\"\".\\\\\\+00001b\\+00202e\"");
  for (const HorizonHolder& holder : {prepared, table}) {
    EXPECT_EQ(printable(holder.describe()), holder.describe());
    EXPECT_EQ(printable(holder.remedy()), holder.remedy());
  }
}

TEST(HorizonHolder, EveryKindSaysWhatItsRemedyCosts) {
  for (const Kind kind :
       {Kind::Session, Kind::Prepared, Kind::Slot, Kind::Standby, Kind::TemporaryTable}) {
    EXPECT_NE(HorizonHolder({.kind = kind, .name = "x"}).remedy_note(), "");
  }
}

TEST(Horizon, HoldersOfOneKeepTheirOrder) {
  const std::vector<HorizonHolder> holders = {
      {.name = "a", .holds = {.data = false}},
      {.name = "b"},
      {.name = "c", .holds = {.catalogs = false, .data = false}},
      {.name = "d"}};

  const auto data = of(holders, Horizon::Data);

  ASSERT_EQ(data.size(), 2U);
  EXPECT_EQ(data[0].name, "b");
  EXPECT_EQ(data[1].name, "d");
  EXPECT_EQ(of(holders, Horizon::SharedCatalogs).size(), 4U);
  EXPECT_TRUE(of(holders, Horizon::Temporary).empty());
}

}  // namespace
}  // namespace pgtend::facts
