#include "pg/supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/text.h"
#include "pg/process.h"
#include "pg/state.h"

namespace pgtend::pg {
namespace {

constexpr int kFdBase = 100;  // where descriptors wait while the low numbers are filled
constexpr int kLocksMax = 2;
constexpr int kImmediatePatience = 10'000;  // ms until SIGKILL
constexpr int kGentlePatience = 60'000;     // ms until an immediate stop

// One message from the child.
struct Message {
  char kind;  // 'P' postmaster's process id, 'X' its wait status
  int value;
};

// Everything the child needs, made before fork: after it only async-signal-safe calls are allowed.
struct Prepared {
  char** argv;
  char** envp;
  char** remove;  // rm's argv, null when nothing is to be removed
  const Account* account;
  int control;
  int log;
  int locks[kLocksMax];
  int lock_count;
};

void default_signals() {
  for (int number = 1; number < NSIG; ++number) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

// Descriptors become 0 /dev/null, 1 and 2 the log, 3 the control socket, 4… the locks; no others.
void arrange_descriptors(Prepared& plan) {
  const int null = fcntl(open("/dev/null", O_RDWR | O_CLOEXEC), F_DUPFD_CLOEXEC, kFdBase);
  const int log = fcntl(plan.log, F_DUPFD_CLOEXEC, kFdBase);
  const int control = fcntl(plan.control, F_DUPFD_CLOEXEC, kFdBase);
  for (int i = 0; i < plan.lock_count; ++i) {
    plan.locks[i] = fcntl(plan.locks[i], F_DUPFD_CLOEXEC, kFdBase);
  }
  dup2(null, 0);
  dup2(log, 1);
  dup2(log, 2);
  dup3(control, 3, O_CLOEXEC);
  for (int i = 0; i < plan.lock_count; ++i) dup2(plan.locks[i], 4 + i);
  plan.control = 3;
  const unsigned first = 4 + static_cast<unsigned>(plan.lock_count);
  if (close_range(first, ~0U, 0) == 0) return;
  for (int fd = static_cast<int>(first); fd < 65'536; ++fd) close(fd);
}

[[noreturn]] void exec_postmaster(const Prepared& plan, pid_t parent) {
  default_signals();
  if (!become(*plan.account) || chdir("/") != 0) _exit(125);
  prctl(PR_SET_PDEATHSIG, SIGQUIT);  // after setuid, which clears it; our parent has one thread
  if (getppid() != parent) _exit(125);
  execve(plan.argv[0], plan.argv, plan.envp);
  _exit(126);
}

void tell(const Prepared& plan, char kind, int value) {
  const Message message{kind, value};
  send(plan.control, &message, sizeof message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

// Waits for the postmaster's end, obeying the owner and noticing its death.
struct Watch {
  const Prepared& plan;
  pid_t postmaster;
  int child_ended;
  bool owner_gone = false;
  int patience = -1;  // ms until the next, harder signal; -1: no signal is pending
  int harder = SIGKILL;

  void on_owner() {
    char command = 0;
    const ssize_t size = recv(plan.control, &command, 1, 0);
    if (size < 0 && errno == EINTR) return;
    if (size <= 0) {
      owner_gone = true;
      const bool gentle = plan.remove == nullptr;
      kill(postmaster, gentle ? SIGINT : SIGQUIT);
      patience = gentle ? kGentlePatience : kImmediatePatience;
      harder = gentle ? SIGQUIT : SIGKILL;
    } else {
      kill(postmaster, command == 'f' ? SIGINT : SIGQUIT);
      if (command == 'i') patience = kImmediatePatience;
    }
  }

  int run() {
    while (true) {
      pollfd entries[2] = {{child_ended, POLLIN, 0}, {owner_gone ? -1 : plan.control, POLLIN, 0}};
      const int count = poll(entries, 2, patience);
      if (count == 0) {
        kill(postmaster, std::exchange(harder, SIGKILL));
        patience = kImmediatePatience;
      }
      if (count > 0 && entries[0].revents != 0) {
        signalfd_siginfo info{};
        if (read(child_ended, &info, sizeof info) < 0 && errno != EINTR) _exit(1);
        int status = 0;
        if (waitpid(postmaster, &status, WNOHANG) == postmaster) return status;
      }
      if (count > 0 && entries[1].revents != 0) on_owner();
    }
  }
};

[[noreturn]] void supervise(Prepared plan) {
  setsid();  // a Ctrl-C on the terminal is the owner's business
  prctl(PR_SET_NAME, "pgtend-cluster");
  default_signals();
  for (const int ignored : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE}) signal(ignored, SIG_IGN);
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigprocmask(SIG_BLOCK, &child, nullptr);
  arrange_descriptors(plan);
  const int child_ended = signalfd(-1, &child, SFD_CLOEXEC);
  const pid_t self = getpid();
  const pid_t postmaster = fork();
  if (postmaster == 0) exec_postmaster(plan, self);
  if (postmaster < 0 || child_ended < 0) _exit(1);
  tell(plan, 'P', postmaster);
  Watch watch{plan, postmaster, child_ended};
  const int status = watch.run();
  tell(plan, 'X', status);
  if (watch.owner_gone && plan.remove != nullptr) execve(plan.remove[0], plan.remove, plan.envp);
  _exit(0);
}

// The children of this process, for end_all_servers: a slot is free when its pid is 0.
struct Slot {
  std::atomic<pid_t> child{0};
  std::atomic<int> control{-1};
};
constexpr int kSlots = 64;
constinit std::array<Slot, kSlots> slots{};

int register_child(pid_t child, int control) {
  for (int i = 0; i < kSlots; ++i) {
    pid_t free = 0;
    if (!slots[i].child.compare_exchange_strong(free, child)) continue;
    slots[i].control.store(control);
    return i;
  }
  return -1;  // it still ends with us, only without being waited for
}

void nap() {
  const timespec pause{.tv_sec = 0, .tv_nsec = 5'000'000};
  nanosleep(&pause, nullptr);
}

}  // namespace

Result<Supervisor> Supervisor::start(SupervisorPlan plan) {
  CHECK(plan.locks.size() <= kLocksMax);
  int ends[2] = {-1, -1};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return Error{ErrorCode::Limit, cat("socketpair: ", std::strerror(errno))};
  }
  std::vector<std::string> remove = {"/bin/rm", "-rf", "--"};
  remove.insert(remove.end(), plan.folders.begin(), plan.folders.end());
  auto environment = child_environment();
  auto argv = pointers(plan.argv);
  auto envp = pointers(environment);
  auto remove_argv = pointers(remove);
  Prepared prepared{.argv = argv.data(),
                    .envp = envp.data(),
                    .remove = plan.folders.empty() ? nullptr : remove_argv.data(),
                    .account = &plan.account,
                    .control = ends[1],
                    .log = plan.log,
                    .locks = {},
                    .lock_count = 0};
  for (const int lock : plan.locks) prepared.locks[prepared.lock_count++] = lock;
  const pid_t child = fork();
  if (child == 0) supervise(prepared);
  const int failure = errno;
  ::close(ends[1]);
  if (child < 0) {
    ::close(ends[0]);
    return Error{ErrorCode::Limit, cat("fork: ", std::strerror(failure))};
  }
  Supervisor supervisor(ends[0], child, register_child(child, ends[0]));
  if (!TRY(supervisor.hear(system_clock().steady() + seconds(30))) || supervisor.postmaster_ <= 0) {
    return Error{ErrorCode::Internal, "the server's supervisor did not start"};
  }
  return supervisor;
}

Supervisor::Supervisor(Supervisor&& other) noexcept { *this = std::move(other); }

Supervisor& Supervisor::operator=(Supervisor&& other) noexcept {
  std::swap(control_, other.control_);
  std::swap(child_, other.child_);
  std::swap(slot_, other.slot_);
  std::swap(postmaster_, other.postmaster_);
  std::swap(ended_, other.ended_);
  std::swap(status_, other.status_);
  return *this;
}

Supervisor::~Supervisor() { close(); }

void Supervisor::close() {
  if (child_ <= 0) return;
  if (slot_ >= 0) slots[static_cast<size_t>(slot_)].control.store(-1);
  ::close(std::exchange(control_, -1));
  while (waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
  }
  if (slot_ >= 0) slots[static_cast<size_t>(slot_)].child.store(0);
  child_ = -1;
}

Result<bool> Supervisor::hear(SteadyTime deadline) {
  if (ended_) return false;
  if (!TRY(wait_for(control_, Wait::Read, deadline))) return false;
  Message message{};
  const ssize_t size = recv(control_, &message, sizeof message, MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (size != sizeof message) {  // the child is gone: the kernel ends the postmaster
    ended_ = true;
    status_ = SIGKILL;
  } else if (message.kind == 'P') {
    postmaster_ = message.value;
  } else {
    ended_ = true;
    status_ = message.value;
  }
  return true;
}

bool Supervisor::running() {
  static_cast<void>(hear(system_clock().steady()));
  return !ended_;
}

void Supervisor::ask(Stop how) {
  const char command = static_cast<char>(how);
  send(control_, &command, 1, MSG_NOSIGNAL);
}

Result<int> Supervisor::wait_end(milliseconds timeout) {
  const SteadyTime deadline = system_clock().steady() + timeout;
  while (!ended_) {
    TRY(hear(deadline));
    if (!ended_ && system_clock().steady() >= deadline) {
      return Error{ErrorCode::Timeout, cat("the server still runs after ", timeout.count(), " ms")};
    }
  }
  return status_;
}

void end_all_servers(milliseconds patience) {
  for (Slot& slot : slots) {
    const int control = slot.control.load();
    if (slot.child.load() > 0 && control >= 0) shutdown(control, SHUT_RDWR);
  }
  for (milliseconds left = patience; left.count() > 0; left -= milliseconds(5)) {
    bool any = false;
    for (Slot& slot : slots) {
      const pid_t child = slot.child.load();
      if (child <= 0) continue;
      if (waitpid(child, nullptr, WNOHANG) == 0) {
        any = true;
      } else {
        slot.child.store(0);
      }
    }
    if (!any) return;
    nap();
  }
}

}  // namespace pgtend::pg
