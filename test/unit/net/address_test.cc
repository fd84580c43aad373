#include "net/address.h"

#include <gtest/gtest.h>

namespace pgtend::net {
namespace {

TEST(Address, NumericAddressesShowAsGiven) {
  EXPECT_EQ(Address::ip("127.0.0.1", 5432)->text(), "127.0.0.1:5432");
  EXPECT_EQ(Address::ip("::1", 6432)->text(), "[::1]:6432");
  EXPECT_EQ(Address::ip("::1", 6432)->port(), 6432);
  EXPECT_FALSE(Address::ip("localhost", 5432));
  EXPECT_FALSE(Address::ip("127.0.0.1", 65536));
}

TEST(Address, UnixPathsShowAsGiven) {
  EXPECT_EQ(Address::unix_path("/tmp/.s.PGSQL.5432")->text(), "/tmp/.s.PGSQL.5432");
  EXPECT_EQ(Address::unix_path("@name")->host(), "@name");
  EXPECT_TRUE(Address::unix_path("/tmp/x")->is_unix());
}

TEST(Address, PathLongerThanTheSystemAllowsIsALimit) {
  EXPECT_TRUE(Address::unix_path(std::string(107, 'x')));
  EXPECT_EQ(Address::unix_path(std::string(108, 'x')).error().code, ErrorCode::Limit);
}

TEST(Address, FolderMeansTheSocketInIt) {
  const auto addresses = resolve("/run/db", 6000);

  ASSERT_TRUE(addresses);
  EXPECT_EQ((*addresses)[0].text(), "/run/db/.s.PGSQL.6000");
}

}  // namespace
}  // namespace pgtend::net
