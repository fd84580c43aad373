#include "pg/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/text.h"
#include "pg/state.h"

namespace pgtend::pg {
namespace {

constexpr size_t kOutputMax = 64 << 10;
constexpr int kCannotBecome = 125;  // exit codes as the shell and env use them
constexpr int kCannotExecute = 126;
constexpr int kNotFound = 127;

struct Pipe {
  int read = -1;
  int write = -1;
  ~Pipe() {
    if (read >= 0) close(read);
    if (write >= 0) close(write);
  }
};

// Async-signal-safe: other threads of ours did not come along.
[[noreturn]] void exec_child(char** argv, char** envp, const Account& account, int output,
                             pid_t parent) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int signal_number = 1; signal_number < NSIG; ++signal_number) {
    signal(signal_number, SIG_DFL);
  }
  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  dup2(null, 0);
  dup2(output, 1);
  dup2(output, 2);
  if (!become(account) || chdir("/") != 0) _exit(kCannotBecome);
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // after setuid, which clears it
  if (getppid() != parent) _exit(kCannotBecome);
  execve(argv[0], argv, envp);
  _exit(errno == ENOENT ? kNotFound : kCannotExecute);
}

// Reads until the end or `deadline`; false when the time is over.
Result<bool> read_output(int fd, std::string& out, SteadyTime deadline) {
  std::array<char, 4096> buffer{};
  while (true) {
    if (!TRY(wait_for(fd, Wait::Read, deadline))) return false;
    const ssize_t size = read(fd, buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return true;
    const size_t room = kOutputMax - std::min(kOutputMax, out.size());
    out.append(buffer.data(), std::min(static_cast<size_t>(size), room));
  }
}

int wait_for_end(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return 0;
  }
  return status;
}

Error failure_of(const std::string& program, const Account& account, int status,
                 const std::string& output) {
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  if (code == kNotFound) return Error{ErrorCode::NotFound, cat(program, " does not exist")};
  if (code == kCannotExecute) {
    return Error{ErrorCode::Denied, cat(account.name, " may not execute ", program)};
  }
  if (code == kCannotBecome) {
    return Error{ErrorCode::Denied, cat("cannot become user ", account.name)};
  }
  const std::string end = WIFSIGNALED(status) ? cat("was killed by signal ", WTERMSIG(status))
                                              : cat("ended with code ", code);
  return Error{ErrorCode::Internal, cat(program, " ", end, ": ", printable(trim(output), true))};
}

}  // namespace

std::vector<std::string> child_environment() {
  std::vector<std::string> environment = {"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C"};
  for (const char* name : {"TZ", "LD_LIBRARY_PATH"}) {
    if (const char* value = std::getenv(name)) environment.push_back(cat(name, "=", value));
  }
  return environment;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  out.reserve(texts.size() + 1);
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

Result<std::string> run_to_end(std::vector<std::string> argv, const Account& account,
                               seconds timeout) {
  Pipe pipe;
  int ends[2] = {-1, -1};
  if (pipe2(ends, O_CLOEXEC) != 0) {
    return Error{ErrorCode::Internal, cat("pipe: ", std::strerror(errno))};
  }
  pipe.read = ends[0];
  pipe.write = ends[1];
  auto environment = child_environment();
  const auto arguments = pointers(argv);
  const auto variables = pointers(environment);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) return Error{ErrorCode::Limit, cat("fork: ", std::strerror(errno))};
  if (pid == 0) {
    exec_child(const_cast<char**>(arguments.data()), const_cast<char**>(variables.data()), account,
               pipe.write, parent);
  }
  close(std::exchange(pipe.write, -1));
  std::string output;
  const auto complete = read_output(pipe.read, output, system_clock().steady() + timeout);
  if (!complete || !*complete) kill(pid, SIGKILL);
  const int status = wait_for_end(pid);
  if (!complete) return complete.error();
  if (!*complete) {
    return Error{ErrorCode::Timeout, cat(argv[0], " took more than ", timeout.count(), " s")};
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return failure_of(argv[0], account, status, output);
  }
  return output;
}

bool can_enter(const Account& account, const std::string& path) {
  const pid_t pid = fork();
  if (pid < 0) return false;
  if (pid == 0) {
    const bool entered = become(account) && access(path.c_str(), R_OK | X_OK) == 0;
    _exit(entered ? 0 : 1);
  }
  const int status = wait_for_end(pid);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace pgtend::pg
