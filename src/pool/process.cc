#include "pool/process.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "base/ini.h"
#include "base/log.h"
#include "base/text.h"

namespace pgtend::pool {
namespace {

// The process that a file names, if it lives and is not this one.
std::optional<pid_t> living_process_in(const std::string& path) {
  const auto text = read_text_file(path);
  if (!text) return std::nullopt;
  const auto pid = parse_int(trim(*text));
  if (!pid || *pid <= 0 || *pid > INT32_MAX || *pid == getpid()) return std::nullopt;
  const auto id = static_cast<pid_t>(*pid);
  return ::kill(id, 0) == 0 || errno == EPERM ? std::optional(id) : std::nullopt;
}

}  // namespace

Status become_account(const std::string& account) {
  const passwd* entry = getpwnam(account.c_str());
  if (entry == nullptr) {
    return Error{ErrorCode::Invalid, cat("there is no account \"", printable(account), '"')};
  }
  if (entry->pw_uid == geteuid()) return ok();
  const bool done = initgroups(entry->pw_name, entry->pw_gid) == 0 && setgid(entry->pw_gid) == 0 &&
                    setuid(entry->pw_uid) == 0;
  if (!done) {
    return Error{ErrorCode::Denied, cat("cannot run as \"", printable(account), "\": ",
                                        strerror(errno), "; start as root, or as that account")};
  }
  if (setuid(0) == 0) return Error{ErrorCode::Internal, "the rights of root came back"};
  return ok();
}

Result<Daemon> Daemon::start() {
  int ends[2];
  if (pipe2(static_cast<int*>(ends), O_CLOEXEC) != 0) {
    return Error{ErrorCode::Limit, cat("cannot go into the background: ", strerror(errno))};
  }
  const pid_t child = fork();
  if (child < 0) {
    return Error{ErrorCode::Limit, cat("cannot go into the background: ", strerror(errno))};
  }
  if (child > 0) {
    ::close(ends[1]);
    char told = 0;
    if (::read(ends[0], &told, 1) == 1) _exit(0);
    int status = 0;
    waitpid(child, &status, 0);
    _exit(WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : 1);
  }
  ::close(ends[0]);
  setsid();
  return Daemon(ends[1]);
}

void Daemon::up() {
  const int nowhere = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int descriptor = 0; descriptor < 3; ++descriptor) dup2(nowhere, descriptor);
  ::close(nowhere);
  [[maybe_unused]] const ssize_t written = ::write(parent_, "u", 1);
  ::close(parent_);
}

Result<std::unique_ptr<Pidfile>> Pidfile::write(const std::string& path) {
  if (!path.empty()) {
    if (const auto other = living_process_in(path)) {
      return Error{ErrorCode::Conflict, cat("pidfile ", printable(path), " is of process ", *other,
                                            ", which lives: is the pooler running already?")};
    }
    if (::unlink(path.c_str()) == 0) log::info(cat("removed stale pidfile ", path));
    std::FILE* file = std::fopen(path.c_str(), "we");
    if (file == nullptr) {
      return Error{ErrorCode::Denied, cat("cannot write pidfile ", path, ": ", strerror(errno))};
    }
    std::fprintf(file, "%d\n", static_cast<int>(getpid()));
    std::fclose(file);
  }
  return std::unique_ptr<Pidfile>(new Pidfile(path));
}

Pidfile::~Pidfile() {
  if (!path_.empty()) ::unlink(path_.c_str());
}

}  // namespace pgtend::pool
