#include "explain/compare.h"

#include <gmock/gmock.h>

#include "explain/parse_text.h"

namespace pgtend::explain {
namespace {

std::string compared(std::string_view a, std::string_view b, const CompareOptions& options = {}) {
  const auto first = parse_text_plan(a), second = parse_text_plan(b);
  EXPECT_TRUE(first && second);
  return first && second ? describe_difference(*first, *second, options) : std::string("unread");
}

TEST(Compare, DifferencesNameNodeAndProperty) {
  EXPECT_EQ(compared("Seq Scan on t", "Seq Scan on t"), "");
  EXPECT_EQ(compared("Seq Scan on t\n  Filter: x", "Seq Scan on t\n  Filter: y"),
            R"(node 1 (Seq Scan): "Filter" is "x" against "y")");
  EXPECT_EQ(compared("Seq Scan on t\n  Filter: x", "Seq Scan on t"),
            R"(node 1 (Seq Scan): "Filter" is "x" against missing)");
  EXPECT_EQ(compared("Append\n  ->  Result\n  ->  Result", "Append\n  ->  Result"),
            "3 nodes against 2");
  EXPECT_EQ(
      compared("Append\n  ->  Result\n  ->  Result", "Append\n  ->  Result\n        ->  Result"),
      "node 3 (Result): below node 1 against 2");
  EXPECT_EQ(compared("Result\nSettings: a = 'b'", "Result\nSettings: a = 'c'"),
            R"(of the plan: "Settings" is {"a":"b"} against {"a":"c"})");
}

TEST(Compare, MeasuredNumbersCanBeLeftOut) {
  const std::string_view a = "Result  (cost=0.00..1.00 rows=1 width=4) (actual rows=1 loops=1)";
  const std::string_view b = "Result  (cost=0.00..1.00 rows=1 width=4) (actual rows=2 loops=1)";

  EXPECT_THAT(compared(a, b), testing::HasSubstr("Actual Rows"));
  EXPECT_EQ(compared(a, b, {.measured = false}), "");
  EXPECT_THAT(compared(a, "Result  (cost=0.00..2.00 rows=1 width=4) (actual rows=1 loops=1)",
                       {.measured = false}),
              testing::HasSubstr("Total Cost"));
}

}  // namespace
}  // namespace pgtend::explain
