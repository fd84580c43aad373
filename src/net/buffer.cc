#include "net/buffer.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace pgtend::net {

ChunkPool::Chunk ChunkPool::take() {
  ++used_;
  if (free_.empty()) return std::make_unique_for_overwrite<char[]>(kChunkBytes);
  Chunk chunk = std::move(free_.back());
  free_.pop_back();
  return chunk;
}

void ChunkPool::give(Chunk chunk) {
  --used_;
  if (free_.size() < kFreeMax) free_.push_back(std::move(chunk));
}

void Buffer::append(std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t end = front_ + size_;
    if (end == chunks_.size() * kChunkBytes) chunks_.push_back(pool_.take());
    const size_t at = end % kChunkBytes;
    const size_t count = std::min(bytes.size(), kChunkBytes - at);
    std::memcpy(chunks_.back().get() + at, bytes.data(), count);
    size_ += count;
    bytes.remove_prefix(count);
  }
}

size_t Buffer::pieces(std::span<iovec> into) const {
  size_t used = 0;
  size_t left = size_;
  size_t at = front_;
  for (; used < into.size() && left > 0; ++used) {
    const size_t count = std::min(left, kChunkBytes - at);
    into[used] = {chunks_[used].get() + at, count};
    left -= count;
    at = 0;
  }
  return used;
}

std::string Buffer::text() const {
  std::vector<iovec> all(chunks_.size());
  std::string out;
  const size_t used = pieces(all);
  for (size_t i = 0; i < used; ++i) {
    out.append(static_cast<const char*>(all[i].iov_base), all[i].iov_len);
  }
  return out;
}

void Buffer::consume(size_t count) {
  DCHECK(count <= size_);
  size_ -= count;
  front_ += count;
  size_t whole = size_ == 0 ? chunks_.size() : front_ / kChunkBytes;
  front_ = size_ == 0 ? 0 : front_ % kChunkBytes;
  for (size_t i = 0; i < whole; ++i) pool_.give(std::move(chunks_[i]));
  chunks_.erase(chunks_.begin(), chunks_.begin() + static_cast<ptrdiff_t>(whole));
}

void Buffer::clear() { consume(size_); }

}  // namespace pgtend::net
