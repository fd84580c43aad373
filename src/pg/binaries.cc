#include "pg/binaries.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "base/text.h"
#include "pg/process.h"
#include "pg/temp_folder.h"

namespace pgtend::pg {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPackaged = "/usr/lib/postgresql";

bool has_server(const fs::path& folder) {
  std::error_code failure;
  return fs::is_regular_file(folder / "postgres", failure) &&
         fs::is_regular_file(folder / "initdb", failure);
}

// Where to look, best first.
std::vector<fs::path> candidates(const std::string& folder) {
  std::error_code failure;
  if (!folder.empty()) {
    const fs::path given = fs::absolute(folder, failure);
    return {given, given / "bin"};
  }
  std::vector<fs::path> out;
  const char* path = std::getenv("PATH");
  for (const std::string_view entry : split(path == nullptr ? "" : path, ':')) {
    if (entry.starts_with('/')) out.emplace_back(entry);
  }
  std::vector<std::pair<int64_t, fs::path>> packaged;
  for (const auto& entry : fs::directory_iterator(kPackaged, failure)) {
    const auto major = parse_int(entry.path().filename().string());
    packaged.emplace_back(major ? *major : 0, entry.path() / "bin");
  }
  std::ranges::sort(packaged, std::greater{});
  for (auto& [major, bin] : packaged) out.push_back(std::move(bin));
  return out;
}

// "postgres (PostgreSQL) 15.18 (Debian …)" or "… 19beta1".
Result<Binaries> describe(const fs::path& folder, const std::string& printed) {
  constexpr std::string_view kBefore = "(PostgreSQL) ";
  const size_t at = printed.find(kBefore);
  if (at == std::string::npos) {
    return Error{ErrorCode::NotFound, cat((folder / "postgres").string(), " is not PostgreSQL")};
  }
  Binaries binaries;
  binaries.folder = folder.string();
  binaries.version = trim(std::string_view(printed).substr(at + kBefore.size()));
  size_t digits = 0;
  while (digits < binaries.version.size() && binaries.version[digits] >= '0' &&
         binaries.version[digits] <= '9') {
    ++digits;
  }
  binaries.major = static_cast<int>(TRY(parse_int(binaries.version.substr(0, digits))));
  return binaries;
}

// Owner, size and time of the server program tell one build from another.
Result<std::string> copy_name(const fs::path& folder) {
  struct stat info {};
  if (stat((folder / "postgres").c_str(), &info) != 0) {
    return Error{ErrorCode::NotFound, cat((folder / "postgres").string(), " cannot be read")};
  }
  const size_t place = std::hash<std::string>{}(folder.string());
  return cat("binaries-", info.st_uid, "-", info.st_size, "-", info.st_mtim.tv_sec, "-",
             info.st_mtim.tv_nsec, "-", place);
}

// Copies the installation around `folder` (its bin, lib and share) into `cache`, once.
Result<fs::path> copy_installation(const fs::path& folder, const std::string& cache) {
  const fs::path source = folder.parent_path();
  const fs::path target = fs::path(cache) / TRY(copy_name(folder));
  const fs::path copied = target / folder.filename();
  if (is_private_folder(target) && has_server(copied)) return copied;
  std::string fresh = (fs::path(cache) / ".new-XXXXXX").string();
  if (mkdtemp(fresh.data()) == nullptr) {
    return Error{ErrorCode::Denied, cat("cannot write in ", cache)};
  }
  const Account self{geteuid(), getegid(), "the owner"};
  for (const char* part : {"lib", "share"}) {
    if (!fs::exists(source / part)) continue;
    TRY(run_to_end({"/bin/cp", "-a", "--reflink=auto", (source / part).string(), fresh}, self));
  }
  TRY(run_to_end({"/bin/cp", "-a", "--reflink=auto", folder.string(), fresh}, self));
  TRY(run_to_end({"/bin/chmod", "-R", "u+rwX,go-w,go+rX", fresh}, self));
  std::error_code failure;
  fs::rename(fresh, target, failure);
  if (failure) fs::remove_all(fresh, failure);  // somebody else was faster
  if (is_private_folder(target) && has_server(copied)) return copied;
  return Error{ErrorCode::Internal, cat("copying ", source.string(), " to ", target.string())};
}

Result<Binaries> reachable(const fs::path& folder, const Account& account,
                           const std::string& cache) {
  auto printed = run_to_end({(folder / "postgres").string(), "--version"}, account, seconds(20));
  if (printed) return describe(folder, *printed);
  if (account.uid == geteuid()) return std::move(printed).error();
  const fs::path copied = TRY(copy_installation(folder, cache));
  return describe(
      copied, TRY(run_to_end({(copied / "postgres").string(), "--version"}, account, seconds(20))));
}

}  // namespace

Result<Binaries> find_binaries(const std::string& version, const std::string& folder,
                               const Account& account, const std::string& cache) {
  std::string seen;
  for (const fs::path& candidate : candidates(folder)) {
    if (!has_server(candidate)) continue;
    // A link in PATH is only a sign: the programs find their libraries from where they really are.
    std::error_code failure;
    const fs::path program = fs::canonical(candidate / "postgres", failure);
    if (failure || !has_server(program.parent_path())) continue;
    auto binaries = reachable(program.parent_path(), account, cache);
    if (binaries && (version.empty() || cat(binaries->major) == version)) return binaries;
    seen += cat(seen.empty() ? "" : ", ", candidate.string(), " (",
                binaries ? binaries->version : binaries.error().message, ")");
  }
  const std::string wanted = version.empty() ? "PostgreSQL" : cat("PostgreSQL ", version);
  const std::string place =
      folder.empty() ? cat("PATH and ", kPackaged, "/*/bin") : printable(folder);
  return Error{ErrorCode::NotFound,
               cat("no server programs of ", wanted, " in ", place,
                   seen.empty() ? "" : cat("; found ", seen)),
               {},
               cat("install them, for instance: apt-get install postgresql",
                   version.empty() ? "" : cat("-", version))};
}

}  // namespace pgtend::pg
