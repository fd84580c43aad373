#include "net/signals.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/text.h"

namespace pgtend::net {

Result<std::unique_ptr<Signals>> Signals::open(Loop& loop, std::initializer_list<int> signals,
                                               Take take) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  const int descriptor = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  if (descriptor < 0) {
    return Error{ErrorCode::Unavailable, cat("signalfd: ", std::strerror(errno))};
  }
  std::unique_ptr<Signals> result(new Signals(std::move(take)));
  result->descriptor_ = Socket(loop, descriptor);
  TRY(result->descriptor_.watch(*result));
  return result;
}

void Signals::on_ready(Ready) {
  signalfd_siginfo info{};
  while (::read(descriptor_.descriptor(), &info, sizeof info) == sizeof info) {
    take_(static_cast<int>(info.ssi_signo));
  }
}

}  // namespace pgtend::net
