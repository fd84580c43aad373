#include "pg/child.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/text.h"
#include "pg/process.h"

namespace pgtend::pg {
namespace {

constexpr size_t kChildOutputMax = size_t{64} << 10;

std::vector<std::string> environment_with(
    const std::vector<std::pair<std::string, std::string>>& variables) {
  std::vector<std::string> out;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::string_view name = text.substr(0, text.find('='));
    const bool replaced =
        std::ranges::any_of(variables, [&](const auto& pair) { return pair.first == name; });
    if (!replaced) out.emplace_back(text);
  }
  for (const auto& [name, value] : variables) out.push_back(cat(name, "=", value));
  return out;
}

// Between fork and exec: only what is safe there.
[[noreturn]] void become_program(char* const* arguments, char* const* variables, int output,
                                 pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGINT);
  if (getppid() != parent) _exit(127);
  const int nothing = open("/dev/null", O_RDONLY);
  if (nothing >= 0) dup2(nothing, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  // A terminal's Ctrl-C goes to us alone: we interrupt it and clean up after it.
  setpgid(0, 0);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  execve(arguments[0], arguments, variables);
  _exit(127);
}

}  // namespace

Result<Child> Child::start(std::vector<std::string> argv,
                           const std::vector<std::pair<std::string, std::string>>& variables) {
  int ends[2] = {-1, -1};
  if (pipe2(ends, O_CLOEXEC) != 0) {
    return Error{ErrorCode::Limit, cat("pipe: ", std::strerror(errno))};
  }
  auto environment = environment_with(variables);
  const auto arguments = pointers(argv);
  const auto entries = pointers(environment);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) become_program(arguments.data(), entries.data(), ends[1], parent);
  const int failure = errno;
  close(ends[1]);
  if (pid < 0) {
    close(ends[0]);
    return Error{ErrorCode::Limit, cat("fork: ", std::strerror(failure))};
  }
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return Child(pid, ends[0]);
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pipe_(std::exchange(other.pipe_, -1)),
      code_(other.code_),
      output_(std::move(other.output_)) {}

Child::~Child() {
  if (pid_ > 0 && !code_) {
    kill(pid_, SIGKILL);
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  if (pipe_ >= 0) close(pipe_);
}

std::optional<int> Child::ended() {
  if (code_) return code_;
  (void)output();  // a full pipe would hold it up
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) == pid_) {
    code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    (void)output();
  }
  return code_;
}

void Child::interrupt() const {
  if (pid_ > 0 && !code_) kill(pid_, SIGINT);
}

const std::string& Child::output() {
  char piece[4'096];
  while (true) {
    const ssize_t count = read(pipe_, piece, sizeof piece);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    output_.append(piece, static_cast<size_t>(count));
    if (output_.size() > kChildOutputMax) output_.erase(0, output_.size() - kChildOutputMax);
  }
  return output_;
}

}  // namespace pgtend::pg
