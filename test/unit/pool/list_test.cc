#include "pool/list.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace pgtend::pool {
namespace {

struct Item {
  int value = 0;
  ListHook<Item> hook;
};
using Items = List<Item, &Item::hook>;

std::vector<int> values(const Items& list) {
  std::vector<int> all;
  list.each([&](Item& item) { all.push_back(item.value); });
  return all;
}

TEST(List, KeepsOrderAtBothEnds) {
  Item a{1, {}}, b{2, {}}, c{3, {}};
  Items list;

  list.push_back(a);
  list.push_back(b);
  list.push_front(c);

  EXPECT_EQ(values(list), (std::vector<int>{3, 1, 2}));
  EXPECT_EQ(list.size(), 3u);
  EXPECT_EQ(list.front(), &c);
  EXPECT_EQ(list.back(), &b);
}

TEST(List, PushingAMemberAgainMovesIt) {
  Item a{1, {}}, b{2, {}};
  Items list;
  Items other;
  list.push_back(a);
  list.push_back(b);

  list.push_back(b);
  list.push_back(a);
  EXPECT_EQ(values(list), (std::vector<int>{2, 1}));
  other.push_front(b);

  EXPECT_EQ(values(list), std::vector<int>{1});
  EXPECT_EQ(list.size(), 1u);
  EXPECT_EQ(other.size(), 1u);
}

TEST(List, ElementsLeaveWhenTheyGo) {
  Items list;
  auto item = std::make_unique<Item>();
  list.push_back(*item);

  item.reset();

  EXPECT_TRUE(list.empty());
  EXPECT_EQ(list.size(), 0u);
}

TEST(List, VisitMayRemoveWhatItIsGiven) {
  Item a{1, {}}, b{2, {}}, c{3, {}};
  Items list;
  for (Item* item : {&a, &b, &c}) list.push_back(*item);

  list.each([](Item& item) {
    if (item.value != 2) item.hook.leave();
  });

  EXPECT_EQ(values(list), std::vector<int>{2});
}

}  // namespace
}  // namespace pgtend::pool
