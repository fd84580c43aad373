// Signals as events of a loop.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>

#include "base/result.h"
#include "net/loop.h"
#include "net/socket.h"

namespace pgtend::net {

// Blocks `signals` in the calling thread (and those it starts later) and hears of them on the loop.
// Make it before other threads start. Thread: the loop's.
class Signals final : private Handler {
 public:
  using Take = std::function<void(int signal)>;

  // Errors: Unavailable.
  static Result<std::unique_ptr<Signals>> open(Loop& loop, std::initializer_list<int> signals,
                                               Take take);

 private:
  explicit Signals(Take take) : take_(std::move(take)) {}
  void on_ready(Ready ready) override;

  Take take_;
  Socket descriptor_;
};

}  // namespace pgtend::net
