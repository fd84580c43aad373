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

enum class PoolMode : uint8_t { Session, Transaction, Statement };
// Which host of several a new link tries first: they take turns, or it is the first of the list.
enum class LoadBalance : uint8_t { RoundRobin, Disable };
// How the pool answers for prepared statements that it does not know, or knows already.
enum class StatementErrors : uint8_t { Pgbouncer, Postgres };
enum class AuthType : uint8_t { Any, Trust, Plain, Md5, ScramSha256 };

std::string_view name_of(PoolMode mode);
std::string_view name_of(LoadBalance balance);

// The [pgbouncer] section. What the fields mean: the manual column of kKeys in config.cc.
struct ListenSettings {
  int workers = 0;  // 0: one for each core
  std::vector<std::string> addresses;
  int port = 0;
  int backlog = 0;
  std::string unix_dir;
  int unix_mode = 0;
  std::string unix_group;
  std::string account;  // of the operating system, to run as; "": the present one
  bool port_shared = false;
  int defer_accept = 0;  // seconds

  std::string unix_socket() const { return unix_dir + "/.s.PGSQL." + std::to_string(port); }
};
struct AuthSettings {
  AuthType type = AuthType::Md5;
  std::string file;
  std::string query;
  std::string user;      // "": auth_query is not used
  std::string database;  // "": the client's
  int scram_iterations = 0;
  std::vector<std::string> admin_users;
  std::vector<std::string> stats_users;
};
struct LimitSettings {
  int client_connections = 0;
  int pool_size = 0;
  int pool_size_min = 0;
  int reserve_size = 0;
  int database_clients = 0;      // 0: no limit
  int user_clients = 0;          // 0: no limit
  int database_connections = 0;  // 0: no limit
  int user_connections = 0;      // 0: no limit
  int64_t packet_bytes = 0;
  int read_bytes = 0;      // at once from a connection
  int reads_per_turn = 0;  // of a connection before others have theirs; 0: no limit
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
  microseconds server_check{};  // 0: before each use
  microseconds reserve_wait{};  // 0: no reserve
  microseconds query_wait{};
  microseconds query_wait_notice{};  // 0: none
  microseconds client_login{};
  microseconds cancel_wait{};
  microseconds stats_period{};
  microseconds suspend{};
  microseconds pool_idle{};    // 0: kept
  microseconds autodb_idle{};  // the same for databases of the line "*"
};
struct SessionSettings {
  PoolMode mode = PoolMode::Session;
  std::string reset_query;
  bool reset_always = false;
  std::string check_query;  // "": none
  bool fast_close = false;
  bool round_robin = false;
  bool simple_query_refused = false;
  bool host_in_application_name = false;
  std::string login_notice;
  int statements_max = 0;  // of a server link; 0: names are not mapped
  StatementErrors statement_errors = StatementErrors::Pgbouncer;
  std::vector<std::string> ignored_parameters;
  std::vector<std::string> tracked_parameters;
};
struct DnsSettings {
  microseconds ttl_max{};
  microseconds failure_ttl{};
  microseconds zone_check{};  // 0: never
  std::string resolv_conf;    // "": the system's
};
struct LogSettings {
  std::string file;
  std::string pidfile;
  bool connections = true;
  bool disconnections = true;
  bool pooler_errors = true;
  bool stats = true;
  int verbose = 0;
  bool syslog = false;
  std::string syslog_facility;
  std::string syslog_ident;
  // From the command line.
  int more_verbose = 0;
  bool quiet = false;  // nothing on standard error once there is another place
};
struct Settings {
  std::string config_file;  // that the next reload reads; "": the same again
  int peer_id = 0;          // among [peers]; 0: none
  ListenSettings listen;
  AuthSettings auth;
  LimitSettings limit;
  TimeSettings time;
  SessionSettings session;
  net::SocketOptions socket;
  DnsSettings dns;
  LogSettings log;
};

// Where a server is: an address, or a name that stands for some.
struct Host {
  std::string name;  // "" when `address` says it all
  net::Address address;
};

// One line of [databases]. Fields left out of the line are nullopt and follow the global setting.
struct DatabaseConfig {
  std::string name;
  std::string dbname;
  std::string host;
  int port = 5432;
  std::vector<Host> hosts;
  std::optional<std::string> user;
  std::string password;
  std::optional<int> pool_size;
  std::optional<int> pool_size_min;
  std::optional<int> reserve_size;
  std::optional<int> connections_max;
  std::optional<int> clients_max;
  std::optional<PoolMode> mode;
  std::optional<microseconds> query_wait;
  std::optional<microseconds> server_lifetime;
  LoadBalance load_balance = LoadBalance::RoundRobin;
  std::string connect_query;
  std::optional<std::string> auth_query;
  std::optional<std::string> auth_user;
  std::optional<std::string> auth_database;
  // Start parameters of every server link: client_encoding, datestyle, timezone, application_name.
  std::vector<std::pair<std::string, std::string>> parameters;

