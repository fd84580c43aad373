// Servers found by name: the pool asks a DNS server of the test's own.
#include <sys/wait.h>

#include "e2e/support/name_server.h"
#include "e2e/support/pool.h"

namespace pgtend::e2e {
namespace {

constexpr const char* kHost = "db.example.test";

class PoolNames : public PoolTest {
 protected:
  // This test's database, found by its name.
  std::string named_ini(const std::string& settings) const {
    pg::Options named = options();
    named.set("host", kHost);
    return cat(database_line(database(), named),
               "[pgbouncer]\nauth_type = trust\npool_mode = transaction\nadmin_users = app\n"
               "server_login_retry = 0.1\nresolv_conf = ",
               names_.resolv_conf(), "\n", settings);
  }
  // What SHOW `what` says in column `column` of the name; "none" without a row.
  std::string told(const PoolProcess& pool, const std::string& what, std::string_view name,
                   std::string_view column) const {
    return shown(pool, cat("SHOW ", what), name, column);
  }

  NameServer names_;
};

TEST_F(PoolNames, StartsWithoutTheNameAndServesOnceItExists) {
  PoolProcess pool(named_ini("dns_nxdomain_ttl = 0.1\nworkers = 2\n"));
  RawClient early(pool.port());
  std::string start;
  wire::append_startup(start, wire::kProtocol30, {{"user", "app"}, {"database", database()}});
  early.send(start);
  ASSERT_TRUE(wait_until([&] { return names_.questions(kHost) > 1; }));
  EXPECT_EQ(told(pool, "DNS_HOSTS", kHost, "addrs"), "");

  names_.set(kHost, {"127.0.0.1"}, 60);
  EXPECT_EQ(early.read_until('Z').back(), 'Z');
  expect_served(early);
  EXPECT_EQ(told(pool, "DNS_HOSTS", kHost, "addrs"), "127.0.0.1:0");
  EXPECT_EQ(told(pool, "LISTS", "dns_names", "items"), "1");
  EXPECT_NE(pool.log().find("server DNS lookup failed"), std::string::npos);
}

TEST_F(PoolNames, AnswerIsKeptForItsTimeToLive) {
  names_.set(kHost, {"127.0.0.1"}, 3600);
  PoolProcess pool(named_ini("server_lifetime = 0\n"));
  auto client = client_of(pool);

  const std::string first = ask(*client, "select pg_backend_pid()");
  const std::string second = ask(*client, "select pg_backend_pid()");

  EXPECT_NE(first, second);
  EXPECT_EQ(names_.questions(kHost), 1);
}

TEST_F(PoolNames, LinksToAnAddressThatTheNameHasNoMoreAreClosed) {
  names_.set(kHost, {"127.0.0.1"}, 3600);
  names_.set_serial("example.test", 1);
  PoolProcess pool(named_ini("dns_zone_check_period = 0.1\nquery_wait_timeout = 0\n"));
  auto client = client_of(pool);
  const std::string before = ask(*client, "select pg_backend_pid()");
  auto holder = client_of(pool);
  begin(*holder);
  ASSERT_TRUE(wait_until([&] { return told(pool, "DNS_ZONES", "example.test", "serial") == "1"; }));

  names_.set(kHost, {"127.0.0.9"}, 3600);
  names_.set_serial("example.test", 2);

  ASSERT_TRUE(wait_until([&] { return pools(pool, "sv_idle") == "0"; }));
  EXPECT_EQ(pools(pool, "sv_active"), "1");
  expect_served(*holder);  // in its transaction, which goes on

  names_.set(kHost, {"127.0.0.1"}, 3600);
  names_.set_serial("example.test", 3);
  const std::string after = ask(*client, "select pg_backend_pid()");
  EXPECT_NE(after, before);
}

TEST_F(PoolNames, SeveralAddressesAreTriedUntilOneAnswers) {
  names_.set(kHost, {"127.0.0.9", "127.0.0.1"}, 3600);
  PoolProcess pool(named_ini("server_lifetime = 0\n"));
  auto client = client_of(pool);

  for (int i = 0; i < 4; ++i) expect_served(*client);
}

TEST_F(PoolNames, BrokenNameServerDoesNotEndService) {
  names_.set(kHost, {"127.0.0.1"}, 0);
  PoolProcess pool(named_ini("server_lifetime = 0\ndns_max_ttl = 0\ndns_nxdomain_ttl = 0\n"));
  auto client = client_of(pool);
  expect_served(*client);

  names_.set_broken(true);

  expect_served(*client);
  expect_served(*client);
  EXPECT_NE(pool.log().find("the last addresses stand in"), std::string::npos);
}

TEST_F(PoolNames, UnreadableResolverFileEndsTheStart) {
  const Scratch scratch;
  const std::string file =
      scratch.write("pool.ini",
                    "[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = 0\nunix_socket_dir =\n"
                    "resolv_conf = /nonexistent/resolv.conf\n");

  const Outcome outcome = run({PGTEND_BINARY_DIR "/pgtend-pool", file});

  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_NE(outcome.err.find("resolv_conf: cannot open \"/nonexistent/resolv.conf\""),
            std::string::npos);
}

}  // namespace
}  // namespace pgtend::e2e
