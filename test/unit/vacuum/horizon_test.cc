#include "vacuum/horizon.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace pgtend::vacuum {
namespace {

using facts::Horizon;
using facts::HorizonHolder;

Suffering table(const std::string& name, int64_t dead, Horizon horizon = Horizon::Data) {
  return {.rows = {.table = name, .horizon = horizon, .rows_dead = dead}};
}

TEST(HorizonAttribution, TablesSufferFromWhoHoldsTheirHorizon) {
  const std::vector<HorizonHolder> holders = {
      {.name = "elsewhere", .age_xids = 30, .holds = {.catalogs = false, .data = false}},
      {.name = "slot", .age_xids = 20, .holds = {.data = false}},
      {.name = "session", .age_xids = 10}};

  const auto held = attribute(
      holders, {table("public.t", 5), table("pg_catalog.pg_class", 7, Horizon::Catalogs),
                table("pg_catalog.pg_database", 1, Horizon::SharedCatalogs), table("public.u", 9)});

  ASSERT_EQ(held.size(), 3U);
  ASSERT_EQ(held[0].tables.size(), 1U);
  EXPECT_EQ(held[0].tables[0].rows.table, "pg_catalog.pg_database");
  EXPECT_EQ(held[1].tables.size(), 2U);
  ASSERT_EQ(held[2].tables.size(), 4U);
  EXPECT_EQ(held[2].tables[0].rows.table, "public.u");
  EXPECT_EQ(held[2].rows_dead, 22);
}

TEST(HorizonAttribution, RowsOfOurVacuumBelongToHoldersAtLeastAsOldAsItsCutoff) {
  Suffering suffering = table("public.t", 100);
  suffering.own = OwnVacuum{.at = "then", .rows_not_removable = 60, .cutoff_age = 20};

  const auto held = attribute({{.age_xids = 20}, {.age_xids = 19}}, {suffering});

  EXPECT_EQ(held[0].tables[0].rows_not_removable, 60);
  EXPECT_EQ(held[0].tables[0].own_vacuum_at, "then");
  EXPECT_FALSE(held[1].tables[0].rows_not_removable);
}

TEST(HorizonReport, ShowsHostileTextsHarmlesslyAndFoldsTables) {
  HorizonReport report;
  report.held = attribute(
      {{.name = "x",
        .session = {.pid = 7, .application = "a\x1b", .state = "active", .query = "b\x1b\n"},
        .through = "xmin",
        .xid = 745,
        .age_xids = 1234}},
      {table("public.\"\x1b\"", 3), table("public.t", 2), table("public.u", 1)});

  const std::string text = to_text(report, 2);

  EXPECT_EQ(printable(text, true), text);
  EXPECT_NE(text.find("1,234 transactions"), std::string::npos) << text;
  EXPECT_NE(text.find("1 more; 6 dead rows in all"), std::string::npos) << text;
  EXPECT_NE(text.find("SELECT pg_cancel_backend(7)"), std::string::npos) << text;
  EXPECT_EQ(text.find("public.u"), std::string::npos) << text;
  EXPECT_EQ(to_text({}, 2), "nobody keeps dead rows from being removed");
}

TEST(HorizonReport, JsonHoldsHoldersWithRemediesAndTables) {
  HorizonReport report;
  report.held = attribute({{.kind = HorizonHolder::Kind::Slot, .name = "s"}}, {table("t", 3)});

  const json::object out = to_json(report);

  const auto& holder = out.at("holders").as_array().at(0).as_object();
  EXPECT_EQ(holder.at("kind").as_string(), "slot");
  EXPECT_EQ(holder.at("remedy").as_string(), "SELECT pg_drop_replication_slot('s')");
  EXPECT_EQ(holder.at("rows_dead").to_number<int64_t>(), 3);
  EXPECT_EQ(holder.at("tables").as_array().at(0).at("table").as_string(), "t");
}

}  // namespace
}  // namespace pgtend::vacuum
