// Names looked up at a real DNS server.
#include "net/resolver.h"

#include <gtest/gtest.h>

#include <future>

#include "e2e/support/name_server.h"

namespace pgtend::e2e {
namespace {

class ResolverTest : public testing::Test {
 protected:
  ResolverTest() : resolver_(net::make_resolver(names_.resolv_conf()).take()) {}

  Result<net::Found> look_up(const std::string& host) {
    std::promise<Result<net::Found>> told;
    resolver_->look_up(host, [&](Result<net::Found> found) { told.set_value(std::move(found)); });
    return told.get_future().get();
  }

  NameServer names_;
  std::unique_ptr<net::Resolver> resolver_;
};

TEST_F(ResolverTest, TellsAddressesAndHowLongTheyHold) {
  names_.set("db.example.test", {"127.0.0.7", "127.0.0.8"}, 77);

  const auto found = look_up("db.example.test");

  ASSERT_TRUE(found) << found.error().message;
  ASSERT_EQ(found->addresses.size(), 2U);
  EXPECT_EQ(found->ttl, seconds(77));
  EXPECT_EQ(found->addresses[0].port(), 0);
  EXPECT_TRUE(found->addresses[0].host().starts_with("127.0.0."));
}

TEST_F(ResolverTest, TellsApartNoSuchNameAndNoAnswer) {
  EXPECT_EQ(look_up("nobody.example.test").error().code, ErrorCode::NotFound);

  names_.set_broken(true);

  EXPECT_EQ(look_up("nobody.example.test").error().code, ErrorCode::Unavailable);
}

TEST_F(ResolverTest, ReadsTheSerialOfAZone) {
  names_.set_serial("example.test", 2026112601);
  std::promise<Result<int64_t>> told;

  resolver_->read_serial("example.test", [&](Result<int64_t> serial) { told.set_value(serial); });

  const auto serial = told.get_future().get();
  ASSERT_TRUE(serial) << serial.error().message;
  EXPECT_EQ(*serial, 2026112601);
}

TEST_F(ResolverTest, EndAnswersWhatIsStillAsked) {
  std::promise<Result<net::Found>> told;
  resolver_->look_up("db.example.test", [&](Result<net::Found> found) { told.set_value(found); });

  resolver_.reset();

  EXPECT_FALSE(told.get_future().get());
}

TEST(Resolver, FileThatCannotBeReadIsAnError) {
  const auto made = net::make_resolver("/nonexistent/resolv.conf");

  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::NotFound);
}

}  // namespace
}  // namespace pgtend::e2e
