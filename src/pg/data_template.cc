#include "pg/data_template.h"

#include <fcntl.h>
#include <locale.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <functional>

#include "base/text.h"
#include "pg/process.h"
#include "pg/temp_folder.h"

namespace pgtend::pg {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kTemplatePrefix = "template-";
constexpr std::string_view kFreshPrefix = ".new-";
constexpr auto kTemplateLife = std::chrono::hours(30 * 24);
constexpr auto kFreshLife = std::chrono::hours(24);

Error io_error(std::string_view what, const std::string& path) {
  return Error{ErrorCode::Internal, cat(what, " ", path, ": ", std::strerror(errno))};
}

Result<std::string> read_small(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return io_error("opening", path);
  std::array<char, 256> buffer{};
  const ssize_t size = read(fd, buffer.data(), buffer.size());
  close(fd);
  if (size <= 0) return io_error("reading", path);
  return std::string(buffer.data(), static_cast<size_t>(size));
}

const char* server_locale() {
  const locale_t utf8 = newlocale(LC_ALL_MASK, "C.UTF-8", nullptr);
  if (utf8 == nullptr) return "C";
  freelocale(utf8);
  return "C.UTF-8";
}

// A folder in `parent` (ours) that belongs to `account`.
Status make_folder(const std::string& path, const Account& account) {
  if (mkdir(path.c_str(), 0700) != 0) return io_error("creating", path);
  if (account.uid != geteuid() && chown(path.c_str(), account.uid, account.gid) != 0) {
    return io_error("giving away", path);
  }
  return ok();
}

// initdb's options besides names and the password.
std::vector<std::string> initdb_options(bool durable) {
  std::vector<std::string> options = {"--auth=scram-sha-256", "--encoding=UTF8",
                                      cat("--locale=", server_locale())};
  if (!durable) options.emplace_back("--no-sync");
  return options;
}

Status initdb(const Binaries& binaries, const Account& account, const DataPlan& plan,
              const std::string& password) {
  const std::string secret = plan.data + ".password";
  TRY(write_secret(secret, password + "\n", account));
  std::vector<std::string> argv = {binaries.folder + "/initdb", "--pgdata=" + plan.data,
                                   cat("--username=", kSuperuser), "--pwfile=" + secret};
  for (std::string& option : initdb_options(plan.durable)) argv.push_back(std::move(option));
  const auto made = run_to_end(std::move(argv), account, seconds(300));
  unlink(secret.c_str());
  if (!made) return Error(made.error()).during("initdb");
  return ok();
}

// A template is a folder of ours with `data` (the account's) and `password` (ours).
Result<std::string> make_template(const Binaries& binaries, const Account& account,
                                  const std::string& folder, bool durable) {
  const std::string password = TRY(random_password());
  TRY(make_folder(folder + "/data", account));
  TRY(initdb(binaries, account, {.data = folder + "/data", .durable = durable}, password));
  TRY(write_secret(folder + "/password", password, {geteuid(), getegid(), {}}));
  return password;
}

bool is_owned_by(const std::string& path, uid_t uid) {
  struct stat info {};
  return lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == uid &&
         (info.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

bool is_template(const std::string& folder, const Account& account) {
  return is_private_folder(folder) && is_owned_by(folder + "/data", account.uid) &&
         access((folder + "/password").c_str(), R_OK) == 0;
}

Status ensure_template(const Binaries& binaries, const Account& account, const DataPlan& plan,
                       const std::string& target) {
  if (is_template(target, account)) return ok();
  std::string fresh = cat(plan.cache, "/", kFreshPrefix, "XXXXXX");
  if (mkdtemp(fresh.data()) == nullptr) return io_error("making a folder in", plan.cache);
  if (account.uid != geteuid() && chmod(fresh.c_str(), 0711) != 0) return io_error("chmod", fresh);
  const auto made = make_template(binaries, account, fresh, plan.durable);
  std::error_code failure;
  if (made) fs::rename(fresh, target, failure);
  if (!made || failure) fs::remove_all(fresh, failure);  // or somebody else was faster
  if (!made) return made.error();
  if (is_template(target, account)) return ok();
  return Error{ErrorCode::Internal,
               cat("no usable template in ", target),
               {},
               cat("remove ", target, " and try again")};
}

// What a template depends on is in its name. A template that was never forced to disk may be torn
// after a power failure: its name holds the boot it was made in.
std::string template_path(const Binaries& binaries, const Account& account, const DataPlan& plan) {
  std::string build = cat(binaries.folder, "\n", binaries.version, "\n", account.uid, "\n",
                          join(initdb_options(plan.durable), " "));
  if (!plan.durable) {
    const auto boot = read_small("/proc/sys/kernel/random/boot_id");
    build += boot ? *boot : cat(getpid());
  }
  return cat(plan.cache, "/", kTemplatePrefix, binaries.major, "-",
             std::hash<std::string>{}(build));
}

// Removes templates that nobody started from for a long time, and what a killed initdb left.
void prune(const std::string& cache) {
  std::error_code failure;
  const auto now = fs::file_time_type::clock::now();
  for (fs::directory_iterator at(cache, failure), end; !failure && at != end;
       at.increment(failure)) {
    const std::string entry = at->path().filename().string();
    const bool made = entry.starts_with(kTemplatePrefix);
    if (!made && !entry.starts_with(kFreshPrefix)) continue;
    std::error_code unreadable;
    const auto age = now - at->last_write_time(unreadable);
    if (unreadable || age < (made ? kTemplateLife : kFreshLife)) continue;
    fs::remove_all(at->path(), unreadable);
  }
}

}  // namespace

Status write_secret(const std::string& path, const std::string& text, const Account& account) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return io_error("creating", path);
  const bool written = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const bool given = account.uid == geteuid() || fchown(fd, account.uid, account.gid) == 0;
  close(fd);
  return written && given ? ok() : Status(io_error("writing", path));
}

std::string cache_folder(const std::string& base, const std::string& fallback) {
  const std::string path = cat(base, "/pgtend-cache-", geteuid());
  if (mkdir(path.c_str(), 0755) == 0) static_cast<void>(chmod(path.c_str(), 0755));
  return is_private_folder(path) ? path : fallback;
}

Result<std::string> random_password() {
  constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  static_assert(kLetters.size() == 64);
  std::array<unsigned char, 32> bytes{};
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    return Error{ErrorCode::Internal, "no random numbers"};
  }
  std::string password;
  for (const unsigned char byte : bytes) password += kLetters[byte % kLetters.size()];
  return password;
}

Result<std::string> make_data(const Binaries& binaries, const Account& account,
                              const DataPlan& plan) {
  if (plan.cache.empty()) {
    const std::string password = TRY(random_password());
    TRY(make_folder(plan.data, account));
    TRY(initdb(binaries, account, plan, password));
    return password;
  }
  const std::string target = template_path(binaries, account, plan);
  TRY(ensure_template(binaries, account, plan, target));
  utimensat(AT_FDCWD, target.c_str(), nullptr, 0);  // used now
  prune(plan.cache);
  TRY(make_folder(plan.data, account));
  TRY(run_to_end({"/bin/cp", "-a", "--reflink=auto", target + "/data/.", plan.data}, account));
  return read_small(target + "/password");
}

}  // namespace pgtend::pg
