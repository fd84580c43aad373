// Cuts a server's answers into messages in bounded memory: what a load client need not read is
// counted and dropped, whatever its size.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/frame.h"

namespace pgtend::demo {

// Feed it what was received, piece by piece, and take the messages out:
//   scanner.add(bytes);
//   while (auto frame = TRY(scanner.next())) …
// Only Authentication, ErrorResponse and ReadyForQuery come with their body; of all others the body
// is empty. Thread: one.
class MessageScanner {
 public:
  static constexpr uint32_t kBodyMax = 16'384;  // of a message whose body is kept

  // Borrows `bytes` until the next add(); next() must have returned nullopt before.
  void add(std::string_view bytes) { input_ = bytes; }
  // The next message, or nullopt when all input is used. The frame is good until the next call.
  // Errors: Corrupt for an impossible length or a kept body above kBodyMax.
  Result<std::optional<wire::Frame>> next();
  // Forgets half a message: for a new connection.
  void reset();

 private:
  bool complete(size_t bytes);

  std::string_view input_;
  std::string held_;   // the beginning of a message that was cut
  bool done_ = false;  // held_ was given out by the last next()
  uint64_t skip_ = 0;  // bytes of a dropped body still to come
};

}  // namespace pgtend::demo
