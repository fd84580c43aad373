// Where the server programs of each version are. The npm packages of 13, 14, 16, 17 and 18 leave
// out the links between their libraries (their install script does not run): they are made here.
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <numeric>
#include <string>

#include "base/json.h"
#include "base/text.h"
#include "e2e/support/database.h"

namespace pgtend::e2e {
namespace {

namespace fs = std::filesystem;

// Makes one link of native/pg-symlinks.json; both names start with "native/".
Status make_link(const fs::path& package, const json::value& entry) {
  const json::object* object = entry.if_object();
  const json::value* source = object == nullptr ? nullptr : object->if_contains("source");
  const json::value* target = object == nullptr ? nullptr : object->if_contains("target");
  if (source == nullptr || target == nullptr || !source->is_string() || !target->is_string()) {
    return Error{ErrorCode::Corrupt, "pg-symlinks.json: not a list of source and target"};
  }
  const fs::path link = package / std::string(target->as_string());
  const fs::path file = package / std::string(source->as_string());
  std::error_code failure;
  if (fs::exists(link, failure)) return ok();
  fs::create_symlink(file.lexically_relative(link.parent_path()), link, failure);
  if (!failure || failure == std::errc::file_exists) return ok();
  return Error{ErrorCode::Denied, cat("cannot make ", link.string(), ": ", failure.message())};
}

Status make_links(const fs::path& package) {
  std::ifstream file(package / "native/pg-symlinks.json");
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const json::value links = TRY(parse_json(text));
  const json::array* list = links.if_array();
  if (list == nullptr) return Error{ErrorCode::Corrupt, "pg-symlinks.json: not a list"};
  for (const json::value& entry : *list) TRY(make_link(package, entry));
  return ok();
}

}  // namespace

bool thorough() {
  const char* const wanted = std::getenv("PGTEND_TESTS");
  return wanted != nullptr && std::string_view(wanted) == "all";
}

std::vector<std::string> versions(Spread spread, std::string_view suite) {
  std::vector<std::string> all = {"13", "14", "15", "16", "17", "18"};
  if (spread == Spread::All || thorough()) return all;
  if (spread == Spread::Ends) return {all.front(), all.back()};
  const size_t sum = std::accumulate(suite.begin(), suite.end(), size_t{0});
  return {all[sum % (all.size() - 1)], all.back()};
}

Result<std::string> binaries_of(const std::string& version) {
  std::error_code failure;
  const fs::path packaged = cat("/usr/lib/postgresql/", version, "/bin");
  if (fs::exists(packaged / "initdb", failure)) return packaged.string();
  if (version == kDefaultVersion) {
    return Error{ErrorCode::NotFound, "PostgreSQL 15 is missing: apt-get install postgresql-15"};
  }
  const fs::path package = fs::path(PGTEND_SOURCE_DIR) / "deps/node_modules" / ("pg" + version);
  if (!fs::exists(package / "native/bin/initdb", failure)) {
    return Error{ErrorCode::NotFound,
                 cat("PostgreSQL ", version, " is missing: cd deps && npm ci --ignore-scripts")};
  }
  TRY_DURING(make_links(package), cat("readying PostgreSQL ", version));
  return (package / "native/bin").string();
}

}  // namespace pgtend::e2e
