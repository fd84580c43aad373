#include "facts/tables.h"

#include <gtest/gtest.h>

#include "facts/activity.h"
#include "facts/horizon.h"
#include "facts/settings.h"

namespace pgtend::facts {
namespace {

TEST(TableFactsJson, EveryMemberComesBack) {
  TableFacts table{.oid = 7,
                   .schema = "Sélect",
                   .name = "\"; drop",
                   .owner = "o",
                   .kind = 'p',
                   .leaves = 3,
                   .reltuples = 1.5e9,
                   .options = {{"fillfactor", "70"}, {"toast.autovacuum_enabled", "false"}}};
  table.size = {.heap = Bytes{8192}, .pages = 1, .pages_frozen = 0};
  table.counters = {.present = true, .rows_live = 5, .rows_dead = 6, .inserted_since_vacuum = 7};
  table.age.vacuum = 12.5;
  table.rights = {.owner = true, .maintain = true, .select = false};

  const auto back = table_from_json(to_json(table));

  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(to_text(to_json(*back)), to_text(to_json(table)));
  EXPECT_EQ(back->size.pages_frozen, 0);
  EXPECT_EQ(back->age.vacuum, 12.5);
  EXPECT_FALSE(back->age.analyze);
  EXPECT_EQ(back->options.at("fillfactor"), "70");
}

TEST(TableFactsJson, UnknownOrMistypedMembersAreNamed) {
  const auto unknown = table_from_json(json::object{{"nmae", "x"}});
  const auto mistyped = table_from_json(json::object{{"pages", "many"}});
  const auto fraction = table_from_json(json::object{{"pages", 1.5}});

  ASSERT_FALSE(unknown);
  EXPECT_NE(unknown.error().message.find("nmae"), std::string::npos);
  ASSERT_FALSE(mistyped);
  EXPECT_NE(mistyped.error().message.find("pages"), std::string::npos);
  EXPECT_FALSE(fraction);
}

TEST(TableFactsJson, SettingsAndHoldersComeBack) {
  ServerSettings settings{.version = 180000};
  settings.autovacuum.vacuum_threshold_max = -1;
  settings.autovacuum.analyze_scale = 0.05;
  HorizonHolder holder{.kind = HorizonHolder::Kind::Prepared, .name = "x'y", .age_xids = 9};

  const auto settings_back = settings_from_json(to_json(settings));
  const auto holder_back = holder_from_json(to_json(holder));

  ASSERT_TRUE(settings_back && holder_back);
  EXPECT_EQ(settings_back->autovacuum.vacuum_threshold_max, -1);
  EXPECT_EQ(settings_back->version, 180000);
  EXPECT_EQ(holder_back->describe(), "prepared transaction x'y");
  EXPECT_EQ(holder_back->remedy(), "ROLLBACK PREPARED 'x''y'");
}

TEST(Session, DescriptionNamesPidStateAndAge) {
  const Session session{.pid = 4711,
                        .application = "ps\x1bql",
                        .user = "alice",
                        .state = "idle in transaction",
                        .open_s = 12.34};

  EXPECT_EQ(session.describe(),
            "pid 4711 (ps\\x1bql, alice, idle in transaction, transaction open for 12.3 s)");
}

}  // namespace
}  // namespace pgtend::facts
