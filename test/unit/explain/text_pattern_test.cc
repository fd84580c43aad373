#include "explain/text_pattern.h"

#include <gmock/gmock.h>

#include "unit/explain/plan_text.h"

namespace pgtend::explain {
namespace {

constexpr std::string_view kParts = "B:[&,& s[ h={H}][ r={R.3}]][&,& t={T}]";

std::string read_as_json(std::string_view pattern, std::string_view line) {
  Arena arena;
  Properties out(arena);
  return LinePattern(pattern).read(line, out) ? to_text(out) : std::string("no match");
}

// What is written of the members of a JSON text; "cannot" when a part is missing that must be
// there.
std::string written(std::string_view pattern, std::string_view members) {
  const Plan plan = plan_with_value(members);
  const Properties& value = plan.root().properties.if_contains("V")->get_object();
  const LinePattern line(pattern);
  return line.can_write(value) ? line.write(value) : "cannot";
}

TEST(TextPattern, PartsMayBeMissingAndAreThenZero) {
  EXPECT_EQ(read_as_json(kParts, "B: s h=3, t=4"), R"({"H":3,"T":4,"R":0E0})");
  EXPECT_EQ(read_as_json(kParts, "B: t=4"), R"({"T":4,"H":0,"R":0E0})");
  EXPECT_EQ(read_as_json(kParts, "B: s h=3 t=4"), "no match");
  EXPECT_EQ(read_as_json(kParts, "B: s h=0 r=N.N"), R"({"H":"0","R":"N.N","T":0})");
}

TEST(TextPattern, PartsOfZerosAreNotWritten) {
  EXPECT_EQ(written(kParts, R"({"H": 0, "R": 1.5, "T": 2})"), "B: s r=1.500, t=2");
  EXPECT_EQ(written(kParts, R"({"H": 0, "T": 0})"), "");
  EXPECT_EQ(written(kParts, R"({"H": "0"})"), "B: s h=0");
}

TEST(TextPattern, ListsPathsAndConditionsDecideWhatIsWritten) {
  constexpr std::string_view one = "G: {G~N!}  M: <G~M,1>", more = "G: {G~N}  Ms: <G~M,2>";
  constexpr std::string_view single = R"({"G": {"N": 1, "M": ["a"]}})";
  constexpr std::string_view twice = R"({"G": {"N": 1, "M": ["a", "b"]}})";

  EXPECT_EQ(written(one, single), "G: 1  M: a");
  EXPECT_EQ(written(more, single), "cannot");
  EXPECT_EQ(written(one, twice), "cannot");
  EXPECT_EQ(written(more, twice), "G: 1  Ms: a, b");
  EXPECT_EQ(read_as_json(more, "G: 1  Ms: a, b"), R"({"G":{"N":1,"M":["a","b"]}})");
  EXPECT_EQ(written(one, R"({"G": {"N": 0, "M": ["a"]}})"), "cannot");
  EXPECT_EQ(written("B: {B}{=O=B}", R"({"B": 1, "O": 2})"), "cannot");
}

}  // namespace
}  // namespace pgtend::explain
