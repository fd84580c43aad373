#include "e2e/support/plan_cases.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/text.h"
#include "e2e/support/database.h"

namespace pgtend::e2e::plans {
namespace {

namespace fs = std::filesystem;

const fs::path kFolder = fs::path(PGTEND_SOURCE_DIR) / "test/e2e";

std::string text_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// `text` begins behind "--- ".
Case case_of(std::string_view text) {
  const size_t head = text.find('\n');
  const std::vector<std::string_view> words = split(text.substr(0, head), ' ');
  Case out;
  out.name = words[0];
  out.words.assign(words.begin() + 1, words.end());
  const std::string_view body = text.substr(head);
  const size_t explain = body.find("\nEXPLAIN ");
  CHECK(explain != body.npos);
  out.setup = trim(body.substr(0, explain));
  out.statement = trim(body.substr(explain + 9));
  return out;
}

}  // namespace

bool Case::is(const std::string& word) const {
  return std::ranges::find(words, word) != words.end();
}

bool Case::runs_on(int version) const {
  return std::ranges::none_of(words, [&](const std::string& word) {
    return word.starts_with(">=") && version < must(parse_int(word.substr(2)));
  });
}

std::vector<Case> all(const std::string& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(kFolder / folder)) {
    if (entry.path().extension() == ".sql" && entry.path().stem() != "schema") {
      files.push_back(entry.path());
    }
  }
  std::ranges::sort(files);
  std::vector<Case> out;
  for (const fs::path& file : files) {
    const std::string text = cat("\n", text_of(file));
    constexpr std::string_view kMark = "\n--- ";
    for (size_t at = text.find(kMark); at != text.npos;) {
      const size_t next = text.find(kMark, at + 1);
      const size_t start = at + kMark.size();
      out.push_back(case_of(std::string_view(text).substr(start, next - start)));
      at = next;
    }
  }
  return out;
}

std::string schema(const std::string& folder) { return text_of(kFolder / folder / "schema.sql"); }

}  // namespace pgtend::e2e::plans
