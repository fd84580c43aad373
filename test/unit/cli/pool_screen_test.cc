#include "cli/pool_screen.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "base/text.h"

namespace pgtend::cli {
namespace {

using testing::Each;
using testing::HasSubstr;
using testing::Not;

// Two pools, two queries and the calls without a shape, one event; two seconds apart.
PoolReading sample(int at_s, int64_t times) {
  PoolReading reading{.at = SteadyTime(seconds(at_s)),
                      .wall = WallTime(seconds(1'700'000'000)),
                      .session = 1,
                      .version = "pgtend-pool 0.1.0",
                      .where = "db:6432",
                      .state = "active"};
  reading.totals = {{.database = "app",
                     .transactions = 1000 * times,
                     .queries = 2000 * times,
                     .bytes_in = 204'800 * times,
                     .bytes_out = 2'048'000 * times,
                     .transaction_us = 5'000'000 * times,
                     .query_us = 1'000'000 * times,
                     .wait_us = 300'000 * times}};
  reading.pools = {{.database = "app",
                    .user = "web",
                    .clients_active = 4,
                    .clients_waiting = 2,
                    .servers_active = 4,
                    .servers_idle = 1,
                    .wait_max_us = 1500},
                   {.database = "app", .user = "batch", .clients_active = 1, .servers_idle = 1}};
  reading.shapes = {
      {.database = "app",
       .user = "web",
       .shape = "01",
       .text = "select * from zähler where id = $1",
       .calls = 1900 * times,
       .rows = 1900 * times,
       .time_us = 600'000 * times,
       .p95_us = 900},
      {.database = "app",
       .user = "web",
       .shape = "02",
       .text = "update readings set value = $1",
       .calls = 90 * times,
       .errors = 3 * times,
       .rows = 9000 * times,
       .time_us = 390'000 * times,
       .p95_us = 12'000},
      {.database = "app", .user = "web", .calls = 10 * times, .time_us = 10'000 * times}};
  reading.times = {{.database = "app",
                    .user = "web",
                    .kind = "query",
                    .buckets = {{256, 1500 * times}, {1024, 500 * times}}},
                   {.database = "app", .user = "web", .kind = "wait", .buckets = {{64, times}}}};
  reading.events = {{.time = "2023-11-14 22:13:19 UTC",
                     .kind = "schema",
                     .database = "app",
                     .user = "web",
                     .command = "ALTER TABLE",
                     .target = "readings"}};
  return reading;
}

std::string text_of(const std::vector<ScreenLine>& lines) {
  std::string text;
  for (const ScreenLine& line : lines) text += line.text + '\n';
  return text;
}

struct Sample {
  PoolReading before = sample(10, 1);
  PoolReading after = sample(12, 2);
  PoolRates rates = rates_between(&before, after);
  PoolScene scene() const { return {.reading = after, .rates = rates, .watched = seconds(65)}; }
  std::string screen(const PoolView& view, size_t columns, size_t lines) const {
    return text_of(draw_pool(scene(), view, {columns, lines}).lines);
  }
};

TEST(PoolScreen, ASnapshotSaysWhatItsNumbersCover) {
  const Sample sample;

  EXPECT_EQ(text_of(pool_snapshot(sample.scene(), ShapeSort::Time, 20, 160)),
            R"(active   db:6432   pgtend-pool 0.1.0
rates of the 2.00 s before 2023-11-14 22:13:20 UTC; clients and servers of that moment; p95 ever: since the query was first seen
clients 5 active, 2 waiting   servers 4 active, 2 idle   longest wait 1.50 ms
tx/s 500   queries/s 1.00 k   in 100 kB/s   out 1000 kB/s   mean wait 300 us, query 500 us, tx 5.00 ms

database  user   clients  waiting  servers  idle  longest  wait p50  wait p95  wait p99  query p50  query p95  query p99
app       web          4        2        4     1  1.50 ms   64.0 us   64.0 us   64.0 us     272 us    1.02 ms    1.02 ms
app       batch        1        0        0     1        0         -         -         -          -          -          -

calls/s  time     mean  p95 ever  rows/call  errors  database  user  query
    950  60 %   316 us    900 us          1       0  app       web   select * from zähler where id = $1
     45  39 %  4.33 ms   12.0 ms        100       3  app       web   update readings set value = $1
      5   1 %  1.00 ms         -          0       0  app       web   (all other shapes)

time                     event   database  user  rows  what
2023-11-14 22:13:19 UTC  schema  app       web      0  ALTER TABLE readings
)");
}

TEST(PoolScreen, TheScreenHasExactlyItsSizeHoweverSmall) {
  const Sample sample;
  for (const bool help : {false, true}) {
    for (const PoolSection section :
         {PoolSection::Overview, PoolSection::Pools, PoolSection::Queries, PoolSection::Events}) {
      for (size_t lines = 1; lines <= 40; ++lines) {
        for (const size_t width : {1, 2, 20, 80, 200}) {
          const PoolView view{.section = section, .scroll = lines, .help = help};
          const PoolScreen screen = draw_pool(sample.scene(), view, {width, lines});
          ASSERT_EQ(screen.lines.size(), lines);
          for (const ScreenLine& line : screen.lines) ASSERT_LE(columns(line.text), width);
        }
      }
    }
  }
}

TEST(PoolScreen, ANarrowScreenKeepsTheQueryAndItsMean) {
  const Sample sample;

  const std::string text = sample.screen({.section = PoolSection::Queries}, 44, 24);

  EXPECT_THAT(text, HasSubstr("mean"));
  EXPECT_THAT(text, HasSubstr("select * from zähler"));
  EXPECT_THAT(text, Not(HasSubstr("user")));
  EXPECT_THAT(text, HasSubstr("…\n"));
}

TEST(PoolScreen, TwentyColumnsAndFiveLinesShowWhatHappens) {
  const Sample sample;

  EXPECT_EQ(sample.screen({}, 20, 5),
            "clients 5 active, 2…\n"
            "tx/s 500   queries/…\n"
            "   mean  query\n"
            " 316 us  select * f…\n"
            "q quit  ? help  t c…\n");
}

TEST(PoolScreen, TheOverviewHasPoolsQueriesAndEvents) {
  const Sample sample;

  const std::string text = sample.screen({}, 120, 30);

  EXPECT_THAT(text, HasSubstr("watched 65.0 s"));
  EXPECT_THAT(text, HasSubstr("app       batch"));
  EXPECT_THAT(text, HasSubstr("update readings"));
  EXPECT_THAT(text, HasSubstr("ALTER TABLE readings\nq quit"));
}

TEST(PoolScreen, RowsThatDoNotFitAreCountedAndCanBeScrolledTo) {
  Sample sample;
  for (int i = 0; i < 50; ++i) {
    auto& shape = sample.after.shapes->emplace_back(sample.after.shapes->front());
    shape.shape = cat("many", i);
    shape.text = cat("select many_", i, " ");
    shape.calls = 1;
    shape.time_us = 50 - i;
  }
  sample.rates = rates_between(&sample.before, sample.after);
  PoolView view{.section = PoolSection::Queries};

  const PoolScreen first = draw_pool(sample.scene(), view, {100, 20});
  EXPECT_THAT(text_of(first.lines), HasSubstr("and 40 more"));
  EXPECT_EQ(first.scroll_max, 53U - first.page);
  view.scroll = 1'000'000;
  const std::string end = sample.screen(view, 100, 20);
  EXPECT_THAT(end, HasSubstr("select many_49"));
  EXPECT_THAT(end, Not(HasSubstr("more")));
  EXPECT_THAT(end, Not(HasSubstr("zähler")));
}

TEST(PoolScreen, ASnapshotCountsTheQueriesItLeavesOut) {
  const Sample sample;

  EXPECT_THAT(text_of(pool_snapshot(sample.scene(), ShapeSort::Calls, 2, 100)),
              HasSubstr("and 2 more (--rows)"));
}

TEST(PoolScreen, AHostileQueryCannotDriveTheTerminal) {
  Sample sample;
  for (auto* reading : {&sample.before, &sample.after}) {
    (*reading->shapes)[0].text = printable(
        "select \x1b[2J\x1b]0;owned\x07\r\n\xc2\x9b"
        "31m");
    (*reading->shapes)[0].user = printable("\x1b[8m");
  }
  sample.rates = rates_between(&sample.before, sample.after);
  PoolScene scene = sample.scene();
  scene.trouble = "lost: \x1b[2J";

  for (const ScreenLine& line : draw_pool(scene, {}, {160, 30}).lines) {
    EXPECT_THAT(line.text, Each(testing::Truly([](char c) {
                  return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
                })));
  }
}

TEST(PoolScreen, AnAsciiTerminalGetsAsciiOnly) {
  const Sample sample;
  PoolScene scene = sample.scene();
  scene.ascii = true;

  const std::string text = text_of(draw_pool(scene, {}, {70, 24}).lines);

  EXPECT_THAT(text, HasSubstr("z?hler"));
  EXPECT_THAT(text,
              Each(testing::Truly([](char c) { return static_cast<unsigned char>(c) < 0x80; })));
}

TEST(PoolScreen, APoolerThatTellsLessIsShownWithTheReason) {
  Sample sample;
  for (auto* reading : {&sample.before, &sample.after}) {
    reading->shapes.reset();
    reading->times.reset();
    reading->events.reset();
    reading->state.clear();
  }
  sample.rates = rates_between(&sample.before, sample.after);

  const std::string overview = sample.screen({}, 120, 24);
  EXPECT_THAT(overview, HasSubstr("tx/s 500"));
  EXPECT_THAT(overview, HasSubstr("need pgtend-pool"));
  EXPECT_THAT(overview, Not(HasSubstr("p95")));
  EXPECT_THAT(sample.screen({.section = PoolSection::Queries}, 120, 24),
              HasSubstr("need pgtend-pool"));
  const json::object data = pool_json(sample.scene(), ShapeSort::Time);
  EXPECT_TRUE(data.at("queries").is_null());
  EXPECT_TRUE(data.at("state").is_null());
  EXPECT_EQ(data.at("rates").at("transactions_per_s").to_number<double>(), 500);
}

TEST(PoolScreen, TroublePauseAndRestartedCountersAreSaid) {
  Sample sample;
  EXPECT_THAT(sample.screen({.paused = true}, 100, 24), HasSubstr("paused"));
  sample.rates.restarted = {"app"};
  EXPECT_THAT(sample.screen({}, 100, 24), HasSubstr("counted anew"));
  PoolScene scene = sample.scene();
  scene.trouble = "no reading for 5 s";
  for (const size_t lines : {5, 24}) {
    EXPECT_THAT(text_of(draw_pool(scene, {}, {100, lines}).lines), HasSubstr("no reading for 5 s"));
  }
}

TEST(PoolScreen, AFirstLookShowsNoNumberForARate) {
  Sample sample;
  sample.rates = rates_between(nullptr, sample.after);

  EXPECT_THAT(sample.screen({}, 100, 24), HasSubstr("a first look"));
  const json::object data = pool_json(sample.scene(), ShapeSort::Time);
  EXPECT_TRUE(data.at("rates").is_null());
  EXPECT_TRUE(data.at("queries").is_null());
  EXPECT_EQ(data.at("pools").as_array().size(), 2U);
}

TEST(PoolScreen, HugeNumbersAreShownAsFarAsTheyGo) {
  Sample sample;
  const int64_t most = std::numeric_limits<int64_t>::max();
  sample.rates.sum = {.transactions = most, .bytes_in = most, .wait_us = most};
  sample.rates.elapsed = nanoseconds(1);
  sample.rates.shapes[0].time_us = most / 2;
  sample.rates.shapes[0].p95_us = most;

  EXPECT_THAT(sample.screen({}, 150, 24), HasSubstr("tx/s "));
}

}  // namespace
}  // namespace pgtend::cli
