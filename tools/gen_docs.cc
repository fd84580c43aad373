// Writes the pages that are made from tables in the code: gen_docs [--check] FOLDER.
// With --check nothing is written; exit code 1 when a page differs from what it should be.
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "cli/command.h"
#include "explain/rules.h"
#include "pool/config.h"
#include "vacuum/rules.h"

namespace {

using pgtend::cat;

constexpr std::string_view kMadeBy = "<!-- made by ./run docs; edit the table in the code -->\n";

// A cell of a Markdown table.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out.empty() ? " " : out;
}

std::string config_page() {
  std::string out =
      cat("# Settings of pgtend-pool\n\n", kMadeBy,
          "\nKeys of the `[pgbouncer]` section, with PgBouncer's names, meanings and "
          "defaults. Reload: a change takes effect with SIGHUP or RELOAD, else at the "
          "next start.\n\n| key | default | reload | meaning |\n|---|---|---|---|\n");
  for (const pgtend::pool::KeyInfo& key : pgtend::pool::keys()) {
    out += cat("| `", key.name, "` | ", key.default_value.empty() ? "" : "`",
               cell(key.default_value), key.default_value.empty() ? "" : "`", " | ",
               key.reload == pgtend::pool::Reload::Yes ? "yes" : "start", " | ", cell(key.manual),
               " |\n");
  }
  return out;
}

std::string rules_page() {
  std::string out = cat("# Rules\n\n", kMadeBy, "\n## explain\n");
  for (const pgtend::explain::Rule& rule : pgtend::explain::rules()) {
    out += cat("\n### ", rule.id, " ", rule.title, "\n\n* speaks when: ", rule.signal,
               "\n* why: ", rule.why, "\n* fix: ", rule.fix, "\n");
  }
  out += "\n## vacuum\n\n| rule | about |\n|---|---|\n";
  for (const pgtend::vacuum::Rule& rule : pgtend::vacuum::rules()) {
    out += cat("| `", rule.id, "` | ", cell(rule.about), " |\n");
  }
  for (const pgtend::vacuum::ColumnRule& rule : pgtend::vacuum::column_rules()) {
    out += cat("| `", rule.id, "` | ", cell(rule.about), " |\n");
  }
  return out;
}

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace

int main(int argc, char** argv) {
  const bool check = argc == 3 && std::strcmp(argv[1], "--check") == 0;
  if (argc != 2 && !check) {
    std::fputs("usage: gen_docs [--check] FOLDER\n", stderr);
    return 2;
  }
  const std::string folder = argv[argc - 1];
  const std::pair<std::string, std::string> pages[] = {
      {"config.md", config_page()},
      {"commands.md", pgtend::cli::commands_page()},
      {"rules.md", rules_page()},
  };
  int stale = 0;
  for (const auto& [name, text] : pages) {
    const std::string path = cat(folder, "/", name);
    if (read(path) == text) continue;
    if (check) {
      std::printf("%s is stale: ./run docs writes it anew\n", path.c_str());
      ++stale;
    } else if (!(std::ofstream(path, std::ios::binary) << text)) {
      std::fprintf(stderr, "cannot write %s\n", path.c_str());
      return 2;
    }
  }
  return stale == 0 ? 0 : 1;
}
