// A proxy of a test that cuts what it forwards into pieces, and connections off, by a seed.
#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <random>
#include <string>
#include <thread>

#include "base/clock.h"

namespace pgtend::e2e {

struct Cuts {
  // A write has one byte, or one to so many.
  size_t piece_max = 1;
  // Writes, of a thousand, after which the connection does nothing for up to two milliseconds.
  uint64_t pauses = 0;
  // A connection is reset on both sides after one to so many bytes, both ways together; 0: never.
  uint64_t reset_after_max = 0;
};

// The seed of a test: PGTEND_SPLIT_SEED, or `otherwise`. It is printed.
uint64_t split_seed(uint64_t otherwise);

// Forwards connections to `target`, a port of 127.0.0.1, from construction to destruction.
// Thread: any.
class Splitter {
 public:
  Splitter(int target, const Cuts& cuts, uint64_t seed);
  ~Splitter();
  Splitter(const Splitter&) = delete;
  Splitter& operator=(const Splitter&) = delete;

  int port() const { return port_; }
  // No connection is reset from now on.
  void calm() { calm_ = true; }
  // Bytes and writes that were forwarded, and connections that were reset.
  uint64_t bytes() const { return bytes_; }
  uint64_t pieces() const { return pieces_; }
  uint64_t resets() const { return resets_; }

 private:
  // One direction of a connection.
  struct Way {
    int from = -1;
    int to = -1;
    std::string held = {};  // read and not yet written
    bool ended = false;     // `from` sends no more
    bool shut = false;      // `to` was told so
  };
  struct Link {
    Way ways[2];
    uint64_t left = 0;  // bytes until the reset; 0: none comes
    SteadyTime resume_at{};
    bool closed = false;
  };

  void serve(const std::stop_token& stop);
  // Waits until one of the connections can go on.
  void await(SteadyTime now);
  void accept();
  void go_on(Link& link, SteadyTime now);
  bool read(Way& way);
  bool write(Link& link, Way& way, SteadyTime now);
  size_t draw_piece(const Link& link, const Way& way);
  void close(Link& link, bool by_reset);
  uint64_t below(uint64_t limit) { return dice_() % limit; }

  const int target_;
  const Cuts cuts_;
  std::mt19937_64 dice_;
  int listener_ = -1;
  int port_ = 0;
  std::list<Link> links_;
  std::atomic<bool> calm_{false};
  std::atomic<uint64_t> bytes_{0};
  std::atomic<uint64_t> pieces_{0};
  std::atomic<uint64_t> resets_{0};
  std::jthread thread_;
};

}  // namespace pgtend::e2e
