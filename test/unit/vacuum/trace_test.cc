#include "vacuum/trace.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace pgtend::vacuum {
namespace {

constexpr std::string_view kHead =
    R"({"pgtend_trace":1,"settings":{"version":150018},"databases":[{"name":"b","xid_age":9}]})";
constexpr std::string_view kTable =
    R"({"table":{"oid":16385,"schema":"s","name":"t"},"indexes":2})";

std::string error_of(std::string_view text, const TraceLimits& limits = {}) {
  const auto trace = read_trace(text, limits);
  return trace ? "none" : trace.error().message;
}

std::string with(std::string_view sample) { return cat(kHead, "\n", kTable, "\n", sample, "\n"); }

TEST(VacuumTrace, ATraceIsReadAndWrittenBack) {
  const auto trace = read_trace(with(
      R"({"at":2.5,"xid":10,"horizon":8,"tables":[{"oid":16385,"inserted":3,"live":3,"pages":4,)"
      R"("vacuum_at":1,"outcome":{"rows_live":3,"autovacuums":1,"autovacuum_at":2}}]})"));
  ASSERT_TRUE(trace) << trace.error().message;

  EXPECT_EQ(trace->settings.version, 150018);
  EXPECT_EQ(trace->costs.page_miss, 2);
  ASSERT_EQ(trace->others.size(), 1U);
  EXPECT_FALSE(trace->others[0].freeze_s);
  EXPECT_EQ(trace->find(16385)->indexes, 2);
  EXPECT_EQ(trace->find(1), nullptr);
  const TableSample& sample = trace->samples[0].tables[0];
  EXPECT_EQ(sample.writes.live, 3);
  EXPECT_EQ(*sample.pages, 4);
  EXPECT_EQ(*sample.outcome->autovacuum_at, 2);
  const auto again = read_trace(write_trace(*trace));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(write_trace(*again), write_trace(*trace));
}

TEST(VacuumTrace, WhatIsNotNamedHasNotChanged) {
  const auto trace =
      read_trace(with(cat(R"({"at":1,"tables":[{"oid":16385,"updated":7,"dead":7}]})", "\n",
                          R"({"at":2,"tables":[{"oid":16385,"deleted":1}]})")));
  ASSERT_TRUE(trace) << trace.error().message;
  EXPECT_EQ(trace->samples[1].tables[0].writes.updated, 7);
  EXPECT_EQ(trace->samples[1].tables[0].writes.dead, 7);
}

TEST(VacuumTrace, WithoutItsOutcomeATraceTellsNothingOfAutovacuum) {
  const auto trace = read_trace(
      with(R"({"at":1,"tables":[{"oid":16385,"updated":7,"outcome":{"autovacuums":1}}]})"));
  ASSERT_TRUE(trace);
  EXPECT_EQ(write_trace(without_outcome(*trace)).find("outcome"), std::string::npos);
}

struct Mistake {
  std::string_view text;  // of the sample
  std::string_view error;
};
constexpr Mistake kMistakes[] = {
    {R"({"at":-1})", "line 3: \"at\" must grow from sample to sample"},
    {R"({"at":1e11})", "line 3: \"at\" must grow from sample to sample"},
    {R"({"at":1,"xid":5,"horizon":6})", "line 3: \"horizon\" must be within 0 and \"xid\""},
    {R"({"at":1,"xid":-5})", "line 3: \"xid\" must not shrink"},
    {R"({"at":1,"more":5})", "line 3: unknown member more"},
    {R"({"at":"1"})", "line 3: member at must be a number"},
    {R"([1])", "line 3: not an object"},
    {R"({"at":1,"tables":{}})", "line 3: \"tables\" must be a list"},
    {R"({"at":1,"tables":[{"oid":1}]})",
     "line 3: a sample of a table that no line before describes"},
    {R"({"at":1,"tables":[{"oid":16385,"inserted":-1}]})",
     "line 3: a sum of table 16385 is below the one before, or beyond 1e15"},
    {R"({"at":1,"tables":[{"oid":16385,"dead":1e16}]})",
     "line 3: live or dead rows of table 16385 are beyond 1e15"},
    {R"({"at":1,"tables":[{"oid":16385,"pages":-4}]})", "line 3: pages are not within 0 and 2^32"},
    {R"({"at":1,"tables":[{"oid":16385,"vacuum_at":2}]})", "line 3: a run ended after its sample"},
    {R"({"at":1,"tables":[{"oid":16385,"outcome":3}]})", "line 3: \"outcome\" must be an object"},
    {R"({"table":{"oid":16385}})", "line 3: a second table with oid 16385"},
    {R"({"table":{"oid":0}})", "line 3: a table needs an oid"},
    {R"({"table":{"oid":9,"pages":-1}})", "line 3: pages are not within 0 and 2^32"},
};

TEST(VacuumTrace, AMistakeIsRefusedWithItsLine) {
  for (const Mistake& mistake : kMistakes) EXPECT_EQ(error_of(with(mistake.text)), mistake.error);
  EXPECT_EQ(error_of(""), "line 1: a trace begins with {\"pgtend_trace\": 1, …}");
  EXPECT_EQ(error_of(kHead), "a trace needs at least one sample");
  EXPECT_EQ(error_of(R"({"pgtend_trace":2})"), "line 1: this program reads traces of version 1");
  EXPECT_EQ(error_of(R"({"at":1})"), "line 1: a trace begins with {\"pgtend_trace\": 1, …}");
  EXPECT_EQ(error_of(R"({"pgtend_trace":1})"),
            "line 1: settings: version is not one of 13 to 19, as 150020");
  EXPECT_EQ(error_of(R"({"pgtend_trace":1,"settings":{"version":150001,"autovacuum_naptime":0}})"),
            "line 1: settings: autovacuum_naptime is below 1 s");
  EXPECT_TRUE(error_of(with("{\"at\":1")).starts_with("line 3: ")) << error_of(with("{\"at\":1"));
}

TEST(VacuumTrace, WhatIsTooMuchIsRefused) {
  const std::string sample = R"({"at":1,"tables":[{"oid":16385},{"oid":16385}]})";
  EXPECT_EQ(error_of(with(sample), {.bytes_max = 10}), "a trace of more than 10 bytes");
  EXPECT_EQ(error_of(with(sample), {.tables_max = 0}), "line 2: more than 0 tables");
  EXPECT_EQ(error_of(with(sample), {.table_samples_max = 1}), "line 3: more than 1 table samples");
  EXPECT_NE(error_of(with(sample), {.line_bytes_max = 20}), "none");
}

TEST(VacuumTrace, PagesMissedCostMoreUpTo13) {
  const auto trace = read_trace(R"({"pgtend_trace":1,"settings":{"version":130010}})"
                                "\n"
                                R"({"at":1})");
  ASSERT_TRUE(trace);
  EXPECT_EQ(trace->costs.page_miss, 10);
}

}  // namespace
}  // namespace pgtend::vacuum
