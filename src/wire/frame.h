// Protocol v3 framing: bytes <-> messages. No I/O; the same code serves the pool, the load
// generator and the tests, in both roles.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pgtend::wire {

// A message is a type byte, a big-endian length that counts itself (4) and the body, and the body.
inline constexpr size_t kHeadBytes = 5;
// What PostgreSQL itself accepts as a length word; larger ones are an attack or lost framing.
inline constexpr uint32_t kLengthMax = 0x7fffffff;

// The head of a message. `body_bytes` may be far more than any buffer: bodies are meant to stream.
struct Head {
  char type = 0;
  uint32_t body_bytes = 0;

  // Bytes of the whole message; 64-bit, so that it cannot overflow.
  uint64_t total() const { return uint64_t{kHeadBytes} + body_bytes; }
};

enum class HeadState : uint8_t {
  Whole,  // `head` is filled
  More,   // fewer than kHeadBytes bytes: read more first
  Bad,    // impossible length: the connection must be dropped
};

// Reads the head at the front of `input`, whose length word may be at most `length_max`.
// Thread: any. Cost: O(1), no allocation.
HeadState read_head(std::string_view input, Head& head, uint32_t length_max = kLengthMax);

// One whole message; the body borrows the buffer it was cut from.
struct Frame {
  char type = 0;
  std::string_view body;
};

// Cuts one whole message off the front of `input`; nullopt means "read more first".
// The frame borrows `input`'s bytes: use it before that buffer moves.
// Errors: Corrupt if the length is impossible or above `length_max`; drop the connection then.
// Thread: any. Cost: O(1), no allocation unless it fails.
Result<std::optional<Frame>> next_frame(std::string_view& input, uint32_t length_max = kLengthMax);

// A checked cursor over a body. After the first read beyond the end every read yields zero or ""
// and ok() stays false, so a decoder checks once at its end. Borrows the body. Thread: one.
class Reader {
 public:
  explicit Reader(std::string_view body) : rest_(body) {}

  uint8_t u8();
  int16_t i16();
  int32_t i32();
  // Up to the next zero byte, which is consumed and not part of the view.
  std::string_view cstring();
  // Exactly `count` bytes.
  std::string_view bytes(size_t count);
  // All that is left.
  std::string_view rest();

  bool ok() const { return ok_; }
  bool at_end() const { return rest_.empty(); }
  // ok() and nothing left over: what a well-formed body ends with.
  bool done() const { return ok_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

// Appends big-endian numbers and zero-terminated text. Thread: any.
void put_i16(std::string& out, int16_t value);
void put_i32(std::string& out, int32_t value);
void put_cstring(std::string& out, std::string_view text);

// Appends one message: its head at once, the body by the put functions, the length in finish().
// The caller keeps the body below kLengthMax (CHECKed). Thread: one; borrows `out`.
class MessageWriter {
 public:
  MessageWriter(std::string& out, char type);
  void finish();

 private:
  std::string& out_;
  size_t length_at_;
};

}  // namespace pgtend::wire
