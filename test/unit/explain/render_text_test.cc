#include "explain/render_text.h"

#include <gmock/gmock.h>

#include "base/text.h"
#include "explain/compare.h"
#include "explain/parse_json.h"
#include "explain/parse_text.h"
#include "golden/golden.h"

namespace pgtend::explain {
namespace {

std::string rendered(const Result<Plan>& plan) {
  EXPECT_TRUE(plan) << plan.error().message;
  if (!plan) return {};
  auto text = render_text(*plan);
  EXPECT_TRUE(text) << text.error().message;
  return text ? std::move(text).take() : std::string();
}

TEST(RenderText, TextComesBackByteForByte) {
  for (const std::string_view text : {
           "Seq Scan on t\n",
           "Seq Scan on t  (cost=10000000000.00..123456789012345678901.00 rows=9007199254740993 "
           "width=4)\n  Rows Removed by Filter: 0\n",
           "Update on public.p \"P p\"  (cost=0.00..1.00 rows=0 width=0)\n"
           "  Update on public.p_1 \"P p_1\"\n  Foreign Update on public.far p_2\n"
           "    Remote SQL: UPDATE x\n  ->  Append (actual rows=N loops=N)\n"
           "        Subplans Removed: 2\n",
           "MixedAggregate\n  Hash Key: a, 'b, c'\n  Hash Key: b\n  Group Key: a\n  Group Key: ()\n"
           "  Sort Key: c, a\n    Group Key: c, a\n    Group Key: c\n  Filter: (count(*) > 1)\n"
           "  Batches: 5  Memory Usage: 57kB  Disk Usage: 8kB\n  ->  Seq Scan on t\n",
           "Sort\n  Worker 1:  Sort Method: quicksort  Memory: 25kB\n  Worker 2:  actual rows=1.00 "
           "loops=1\n    JIT:\n      Functions: 2\n  ->  Result\n"
           "Serialization: time=1.692 ms  output=19kB  format=text\n  Buffers: local hit=3\n"
           "Planning:\n  Memory: used=24kB  allocated=32kB\n"
           "Trigger a on b: c on d: time=0.001 calls=2\nExecution Time: 0.100 ms\n",
           "Limit\n  Label:\n  Again: 1\n  Again: x\n  bare line\n  ->  Result\nOuter:\n  Inner:\n"
           "    Parallel Safe: false\n    Text: 007\n",
       }) {
    EXPECT_EQ(rendered(parse_text_plan(text)), text);
  }
}

TEST(RenderText, VersionIsTakenFromTheProperties) {
  const auto timings = [](std::string_view properties) {
    return rendered(parse_json_plan(cat(R"({"Plan": {"Node Type": "Result", )", properties, "}}")));
  };

  EXPECT_EQ(timings(R"("I/O Read Time": 1.5, "I/O Write Time": 0.0)"),
            "Result\n  I/O Timings: read=1.500\n");
  EXPECT_EQ(timings(R"("I/O Read Time": 1.5, "I/O Write Time": 0.0, "Temp I/O Read Time": 2.0)"),
            "Result\n  I/O Timings: shared/local read=1.500, temp read=2.000\n");
  EXPECT_EQ(timings(R"("Shared I/O Read Time": 1.5, "Local I/O Read Time": 2.0)"),
            "Result\n  I/O Timings: shared read=1.500, local read=2.000\n");
  EXPECT_EQ(timings(R"("Actual Rows": 2, "Actual Loops": 1)"), "Result (actual rows=2 loops=1)\n");
  EXPECT_EQ(timings(R"("Actual Rows": 2.00, "Actual Loops": 1)"),
            "Result (actual rows=2.00 loops=1)\n");
}

TEST(RenderText, ZerosAndFalseFlagsOfJsonAreLeftOut) {
  EXPECT_EQ(rendered(parse_json_plan(R"([{"Plan": {"Node Type": "Hash", "Parallel Aware": false,
    "Async Capable": false, "Disabled": false, "Inner Unique": true, "Rows Removed by Filter": 0,
    "Heap Fetches": 0, "Hash Buckets": 1024, "Original Hash Buckets": 1024, "Hash Batches": 1,
    "Original Hash Batches": 1, "Peak Memory Usage": 9, "Shared Hit Blocks": 0, "WAL Records": 0,
    "Planned Partitions": 0, "Exact Heap Blocks": 0, "Lossy Heap Blocks": 0, "Workers": []},
    "Settings": {}, "Planning": {"Shared Hit Blocks": 0}, "Triggers": []}])")),
            "Hash\n  Heap Fetches: 0\n  Buckets: 1024  Batches: 1  Memory Usage: 9kB\n");
}

TEST(RenderText, DeepPlansHaveATextOfBoundedSize) {
  std::string text = "Limit\n";
  for (size_t i = 1; i < 3000; ++i) text += cat(std::string(i, ' '), "->  Limit\n");
  const auto plan = parse_text_plan(text);
  ASSERT_TRUE(plan);

  const auto small = render_text(*plan, 100'000);

  ASSERT_FALSE(small);
  EXPECT_EQ(small.error().code, ErrorCode::Limit);
  EXPECT_TRUE(render_text(*plan));
}

class RenderGolden : public golden::Test {};

TEST_P(RenderGolden, PlanComesBackFromItsText) {
  const auto plan = parse_json_plan(file("plan.json"));
  ASSERT_TRUE(plan);

  const auto again = parse_text_plan(rendered(plan));

  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(describe_difference(*plan, *again), "");
}

PGTEND_GOLDEN_CASES(RenderGolden, "explain");

}  // namespace
}  // namespace pgtend::explain
