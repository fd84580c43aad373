#include "cli/page_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "base/text.h"

namespace pgtend::cli {
namespace {

namespace fs = std::filesystem;

Error failed_at(const std::string& path, int reason) {
  const ErrorCode code = reason == ENOENT || reason == ENOTDIR ? ErrorCode::NotFound
                         : reason == ENOSPC || reason == EDQUOT || reason == EFBIG
                             ? ErrorCode::Limit
                             : ErrorCode::Denied;
  return Error{code, cat("cannot write ", printable(path), ": ", std::strerror(reason))}.hinting(
      "give the path of a file in a folder that exists and that you may write to, or - for "
      "standard "
      "output");
}

fs::path folder_of(const std::string& path) {
  const fs::path folder = fs::path(path).parent_path();
  return folder.empty() ? fs::path(".") : folder;
}

// The file that `path` is, behind symbolic links, so that a link stays one.
std::string target_of(const std::string& path) {
  std::error_code failure;
  const fs::path target = fs::canonical(path, failure);
  return failure ? path : target.string();
}

// Whether the file at `path` can be replaced: it is a regular one, or none.
bool replaceable(const std::string& path) {
  std::error_code failure;
  const fs::file_status status = fs::status(path, failure);
  return status.type() == fs::file_type::not_found || status.type() == fs::file_type::regular;
}

Status write_all(int file, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t done = ::write(file, text.data(), text.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return failed_at(path, errno);
    text.remove_prefix(static_cast<size_t>(done));
  }
  return ok();
}

Status write_in_place(const std::string& path, std::string_view text) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (file < 0) return failed_at(path, errno);
  Status done = write_all(file, text, path);
  if (::close(file) != 0 && done) return failed_at(path, errno);
  return done;
}

}  // namespace

Status check_writable(const std::string& path) {
  if (path == "-") return ok();
  if (path.empty()) return failed_at(path, ENOENT);
  std::error_code failure;
  if (fs::is_directory(path, failure)) return failed_at(path, EISDIR);
  if (fs::exists(path, failure) && ::access(path.c_str(), W_OK) != 0) return failed_at(path, errno);
  if (!replaceable(path)) return ok();
  const fs::path folder = folder_of(target_of(path));
  if (::access(folder.c_str(), W_OK | X_OK) != 0) return failed_at(path, errno);
  return ok();
}

Status write_whole(const std::string& path, std::string_view text) {
  if (path == "-") return write_all(STDOUT_FILENO, text, "standard output");
  if (!replaceable(path)) return write_in_place(path, text);
  const std::string target = target_of(path);
  std::string fresh = cat(target, ".XXXXXX");
  const int file = ::mkostemp(fresh.data(), O_CLOEXEC);
  if (file < 0) return failed_at(path, errno);
  Status done = write_all(file, text, path);
  const mode_t mask = ::umask(0);
  ::umask(mask);
  constexpr mode_t kReadable = 0666;
  if (done && ::fchmod(file, kReadable & ~mask) != 0) done = failed_at(path, errno);
  if (::close(file) != 0 && done) done = failed_at(path, errno);
  if (done && ::rename(fresh.c_str(), target.c_str()) != 0) done = failed_at(path, errno);
  if (!done) ::unlink(fresh.c_str());
  return done;
}

}  // namespace pgtend::cli
