#include "cli/full_screen.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/text.h"

namespace pgtend::cli {

namespace {
// SIGWINCH may reach any thread; a look at the size five times a second needs none of them.
constexpr milliseconds kTick(200);
constexpr std::string_view kEnter = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[H\x1b[2J";
constexpr std::string_view kLeave = "\x1b[?7h\x1b[?25h\x1b[?1049l";

// What the terminal does not take is lost with it.
void put(std::string_view text) {
  while (!text.empty()) {
    const ssize_t size = write(STDOUT_FILENO, text.data(), text.size());
    if (size < 0 && errno != EINTR) return;
    if (size > 0) text.remove_prefix(static_cast<size_t>(size));
  }
}
}  // namespace

Result<Bell> Bell::create() {
  const int descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (descriptor >= 0) return Bell(descriptor);
  return Error{ErrorCode::Internal, cat("eventfd: ", std::strerror(errno))};
}

Bell::Bell(Bell&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

Bell::~Bell() {
  if (descriptor_ >= 0) close(descriptor_);
}

void Bell::ring() const {
  const uint64_t one = 1;
  static_cast<void>(!write(descriptor_, &one, sizeof one));  // full: it rings already
}

struct FullScreen::Before {
  termios settings;
};

FullScreen::FullScreen(std::unique_ptr<Before> before) : before_(std::move(before)) {}

Result<std::unique_ptr<FullScreen>> FullScreen::open() {
  auto before = std::make_unique<Before>();
  if (tcgetattr(STDIN_FILENO, &before->settings) != 0) {
    return Error{ErrorCode::Unavailable, cat("terminal: ", std::strerror(errno))};
  }
  std::unique_ptr<FullScreen> screen(new FullScreen(std::move(before)));
  if (screen->enter()) return screen;
  return Error{ErrorCode::Unavailable, cat("terminal: ", std::strerror(errno))};
}

FullScreen::~FullScreen() { leave(); }

bool FullScreen::enter() {
  drawn_.clear();
  termios keys = before_->settings;
  keys.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | ISIG | IEXTEN);
  keys.c_iflag &= ~static_cast<tcflag_t>(IXON | ICRNL);
  keys.c_cc[VMIN] = 0;
  keys.c_cc[VTIME] = 0;
  if (tcsetattr(STDIN_FILENO, TCSADRAIN, &keys) != 0) return false;
  put(kEnter);
  return true;
}

void FullScreen::leave() const {
  put(kLeave);
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_->settings);
}

std::pair<size_t, size_t> FullScreen::size() const {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
    return {size.ws_col, size.ws_row};
  }
  return {80, 24};
}

void FullScreen::draw(const std::vector<std::string>& lines) {
  std::string frame;
  for (size_t i = 0; i < lines.size(); ++i) {
    frame += cat("\x1b[", i + 1, ";1H", lines[i], "\x1b[K");
  }
  frame += "\x1b[J";
  if (frame == drawn_) return;
  put(frame);
  drawn_ = std::move(frame);
}

FullScreen::Input FullScreen::wait(const Bell& bell) const {
  pollfd entries[] = {{STDIN_FILENO, POLLIN, 0}, {bell.descriptor_, POLLIN, 0}};
  if (poll(entries, 2, static_cast<int>(kTick.count())) <= 0) return {};
  if ((entries[1].revents & POLLIN) != 0) {
    uint64_t rung = 0;
    static_cast<void>(!read(bell.descriptor_, &rung, sizeof rung));
  }
  if (entries[0].revents == 0) return {};
  std::array<char, 256> buffer;
  const ssize_t size = read(STDIN_FILENO, buffer.data(), buffer.size());
  if (size > 0) return {.bytes = {buffer.data(), static_cast<size_t>(size)}};
  return {.bytes = {}, .ended = size == 0 || errno != EINTR};
}

void FullScreen::suspend() {
  leave();
  kill(0, SIGTSTP);  // the whole job, as the terminal would
  tcgetattr(STDIN_FILENO, &before_->settings);
  enter();
}

}  // namespace pgtend::cli
