#include "net/acceptor.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

namespace pgtend::net {
namespace {

int open_spare() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

}  // namespace

Result<std::unique_ptr<Acceptor>> Acceptor::open(Loop& loop, const Address& address, int backlog,
                                                 Take take, bool shared) {
  return adopt(loop, address, TRY(loop.listen(address, backlog, shared)), std::move(take));
}

Result<std::unique_ptr<Acceptor>> Acceptor::adopt(Loop& loop, const Address& address,
                                                  int descriptor, Take take) {
  std::unique_ptr<Acceptor> acceptor(new Acceptor(loop, address, std::move(take)));
  acceptor->listener_ = Socket(loop, descriptor);
  // Port 0 asked the system to choose one: tell which.
  if (!address.is_unix() && address.port() == 0)
    acceptor->address_ = local_of(acceptor->listener_.descriptor());
  acceptor->spare_ = open_spare();
  TRY(acceptor->listener_.watch(*acceptor));
  return acceptor;
}

Acceptor::Acceptor(Loop& loop, const Address& address, Take take)
    : loop_(loop),
      address_(address),
      take_(std::move(take)),
      pause_(loop.timers(), [this] { on_ready({}); }) {}

Acceptor::~Acceptor() {
  if (spare_ >= 0) ::close(spare_);
  const bool has_file = address_.is_unix() && !address_.host().starts_with('@');
  if (listener_.is_open() && has_file && !file_stays_) ::unlink(address_.host().c_str());
}

int Acceptor::release() { return listener_.release(); }

void Acceptor::pause(bool paused) {
  paused_ = paused;
  // Who came meanwhile was announced once.
  if (!paused) listener_.resume_later();
}

void Acceptor::defer_accept(int seconds_most) {
  if (address_.is_unix()) return;
  setsockopt(listener_.descriptor(), IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds_most,
             sizeof seconds_most);
}

void Acceptor::on_ready(Ready) {
  if (paused_) return;
  for (int i = 0; i < kPerTurn; ++i) {
    auto accepted = loop_.accept(listener_.descriptor());
    if (!accepted) return shed();
    if (!*accepted) return;
    take_(**accepted);
  }
  listener_.resume_later();
}

void Acceptor::shed() {
  if (spare_ >= 0) {
    ::close(spare_);
    spare_ = -1;
    auto dropped = loop_.accept(listener_.descriptor());
    if (dropped && *dropped) loop_.close((*dropped)->descriptor);
    log::warn("out of file descriptors, connection dropped", {log::kv("at", address_.text())});
  }
  if (spare_ < 0) spare_ = open_spare();
  pause_.arm(loop_.now() + kPause);
}

}  // namespace pgtend::net
