#include "explain/text_pattern.h"

#include <gmock/gmock.h>

namespace pgtend::explain {
namespace {

constexpr std::string_view kParts = "B:[&,& s[ h={H}][ r={R.3}]][&,& t={T}]";

std::string read_as_json(std::string_view pattern, std::string_view line) {
  json::object out;
  return read_pattern(pattern, line, out) ? to_text(out) : std::string("no match");
}

TEST(TextPattern, PartsMayBeMissingAndAreThenZero) {
  EXPECT_EQ(read_as_json(kParts, "B: s h=3, t=4"), R"({"H":3,"T":4,"R":0E0})");
  EXPECT_EQ(read_as_json(kParts, "B: t=4"), R"({"T":4,"H":0,"R":0E0})");
  EXPECT_EQ(read_as_json(kParts, "B: s h=3 t=4"), "no match");
  EXPECT_EQ(read_as_json(kParts, "B: s h=0 r=N.N"), R"({"H":"0","R":"N.N","T":0})");
}

TEST(TextPattern, PartsOfZerosAreNotWritten) {
  EXPECT_EQ(write_pattern(kParts, {{"H", 0}, {"R", 1.5}, {"T", 2}}), "B: s r=1.500, t=2");
  EXPECT_EQ(write_pattern(kParts, {{"H", 0}, {"T", 0}}), "");
  EXPECT_EQ(write_pattern(kParts, {{"H", "0"}}), "B: s h=0");
}

TEST(TextPattern, ListsPathsAndConditionsDecideWhatIsWritten) {
  constexpr std::string_view one = "G: {G~N!}  M: <G~M,1>", more = "G: {G~N}  Ms: <G~M,2>";
  const json::object single{{"G", {{"N", 1}, {"M", {"a"}}}}};
  const json::object twice{{"G", {{"N", 1}, {"M", {"a", "b"}}}}};

  EXPECT_TRUE(can_write(one, single) && !can_write(more, single));
  EXPECT_FALSE(can_write(one, twice));
  EXPECT_EQ(write_pattern(more, twice), "G: 1  Ms: a, b");
  EXPECT_EQ(read_as_json(more, "G: 1  Ms: a, b"), R"({"G":{"N":1,"M":["a","b"]}})");
  EXPECT_FALSE(can_write(one, {{"G", {{"N", 0}, {"M", {"a"}}}}}));
  EXPECT_FALSE(can_write("B: {B}{=O=B}", {{"B", 1}, {"O", 2}}));
}

}  // namespace
}  // namespace pgtend::explain
