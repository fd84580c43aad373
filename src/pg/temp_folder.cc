#include "pg/temp_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/text.h"
#include "pg/process.h"

namespace pgtend::pg {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "pgtend-run-";
constexpr std::string_view kKeptPrefix = "pgtend-kept-";
constexpr int kCreateTries = 20;
constexpr auto kNeverLocked = std::chrono::hours(1);

// The lock of `folder` if nobody holds it, else -1. `create`: the file must not exist yet.
int take_lock(const std::string& folder, bool create) {
  const std::string path = folder + "/lock";
  const int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | (create ? O_CREAT | O_EXCL : 0);
  const int lock = open(path.c_str(), flags, 0600);
  if (lock < 0) return -1;
  struct stat info {};
  const bool ours = fstat(lock, &info) == 0 && S_ISREG(info.st_mode) && info.st_uid == geteuid();
  // A sweep that held it before has removed the file, and the folder with it.
  const bool held = ours && flock(lock, LOCK_EX | LOCK_NB) == 0;
  if (held && fstat(lock, &info) == 0 && info.st_nlink > 0) return lock;
  close(lock);
  return -1;
}

// A folder whose creator died before it could lock it holds nothing and is old.
bool remove_if_never_used(const fs::path& folder) {
  std::error_code failure;
  const auto changed = fs::last_write_time(folder, failure);
  if (failure || fs::file_time_type::clock::now() - changed < kNeverLocked) return false;
  return rmdir(folder.c_str()) == 0;
}

bool sweep_one(const fs::path& folder) {
  if (!is_private_folder(folder)) return false;
  if (access((folder / "lock").c_str(), F_OK) != 0) return remove_if_never_used(folder);
  const int lock = take_lock(folder, false);
  if (lock < 0) return false;
  std::error_code failure;
  fs::remove_all(folder, failure);
  close(lock);
  return !failure;
}

}  // namespace

Result<TempFolder> TempFolder::create(const std::string& base, const Account& account, Life life) {
  for (int tries = 0; tries < kCreateTries; ++tries) {
    std::string path = cat(base, "/", life == Life::Kept ? kKeptPrefix : kPrefix, "XXXXXX");
    if (mkdtemp(path.data()) == nullptr) {
      return Error{ErrorCode::Denied,
                   cat("cannot make a folder in ", base, ": ", std::strerror(errno)),
                   {},
                   "set TMPDIR to a folder that may be written"};
    }
    if (account.uid != geteuid() && chmod(path.c_str(), 0711) != 0) {
      return Error{ErrorCode::Internal, cat("chmod ", path, ": ", std::strerror(errno))};
    }
    const int lock = take_lock(path, true);
    if (lock >= 0) return TempFolder(std::move(path), lock);
    // A sweep came between and took the empty folder for a dead one: it removes it.
  }
  return Error{ErrorCode::Limit,
               cat("no folder of our own in ", base, " after ", kCreateTries, " tries")};
}

TempFolder::TempFolder(TempFolder&& other) noexcept
    : path_(std::exchange(other.path_, {})),
      lock_(std::exchange(other.lock_, -1)),
      kept_(other.kept_) {}

TempFolder& TempFolder::operator=(TempFolder&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(lock_, other.lock_);
  std::swap(kept_, other.kept_);
  return *this;
}

TempFolder::~TempFolder() {
  if (path_.empty()) return;
  if (!kept_) static_cast<void>(remove());
  if (lock_ >= 0) close(lock_);
}

Status TempFolder::remove() {
  if (path_.empty()) return ok();
  std::error_code failure;
  fs::remove_all(path_, failure);
  if (failure) return Error{ErrorCode::Internal, cat("removing ", path_, ": ", failure.message())};
  return ok();
}

std::vector<std::string> temp_bases(const Account& account) {
  std::vector<std::string> bases;
  const char* chosen = std::getenv("TMPDIR");
  for (const char* base : {chosen, "/tmp"}) {
    if (base == nullptr || *base != '/' || std::ranges::find(bases, base) != bases.end()) continue;
    if (can_enter(account, base)) bases.emplace_back(base);
  }
  return bases;
}

int sweep_dead(const std::string& base) {
  int swept = 0;
  std::error_code failure;
  for (fs::directory_iterator at(base, failure), end; !failure && at != end;
       at.increment(failure)) {
    if (at->path().filename().string().starts_with(kPrefix) && sweep_one(at->path())) ++swept;
  }
  return swept;
}

bool is_private_folder(const std::string& path) {
  struct stat info {};
  return lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == geteuid() &&
         (info.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

}  // namespace pgtend::pg
