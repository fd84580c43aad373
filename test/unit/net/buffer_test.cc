#include "net/buffer.h"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <string>

namespace pgtend::net {
namespace {

std::string front(const Buffer& buffer) {
  std::array<iovec, 64> pieces;
  std::string out;
  const size_t count = buffer.pieces(pieces);
  for (size_t i = 0; i < count; ++i) {
    out.append(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
  }
  return out;
}

TEST(Buffer, BytesComeOutInTheOrderTheyWentIn) {
  ChunkPool pool;
  Buffer buffer(pool);
  const std::string big(3 * kChunkBytes + 100, 'x');

  buffer.append("head");
  buffer.append(big);
  buffer.append("tail");

  EXPECT_EQ(buffer.size(), big.size() + 8);
  EXPECT_EQ(front(buffer), "head" + big + "tail");
}

TEST(Buffer, RandomTrafficMatchesAString) {
  ChunkPool pool;
  Buffer buffer(pool);
  std::string want;
  std::mt19937 random(7);
  for (int step = 0; step < 2000; ++step) {
    const std::string piece(random() % 9000, static_cast<char>('a' + step % 26));
    if (buffer.size() < 10 * kChunkBytes) {
      buffer.append(piece);
      want += piece;
    }
    const size_t eaten = buffer.empty() ? 0 : random() % (buffer.size() + 1);
    buffer.consume(eaten);
    want.erase(0, eaten);
    ASSERT_EQ(buffer.size(), want.size());
    ASSERT_EQ(front(buffer), want);
  }
}

TEST(Buffer, EmptyBufferHasNoPieces) {
  ChunkPool pool;
  Buffer buffer(pool);
  buffer.append("abc");

  buffer.consume(3);

  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(front(buffer), "");
}

}  // namespace
}  // namespace pgtend::net
