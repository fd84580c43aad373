#include "pool/replication.h"

#include <gtest/gtest.h>

namespace pgtend::pool {
namespace {

TEST(Replication, WordsAreReadAsPostgresReadsThem) {
  EXPECT_EQ(*read_replication("database"), Replication::Logical);
  for (const char* yes : {"true", "TRUE", "t", "tru", "yes", "y", "on", "1"}) {
    EXPECT_EQ(*read_replication(yes), Replication::Physical) << yes;
  }
  for (const char* no : {"false", "f", "no", "N", "off", "of", "0"}) {
    EXPECT_EQ(*read_replication(no), Replication::None) << no;
  }
}

TEST(Replication, OtherWordsAreRefusedWithTheServersStateAndHint) {
  for (const char* bad : {"", "o", "Database", "databas", "truely", "10", "2", "physical"}) {
    const auto read = read_replication(bad);
    ASSERT_FALSE(read) << bad;
    EXPECT_EQ(read.error().sqlstate, "22023");
    EXPECT_FALSE(read.error().hint.empty());
  }
}

TEST(Replication, EveryKindHasANameAndAValueThatReadsBack) {
  for (const auto kind : {Replication::None, Replication::Physical, Replication::Logical}) {
    EXPECT_EQ(*read_replication(value_of(kind)), kind);
    EXPECT_FALSE(name_of(kind).empty());
  }
}

TEST(Replication, OptionsTellWhatTheySetAndUnreadableOnesNothing) {
  Replicating wanted{.kind = Replication::Logical};
  wanted.parameters = {{"options", "-c datestyle=ISO --Wal-Sender-Timeout=7"}, {"DateStyle", "x"}};

  EXPECT_TRUE(wanted.sets("DateStyle"));
  EXPECT_TRUE(wanted.sets("wal_sender_timeout"));
  EXPECT_FALSE(wanted.sets("timezone"));
  wanted.parameters = {{"options", "-x datestyle=ISO"}, {"datestyle", "ISO"}};
  EXPECT_FALSE(wanted.sets("datestyle"));
}

}  // namespace
}  // namespace pgtend::pool
