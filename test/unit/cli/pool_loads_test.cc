#include "cli/pool_loads.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace pgtend::cli {
namespace {

std::vector<PoolEvent> events(const std::vector<std::pair<std::string, std::string>>& list) {
  std::vector<PoolEvent> out;
  for (const auto& [time, target] : list) out.push_back({.time = time, .target = target});
  return out;
}

std::string targets(const std::vector<PoolEvent>& list) {
  std::vector<std::string> out;
  for (const PoolEvent& event : list) out.push_back(event.target);
  return join(out, " ");
}

TEST(NewEvents, WhatWasThereAtTheFirstLookIsHistory) {
  NewEvents fresh;
  EXPECT_EQ(targets(fresh.among(events({{"1", "a"}, {"2", "b"}}))), "");
  EXPECT_EQ(targets(fresh.among(events({{"1", "a"}, {"2", "b"}}))), "");
  EXPECT_EQ(targets(fresh.among(events({{"1", "a"}, {"2", "b"}, {"3", "c"}}))), "c");
}

TEST(NewEvents, AnEmptyFirstLookIsALookToo) {
  NewEvents fresh;
  EXPECT_EQ(targets(fresh.among({})), "");
  EXPECT_EQ(targets(fresh.among(events({{"1", "a"}}))), "a");
}

TEST(NewEvents, EventsOfOneInstantAreToldApartByTheirNumber) {
  NewEvents fresh;
  (void)fresh.among(events({{"1", "a"}}));
  EXPECT_EQ(targets(fresh.among(events({{"1", "a"}, {"2", "b"}}))), "b");
  EXPECT_EQ(targets(fresh.among(events({{"1", "a"}, {"2", "b"}, {"2", "c"}}))), "c");
  EXPECT_EQ(targets(fresh.among(events({{"2", "b"}, {"2", "c"}, {"2", "d"}, {"4", "e"}}))), "d e");
}

TEST(NewEvents, EventsThatThePoolerForgotAreNotMissed) {
  NewEvents fresh;
  (void)fresh.among(events({{"1", "a"}, {"2", "b"}}));
  EXPECT_EQ(targets(fresh.among(events({{"7", "x"}, {"8", "y"}}))), "x y");
  EXPECT_EQ(targets(fresh.among({})), "");
  EXPECT_EQ(targets(fresh.among(events({{"8", "y"}, {"9", "z"}}))), "z");
}

TEST(NewEvents, AnyOrderIsPutRight) {
  NewEvents fresh;
  (void)fresh.among(events({{"2", "b"}, {"1", "a"}}));
  EXPECT_EQ(targets(fresh.among(events({{"4", "d"}, {"2", "b"}, {"3", "c"}, {"1", "a"}}))), "c d");
}

}  // namespace
}  // namespace pgtend::cli
