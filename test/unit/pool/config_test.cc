#include "pool/config.h"

#include <gtest/gtest.h>

namespace pgtend::pool {
namespace {

Result<Config> load(std::string_view text) {
  auto entries = parse_ini(text, "pool.ini", [](const std::string&) -> Result<std::string> {
    return Error{ErrorCode::NotFound, "no files here"};
  });
  if (!entries) return std::move(entries).error();
  return config_from(*entries);
}

std::string refusal(std::string_view text) {
  auto config = load(text);
  return config ? "" : config.error().message;
}

TEST(PoolConfig, DefaultsArePgBouncers) {
  const auto config = load("[pgbouncer]\nverbose = 0\n");

  ASSERT_TRUE(config);
  EXPECT_EQ(config->settings.listen.port, 6432);
  EXPECT_EQ(config->settings.auth.type, AuthType::Md5);
  EXPECT_EQ(config->settings.session.mode, PoolMode::Session);
  EXPECT_EQ(config->settings.limit.pool_size, 20);
  EXPECT_EQ(config->settings.listen.unix_mode, 0777);
  EXPECT_EQ(config->settings.time.query_wait, seconds(120));
  EXPECT_EQ(config->settings.session.reset_query, "DISCARD ALL");
}

TEST(PoolConfig, EveryKeyReadsItsOwnDefault) {
  for (const KeyInfo& key : keys()) {
    if (key.name == "unix_socket_dir") continue;
    const std::string text =
        "[pgbouncer]\n" + std::string(key.name) + " = " + std::string(key.default_value) + "\n";
    EXPECT_EQ(refusal(text), "") << key.name;
    EXPECT_FALSE(key.manual.empty()) << key.name;
  }
}

TEST(PoolConfig, KeysStandInAlphabeticalOrder) {
  for (size_t i = 1; i < keys().size(); ++i) EXPECT_LT(keys()[i - 1].name, keys()[i].name);
}

TEST(PoolConfig, ValuesAreReadByTheirKind) {
  const auto config = load(
      "[pgbouncer]\nlisten_port = 0x1F40\nunix_socket_mode=0700\npool_mode = Transaction\n"
      "server_idle_timeout = 0.5\nadmin_users = ada, bob\nauth_type=scram-sha-256\n");

  ASSERT_TRUE(config);
  EXPECT_EQ(config->settings.listen.port, 8000);
  EXPECT_EQ(config->settings.listen.unix_mode, 0700);
  EXPECT_EQ(config->settings.session.mode, PoolMode::Transaction);
  EXPECT_EQ(config->settings.time.server_idle, milliseconds(500));
  EXPECT_EQ(config->settings.auth.admin_users, (std::vector<std::string>{"ada", "bob"}));
}

TEST(PoolConfig, UnknownKeyNamesPlaceAndNearestKey) {
  EXPECT_EQ(refusal("[pgbouncer]\n\ndefault_pool_sise = 5\n"),
            "pool.ini:3: default_pool_sise: unknown setting \"default_pool_sise\"; did you mean "
            "default_pool_size?");
  EXPECT_NE(refusal("[pgbouncer]\n[databases]\nx = hosst=/tmp\n").find("did you mean host?"),
            std::string::npos);
}

TEST(PoolConfig, BadValuesAreRefused) {
  for (const auto* line :
       {"listen_port = yes", "listen_port = -1", "log_connections = 2", "pool_mode = stmt",
        "server_lifetime = soon", "default_pool_size = 99999999999", "auth_type = kerberos",
        "pkt_buf = 255", "pkt_buf = 16777217", "sbuf_loopcnt = -1"}) {
    const std::string text = std::string("[pgbouncer]\n") + line + "\n";
    EXPECT_TRUE(refusal(text).starts_with("pool.ini:2: ")) << line;
  }
}

TEST(PoolConfig, KeysWithoutEffectYetAreWarnedOf) {
  const auto config = load("[pgbouncer]\nclient_tls_ca_file = /ca.crt\nquery_timeout = 0\n");

  ASSERT_TRUE(config);
  ASSERT_EQ(config->warnings.size(), 1u);
  EXPECT_EQ(config->warnings[0], "client_tls_ca_file is not yet supported and has no effect");
}

TEST(PoolConfig, IgnoringWhatProtectsIsRefused) {
  EXPECT_NE(refusal("[pgbouncer]\nclient_tls_sslmode = require\n"), "");
  EXPECT_NE(refusal("[pgbouncer]\nauth_hba_file = /etc/hba\n"), "");
  EXPECT_EQ(refusal("[pgbouncer]\nclient_tls_sslmode = prefer\n"), "");
}

TEST(PoolConfig, MissingPgbouncerSectionIsRefused) {
  EXPECT_NE(refusal("[databases]\nx = host=/tmp\n"), "");
  EXPECT_NE(refusal("[pgbouncer]\n[database]\n a = b"), "");
}

TEST(PoolConfig, DatabaseLinesOverrideTheGlobals) {
  const auto config = load(
      "[databases]\nmeter = host=db1 port=5433 dbname=m pool_size=3 pool_mode=transaction "
      "user=app password='it''s'\n* = host=/tmp\n[users]\nada = "
      "pool_size=7\n[pgbouncer]\nverbose=0\n");

  ASSERT_TRUE(config);
  const auto meter = config->database("meter");
  ASSERT_TRUE(meter);
  EXPECT_EQ(meter->dbname, "m");
  EXPECT_EQ(meter->user, "app");
  EXPECT_EQ(meter->password, "it's");
  EXPECT_EQ(config->pool_size(*meter, "bob"), 3);
  EXPECT_EQ(config->pool_size(*meter, "ada"), 7);
  EXPECT_EQ(config->mode(*meter, "bob"), PoolMode::Transaction);
  const auto other = config->database("other");
  ASSERT_TRUE(other);
  EXPECT_EQ(other->dbname, "other");
  EXPECT_EQ(config->pool_size(*other, "bob"), 20);
}

TEST(PoolConfig, SizesAndLimitsHaveTheirOrder) {
  const auto config = load(
      "[databases]\na = host=/tmp pool_size=3 min_pool_size=9 reserve_pool=2 "
      "max_db_client_connections=4\nb = host=/tmp\n[users]\nada = reserve_pool_size=5 "
      "max_user_client_connections=6\n[pgbouncer]\nmin_pool_size=1\nreserve_pool_size=7\n"
      "max_db_client_connections=8\nmax_user_client_connections=9\n");

  ASSERT_TRUE(config);
  const auto a = config->database("a");
  const auto b = config->database("b");
  EXPECT_EQ(config->pool_size_min(*a, "bob"), 3);
  EXPECT_EQ(config->pool_size_min(*b, "bob"), 1);
  EXPECT_EQ(config->reserve_size(*a, "ada"), 5);
  EXPECT_EQ(config->reserve_size(*a, "bob"), 2);
  EXPECT_EQ(config->reserve_size(*b, "bob"), 7);
  EXPECT_EQ(config->database_clients(*a), 4);
  EXPECT_EQ(config->database_clients(*b), 8);
  EXPECT_EQ(config->user_clients("ada"), 6);
  EXPECT_EQ(config->user_clients("bob"), 9);
}

TEST(PoolConfig, PeersAreOtherProcessesAndTheirPorts) {
  const auto config = load(
      "[peers]\n1 = host=/tmp/a\n2 = host=10.0.0.2 port=7000 pool_size=3\n0x10 = host=pool.example "
      "pool_size=0\n[pgbouncer]\npeer_id = 1\ndefault_pool_size = 9\n");

  ASSERT_TRUE(config);
  EXPECT_TRUE(config->warnings.empty());
  ASSERT_EQ(config->peers.size(), 3u);
  EXPECT_EQ(config->other_peer(1), nullptr);
  EXPECT_EQ(config->other_peer(3), nullptr);
  const PeerConfig& two = *config->other_peer(2);
  EXPECT_EQ(two.host.address.text(), "10.0.0.2:7000");
  EXPECT_EQ(config->pool_size(two), 3);
  const PeerConfig& named = *config->other_peer(16);
  EXPECT_EQ(named.host.name, "pool.example");
  EXPECT_EQ(named.port, 6432);
  EXPECT_EQ(config->pool_size(named), 9);
  EXPECT_EQ(config->peers.at(1).host.address.text(), "/tmp/a/.s.PGSQL.6432");
}

TEST(PoolConfig, LastLineOfAPeerHolds) {
  const auto config =
      load("[peers]\n2 = host=10.0.0.2 pool_size=4\n2 = host=10.0.0.3\n[pgbouncer]\nverbose=0\n");

  ASSERT_TRUE(config);
  ASSERT_EQ(config->peers.size(), 1u);
  EXPECT_EQ(config->peers.at(2).host_text, "10.0.0.3");
  EXPECT_FALSE(config->peers.at(2).pool_size);
}

TEST(PoolConfig, BadPeersAreRefusedWithTheReason) {
  const std::pair<const char*, const char*> cases[] = {
      {"0 = host=/tmp", "1 to 16383"},
      {"16384 = host=/tmp", "1 to 16383"},
      {"-1 = host=/tmp", "1 to 16383"},
      {"two = host=/tmp", "1 to 16383"},
      {"2x = host=/tmp", "1 to 16383"},
      {"99999999999999999999 = host=/tmp", "1 to 16383"},
      {"2 =", "needs host="},
      {"2 = port=6432", "needs host="},
      {"2 = host=''", "needs host="},
      {"2 = host=a,b", "one host"},
      {"2 = host=10.0.0.2 port=0", "no such port: 0"},
      {"2 = host=/tmp port=65536", "no such port: 65536"},
      {"2 = host=/tmp port=-1", "\"-1\" is not"},
      {"2 = host=/tmp pool_size=many", "\"many\" is not an integer"},
      {"2 = hosst=/tmp", "did you mean host?"},
      {"2 = host='not a host'", "not a host"},
  };
  for (const auto& [line, reason] : cases) {
    const std::string message =
        refusal(std::string("[pgbouncer]\nverbose=0\n[peers]\n") + line + "\n");
    EXPECT_TRUE(message.starts_with("pool.ini:4: ")) << line;
    EXPECT_NE(message.find(reason), std::string::npos) << line << ": " << message;
  }
  for (const auto* value : {"-1", "16384", "one", ""}) {
    const std::string message = refusal(std::string("[pgbouncer]\npeer_id = ") + value + "\n");
    EXPECT_NE(message.find("0 to 16383"), std::string::npos) << value << ": " << message;
  }
}

TEST(PoolConfig, EmptyCheckQueryIsNotTheSameAsNone) {
  EXPECT_EQ(load("[pgbouncer]\nverbose=0\n")->settings.session.check_query, ";");
  EXPECT_EQ(load("[pgbouncer]\nserver_check_query=\n")->settings.session.check_query, "");
  EXPECT_EQ(load("[pgbouncer]\nserver_check_query=select 1\n")->settings.session.check_query,
            "select 1");
}

TEST(PoolConfig, UsersAreLookedUpWhereTheDatabaseSays) {
  const auto config = load(
      "[databases]\na = host=/tmp auth_user=ann auth_dbname=users auth_query='select 1'\n"
      "b = host=/tmp\n[pgbouncer]\nauth_user = bob\n");

  const auto a = config->auth_source("a");
  ASSERT_TRUE(a);
  EXPECT_EQ(a->database + ' ' + a->user + ' ' + a->sql, "users ann select 1");
  const auto b = config->auth_source("b");
  ASSERT_TRUE(b);
  EXPECT_EQ(b->database + ' ' + b->user, "b bob");
  EXPECT_NE(b->sql.find("pg_authid"), std::string::npos);
  EXPECT_FALSE(config->auth_source("unknown"));
  EXPECT_NE(refusal("[pgbouncer]\nauth_dbname = pgbouncer\n"), "");
}

TEST(PoolConfig, ConsoleNameIsReserved) {
  EXPECT_NE(refusal("[databases]\npgbouncer = host=/tmp\n[pgbouncer]\n"), "");
}

TEST(PoolConfig, WithoutFallbackUnknownDatabasesAreNull) {
  const auto config = load("[databases]\na = host=/tmp\n[pgbouncer]\nverbose=0\n");

  EXPECT_EQ(config->database("b"), nullptr);
  EXPECT_EQ(config->database("*"), nullptr);
}

}  // namespace
}  // namespace pgtend::pool
