// The side of a takeover that asks: a client of the other process's console, before there is a
// loop.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "pool/worker.h"

namespace pgtend::pool {

// Makes parcels of the answers that the other process gives, one command after the other. Thread:
// one.
class HandoverReader {
 public:
  // A descriptor that came along; rows take them in order.
  void add_descriptor(int descriptor) { descriptors_.push_back(descriptor); }
  // More bytes of the answer: true with its end. Errors: Corrupt; Unavailable with what the other
  // process says against it. The first is the last.
  Result<bool> read(std::string_view bytes);
  std::vector<Parcel>& parcels() { return parcels_; }

 private:
  Status take(char type, std::string_view body);

  std::string rest_;
  std::vector<int> descriptors_;
  size_t next_descriptor_ = 0;
  std::vector<Parcel> parcels_;
};

// Has the process that listens on the unix socket `path` hand over. It ends when the result is
// told to go on, or goes on by itself when that is destroyed before. BLOCKS; before the loops run.
class Predecessor {
 public:
  // Errors: Unavailable when nobody answers; what the other process answers.
  static Result<Predecessor> ask(const std::string& path);
  Predecessor(Predecessor&& other) noexcept;
  Predecessor& operator=(Predecessor&&) = delete;
  ~Predecessor();

  std::vector<Parcel>& parcels() { return reader_.parcels(); }
  // Returns when it has ended. Errors: Unavailable.
  Status end();

 private:
  explicit Predecessor(int socket) : socket_(socket) {}
  Status command(std::string_view sql);

  int socket_;
  HandoverReader reader_;
};

}  // namespace pgtend::pool
