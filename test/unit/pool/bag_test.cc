#include "pool/bag.h"

#include <gtest/gtest.h>

#include "pool/expectations.h"
#include "pool/lease.h"
#include "pool/prepared.h"
#include "wire/backend.h"
#include "wire/frontend.h"

namespace pgtend::pool {
namespace {

namespace be = wire::backend;
namespace fe = wire::frontend;

// What `pack` puts into a bag, as the other process finds it.
template <class Pack>
json::object sent(Pack pack) {
  Bag bag;
  pack(bag);
  return parse_json(to_text(bag.take())).take().get_object();
}

json::object object_of(std::string_view text) { return parse_json(text).take().get_object(); }

enum class Colour : uint8_t { Red, Green };

struct Everything {
  bool yes = false;
  int small = 0;
  uint64_t big = 0;
  Colour colour = Colour::Red;
  std::string bytes = {};
  std::optional<std::string> some = {};
  std::optional<std::string> none = "x";
  SteadyTime at{};
  net::Address v4 = {};
  net::Address v6 = {};
  net::Address path = {};
  net::Address unknown = {};
  std::vector<int> list = {};

  void carry(Bag& bag) {
    bag.field("yes", yes);
    bag.field("small", small);
    bag.field("big", big);
    bag.field("colour", colour, Colour::Green);
    bag.field("bytes", bytes);
    bag.field("some", some);
    bag.field("none", none);
    bag.field("at", at);
    bag.field("v4", v4);
    bag.field("v6", v6);
    bag.field("path", path);
    bag.field("unknown", unknown);
    bag.list("list", list, [](Bag& inner, int& item) { inner.field("item", item); });
  }
};

TEST(Bag, BringsEveryKindOfFieldAcross) {
  Everything before{.yes = true,
                    .small = -7,
                    .big = UINT64_MAX,
                    .colour = Colour::Green,
                    .bytes = std::string("\0\xff'\"\n", 5),
                    .some = "",
                    .none = std::nullopt,
                    .at = SteadyTime(seconds(77)),
                    .v4 = net::Address::ip("10.0.0.1", 5432).take(),
                    .v6 = net::Address::ip("::1", 1).take(),
                    .path = net::Address::unix_path("/tmp/.s.PGSQL.5432").take(),
                    .list = {3, 1, 2}};
  Everything after;

  const json::object packed = sent([&](Bag& out) { before.carry(out); });
  Bag bag(packed);
  after.carry(bag);

  ASSERT_TRUE(bag.status());
  EXPECT_TRUE(after.yes);
  EXPECT_EQ(after.small, -7);
  EXPECT_EQ(after.big, UINT64_MAX);
  EXPECT_EQ(after.colour, Colour::Green);
  EXPECT_EQ(after.bytes, before.bytes);
  EXPECT_EQ(after.some, "");
  EXPECT_EQ(after.none, std::nullopt);
  EXPECT_EQ(after.at, before.at);
  EXPECT_EQ(after.v4.text(), "10.0.0.1:5432");
  EXPECT_EQ(after.v6.text(), "[::1]:1");
  EXPECT_EQ(after.path.text(), "/tmp/.s.PGSQL.5432");
  EXPECT_EQ(after.unknown.size(), 0U);
  EXPECT_EQ(after.list, before.list);
}

TEST(Bag, MissingFieldsOfAnOlderProcessKeepTheirValues) {
  Everything after{.small = 5, .bytes = "kept", .list = {1}};
  const json::object nothing;
  Bag bag(nothing);

  after.carry(bag);

  EXPECT_TRUE(bag.status());
  EXPECT_EQ(after.small, 5);
  EXPECT_EQ(after.bytes, "kept");
  EXPECT_EQ(after.list, std::vector<int>{1});
}

TEST(Bag, FieldsThatMakeNoSenseAreNamed) {
  const std::pair<const char*, const char*> wrong[] = {
      {"yes", "1"},       {"small", "3000000000"}, {"small", "\"7\""},  {"big", "-1"},
      {"colour", "2"},    {"bytes", "\"abc\""},    {"bytes", "\"zz\""}, {"some", "7"},
      {"at", "\"soon\""}, {"v4", "\"0200\""},      {"list", "{}"},      {"list", "[1]"},
      {"v6", "\"0a00\""}};
  for (const auto& [name, value] : wrong) {
    Everything after;
    const json::object of_bag = object_of(cat("{\"", name, "\":", value, "}"));
    Bag bag(of_bag);

    after.carry(bag);

    ASSERT_FALSE(bag.status()) << name << ' ' << value;
    EXPECT_EQ(bag.status().error().message, cat("its field \"", name, "\" makes no sense here"));
  }
}

TEST(Bag, TimesFarAwayCannotOverflow) {
  SteadyTime at{};
  const json::object of_bag = object_of("{\"at\":-9223372036854775808}");
  Bag bag(of_bag);
  bag.field("at", at);
  EXPECT_EQ(at, SteadyTime());

  const json::object of_late = object_of("{\"at\":9223372036854775807}");
  Bag late(of_late);
  late.field("at", at);
  EXPECT_GT(at - SteadyTime(), SteadyTime::duration(0));
  EXPECT_GT(at + seconds(2'000'000'000), at);
}

TEST(Bag, LeaseGoesOnAmidAPipeline) {
  Lease before;
  const SteadyTime now(seconds(5));
  before.sent(fe::kParse, Route::Swallow, now, {7, 0, 0});
  before.sent(fe::kBind, Route::Forward, now);
  before.sent(fe::kExecute, Route::Forward, now);
  before.sent(fe::kSync, Route::Forward, now);
  EXPECT_EQ(before.received(be::kParseComplete), Route::Swallow);
  Lease after;

  const json::object packed = sent([&](Bag& out) { before.carry(out, nullptr); });
  Bag bag(packed);
  after.carry(bag, nullptr);

  ASSERT_TRUE(bag.status());
  EXPECT_EQ(after.expect().outstanding(), 3U);
  EXPECT_EQ(after.received(be::kBindComplete), Route::Forward);
  EXPECT_EQ(after.received(be::kCommandComplete), Route::Forward);
  EXPECT_FALSE(after.is_free());
  Counters counters;
  PoolTimes times;
  EXPECT_EQ(after.received(be::kReadyForQuery), Route::Forward);
  after.ready(Lease::Status::Idle, Route::Forward, counters, times, now + seconds(1));
  EXPECT_TRUE(after.is_free());
  EXPECT_EQ(counters.xact_count, 1U);
  EXPECT_EQ(counters.query_time, 1'000'000U);
}

TEST(Bag, StatementsKeepTheirNamesAndIds) {
  Statements here;
  ClientStatements before(here);
  Statement& one = here.acquire(std::string_view("select 1\0\0\0", 11));
  Statement& two = here.acquire(std::string_view("select 2\0\0\0", 11));
  before.add("one", one);
  before.add("two", two);
  const uint32_t closed = before.remove("two");
  const StatementTails tails = {{one.id, one.tail}, {two.id, two.tail}};
  Statements there;
  ClientStatements after(there);

  const json::object packed = sent([&](Bag& out) { before.carry(out, {}); });
  Bag bag(packed);
  after.carry(bag, tails);

  ASSERT_TRUE(bag.status());
  ASSERT_NE(after.find("one"), nullptr);
  EXPECT_EQ(after.find("one")->name, one.name);
  EXPECT_EQ(after.find("two"), nullptr);
  after.undo(closed);
  ASSERT_NE(after.find("two"), nullptr);
  EXPECT_EQ(after.find("two")->id, two.id);
  after.clear();
  EXPECT_EQ(there.size(), 0U);
}

TEST(Bag, StatementWithoutATextIsRefused) {
  Statements here;
  ClientStatements before(here);
  before.add("one", here.acquire(std::string_view("select 1\0\0\0", 11)));
  Statements there;
  ClientStatements after(there);

  const json::object packed = sent([&](Bag& out) { before.carry(out, {}); });
  Bag bag(packed);
  after.carry(bag, {});

  EXPECT_FALSE(bag.status());
  EXPECT_EQ(after.find("one"), nullptr);
}

TEST(Bag, LinkKeepsTheOrderOfItsStatements) {
  LinkStatements before;
  for (const uint64_t id : {4, 5, 6}) before.add(id);
  before.use(4);
  before.outdate(6);
  LinkStatements after;

  const json::object packed = sent([&](Bag& out) { before.carry(out); });
  Bag bag(packed);
  after.carry(bag);

  ASSERT_TRUE(bag.status());
  EXPECT_EQ(after.size(), 2U);
  EXPECT_EQ(after.oldest(), 5U);
  EXPECT_TRUE(after.take_outdated(6));
}

}  // namespace
}  // namespace pgtend::pool
