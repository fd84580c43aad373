// The whole terminal as a page to draw on, with keys as they are pressed.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace pgtend::cli {

// Wakes a FullScreen that waits for keys. Thread: ring() any.
class Bell {
 public:
  static Result<Bell> create();
  Bell(Bell&& other) noexcept;
  Bell& operator=(Bell&&) = delete;
  ~Bell();
  void ring() const;

 private:
  friend class FullScreen;
  explicit Bell(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

// While it lives, standard output shows another page (what was there comes back), without cursor
// and without line wrap, and standard input gives every key at once, unseen; ^C, ^Z and ^\ are keys
// too. The destructor puts everything back. Thread: one.
class FullScreen {
 public:
  struct Input {
    std::string bytes;   // what was typed; "" when nothing was
    bool ended = false;  // the terminal is gone
  };

  // Both streams must be a terminal's. Errors: Unavailable with the cause.
  static Result<std::unique_ptr<FullScreen>> open();
  FullScreen(const FullScreen&) = delete;
  FullScreen& operator=(const FullScreen&) = delete;
  ~FullScreen();

  // Columns and lines now; 80 by 24 when the terminal does not tell. A resize is seen by asking
  // again: wait() returns often enough.
  std::pair<size_t, size_t> size() const;
  // Shows `lines` from the top; what was below is cleared. The same lines again cost nothing.
  void draw(const std::vector<std::string>& lines);
  // Waits for a key, for `bell`, or a fifth of a second.
  Input wait(const Bell& bell) const;
  // Gives the terminal back and stops the process, as ^Z does elsewhere; returns when it goes on.
  void suspend();

 private:
  struct Before;
  explicit FullScreen(std::unique_ptr<Before> before);
  bool enter();
  void leave() const;

  std::unique_ptr<Before> before_;
  std::string drawn_;
};

}  // namespace pgtend::cli
