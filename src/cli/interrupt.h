// Ctrl-C and SIGTERM as a std::stop_token: work looks at it and stops cleanly.
#pragma once

#include <memory>
#include <stop_token>

namespace pgtend::cli {

// Takes over SIGINT, SIGTERM and SIGHUP for the process: the first one requests a stop, the third
// ends the process at once. Make one at the start of main, before any other thread: threads inherit
// the blocked signals. Child processes started through posix_spawn or fork must unblock them.
// Thread: the token may be used from any.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  std::stop_token token() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pgtend::cli
