#include "partition/integers.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace pgtend::partition {
namespace {

std::string text_of(const IntegerSpan& span) {
  const auto slices = integer_slices(span);
  if (!slices) return slices.error().message;
  std::string out;
  for (const Slice& slice : *slices) out += cat(slice.name, " ", slice.from, "..", slice.to, "\n");
  return out;
}

IntegerSpan span_of(std::string_view type, int64_t step, int64_t from, int64_t to, int ahead) {
  return {.table = "t",
          .type = *integer_type(type),
          .step = step,
          .from = from,
          .to = to,
          .ahead = ahead};
}

TEST(Integers, RangesBeginAtMultiplesAndGoOnBehindTheLargest) {
  EXPECT_EQ(text_of(span_of("bigint", 100, 150, 299, 1)),
            "t_100 100..200\nt_200 200..300\nt_300 300..400\n");
  EXPECT_EQ(text_of(span_of("integer", 10, -11, 0, 0)),
            "t_m20 -20..-10\nt_m10 -10..0\nt_0 0..10\n");
}

TEST(Integers, WhereTheTypeEndsThereIsNoBound) {
  EXPECT_EQ(text_of(span_of("smallint", 10'000, 29'999, 32'767, 3)),
            "t_20000 20000..30000\nt_30000 30000..\n");
  EXPECT_EQ(text_of(span_of("smallint", 10'000, -32'768, -30'000, 0)),
            "t_min ..-30000\nt_m30000 -30000..-20000\n");
  const auto low = std::numeric_limits<int64_t>::min(), high = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(text_of(span_of("bigint", high, low, high, 5)),
            cat("t_min ..", -high, "\nt_m", high, " ", -high, "..0\nt_0 0..", high, "\nt_", high,
                " ", high, "..\n"));
  EXPECT_EQ(text_of(span_of("bigint", 1, high, high, 2)), cat("t_", high, " ", high, "..\n"));
}

TEST(Integers, MoreThanTheMostAreRefused) {
  EXPECT_EQ(text_of(span_of("bigint", 1'000, 0, 1'999'999, 0)).find("more than"),
            std::string::npos);
  EXPECT_NE(text_of(span_of("bigint", 1'000, 0, 2'000'000, 0)).find("more than 2000"),
            std::string::npos);
  EXPECT_EQ(integer_type("numeric"), nullptr);
}

}  // namespace
}  // namespace pgtend::partition
