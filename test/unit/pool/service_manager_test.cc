#include "pool/service_manager.h"

#include <gtest/gtest.h>

namespace pgtend::pool {
namespace {

TEST(PoolServiceManager, StatusIsOneLineThatSaysNothingElse) {
  EXPECT_EQ(status_line("listening on 127.0.0.1:6432"), "listening on 127.0.0.1:6432");
  EXPECT_EQ(status_line("bad \"x\"\nMAINPID=1"), "bad \"x\"\\x0aMAINPID=1");
}

TEST(PoolServiceManager, LongStatusIsCutBetweenCharacters) {
  const std::string ascii(5000, 'a');
  EXPECT_EQ(status_line(ascii), ascii.substr(0, kStatusBytesMax));

  std::string wide = "a";
  while (wide.size() < 5000) wide += "é";
  EXPECT_EQ(status_line(wide), wide.substr(0, kStatusBytesMax - 1));
}

TEST(PoolServiceManager, WithoutOneNobodyIsToldAndNothingIsHandedIn) {
  ASSERT_EQ(unsetenv("NOTIFY_SOCKET"), 0);
  ASSERT_EQ(unsetenv("LISTEN_FDS"), 0);

  EXPECT_FALSE(is_supervised());
  const auto sockets = handed_sockets();
  ASSERT_TRUE(sockets);
  EXPECT_TRUE(sockets->empty());
  tell_ready("listening");
}

}  // namespace
}  // namespace pgtend::pool
