#include "pool/cancel_link.h"

#include <algorithm>
#include <system_error>

#include "pool/worker.h"

namespace pgtend::pool {
namespace {

constexpr int kCancelReadsPerTurn = 8;

}  // namespace

CancelLink::CancelLink(Worker& worker, SteadyTime deadline)
    : worker_(worker), timer_(worker.loop().timers(), [this] { end(End::Late); }) {
  timer_.arm(deadline);
}

void CancelLink::open(std::vector<net::Address> addresses) {
  left_ = std::move(addresses);
  std::ranges::reverse(left_);
  connect_next();
}

void CancelLink::connect_next() {
  while (!left_.empty()) {
    address_ = left_.back();
    left_.pop_back();
    if (connect()) return;
  }
  end(End::Unreached);
}

bool CancelLink::connect() {
  channel_.reset();
  auto descriptor = worker_.loop().connect(address_, worker_.config().settings.socket);
  if (!descriptor) {
    cause_ = descriptor.error().message;
    return false;
  }
  channel_.emplace(net::Socket(worker_.loop(), *descriptor), worker_.chunks());
  if (channel_->socket().watch(*this)) return true;
  cause_ = "out of file descriptors";
  return false;
}

void CancelLink::on_ready(net::Ready ready) {
  channel_->note(ready);
  if (!sent_ && (ready.writable || ready.broken)) {
    const int error = worker_.loop().connect_result(channel_->socket().descriptor());
    if (ready.broken || error != 0) {
      cause_ = error != 0 ? std::generic_category().message(error) : "connection closed";
      return connect_next();
    }
    on_connected();
  }
  // There is nothing to say on such a connection, but who says something all the same is heard out.
  char nothing[1024];
  for (int turn = 0; turn < kCancelReadsPerTurn; ++turn) {
    if (ended_ || !channel_->readable()) return;
    const net::Io io = channel_->receive(nothing);
    if (io.kind == net::Io::Kind::Again) return;
    if (io.kind != net::Io::Kind::Done) return end(End::Closed);
  }
  if (channel_->readable()) channel_->socket().resume_later();
}

void CancelLink::on_connected() {
  const std::string bytes = request();
  if (bytes.empty()) return end(End::Needless);
  sent_ = true;
  if (!channel_->send(bytes)) return end(End::Closed);
  on_sent();
}

void CancelLink::end(End how) {
  if (ended_) return;
  ended_ = true;
  timer_.cancel();
  if (channel_) channel_->socket().close();
  on_end(how);
}

}  // namespace pgtend::pool
