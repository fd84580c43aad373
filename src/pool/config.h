// The settings of pgtend-pool: one table row a key, read from an ini file into an immutable
// snapshot.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/ini.h"
#include "base/result.h"
#include "net/address.h"
#include "net/loop.h"
#include "pool/userlist.h"

namespace pgtend::pool {

enum class PoolMode : uint8_t { Session, Transaction };
// How the pool answers for prepared statements that it does not know, or knows already.
enum class StatementErrors : uint8_t { Pgbouncer, Postgres };
enum class AuthType : uint8_t { Trust, Plain, Md5, ScramSha256 };

std::string_view name_of(PoolMode mode);

// The [pgbouncer] section. What the fields mean: the manual column of kKeys in config.cc.
struct ListenSettings {
  int workers = 0;  // 0: one for each core
  std::vector<std::string> addresses;
  int port = 0;
  int backlog = 0;
  std::string unix_dir;
  int unix_mode = 0;
};
struct AuthSettings {
  AuthType type = AuthType::Md5;
  std::string file;
  int scram_iterations = 0;
  std::vector<std::string> admin_users;
  std::vector<std::string> stats_users;
};
struct LimitSettings {
  int client_connections = 0;
  int pool_size = 0;
  int database_connections = 0;  // 0: no limit
  int user_connections = 0;      // 0: no limit
  int64_t packet_bytes = 0;
};
// What clients may do for how long; 0: no limit.
struct ActivityLimits {
  microseconds query{};
  microseconds transaction{};
  microseconds idle_transaction{};
  microseconds client_idle{};
};
struct TimeSettings {
  ActivityLimits activity;
  microseconds server_idle{};
  microseconds server_lifetime{};
  microseconds server_connect{};
  microseconds server_login_retry{};
  microseconds query_wait{};
  microseconds client_login{};
  microseconds cancel_wait{};
  microseconds stats_period{};
};
struct SessionSettings {
  PoolMode mode = PoolMode::Session;
  std::string reset_query;
  bool reset_always = false;
  bool round_robin = false;
  int statements_max = 0;  // of a server link; 0: names are not mapped
  StatementErrors statement_errors = StatementErrors::Pgbouncer;
  std::vector<std::string> ignored_parameters;
  std::vector<std::string> tracked_parameters;
};
struct LogSettings {
  std::string file;
  std::string pidfile;
  bool connections = true;
  bool disconnections = true;
  bool pooler_errors = true;
  int verbose = 0;
};
struct Settings {
  ListenSettings listen;
  AuthSettings auth;
  LimitSettings limit;
  TimeSettings time;
  SessionSettings session;
  net::SocketOptions socket;
  LogSettings log;
};

// One line of [databases]. Fields left out of the line are nullopt and follow the global setting.
struct DatabaseConfig {
  std::string name;
  std::string dbname;
  std::string host;
  int port = 5432;
  std::vector<net::Address> addresses;
  std::optional<std::string> user;
  std::string password;
  std::optional<int> pool_size;
  std::optional<int> connections_max;
  std::optional<PoolMode> mode;
  std::optional<microseconds> query_wait;
  std::optional<microseconds> server_lifetime;
  std::string connect_query;
  // Start parameters of every server link: client_encoding, datestyle, timezone, application_name.
  std::vector<std::pair<std::string, std::string>> parameters;

  // True when links made for `other` may go on serving this.
  bool same_server(const DatabaseConfig& other) const;
};

// One line of [users].
struct UserConfig {
  std::optional<int> pool_size;
  std::optional<PoolMode> mode;
  std::optional<int> connections_max;
  std::optional<microseconds> query_wait;
  std::optional<microseconds> query;
  std::optional<microseconds> transaction;
  std::optional<microseconds> idle_transaction;
  std::optional<microseconds> client_idle;
};

// A whole configuration. Immutable once loaded, so threads share it. Thread: any.
struct Config {
  std::string path;
  Settings settings;
  std::vector<std::string> values;  // as text, in the order of keys()
  std::map<std::string, std::shared_ptr<const DatabaseConfig>> databases;  // "*" is the fallback
  std::map<std::string, UserConfig> users;
  Userlist secrets;
  std::vector<std::string> warnings;  // keys that are known but do nothing yet

  // The database a client asked for: its own line or a copy of "*"; null when there is neither.
  std::shared_ptr<const DatabaseConfig> database(const std::string& name) const;
  // Takes from `running` what cannot change at run time.
  void keep_start_values(const Config& running);
  // In the order user, database, global.
  int pool_size(const DatabaseConfig& database, const std::string& user) const;
  PoolMode mode(const DatabaseConfig& database, const std::string& user) const;
  microseconds query_wait(const DatabaseConfig& database, const std::string& user) const;
  // In the order user, global.
  ActivityLimits activity(const std::string& user) const;
};

enum class Reload : bool { No, Yes };

// What SHOW CONFIG and the manual print of a key.
struct KeyInfo {
  std::string_view name;
  std::string_view default_value;
  Reload reload;
  std::string_view manual;
};
// All keys that have an effect, by name.
std::span<const KeyInfo> keys();

// The configuration in the file `path`, with its auth_file and its hosts resolved: may BLOCK.
// Errors: Invalid and others with "file:line: cause"; an unknown key names its nearest match.
Result<std::shared_ptr<const Config>> load_config(const std::string& path);
// The same from entries already read, without touching auth_file and hosts.
Result<Config> config_from(const std::vector<IniEntry>& entries);

}  // namespace pgtend::pool
