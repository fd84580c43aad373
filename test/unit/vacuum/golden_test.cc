// test/golden/vacuum/<case>: facts.json is what the rules see, want.txt the findings they make.
// UPDATE_GOLDEN=1 rewrites want.txt.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/text.h"
#include "vacuum/vacuum.h"

namespace pgtend::vacuum {
namespace {

namespace fs = std::filesystem;

std::string read(const fs::path& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<std::string> cases() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(PGTEND_SOURCE_DIR "/test/golden/vacuum")) {
    if (entry.is_directory()) names.push_back(entry.path().filename().string());
  }
  std::ranges::sort(names);
  return names;
}

std::string text_of(const std::vector<care::Finding>& findings) {
  std::string out;
  for (const care::Finding& finding : findings) {
    out += cat(care::name(finding.severity), " ", finding.id, " ", finding.object, "\n  ",
               finding.what, "\n  ", finding.why, "\n");
    for (const care::Evidence& item : finding.evidence) {
      out += cat("  ", item.name, " = ", item.value, "\n");
    }
    for (const care::Action& action : finding.actions) {
      for (const care::Step& step : action.steps) out += cat("  > ", step.sql, "\n");
    }
    out += cat("  => ", finding.prediction, "\n");
  }
  return out.empty() ? "nothing\n" : out;
}

class VacuumGolden : public testing::TestWithParam<std::string> {};

TEST_P(VacuumGolden, FindingsAreThoseWrittenDown) {
  const fs::path folder = fs::path(PGTEND_SOURCE_DIR "/test/golden/vacuum") / GetParam();
  const auto value = parse_json(read(folder / "facts.json"));
  ASSERT_TRUE(value) << value.error().message;
  const auto facts = facts_from_json(*value);
  ASSERT_TRUE(facts) << facts.error().message;

  const std::string text = text_of(review(*facts));

  if (std::getenv("UPDATE_GOLDEN") != nullptr) std::ofstream(folder / "want.txt") << text;
  EXPECT_EQ(text, read(folder / "want.txt"));
}

INSTANTIATE_TEST_SUITE_P(Cases, VacuumGolden, testing::ValuesIn(cases()),
                         [](const auto& golden) { return golden.param; });

}  // namespace
}  // namespace pgtend::vacuum
