// Running programs beside the test.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <utility>

#include "base/text.h"
#include "e2e/support/database.h"
#include "pg/account.h"

namespace pgtend::e2e {
namespace {

std::vector<std::string> merged_environment(const Environment& extra) {
  std::vector<std::string> out;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::string_view name = text.substr(0, text.find('='));
    const bool replaced =
        std::ranges::any_of(extra, [&](const auto& pair) { return pair.first == name; });
    if (!replaced && !name.starts_with("PG")) out.emplace_back(text);
  }
  for (const auto& [name, value] : extra) out.push_back(cat(name, "=", value));
  return out;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

struct Channels {
  int in[2] = {-1, -1};
  int out[2] = {-1, -1};
  int err[2] = {-1, -1};
};

[[noreturn]] void exec_child(const Channels& channels, char** argv, char** envp) {
  dup2(channels.in[0], 0);
  dup2(channels.out[1], 1);
  dup2(channels.err[1], 2);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  execvpe(argv[0], argv, envp);
  _exit(127);
}

// Moves what is there; closes and forgets the descriptor at its end.
void drain(int& fd, std::string& to) {
  std::array<char, 65536> buffer{};
  const ssize_t size = read(fd, buffer.data(), buffer.size());
  if (size > 0) {
    to.append(buffer.data(), static_cast<size_t>(size));
  } else if (size == 0 || (errno != EINTR && errno != EAGAIN)) {
    close(std::exchange(fd, -1));
  }
}

void feed(int& fd, std::string_view& input) {
  const ssize_t size = input.empty() ? 0 : write(fd, input.data(), input.size());
  if (size > 0) input.remove_prefix(static_cast<size_t>(size));
  if (input.empty() || (size < 0 && errno != EINTR && errno != EAGAIN)) {
    close(std::exchange(fd, -1));
  }
}

void converse(Channels& channels, std::string_view input, Outcome& outcome, SteadyTime deadline,
              pid_t pid) {
  int& in = channels.in[1];
  int& out = channels.out[0];
  int& err = channels.err[0];
  fcntl(in, F_SETFL, O_NONBLOCK);
  while (out >= 0 || err >= 0) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - system_clock().steady()).count();
    if (left <= 0) kill(pid, SIGKILL);
    pollfd entries[3] = {{in, POLLOUT, 0}, {out, POLLIN, 0}, {err, POLLIN, 0}};
    poll(entries, 3, static_cast<int>(std::clamp<int64_t>(left, 100, 1'000'000)));
    if (in >= 0 && entries[0].revents != 0) feed(in, input);
    if (out >= 0 && entries[1].revents != 0) drain(out, outcome.out);
    if (err >= 0 && entries[2].revents != 0) drain(err, outcome.err);
    // A daemon the program left behind may hold its output open: the end of the program counts.
    if (left <= 0) break;
  }
  for (int* fd : {&in, &out, &err}) {
    if (*fd >= 0) close(std::exchange(*fd, -1));
  }
}

}  // namespace

Outcome run(const std::vector<std::string>& argv, const Environment& environment,
            const std::string& input, seconds deadline) {
  std::vector<std::string> arguments = argv;
  std::vector<std::string> variables = merged_environment(environment);
  auto argument_pointers = pointers(arguments);
  auto variable_pointers = pointers(variables);
  Channels channels;
  CHECK(pipe2(channels.in, O_CLOEXEC) == 0 && pipe2(channels.out, O_CLOEXEC) == 0 &&
        pipe2(channels.err, O_CLOEXEC) == 0);
  signal(SIGPIPE, SIG_IGN);
  const pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    signal(SIGPIPE, SIG_DFL);
    exec_child(channels, argument_pointers.data(), variable_pointers.data());
  }
  for (const int fd : {channels.in[0], channels.out[1], channels.err[1]}) close(fd);
  Outcome outcome;
  converse(channels, input, outcome, system_clock().steady() + deadline, pid);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  outcome.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome;
}

Environment environment_of(const pg::Options& options) {
  return {{"PGHOST", options.get("host")},
          {"PGPORT", options.get("port")},
          {"PGUSER", options.get("user")},
          {"PGPASSWORD", options.get("password")},
          {"PGDATABASE", options.get("dbname")}};
}

Outcome psql(const pg::Options& options, const std::string& sql) {
  return run({"psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", "-"},
             environment_of(options), sql);
}

bool wait_until(const std::function<bool()>& condition, milliseconds deadline) {
  const SteadyTime end = system_clock().steady() + deadline;
  while (!condition()) {
    if (system_clock().steady() >= end) return false;
    poll(nullptr, 0, 5);
  }
  return true;
}

Scratch::Scratch()
    : folder_(must(pg::TempFolder::create(std::filesystem::temp_directory_path().string(),
                                          must(pg::server_account())))) {}

std::string Scratch::write(const std::string& name, const std::string& text) const {
  const std::string path = cat(folder_.path(), "/", name);
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  CHECK(fd >= 0 && ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  close(fd);
  return path;
}

}  // namespace pgtend::e2e
