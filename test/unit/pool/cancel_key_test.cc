#include "pool/cancel_key.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "wire/startup.h"

namespace pgtend::pool {
namespace {

// The key as it stands on the wire.
std::string bytes_of(const OwnedKey& key) {
  std::string packet;
  wire::append_cancel(packet, key.view());
  return packet.substr(8);
}

unsigned byte_of(const OwnedKey& key, size_t at) {
  return static_cast<unsigned char>(bytes_of(key)[at]);
}

// The key with one bit of its wire form turned.
OwnedKey tampered(const OwnedKey& key, size_t bit) {
  OwnedKey other = key;
  if (bit < 32) {
    other.pid = static_cast<int32_t>(static_cast<uint32_t>(key.pid) ^ (0x80000000u >> bit));
  } else {
    other.secret[bit / 8 - 4] ^= static_cast<char>(0x80 >> bit % 8);
  }
  return other;
}

TEST(CancelKey, CarriesThePeerWherePgBouncerHasIt) {
  for (int i = 0; i < 100; ++i) {
    const OwnedKey key = make_key(4, 5, 0x2345);

    ASSERT_EQ(bytes_of(key).size(), 8u);
    EXPECT_LT(byte_of(key, 0), 0x80u);
    EXPECT_EQ(byte_of(key, 1), 0x45u);
    EXPECT_EQ(byte_of(key, 2), 0x23u);
    EXPECT_EQ(byte_of(key, 7) & 3u, 3u);
    EXPECT_EQ(peer_of(key.view()), 0x2345);
    EXPECT_EQ(worker_of(key.view()), 5u);
    EXPECT_EQ(hops_left(key.view()), 3);
  }
}

TEST(CancelKey, LongOnesBeginInTheSameWay) {
  const OwnedKey key = make_key(32, kWorkersMax - 1, kPeerIdMax);

  EXPECT_EQ(bytes_of(key).size(), 36u);
  EXPECT_EQ(peer_of(key.view()), kPeerIdMax);
  EXPECT_EQ(worker_of(key.view()), kWorkersMax - 1);
  EXPECT_EQ(byte_of(key, 7) & 3u, 3u);
}

TEST(CancelKey, WithoutAPeerIdAllButTheWorkerIsRandom) {
  std::set<int> peers;
  std::set<int32_t> pids;
  for (int i = 0; i < 200; ++i) {
    const OwnedKey key = make_key(4, 0, 0);
    EXPECT_GT(key.pid, 0);
    EXPECT_EQ(worker_of(key.view()), 0u);
    peers.insert(peer_of(key.view()));
    pids.insert(key.pid);
  }
  EXPECT_GT(peers.size(), 150u);
  EXPECT_GT(pids.size(), 150u);
}

TEST(CancelKey, StaysTheSameOverItsThreeHops) {
  const OwnedKey first = make_key(4, 1, 7);
  OwnedKey key = first;
  for (int left = 2; left >= 0; --left) {
    key = with_one_hop_less(key.view());

    EXPECT_EQ(hops_left(key.view()), left);
    EXPECT_EQ(peer_of(key.view()), 7);
    EXPECT_TRUE(is_same_key(first.view(), key.view()));
  }
}

TEST(CancelKey, AnyOtherBitMakesItAnotherKey) {
  for (const size_t secret_bytes : {4u, 32u}) {
    const OwnedKey key = make_key(secret_bytes, 1, 7);
    for (size_t bit = 0; bit < 8 * (4 + secret_bytes); ++bit) {
      const bool counts_hops = bit == 62 || bit == 63;
      const OwnedKey other = tampered(key, bit);

      EXPECT_EQ(is_same_key(key.view(), other.view()), counts_hops) << bit;
    }
  }
}

TEST(CancelKey, ABeginningIsNoKey) {
  const OwnedKey key = make_key(32, 1, 7);
  const wire::CancelKey beginning{key.pid, std::string_view(key.secret).substr(0, 4)};

  EXPECT_FALSE(is_same_key(key.view(), beginning));
}

}  // namespace
}  // namespace pgtend::pool