  // True when links made for `other` may go on serving this.
  bool same_server(const DatabaseConfig& other) const;
  // The same question across processes, of links with one user: true when the texts are equal.
  std::string target() const;
};

// One line of [users].
struct UserConfig {
  std::optional<int> pool_size;
  std::optional<int> reserve_size;
  std::optional<PoolMode> mode;
  std::optional<int> connections_max;
  std::optional<int> clients_max;
  std::optional<microseconds> query_wait;
  std::optional<microseconds> query;
  std::optional<microseconds> transaction;
  std::optional<microseconds> idle_transaction;
  std::optional<microseconds> client_idle;
};

// One line of [peers]: another process that serves the same clients.
struct PeerConfig {
  std::string host_text;
  Host host;
  int port = 6432;
  std::optional<int> pool_size;
};

// Where users are looked up who are not in the auth_file.
struct AuthSource {
  std::string database;
  std::string user;
  std::string sql;
};

// A whole configuration. Immutable once loaded, so threads share it. Thread: any.
struct Config {
  std::string path;
  Settings settings;
  std::vector<std::string> values;  // as text, in the order of keys()
  std::map<std::string, std::shared_ptr<const DatabaseConfig>> databases;  // "*" is the fallback
  std::map<std::string, UserConfig> users;
  std::map<int, PeerConfig> peers;      // by id, perhaps with our own
  bool users_wait_differently = false;  // a line of [users] has its own query_wait_timeout
  Userlist secrets;
  std::vector<std::string> warnings;  // keys that are known but do nothing yet

  // What a reload reads.
  const std::string& file_to_reload() const {
    return settings.config_file.empty() ? path : settings.config_file;
  }
  // The database a client asked for: its own line or a copy of "*"; null when there is neither.
  std::shared_ptr<const DatabaseConfig> database(const std::string& name) const;
  // For a client that asked for `name`, which may be of no database; nullopt when there is none.
  std::optional<AuthSource> auth_source(const std::string& name) const;
  // This with one setting of [pgbouncer] changed; may BLOCK, to read auth_file. Errors: Invalid
  // with the cause; those of reading.
  Result<std::shared_ptr<const Config>> with(std::string_view key, std::string_view value) const;
  // Takes from `running` what cannot change at run time.
  void keep_start_values(const Config& running);
  // Null when [users] has no line for it.
  const UserConfig* user(const std::string& name) const;
  // In the order user, database, global. `user`: whose pool it is.
  int pool_size(const DatabaseConfig& database, const std::string& user) const;
  int reserve_size(const DatabaseConfig& database, const std::string& user) const;
  PoolMode mode(const DatabaseConfig& database, const std::string& user) const;
  // `user`: the client's.
  microseconds query_wait(const DatabaseConfig& database, const std::string& user) const;
  // In the order database, global; never more than pool_size(), unless that has no limit.
  int pool_size_min(const DatabaseConfig& database, const std::string& user) const;
  // In the order user, global; 0 is no limit.
  ActivityLimits activity(const std::string& user) const;
  int user_connections(const std::string& user) const;
  int user_clients(const std::string& user) const;
  // In the order database, global; 0 is no limit.
  int database_connections(const DatabaseConfig& database) const;
  int database_clients(const DatabaseConfig& database) const;
  // Null for our own and for those that are not in the file.
  const PeerConfig* other_peer(int id) const;
  // Cancel requests that may be under way there at once; 0 is no limit.
  int pool_size(const PeerConfig& peer) const;

 private:
  template <class T>
  std::optional<T> of_user(const std::string& name, std::optional<T> UserConfig::*member) const {
    const UserConfig* own = user(name);
    return own == nullptr ? std::nullopt : own->*member;
  }
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

// The configuration in the file `path`, with its auth_file: may BLOCK.
// Errors: Invalid and others with "file:line: cause"; an unknown key names its nearest match.
Result<std::shared_ptr<const Config>> load_config(const std::string& path);
// The same from entries already read, without touching auth_file.
Result<Config> config_from(const std::vector<IniEntry>& entries);

}  // namespace pgtend::pool
