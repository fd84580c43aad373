#include "vacuum/probes.h"

#include <gtest/gtest.h>

namespace pgtend::vacuum {
namespace {

facts::ColumnFacts with_values(double n_distinct, std::vector<std::string> common,
                               std::vector<std::string> bounds) {
  facts::ColumnFacts out{.name = "Kind"};
  out.stats = facts::ColumnStats{.n_distinct = n_distinct,
                                 .common_values = std::move(common),
                                 .histogram_bounds = std::move(bounds)};
  return out;
}

Probe probe(double before, double after, std::optional<double> truth) {
  return {.column = "c", .before = before, .after = after, .truth = truth};
}

TEST(Probes, ConditionsAreMadeOfOldAndNewValues) {
  const facts::TableFacts table{.schema = "app", .name = "t"};
  const auto before = with_values(9, {"a'b", "c", "d", "e"}, {"1", "2", "3", "4", "5", "6", "7"});
  const auto after = with_values(2, {"c", "new"}, {});

  const auto probes = probes_of(table, {{"Kind", ""}}, {before}, {after});

  std::vector<std::string> what;
  for (const Probe& one : probes) what.push_back(one.what);
  EXPECT_EQ(what, (std::vector<std::string>{"\"Kind\" IS NOT NULL", "\"Kind\" > '7'",
                                            "\"Kind\" = 'a''b'", "\"Kind\" = 'c'", "\"Kind\" = 'd'",
                                            "\"Kind\" = '2'", "\"Kind\" = '3'", "\"Kind\" = '4'",
                                            "\"Kind\" = '5'", "\"Kind\" = 'new'"}));
  EXPECT_EQ(probes[0].sql, "SELECT 1 FROM ONLY app.t WHERE \"Kind\" IS NOT NULL");
  EXPECT_FALSE(probes[1].old_value);
  EXPECT_TRUE(probes[3].old_value);
  EXPECT_FALSE(probes.back().old_value);
  facts::TableFacts parent = table;
  parent.kind = 'p';
  EXPECT_EQ(probes_of(parent, {{"Kind", ""}}, {before}, {after})[0].sql,
            "SELECT 1 FROM app.t WHERE \"Kind\" IS NOT NULL");
  EXPECT_TRUE(probes_of(table, {{"other", ""}}, {before}, {after}).empty());
}

TEST(Probes, TheNearerToTheTruthIsRight) {
  EXPECT_EQ(by_count({probe(10, 1, 12)}, "c"), Verdict::Odd);
  EXPECT_EQ(by_count({probe(10, 1, 1)}, "c"), Verdict::True);
  EXPECT_EQ(by_count({probe(10, 6, 10)}, "c"), Verdict::Open) << "less than twice";
  EXPECT_EQ(by_count({probe(10, 1, {})}, "c"), Verdict::Open) << "not counted";
  EXPECT_EQ(by_count({probe(10, 1, 12), probe(1, 50, 50)}, "c"), Verdict::Open) << "both";
  EXPECT_EQ(by_count({probe(10, 1, 12)}, "d"), Verdict::Open) << "another column";
}

TEST(Probes, ValuesThatVanishedSayThatTheTableChanged) {
  Probe gone = probe(1, 4'000, 0);
  EXPECT_EQ(by_count({gone}, "c"), Verdict::Odd) << "nobody has ever seen it";
  gone.old_value = true;
  EXPECT_EQ(by_count({gone, probe(10, 1, 12)}, "c"), Verdict::Open);
  EXPECT_EQ(by_sample({gone, probe(10, 1, 12)}, "c"), Verdict::Odd);
  EXPECT_EQ(by_sample({gone}, "c"), Verdict::Open);
}

TEST(Probes, ASampleStandsForWhatNobodyCounted) {
  Probe sampled = probe(10, 1, {});
  sampled.second = 11;
  EXPECT_EQ(by_count({sampled}, "c"), Verdict::Open);
  EXPECT_EQ(by_sample({sampled}, "c"), Verdict::Odd);
  sampled.truth = 1;
  EXPECT_EQ(by_sample({sampled}, "c"), Verdict::True) << "a count is better";
}

TEST(Probes, CountThatEndedAtItsLimitIsALowerBound) {
  Probe many = probe(50'000, 400'000, 10'000);
  many.more = true;
  EXPECT_EQ(by_count({many}, "c"), Verdict::Open);
  many.after = 1;
  EXPECT_EQ(by_count({many}, "c"), Verdict::Odd);
}

TEST(Probes, WitnessIsWhatDiffersMost) {
  const std::vector<Probe> probes = {probe(10, 4, 10), probe(1, 700, 1), probe(5, 5, 5)};
  EXPECT_EQ(witness(probes, "c"), &probes[1]);
  EXPECT_EQ(witness({probe(1, 1, {})}, "c"), nullptr);
}

}  // namespace
}  // namespace pgtend::vacuum
