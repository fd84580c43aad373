// Golden cases: test/golden/<area>/<case>/ holds inputs beside want.txt, the text they must give.
// A case is added by adding a folder; UPDATE_GOLDEN=1 writes want.txt, and review reads the diff.
//
//   class VacuumGolden : public golden::Test {};
//   TEST_P(VacuumGolden, FindingsAreThoseWrittenDown) { expect_text(text_of(file("facts.json"))); }
//   PGTEND_GOLDEN_CASES(VacuumGolden, "vacuum");
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace pgtend::golden {

// The case folders of `area`, sorted.
inline std::vector<std::filesystem::path> cases(const std::string& area) {
  std::vector<std::filesystem::path> folders;
  const std::filesystem::path root = std::filesystem::path(PGTEND_SOURCE_DIR "/test/golden") / area;
  for (const auto& entry : std::filesystem::directory_iterator(root)) {
    if (entry.is_directory()) folders.push_back(entry.path());
  }
  std::ranges::sort(folders);
  return folders;
}

class Test : public testing::TestWithParam<std::filesystem::path> {
 protected:
  bool has(const std::string& name) const { return std::filesystem::exists(GetParam() / name); }
  // The text of a file of the case; "" if there is none.
  std::string file(const std::string& name) const {
    std::ifstream in(GetParam() / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
  void expect_text(const std::string& text) const {
    if (std::getenv("UPDATE_GOLDEN") != nullptr) {
      std::ofstream(GetParam() / "want.txt", std::ios::binary) << text;
    }
    EXPECT_EQ(text, file("want.txt"));
  }
};

}  // namespace pgtend::golden

#define PGTEND_GOLDEN_CASES(Suite, area)                                                   \
  INSTANTIATE_TEST_SUITE_P(Cases, Suite, testing::ValuesIn(::pgtend::golden::cases(area)), \
                           [](const auto& golden_case) {                                   \
                             std::string name = golden_case.param.filename();              \
                             std::ranges::replace(name, '-', '_');                         \
                             return name;                                                  \
                           })
