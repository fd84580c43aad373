#include "reshape/job.h"

#include <gtest/gtest.h>

#include "reshape/ledger.h"

namespace pgtend::reshape {
namespace {

Job sample() {
  return {.oid = 4711,
          .schema = "Sé",
          .name = "t \"x\"",
          .shadow = "t_new",
          .old = "t_old",
          .key = {"id"},
          .columns = {"id", "at"},
          .divider = "at",
          .divider_type = "date",
          .bounds = {"2025-01-01", "2025-02-01"},
          .leaves = {"s.a", "s.b"},
          .create = {"CREATE TABLE t_new ()"},
          .build = {{.sql = "VACUUM t_new",
                     .lock = care::LockMode::Share,
                     .alone = true,
                     .done_sql = "SELECT true"}},
          .version = 150000};
}

TEST(ReshapeJob, JsonGivesBackTheSameJob) {
  const json::object once = to_json(sample());

  const auto again = job_from_json(json::value(once));

  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(json::value(to_json(*again)), json::value(once));
  EXPECT_EQ(again->build.at(0).lock, care::LockMode::Share);
  EXPECT_TRUE(again->build.at(0).alone);
}

TEST(ReshapeJob, WhatIsNotWholeIsRefused) {
  for (const char* member : {"key", "columns", "leaves", "bounds", "oid"}) {
    json::object broken = to_json(sample());
    broken.erase(member);
    EXPECT_FALSE(job_from_json(json::value(broken))) << member;
  }
  Job homeless = sample();
  homeless.sources = {{"s.p", 1, ""}};
  homeless.results = {{"s.q", 0, "true"}};
  EXPECT_FALSE(job_from_json(json::value(to_json(homeless))));
  homeless.sources[0].condition = "at > now()";
  EXPECT_TRUE(job_from_json(json::value(to_json(homeless))));
  json::object strange = to_json(sample());
  strange["more"] = 1;
  EXPECT_FALSE(job_from_json(json::value(strange)));
  EXPECT_FALSE(job_from_json(json::value("no object")));
}

TEST(ReshapeJob, NamesAreQuotedAndItsOwnTellTheTable) {
  const Job job = sample();

  EXPECT_EQ(job.table(), "\"Sé\".\"t \"\"x\"\"\"");
  EXPECT_EQ(job.new_table(), "\"Sé\".t_new");
  EXPECT_EQ(job.own("log"), "\"Sé\".pgtend_4711_log");
}

TEST(ReshapeLedger, PhasesHaveNamesOfTheirOwnAndAreNotedInIt) {
  std::vector<std::string_view> seen;
  for (const Phase phase : {Phase::Made, Phase::Capturing, Phase::Copied, Phase::Built,
                            Phase::Swapped, Phase::Settled, Phase::Returned}) {
    EXPECT_EQ(std::ranges::count(seen, name(phase)), 0);
    seen.push_back(name(phase));
    EXPECT_NE(note_phase(sample(), phase).find(name(phase)), std::string::npos);
  }
  EXPECT_NE(note_pages(sample(), 12, 34).find("next_page = 12, copied = copied + 34"),
            std::string::npos);
  EXPECT_EQ(make_ledger(sample()).size(), 4U);
}

}  // namespace
}  // namespace pgtend::reshape
