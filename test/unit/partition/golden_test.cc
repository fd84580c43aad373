// test/golden/partition/<case>: facts.json is a table's definition and the proposed layout,
// want.txt the statements of the conversion, or why it is refused. UPDATE_GOLDEN=1 rewrites them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/text.h"
#include "partition/partition.h"

namespace pgtend::partition {
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
  for (const auto& entry : fs::directory_iterator(PGTEND_SOURCE_DIR "/test/golden/partition")) {
    if (entry.is_directory()) names.push_back(entry.path().filename().string());
  }
  std::ranges::sort(names);
  return names;
}

std::string text_of(const Conversion& conversion) {
  std::string out;
  for (const std::string& reason : conversion.refusals) out += cat("refused: ", reason, "\n");
  for (const std::string& change : conversion.changes) out += cat("change: ", change, "\n");
  for (const care::Step& step : conversion.action.steps) {
    out += cat(step.check ? "check " : "", care::name(step.lock), "\n  ", step.sql, "\n");
  }
  for (const std::string& sql : conversion.action.undo) out += cat("undo\n  ", sql, "\n");
  return out;
}

class PartitionGolden : public testing::TestWithParam<std::string> {};

TEST_P(PartitionGolden, ConversionIsTheOneWrittenDown) {
  const fs::path folder = fs::path(PGTEND_SOURCE_DIR "/test/golden/partition") / GetParam();
  const auto value = parse_json(read(folder / "facts.json"));
  ASSERT_TRUE(value) << value.error().message;
  const json::object& facts = value->as_object();
  const auto definition = definition_from_json(facts.at("definition"));
  ASSERT_TRUE(definition) << definition.error().message;
  const auto proposal = proposal_from_json(facts.at("proposal"));
  ASSERT_TRUE(proposal) << proposal.error().message;
  const ConvertOptions options{.drop_old = facts.contains("drop_old"),
                               .widen_unique = facts.contains("widen_unique")};

  const std::string text =
      text_of(plan_conversion(*definition, *proposal, options, {"t_taken_2025_01"}));

  if (std::getenv("UPDATE_GOLDEN") != nullptr) std::ofstream(folder / "want.txt") << text;
  EXPECT_EQ(text, read(folder / "want.txt"));
}

INSTANTIATE_TEST_SUITE_P(Cases, PartitionGolden, testing::ValuesIn(cases()),
                         [](const auto& golden) { return golden.param; });

}  // namespace
}  // namespace pgtend::partition
