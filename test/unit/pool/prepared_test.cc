#include "pool/prepared.h"

#include <gtest/gtest.h>

#include <string>

namespace pgtend::pool {
namespace {

constexpr std::string_view kTail("select $1\0\0\0", 12);

TEST(Statements, OneTextHasOneNameForAllClients) {
  Statements all;

  Statement& first = all.acquire(kTail);
  Statement& second = all.acquire(kTail);
  Statement& other = all.acquire("select 2");

  EXPECT_EQ(&first, &second);
  EXPECT_EQ(first.name, server_name_of(first.id));
  EXPECT_NE(first.name, other.name);
  EXPECT_EQ(first.tail, kTail);
}

TEST(Statements, TextGoesWithItsLastClient) {
  Statements all;
  Statement& statement = all.acquire(kTail);
  all.acquire(kTail);

  all.release(statement);
  EXPECT_EQ(all.size(), 1u);
  all.release(statement);

  EXPECT_EQ(all.size(), 0u);
}

class ClientNames : public testing::Test {
 protected:
  Statements all_;
  ClientStatements names_{all_};
};

TEST_F(ClientNames, NameIsFoundUntilItIsRemoved) {
  Statement& statement = all_.acquire(kTail);
  names_.add("s1", statement);

  EXPECT_EQ(names_.find("s1"), &statement);
  EXPECT_EQ(names_.find("s2"), nullptr);
  names_.confirm(names_.remove("s1"));

  EXPECT_EQ(names_.find("s1"), nullptr);
  EXPECT_EQ(all_.size(), 0u);
  EXPECT_EQ(names_.remove("s1"), 0u);
}

TEST_F(ClientNames, SkippedParseLeavesNoName) {
  const uint32_t serial = names_.add("s1", all_.acquire(kTail));

  names_.undo(serial);

  EXPECT_EQ(names_.find("s1"), nullptr);
  EXPECT_EQ(all_.size(), 0u);
}

TEST_F(ClientNames, SkippedCloseBringsTheNameBack) {
  Statement& statement = all_.acquire(kTail);
  names_.add("s1", statement);

  names_.undo(names_.remove("s1"));

  EXPECT_EQ(names_.find("s1"), &statement);
}

TEST_F(ClientNames, SkippedCloseAndParseOfOneNameAreUndoneLastFirst) {
  Statement& before = all_.acquire(kTail);
  names_.add("s1", before);
  const uint32_t closed = names_.remove("s1");
  const uint32_t parsed = names_.add("s1", all_.acquire("select 2"));

  names_.undo(parsed);
  names_.undo(closed);

  EXPECT_EQ(names_.find("s1"), &before);
  EXPECT_EQ(all_.size(), 1u);
}

TEST_F(ClientNames, TextsOfOneClientAreBounded) {
  const std::string big(ClientStatements::kBytesMax, 'x');
  EXPECT_TRUE(names_.has_room_for(big));
  const uint32_t serial = names_.add("s1", all_.acquire("x"));
  EXPECT_FALSE(names_.has_room_for(big));

  names_.undo(serial);

  EXPECT_TRUE(names_.has_room_for(big));
}

TEST(LinkStatements, LeastRecentlyUsedIsTheOldest) {
  LinkStatements link;
  link.add(1);
  link.add(2);
  link.add(3);
  EXPECT_EQ(link.oldest(), 1u);

  EXPECT_TRUE(link.use(1));

  EXPECT_EQ(link.oldest(), 2u);
  link.remove(2);
  EXPECT_FALSE(link.use(2));
  EXPECT_EQ(link.size(), 2u);
}

TEST(LinkStatements, OutdatedOneIsToldOnce) {
  LinkStatements link;
  link.add(1);

  link.outdate(1);

  EXPECT_FALSE(link.use(1));
  EXPECT_TRUE(link.take_outdated(1));
  EXPECT_FALSE(link.take_outdated(1));
}

}  // namespace
}  // namespace pgtend::pool
