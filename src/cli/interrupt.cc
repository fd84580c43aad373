#include "cli/interrupt.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <thread>

namespace pgtend::cli {

namespace {
sigset_t watched_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, signal);
  return set;
}
constexpr int kImpatience = 3;  // signals until we stop being polite
}  // namespace

struct Interrupt::State {
  std::stop_source source;
  sigset_t before;
  std::atomic<bool> over{false};
  std::thread watcher;
};

Interrupt::Interrupt() : state_(std::make_unique<State>()) {
  const sigset_t set = watched_signals();
  pthread_sigmask(SIG_BLOCK, &set, &state_->before);
  state_->watcher = std::thread([state = state_.get(), set]() noexcept {
    for (int count = 1; true; ++count) {
      int signal = 0;
      sigwait(&set, &signal);
      if (state->over.load()) return;
      state->source.request_stop();
      if (count == kImpatience) _exit(130);
    }
  });
}

Interrupt::~Interrupt() {
  state_->over.store(true);
  pthread_kill(state_->watcher.native_handle(), SIGTERM);
  state_->watcher.join();
  pthread_sigmask(SIG_SETMASK, &state_->before, nullptr);
}

std::stop_token Interrupt::token() const { return state_->source.get_token(); }

}  // namespace pgtend::cli
