// The loop on epoll: every descriptor is registered once, edge-triggered, for both directions.
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <vector>

#include "base/text.h"
#include "net/loop.h"
#include "net/mailbox.h"
#include "net/socket.h"

namespace pgtend::net {
namespace {

constexpr int kEventsPerTurn = 256;
constexpr int kSleepMaxMs = 60'000;

Error system_error(ErrorCode code, std::string_view what, int error) {
  return Error{code, cat(what, ": ", std::strerror(error))};
}

ErrorCode code_of(int error) {
  switch (error) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
      return ErrorCode::Limit;
    case EACCES:
    case EPERM:
      return ErrorCode::Denied;
    default:
      return ErrorCode::Unavailable;
  }
}

// Who watches a descriptor. The generation tells a new connection from the events of an old one
// that had the same number.
struct Watch {
  Handler* handler = nullptr;
  uint32_t generation = 0;
  bool resuming = false;
};

struct Resume {
  int descriptor;
  uint32_t generation;
};

uint64_t ticket(int descriptor, uint32_t generation) {
  return uint64_t{generation} << 32 | static_cast<uint32_t>(descriptor);
}

class EpollLoop final : public Loop, private Handler {
 public:
  EpollLoop(const Clock& clock, int epoll, int wake)
      : clock_(clock), epoll_(epoll), wake_(wake), now_(clock.steady()) {}
  ~EpollLoop() {
    ::close(wake_);
    ::close(epoll_);
  }

  Status start() { return watch(wake_, *this); }

  Result<int> connect(const Address& address, const SocketOptions& options) override;
  int connect_result(int descriptor) override;
  Result<std::pair<int, int>> pair() override;
  Result<int> listen(const Address& address, int backlog, bool shared) override;
  Result<std::optional<Accepted>> accept(int listener) override;
  Io receive(int descriptor, std::span<char> into) override;
  Io send(int descriptor, std::span<const iovec> pieces) override;
  void shutdown_send(int descriptor) override { ::shutdown(descriptor, SHUT_WR); }
  Status watch(int descriptor, Handler& handler) override;
  void unwatch(int descriptor) override;
  void close(int descriptor) override;
  void resume_later(int descriptor) override;
  void defer(Task task) override { deferred_.push_back(std::move(task)); }
  void post(Task task) override;
  void run() override;
  void stop() override;
  SteadyTime now() const override { return now_; }

 private:
  // The wake descriptor: somebody posted.
  void on_ready(Ready ready) override;
  void wake();
  int sleep_ms() const;
  void dispatch(const epoll_event& event);
  void forget(int descriptor);
  void run_resumed();
  void run_deferred();

  const Clock& clock_;
  int epoll_;
  int wake_;
  SteadyTime now_;
  std::vector<Watch> watches_;  // by descriptor
  std::vector<Resume> resumed_;
  std::vector<Resume> resuming_;
  std::vector<Task> deferred_;
  Mailbox mailbox_;
  std::atomic<bool> stopped_{false};
};

Result<int> EpollLoop::connect(const Address& address, const SocketOptions& options) {
  const int fd = ::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return system_error(code_of(errno), cat("connect to ", address.text()), errno);
  apply_options(fd, address, options);
  if (::connect(fd, address.raw(), address.size()) != 0 && errno != EINPROGRESS) {
    const int error = errno;
    ::close(fd);
    return system_error(code_of(error), cat("connect to ", address.text()), error);
  }
  return fd;
}

int EpollLoop::connect_result(int descriptor) {
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  return error;
}

// True when somebody answers on the unix socket `address`.
bool answers(const Address& address) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const bool connected = ::connect(fd, address.raw(), address.size()) == 0 || errno == EAGAIN;
  ::close(fd);
  return connected;
}

Result<int> EpollLoop::listen(const Address& address, int backlog, bool shared) {
  const std::string what = cat("listen on ", address.text());
  const int fd = ::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return system_error(code_of(errno), what, errno);
  const auto fail = [&](int error) {
    ::close(fd);
    return system_error(code_of(error), what, error);
  };
  if (address.is_unix()) {
    if (answers(address)) return fail(EADDRINUSE);
    if (!address.host().starts_with('@')) ::unlink(address.host().c_str());
  } else {
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (shared) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (address.family() == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  }
  if (::bind(fd, address.raw(), address.size()) != 0) return fail(errno);
  if (::listen(fd, backlog) != 0) return fail(errno);
  return fd;
}

Result<std::optional<Accepted>> EpollLoop::accept(int listener) {
  while (true) {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    const int fd = ::accept4(listener, reinterpret_cast<sockaddr*>(&storage), &size,
                             SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) return std::optional(Accepted{fd, Address::from(storage, size)});
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if (errno == EAGAIN) return std::optional<Accepted>{};
    return system_error(code_of(errno), "accept", errno);
  }
}

Result<std::pair<int, int>> EpollLoop::pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
    return system_error(ErrorCode::Limit, "socketpair", errno);
  }
  return std::pair(ends[0], ends[1]);
}

Io EpollLoop::receive(int descriptor, std::span<char> into) {
  while (true) {
    const ssize_t count = ::recv(descriptor, into.data(), into.size(), 0);
    if (count > 0) return {Io::Kind::Done, static_cast<size_t>(count), 0};
    if (count == 0) return {Io::Kind::Closed, 0, 0};
    if (errno == EAGAIN) return {Io::Kind::Again, 0, 0};
    if (errno != EINTR) return {Io::Kind::Failed, 0, errno};
  }
}

