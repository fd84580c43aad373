#include "wire/startup.h"

#include <gtest/gtest.h>

namespace pgtend::wire {
namespace {

using Kind = StartupPacket::Kind;

std::string startup(int32_t version = kProtocol30) {
  std::string out;
  append_startup(out, version, {{"user", "ada"}, {"database", "metering"}, {"empty", ""}});
  return out;
}

TEST(Startup, ParametersReadBackInOrder) {
  const std::string bytes = startup(kProtocol32);
  std::string_view input = bytes;

  const auto packet = next_startup(input);

  ASSERT_TRUE(packet && *packet);
  EXPECT_EQ((*packet)->kind, Kind::Startup);
  EXPECT_EQ((*packet)->version, kProtocol32);
  ASSERT_EQ((*packet)->parameters.size(), 3u);
  EXPECT_EQ((*packet)->parameters[0].second, "ada");
  EXPECT_EQ((*packet)->parameters[2].first, "empty");
  EXPECT_TRUE(input.empty());
}

TEST(Startup, EveryPrefixAsksForMore) {
  const std::string bytes = startup();

  for (size_t size = 0; size < bytes.size(); ++size) {
    std::string_view input(bytes.data(), size);
    const auto packet = next_startup(input);
    ASSERT_TRUE(packet) << size;
    EXPECT_FALSE(*packet) << size;
  }
}

TEST(Startup, EncryptionRequestsAreRecognised) {
  std::string bytes;
  append_ssl_request(bytes);
  append_gss_request(bytes);
  std::string_view input = bytes;

  EXPECT_EQ((*next_startup(input))->kind, Kind::SslRequest);
  EXPECT_EQ((*next_startup(input))->kind, Kind::GssRequest);
  EXPECT_TRUE(input.empty());
}

TEST(Startup, CancelCarriesSecretsOfBothProtocols) {
  for (const size_t size : {4, 32, 256}) {
    std::string bytes;
    append_cancel(bytes, {4711, std::string(size, 's')});
    std::string_view input = bytes;
    const auto packet = next_startup(input);
    ASSERT_TRUE(packet && *packet);
    EXPECT_EQ((*packet)->cancel.pid, 4711);
    EXPECT_EQ((*packet)->cancel.secret.size(), size);
  }
}

TEST(Startup, CancelWithABadSecretIsRefused) {
  for (const size_t size : {0, 3, 257}) {
    std::string bytes;
    append_cancel(bytes, {4711, std::string(size, 's')});
    std::string_view input = bytes;
    EXPECT_FALSE(next_startup(input)) << size;
  }
}

TEST(Startup, GarbageIsRefusedBeforeItIsComplete) {
  for (const std::string_view garbage :
       {std::string_view("GET / HTTP/1.1\r\n"), std::string_view("\xff\xff"),
        std::string_view("\0\0\0\4\0\3\0\0", 8), std::string_view("\0\0\x27\x11\0\3\0\0", 8)}) {
    std::string_view input = garbage;
    const auto packet = next_startup(input);
    ASSERT_FALSE(packet);
    EXPECT_EQ(packet.error().code, ErrorCode::Corrupt);
    EXPECT_EQ(packet.error().message.substr(0, 18), "bad packet header:");
  }
}

TEST(Startup, DirectTlsIsNamedAsTheCause) {
  std::string_view input("\x16\x03\x01\x02", 4);

  const auto packet = next_startup(input);

  ASSERT_FALSE(packet);
  EXPECT_NE(packet.error().message.find("TLS"), std::string::npos);
}

TEST(Startup, OldProtocolAndBrokenLayoutAreRefused) {
  std::string_view v2("\0\0\0\x0a\0\2\0\0ab", 10);
  std::string_view unterminated("\0\0\0\x0f\0\3\0\0user\0a\0", 15);
  std::string_view trailing("\0\0\0\x0b\0\3\0\0\0xx", 11);

  EXPECT_EQ(next_startup(v2).error().message, "old V2 protocol not supported");
  for (auto* input : {&unterminated, &trailing}) {
    EXPECT_EQ(next_startup(*input).error().message,
              "invalid startup packet layout: expected terminator as last byte");
  }
}

TEST(Options, AllThreeSpellingsAreUnderstood) {
  const auto settings = parse_options(R"(-c a=b  -cc=d --search-path=x\ y\\z)");

  ASSERT_TRUE(settings);
  ASSERT_EQ(settings->size(), 3u);
  EXPECT_EQ((*settings)[0], std::make_pair(std::string("a"), std::string("b")));
  EXPECT_EQ((*settings)[1], std::make_pair(std::string("c"), std::string("d")));
  EXPECT_EQ((*settings)[2], std::make_pair(std::string("search_path"), std::string("x y\\z")));
}

TEST(Options, OtherSwitchesAreRefused) {
  for (const auto* options : {"-d 5", "-c", "-c novalue", "--=x", "plain"}) {
    EXPECT_FALSE(parse_options(options)) << options;
  }
  EXPECT_TRUE(parse_options("   ")->empty());
}

}  // namespace
}  // namespace pgtend::wire
