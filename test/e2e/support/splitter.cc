#include "e2e/support/splitter.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/text.h"

namespace pgtend::e2e {
namespace {

constexpr int kLookMs = 20;  // at the request to stop
constexpr int kBacklog = 128;
constexpr uint64_t kPauseMaxUs = 2000;

sockaddr_in at_home(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int open_socket() { return ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); }

// Each write goes out by itself, and none blocks.
void prepare(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fcntl(fd, F_SETFL, O_NONBLOCK);
}

bool is_later(ssize_t count) { return count < 0 && (errno == EAGAIN || errno == EINTR); }

}  // namespace

uint64_t split_seed(uint64_t otherwise) {
  const char* text = std::getenv("PGTEND_SPLIT_SEED");
  const uint64_t seed = text == nullptr ? otherwise : static_cast<uint64_t>(parse_int(text).take());
  std::printf("PGTEND_SPLIT_SEED=%s\n", cat(seed).c_str());
  return seed;
}

Splitter::Splitter(int target, const Cuts& cuts, uint64_t seed)
    : target_(target), cuts_(cuts), dice_(seed), listener_(open_socket()) {
  sockaddr_in address = at_home(0);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  CHECK(cuts.piece_max > 0 && ::bind(listener_, generic, size) == 0);
  CHECK(::listen(listener_, kBacklog) == 0 && getsockname(listener_, generic, &size) == 0);
  port_ = ntohs(address.sin_port);
  prepare(listener_);
  thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
}

Splitter::~Splitter() {
  thread_.request_stop();
  thread_.join();
  for (Link& link : links_) close(link, false);
  ::close(listener_);
}

void Splitter::serve(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    await(system_clock().steady());
    accept();
    const SteadyTime now = system_clock().steady();
    for (Link& link : links_) {
      if (now >= link.resume_at) go_on(link, now);
    }
    std::erase_if(links_, [](const Link& link) { return link.closed; });
  }
}

void Splitter::await(SteadyTime now) {
  std::vector<pollfd> entries = {{listener_, POLLIN, 0}};
  int wait = kLookMs;
  for (const Link& link : links_) {
    if (now < link.resume_at) {
      wait = 1;
      continue;
    }
    for (const Way& way : link.ways) {
      if (!way.held.empty()) {
        entries.push_back({way.to, POLLOUT, 0});
      } else if (!way.ended) {
        entries.push_back({way.from, POLLIN, 0});
      }
    }
  }
  poll(entries.data(), entries.size(), wait);
}

void Splitter::accept() {
  while (true) {
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) return;
    const int server = open_socket();
    const sockaddr_in address = at_home(target_);
    const bool reached =
        ::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    prepare(client);
    prepare(server);
    Link& link = links_.emplace_back();
    link.ways[0] = {.from = client, .to = server};
    link.ways[1] = {.from = server, .to = client};
    if (cuts_.reset_after_max > 0 && !calm_) link.left = 1 + below(cuts_.reset_after_max);
    if (!reached) close(link, true);
  }
}

void Splitter::go_on(Link& link, SteadyTime now) {
  for (Way& way : link.ways) {
    const bool works = (!way.held.empty() || read(way)) && write(link, way, now);
    if (!works) return close(link, true);
    if (link.closed) return;
  }
  if (link.ways[0].shut && link.ways[1].shut) close(link, false);
}

// False when the connection is broken, as in write().
bool Splitter::read(Way& way) {
  if (way.ended) return true;
  char piece[65536];
  const ssize_t count = recv(way.from, piece, sizeof piece, 0);
  if (count > 0) way.held.assign(piece, static_cast<size_t>(count));
  way.ended = count == 0;
  return count >= 0 || is_later(count);
}

bool Splitter::write(Link& link, Way& way, SteadyTime now) {
  if (!way.held.empty()) {
    const size_t size = draw_piece(link, way);
    const ssize_t count = ::send(way.to, way.held.data(), size, MSG_NOSIGNAL);
    if (count < 0) return is_later(count);
    way.held.erase(0, static_cast<size_t>(count));
    bytes_ += static_cast<uint64_t>(count);
    ++pieces_;
    if (link.left > 0) {
      link.left -= static_cast<uint64_t>(count);
      if (link.left == 0 && calm_) return true;
      if (link.left == 0) {
        ++resets_;
        close(link, true);
        return true;
      }
    }
    if (cuts_.pauses > 0 && below(1000) < cuts_.pauses) {
      link.resume_at = now + microseconds(1 + below(kPauseMaxUs));
    }
  }
  if (way.held.empty() && way.ended && !way.shut) {
    way.shut = true;
    shutdown(way.to, SHUT_WR);
  }
  return true;
}

size_t Splitter::draw_piece(const Link& link, const Way& way) {
  size_t size = below(2) == 0 ? 1 : 1 + below(cuts_.piece_max);
  if (link.left > 0) size = std::min<size_t>(size, link.left);
  return std::min(size, way.held.size());
}

void Splitter::close(Link& link, bool by_reset) {
  if (std::exchange(link.closed, true)) return;
  const linger at_once{1, 0};
  for (const Way& way : link.ways) {
    if (by_reset) setsockopt(way.from, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    ::close(way.from);
  }
}

}  // namespace pgtend::e2e
