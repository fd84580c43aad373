// test/golden/explain/<case>: plan.json as a server made it, facts.json (optional) as the catalogs
// would tell, want.txt what a terminal shows. UPDATE_GOLDEN=1 rewrites want.txt. Whatever the plan,
// its self times must add up to the time of its root.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "explain/explain.h"
#include "explain/render_term.h"

namespace pgtend::explain {
namespace {

namespace fs = std::filesystem;

std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::vector<std::string> cases() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(PGTEND_SOURCE_DIR "/test/golden/explain")) {
    if (entry.is_directory()) names.push_back(entry.path().filename().string());
  }
  std::ranges::sort(names);
  return names;
}

class ExplainGolden : public testing::TestWithParam<std::string> {
 protected:
  fs::path folder() const {
    return fs::path(PGTEND_SOURCE_DIR "/test/golden/explain") / GetParam();
  }

  Report examined() const {
    Facts facts;
    if (fs::exists(folder() / "facts.json")) {
      const auto value = parse_json(read(folder() / "facts.json"));
      EXPECT_TRUE(value);
      auto loaded = facts_from_json(*value);
      EXPECT_TRUE(loaded) << loaded.error().message;
      if (loaded) facts = *loaded;
    }
    auto report = examine_offline(read(folder() / "plan.json"), facts);
    EXPECT_TRUE(report) << report.error().message;
    return report ? std::move(report).take() : Report{};
  }
};

TEST_P(ExplainGolden, ReportIsTheOneWrittenDown) {
  const std::string text = render_term(examined(), {.width = 160});

  if (std::getenv("UPDATE_GOLDEN") != nullptr) std::ofstream(folder() / "want.txt") << text;
  EXPECT_EQ(text, read(folder() / "want.txt"));
}

TEST_P(ExplainGolden, SelfTimesAddUpToTheRoot) {
  const Report report = examined();

  EXPECT_TRUE(report.timing.adds_up())
      << report.timing.self_sum_ms << " against " << report.timing.expected_sum_ms << " ± "
      << report.timing.tolerance_ms;
  for (size_t id = 0; id < report.timing.nodes.size(); ++id) {
    EXPECT_GE(report.timing.nodes[id].self.mid + report.timing.nodes[id].self.eps, -0.05)
        << "node " << id << " has spent less than nothing";
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, ExplainGolden, testing::ValuesIn(cases()), [](const auto& golden) {
  std::string name = golden.param;
  std::ranges::replace(name, '-', '_');
  return name;
});

}  // namespace
}  // namespace pgtend::explain
