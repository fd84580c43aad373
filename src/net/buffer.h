// The unsent rest of a connection: chunks of one size from a pool that the loop's connections
// share, so that a connection whose peer keeps up owns no memory here.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pgtend::net {

inline constexpr size_t kChunkBytes = size_t{16} << 10;

// Free chunks, at most kFreeMax kept. Thread: one loop's. Outlives the buffers made on it.
class ChunkPool {
 public:
  using Chunk = std::unique_ptr<char[]>;

  Chunk take();
  void give(Chunk chunk);
  // Chunks taken and not given back, and those that are kept for the next take().
  size_t used() const { return used_; }
  size_t free() const { return free_.size(); }

 private:
  static constexpr size_t kFreeMax = 256;

  std::vector<Chunk> free_;
  size_t used_ = 0;
};

// Bytes in order: append at the end, consume from the front. Not bounded by itself: its owner stops
// reading the producer when size() is too much. Thread: one loop's.
class Buffer {
 public:
  explicit Buffer(ChunkPool& pool) : pool_(pool) {}
  ~Buffer() { clear(); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }
  void append(std::string_view bytes);
  // Describes the first bytes, for one send; the number of pieces used.
  size_t pieces(std::span<iovec> into) const;
  // A copy of all.
  std::string text() const;
  // Drops `count` bytes from the front; count <= size().
  void consume(size_t count);
  void clear();

 private:
  ChunkPool& pool_;
  std::vector<ChunkPool::Chunk> chunks_;
  size_t front_ = 0;  // bytes of the first chunk already consumed
  size_t size_ = 0;
};

}  // namespace pgtend::net