Io EpollLoop::send(int descriptor, std::span<const iovec> pieces) {
  while (true) {
    ssize_t count = 0;
    if (pieces.size() == 1) {
      count = ::send(descriptor, pieces[0].iov_base, pieces[0].iov_len, MSG_NOSIGNAL);
    } else {
      msghdr message{};
      message.msg_iov = const_cast<iovec*>(pieces.data());
      message.msg_iovlen = pieces.size();
      count = ::sendmsg(descriptor, &message, MSG_NOSIGNAL);
    }
    if (count >= 0) return {Io::Kind::Done, static_cast<size_t>(count), 0};
    if (errno == EAGAIN) return {Io::Kind::Again, 0, 0};
    if (errno != EINTR) return {Io::Kind::Failed, 0, errno};
  }
}

Status EpollLoop::watch(int descriptor, Handler& handler) {
  const auto index = static_cast<size_t>(descriptor);
  if (watches_.size() <= index) watches_.resize(index + 1);
  Watch& entry = watches_[index];
  CHECK(entry.handler == nullptr);
  entry.handler = &handler;
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.u64 = ticket(descriptor, entry.generation);
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) == 0) return ok();
  entry.handler = nullptr;
  return system_error(code_of(errno), "watch a descriptor", errno);
}

void EpollLoop::forget(int descriptor) {
  const auto index = static_cast<size_t>(descriptor);
  if (index >= watches_.size()) return;
  const uint32_t next = watches_[index].generation + 1;
  watches_[index] = {nullptr, next, false};
}

void EpollLoop::unwatch(int descriptor) {
  epoll_ctl(epoll_, EPOLL_CTL_DEL, descriptor, nullptr);
  forget(descriptor);
}

void EpollLoop::close(int descriptor) {
  forget(descriptor);
  ::close(descriptor);
}

void EpollLoop::resume_later(int descriptor) {
  Watch& entry = watches_[static_cast<size_t>(descriptor)];
  DCHECK(entry.handler != nullptr);
  if (entry.resuming) return;
  entry.resuming = true;
  resumed_.push_back({descriptor, entry.generation});
}

void EpollLoop::post(Task task) {
  if (mailbox_.put(std::move(task))) wake();
}

void EpollLoop::wake() {
  const uint64_t one = 1;
  // Cannot fail but by a full counter, and then the loop is being woken already.
  [[maybe_unused]] const ssize_t written = ::write(wake_, &one, sizeof one);
}

void EpollLoop::on_ready(Ready) {
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t taken = ::read(wake_, &count, sizeof count);
  mailbox_.run_all();
}

void EpollLoop::stop() {
  stopped_.store(true, std::memory_order_relaxed);
  wake();
}

int EpollLoop::sleep_ms() const {
  if (!resumed_.empty() || !deferred_.empty()) return 0;
  const auto next = const_cast<EpollLoop*>(this)->timers().next();
  if (!next) return -1;
  const auto wait = std::chrono::ceil<milliseconds>(*next - clock_.steady()).count();
  return static_cast<int>(std::clamp<int64_t>(wait, 0, kSleepMaxMs));
}

void EpollLoop::dispatch(const epoll_event& event) {
  const auto descriptor = static_cast<size_t>(event.data.u64 & 0xffffffff);
  const auto generation = static_cast<uint32_t>(event.data.u64 >> 32);
  const Watch& entry = watches_[descriptor];
  if (entry.handler == nullptr || entry.generation != generation) return;
  entry.handler->on_ready({.readable = (event.events & EPOLLIN) != 0,
                           .writable = (event.events & EPOLLOUT) != 0,
                           .peer_closed = (event.events & EPOLLRDHUP) != 0,
                           .broken = (event.events & (EPOLLERR | EPOLLHUP)) != 0});
}

void EpollLoop::run_resumed() {
  resuming_.swap(resumed_);
  for (const Resume& resume : resuming_) {
    Watch& entry = watches_[static_cast<size_t>(resume.descriptor)];
    if (entry.handler == nullptr || entry.generation != resume.generation) continue;
    entry.resuming = false;
    entry.handler->on_ready({});
  }
  resuming_.clear();
}

void EpollLoop::run_deferred() {
  // A deferred task may defer again: that one waits for the next turn.
  const auto tasks = std::exchange(deferred_, {});
  for (const Task& task : tasks) task();
}

void EpollLoop::run() {
  std::array<epoll_event, kEventsPerTurn> events;
  // A stop() that comes before the first turn counts too.
  while (!stopped_.exchange(false, std::memory_order_relaxed)) {
    const int count = epoll_wait(epoll_, events.data(), kEventsPerTurn, sleep_ms());
    now_ = clock_.steady();
    for (int i = 0; i < count; ++i) dispatch(events[static_cast<size_t>(i)]);
    if (!resumed_.empty()) run_resumed();
    timers().fire(now_);
    if (!deferred_.empty()) run_deferred();
  }
}

}  // namespace

Result<std::unique_ptr<Loop>> make_epoll_loop(const Clock& clock) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) return system_error(code_of(errno), "epoll_create1", errno);
  const int wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wake < 0) {
    const int error = errno;
    ::close(epoll);
    return system_error(code_of(error), "eventfd", error);
  }
  auto loop = std::make_unique<EpollLoop>(clock, epoll, wake);
  TRY(loop->start());
  return std::unique_ptr<Loop>(std::move(loop));
}

}  // namespace pgtend::net
