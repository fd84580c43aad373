#include "pool/config.h"

#include <algorithm>

#include "base/text.h"
#include "pool/cancel_key.h"
#include "pool/config_keys.h"

namespace pgtend::pool {
namespace {

template <class Target>
struct Key {
  std::string_view name;
  std::string_view default_value;
  Reload reload;
  Status (*apply)(Target&, std::string_view);
  std::string_view manual;
};

using S = Settings;
constexpr auto kNo = Reload::No;
constexpr auto kYes = Reload::Yes;

template <auto... Path>
constexpr auto to = into<Settings, Path...>;

constexpr const char* kAuthQuery =
    "SELECT rolname, CASE WHEN rolvaliduntil < now() THEN NULL ELSE rolpassword END FROM pg_authid "
    "WHERE rolname=$1 AND rolcanlogin";

Status read_auth_database(std::string_view text) {
  if (text != "pgbouncer") return ok();
  return Error{ErrorCode::Invalid, "the console has no users to look up"};
}
Status to_auth_database(Settings& settings, std::string_view text) {
  TRY(read_auth_database(text));
  settings.auth.database = text;
  return ok();
}

// `<empty>` stands for a query without text, which is something else than none.
constexpr std::string_view kEmptyQuery = ";";
Status to_check_query(Settings& settings, std::string_view text) {
  settings.session.check_query = text == "<empty>" ? kEmptyQuery : text;
  return ok();
}

Status to_peer_id(Settings& settings, std::string_view text) {
  int id = 0;
  auto read = read_value(text, id);
  if (!read || id > kPeerIdMax) {
    return Error{ErrorCode::Invalid,
                 cat('"', printable(text), "\" is not a number from 0 to ", kPeerIdMax)};
  }
  settings.peer_id = id;
  return ok();
}

// A name that only another operating system uses: any will do.
Status to_nothing(Settings&, std::string_view) { return ok(); }

constexpr int kReadBytesMin = 256;
constexpr int kReadBytesMax = 16 << 20;
Status to_read_bytes(Settings& settings, std::string_view text) {
  int bytes = 0;
  TRY(read_value(text, bytes));
  if (bytes < kReadBytesMin || bytes > kReadBytesMax) {
    return Error{ErrorCode::Invalid, cat('"', printable(text), "\" is not a number from ",
                                         kReadBytesMin, " to ", kReadBytesMax)};
  }
  settings.limit.read_bytes = bytes;
  return ok();
}

// clang-format off
constexpr Key<Settings> kKeys[] = {
    {"admin_users", "", kYes, to<&S::auth, &AuthSettings::admin_users>, "users allowed every console command"},
    {"application_name_add_host", "0", kYes, to<&S::session, &SessionSettings::host_in_application_name>, "append the client's address to its application_name at login"},
    {"auth_dbname", "", kYes, to_auth_database, "database that auth_query asks; empty = the client's"},
    {"auth_file", "", kYes, to<&S::auth, &AuthSettings::file>, "file of \"user\" \"secret\" lines"},
    {"auth_query", kAuthQuery, kYes, to<&S::auth, &AuthSettings::query>, "SQL that returns user and secret of user $1"},
    {"auth_type", "md5", kYes, to<&S::auth, &AuthSettings::type>, "how clients log in: any, trust, plain, md5, scram-sha-256"},
    {"auth_user", "", kYes, to<&S::auth, &AuthSettings::user>, "who runs auth_query for users that are not in auth_file; empty = nobody"},
    {"autodb_idle_timeout", "3600", kYes, to<&S::time, &TimeSettings::autodb_idle>, "seconds without clients after which a pool of a database of the line \"*\" is forgotten and its servers closed; 0 = never"},
    {"cancel_wait_timeout", "10", kYes, to<&S::time, &TimeSettings::cancel_wait>, "seconds a cancel request may take"},
    {"client_idle_timeout", "0", kYes, to<&S::time, &TimeSettings::activity, &ActivityLimits::client_idle>, "close a client idle outside of a transaction for so many seconds; 0 = never"},
    {"client_login_timeout", "60", kYes, to<&S::time, &TimeSettings::client_login>, "seconds a login may take; 0 = no limit"},
    {"conffile", "", kYes, to<&S::config_file>, "file that the next reload reads; empty = the one that was read last"},
    {"default_pool_size", "20", kYes, to<&S::limit, &LimitSettings::pool_size>, "server connections of a pool, one pool per (database, user); 0 = no limit"},
    {"disable_pqexec", "0", kNo, to<&S::session, &SessionSettings::simple_query_refused>, "1: clients that send a simple Query are closed"},
    {"dns_max_ttl", "15", kYes, to<&S::dns, &DnsSettings::ttl_max>, "seconds that addresses of a host name are used at most before the DNS is asked again"},
    {"dns_nxdomain_ttl", "15", kYes, to<&S::dns, &DnsSettings::failure_ttl>, "seconds until a name that was not found is asked for again"},
    {"dns_zone_check_period", "0", kYes, to<&S::dns, &DnsSettings::zone_check>, "seconds between looks at the serials of the zones; a new one has their names asked for again; 0 = never"},
    {"idle_transaction_timeout", "0", kYes, to<&S::time, &TimeSettings::activity, &ActivityLimits::idle_transaction>, "close a client idle inside a transaction for so many seconds; 0 = never"},
    {"ignore_startup_parameters", "", kYes, to<&S::session, &SessionSettings::ignored_parameters>, "start parameters to swallow"},
    {"job_name", "pgbouncer", kNo, to_nothing, "name of PgBouncer as a service of Windows; here nothing bears it, SHOW CONFIG shows it"},
    {"listen_addr", "", kNo, to<&S::listen, &ListenSettings::addresses>, "TCP addresses, * for all; empty = no TCP"},
    {"listen_backlog", "128", kNo, to<&S::listen, &ListenSettings::backlog>, "listen queue"},
    {"listen_port", "6432", kNo, to<&S::listen, &ListenSettings::port>, "TCP port; also names the unix socket"},
    {"log_connections", "1", kYes, to<&S::log, &LogSettings::connections>, "log logins"},
    {"log_disconnections", "1", kYes, to<&S::log, &LogSettings::disconnections>, "log disconnections with their reason"},
    {"log_pooler_errors", "1", kYes, to<&S::log, &LogSettings::pooler_errors>, "log errors the pooler sends to clients"},
    {"log_stats", "1", kYes, to<&S::log, &LogSettings::stats>, "log the averages of each stats_period"},
    {"logfile", "", kYes, to<&S::log, &LogSettings::file>, "log to this file, too; opened anew by each reload"},
    {"login_notify_message", "", kYes, to<&S::session, &SessionSettings::login_notice>, "NOTICE to each client after its login"},
    {"max_client_conn", "100", kYes, to<&S::limit, &LimitSettings::client_connections>, "client connections; logins to database pgbouncer are exempt"},
    {"max_db_client_connections", "0", kYes, to<&S::limit, &LimitSettings::database_clients>, "client connections of a database; 0 = no limit"},
    {"max_db_connections", "0", kYes, to<&S::limit, &LimitSettings::database_connections>, "server connections of a database over all users; 0 = no limit"},
    {"max_packet_size", "2147483647", kYes, to<&S::limit, &LimitSettings::packet_bytes>, "a larger message closes its connection"},
    {"max_prepared_statements", "200", kYes, to<&S::session, &SessionSettings::statements_max>, "prepared statements kept on a server connection; 0 = names are passed through as they are"},
    {"max_user_client_connections", "0", kYes, to<&S::limit, &LimitSettings::user_clients>, "client connections of a user; 0 = no limit"},
    {"max_user_connections", "0", kYes, to<&S::limit, &LimitSettings::user_connections>, "server connections of a user over all databases; 0 = no limit"},
    {"min_pool_size", "0", kYes, to<&S::limit, &LimitSettings::pool_size_min>, "server connections kept open in a pool that has clients or a forced user"},
    {"peer_id", "0", kYes, to_peer_id, "own number among [peers], that cancel keys carry from now on: 1 to 16383; 0 = off"},
    {"pidfile", "", kNo, to<&S::log, &LogSettings::pidfile>, "file with the process id while running"},
    {"pkt_buf", "65536", kNo, to_read_bytes, "bytes read at once from a connection, 256 to 16777216; PgBouncer's default, 4096, makes large results slow"},
    {"pool_idle_timeout", "0", kYes, to<&S::time, &TimeSettings::pool_idle>, "seconds without clients after which any pool is forgotten and its servers closed; 0 = never"},
    {"pool_mode", "session", kYes, to<&S::session, &SessionSettings::mode>, "when a server goes back to the pool: session, transaction, statement"},
    {"query_timeout", "0", kYes, to<&S::time, &TimeSettings::activity, &ActivityLimits::query>, "seconds a query may run, or its client wait; 0 = no limit"},
    {"query_wait_notify", "5", kYes, to<&S::time, &TimeSettings::query_wait_notice>, "NOTICE to a client that has waited so many seconds for a server; 0 = none"},
    {"query_wait_timeout", "120", kYes, to<&S::time, &TimeSettings::query_wait>, "seconds a client may wait for a server; 0 = no limit"},
    {"reserve_pool_size", "0", kYes, to<&S::limit, &LimitSettings::reserve_size>, "more server connections of a pool once a client has waited reserve_pool_timeout"},
    {"reserve_pool_timeout", "5", kYes, to<&S::time, &TimeSettings::reserve_wait>, "seconds a client waits before the reserve is used; 0 = never used"},
    {"resolv_conf", "", kNo, to<&S::dns, &DnsSettings::resolv_conf>, "file that names the name servers instead of /etc/resolv.conf"},
    {"sbuf_loopcnt", "5", kYes, to<&S::limit, &LimitSettings::reads_per_turn>, "reads from one connection before others have their turn; 0 = as long as it has something"},
    {"scram_iterations", "4096", kYes, to<&S::auth, &AuthSettings::scram_iterations>, "SCRAM iterations for clear-text secrets"},
    {"server_check_delay", "30", kYes, to<&S::time, &TimeSettings::server_check>, "seconds unused after which a server is checked before use; 0 = always"},
    {"server_check_query", "<empty>", kYes, to_check_query, "SQL of that check; <empty> is an empty query, blank turns it off"},
    {"server_connect_timeout", "15", kYes, to<&S::time, &TimeSettings::server_connect>, "seconds for connect and login of a server"},
    {"server_fast_close", "0", kYes, to<&S::session, &SessionSettings::fast_close>, "session mode: close an outdated server at the end of its transaction, not of its session"},
    {"server_idle_timeout", "600", kYes, to<&S::time, &TimeSettings::server_idle>, "close a server unused this many seconds; 0 = never"},
    {"server_lifetime", "3600", kYes, to<&S::time, &TimeSettings::server_lifetime>, "close a free server of this age in seconds; 0 = use once"},
    {"server_login_retry", "15", kYes, to<&S::time, &TimeSettings::server_login_retry>, "seconds between attempts after a failed connect or login"},
    {"server_reset_query", "DISCARD ALL", kYes, to<&S::session, &SessionSettings::reset_query>, "SQL on release in session mode"},
    {"server_reset_query_always", "0", kYes, to<&S::session, &SessionSettings::reset_always>, "run it in transaction mode too"},
    {"server_round_robin", "0", kYes, to<&S::session, &SessionSettings::round_robin>, "use the longest idle server instead of the last used"},
    {"so_reuseport", "0", kNo, to<&S::listen, &ListenSettings::port_shared>, "other processes may listen on the same TCP port"},
    {"statement_errors", "pgbouncer", kYes, to<&S::session, &SessionSettings::statement_errors>, "for an unknown prepared statement: pgbouncer closes the client, postgres answers as the server does"},
    {"stats_period", "60", kYes, to<&S::time, &TimeSettings::stats_period>, "seconds over which SHOW STATS averages"},
    {"stats_users", "", kYes, to<&S::auth, &AuthSettings::stats_users>, "users allowed the console's SHOW"},
    {"suspend_timeout", "10", kYes, to<&S::time, &TimeSettings::suspend>, "seconds after which SUSPEND closes connections that are still unsent, and a takeover those that are still logging in"},
    {"syslog", "0", kYes, to<&S::log, &LogSettings::syslog>, "1: log to syslog, too"},
    {"syslog_facility", "daemon", kYes, to<&S::log, &LogSettings::syslog_facility>, "its facility: auth, authpriv, daemon, user, local0 to local7"},
    {"syslog_ident", "pgbouncer", kYes, to<&S::log, &LogSettings::syslog_ident>, "its program name"},
    {"tcp_defer_accept", "1", kYes, to<&S::listen, &ListenSettings::defer_accept>, "seconds that a TCP connection may stay unseen until its client has sent something; 0 = seen at once"},
    {"tcp_keepalive", "1", kYes, to<&S::socket, &net::SocketOptions::keepalive>, "TCP keepalive"},
    {"tcp_keepcnt", "0", kYes, to<&S::socket, &net::SocketOptions::keepalive_count>, "its probes; 0 = the system's"},
    {"tcp_keepidle", "0", kYes, to<&S::socket, &net::SocketOptions::keepalive_idle_s>, "its idle seconds; 0 = the system's"},
    {"tcp_keepintvl", "0", kYes, to<&S::socket, &net::SocketOptions::keepalive_interval_s>, "its interval in seconds; 0 = the system's"},
    {"tcp_socket_buffer", "0", kYes, to<&S::socket, &net::SocketOptions::buffer_bytes>, "socket buffers in bytes; 0 = the system's"},
    {"tcp_user_timeout", "0", kYes, to<&S::socket, &net::SocketOptions::user_timeout_ms>, "TCP_USER_TIMEOUT in milliseconds; 0 = the system's"},
    {"track_extra_parameters", "IntervalStyle", kNo, to<&S::session, &SessionSettings::tracked_parameters>, "more reported parameters to keep per client"},
    {"transaction_timeout", "0", kYes, to<&S::time, &TimeSettings::activity, &ActivityLimits::transaction>, "seconds a transaction may last; 0 = no limit"},
    {"unix_socket_dir", "/tmp", kNo, to<&S::listen, &ListenSettings::unix_dir>, "folder of the unix socket, @name for an abstract one; empty = none"},
    {"unix_socket_group", "", kNo, to<&S::listen, &ListenSettings::unix_group>, "its group"},
    {"unix_socket_mode", "0777", kNo, to<&S::listen, &ListenSettings::unix_mode>, "its permissions"},
    {"user", "", kNo, to<&S::listen, &ListenSettings::account>, "operating system account to run as; needs a start as root"},
    {"verbose", "0", kYes, to<&S::log, &LogSettings::verbose>, "more log: 1 and above also debug events"},
    {"workers", "0", kNo, to<&S::listen, &ListenSettings::workers>, "threads that serve, at most 64; 0 = one for each core"},
};

using D = DatabaseConfig;
template <auto... Path>
constexpr auto to_db = into<DatabaseConfig, Path...>;
template <const char* Name>
Status to_parameter(DatabaseConfig& database, std::string_view text) {
  database.parameters.emplace_back(Name, text);
  return ok();
}
Status to_db_auth_database(DatabaseConfig& database, std::string_view text) {
  TRY(read_auth_database(text));
  database.auth_database = text;
  return ok();
}
constexpr char kClientEncoding[] = "client_encoding";
constexpr char kDateStyle[] = "datestyle";
constexpr char kTimeZone[] = "timezone";
constexpr char kApplicationName[] = "application_name";

constexpr Key<DatabaseConfig> kDatabaseKeys[] = {
    {"application_name", "", kYes, to_parameter<kApplicationName>, "start parameter of server connections"},
    {"auth_dbname", "", kYes, to_db_auth_database, "overrides the global setting"},
    {"auth_query", "", kYes, to_db<&D::auth_query>, "overrides the global setting"},
    {"auth_user", "", kYes, to_db<&D::auth_user>, "overrides the global setting"},
    {"client_encoding", "", kYes, to_parameter<kClientEncoding>, "start parameter of server connections"},
    {"connect_query", "", kYes, to_db<&D::connect_query>, "SQL on each new server connection"},
    {"datestyle", "", kYes, to_parameter<kDateStyle>, "start parameter of server connections"},
    {"dbname", "", kYes, to_db<&D::dbname>, "name on the server"},
    {"host", "", kYes, to_db<&D::host>, "names or addresses by comma, or a folder of a unix socket"},
    {"load_balance_hosts", "round-robin", kYes, to_db<&D::load_balance>, "of several hosts: round-robin, or disable = the first that works"},
    {"max_db_client_connections", "", kYes, to_db<&D::clients_max>, "overrides the global setting"},
    {"max_db_connections", "", kYes, to_db<&D::connections_max>, "overrides the global setting"},
    {"min_pool_size", "", kYes, to_db<&D::pool_size_min>, "overrides the global setting"},
    {"password", "", kYes, to_db<&D::password>, "secret of the forced user"},
    {"pool_mode", "", kYes, to_db<&D::mode>, "overrides the global setting"},
    {"pool_size", "", kYes, to_db<&D::pool_size>, "overrides default_pool_size"},
    {"port", "5432", kYes, to_db<&D::port>, "port on the server"},
    {"query_wait_timeout", "", kYes, to_db<&D::query_wait>, "overrides the global setting"},
    {"reserve_pool", "", kYes, to_db<&D::reserve_size>, "older name of reserve_pool_size"},
    {"reserve_pool_size", "", kYes, to_db<&D::reserve_size>, "overrides the global setting"},
    {"server_lifetime", "", kYes, to_db<&D::server_lifetime>, "overrides the global setting"},
    {"timezone", "", kYes, to_parameter<kTimeZone>, "start parameter of server connections"},
    {"user", "", kYes, to_db<&D::user>, "forced user on the server"},
};

template <auto... Path>
constexpr auto to_user = into<UserConfig, Path...>;
constexpr Key<UserConfig> kUserKeys[] = {
    {"client_idle_timeout", "", kYes, to_user<&UserConfig::client_idle>, "overrides the global setting"},
    {"idle_transaction_timeout", "", kYes, to_user<&UserConfig::idle_transaction>, "overrides the global setting"},
    {"max_user_client_connections", "", kYes, to_user<&UserConfig::clients_max>, "overrides the global setting"},
    {"max_user_connections", "", kYes, to_user<&UserConfig::connections_max>, "overrides the global setting"},
    {"pool_mode", "", kYes, to_user<&UserConfig::mode>, "overrides database and global setting"},
    {"pool_size", "", kYes, to_user<&UserConfig::pool_size>, "overrides database and global setting"},
    {"query_timeout", "", kYes, to_user<&UserConfig::query>, "overrides the global setting"},
    {"query_wait_timeout", "", kYes, to_user<&UserConfig::query_wait>, "overrides database and global setting"},
    {"reserve_pool_size", "", kYes, to_user<&UserConfig::reserve_size>, "overrides database and global setting"},
    {"transaction_timeout", "", kYes, to_user<&UserConfig::transaction>, "overrides the global setting"},
};

template <auto... Path>
constexpr auto to_peer = into<PeerConfig, Path...>;
constexpr Key<PeerConfig> kPeerKeys[] = {
    {"host", "", kYes, to_peer<&PeerConfig::host_text>, "a name or an address, or a folder of a unix socket"},
    {"pool_size", "", kYes, to_peer<&PeerConfig::pool_size>, "cancel requests under way to it at once; none or 0 = default_pool_size"},
    {"port", "6432", kYes, to_peer<&PeerConfig::port>, "port it listens on"},
};
// clang-format on

// PgBouncer's keys that have no effect here yet. A value that would weaken security or make logins
// impossible if it were ignored is refused; "harmless" names the values that may stay.
struct Later {
  std::string_view name;
  bool refuse = false;
  std::string_view harmless = {};  // values by space
};

constexpr size_t kHostBytesMax = 253;  // RFC 1035: 255 with its length bytes

constexpr Later kLater[] = {{"auth_hba_file", true},
                            {"auth_ident_file", true},
                            {"auth_ldap_options", true},
                            {"client_tls_ca_file"},
                            {"client_tls_cert_file"},
                            {"client_tls_ciphers"},
                            {"client_tls13_ciphers"},
                            {"client_tls_dheparams"},
                            {"client_tls_ecdhcurve"},
                            {"client_tls_key_file"},
                            {"client_tls_protocols"},
                            {"client_tls_sslmode", true, "disable allow prefer"},
                            {"server_tls_ca_file"},
                            {"server_tls_cert_file"},
                            {"server_tls_ciphers"},
                            {"server_tls13_ciphers"},
                            {"server_tls_key_file"},
                            {"server_tls_protocols"},
                            {"server_tls_sslmode", true, "disable allow prefer"}};

Error unknown_key(std::string_view name, const std::vector<std::string_view>& known) {
  const auto near = nearest(name, known);
  return Error{ErrorCode::Invalid, cat("unknown setting \"", printable(name), "\"",
                                       near ? cat("; did you mean ", *near, "?") : "")};
}

bool is_one_of(std::string_view value, std::string_view words) {
  if (words.empty()) return false;
  const auto all = split(words, ' ');
  return std::ranges::find(all, value) != all.end();
}

// Applies one `name = value` by the tables; a key of `later` adds a warning or is refused.
template <class Target>
Status apply(Target& target, std::string_view name, std::string_view value,
             std::span<const Key<Target>> rows, std::span<const Later> later,
             std::vector<std::string>& warnings) {
  std::vector<std::string_view> known;
  for (const Key<Target>& row : rows) {
    if (row.name == name) return row.apply(target, value);
    known.push_back(row.name);
  }
  for (const Later& row : later) {
    if (row.name == name) {
      if (is_one_of(value, row.harmless) || (row.refuse && value.empty())) return ok();
      if (row.refuse) {
        return Error{ErrorCode::Invalid, cat("\"", printable(value), "\" is not yet supported")};
      }
      warnings.push_back(cat(name, " is not yet supported and has no effect"));
      return ok();
    }
    known.push_back(row.name);
  }
  return unknown_key(name, known);
}

std::span<const KeyInfo> key_infos() {
  static const std::vector<KeyInfo> infos = [] {
    std::vector<KeyInfo> all;
    for (const auto& row : kKeys) {
      all.push_back({row.name, row.default_value, row.reload, row.manual});
    }
    return all;
  }();
  return infos;
}

// A path or "@name" (the socket ".s.PGSQL.port" in it), an address, or a name for the DNS.
Result<Host> host_from(std::string_view text, int port) {
  if (text.empty()) return Error{ErrorCode::Invalid, "host: a name is missing between commas"};
  if (text[0] == '/' || text[0] == '@') {
    return Host{"", TRY(net::Address::unix_path(cat(text, "/.s.PGSQL.", port)))};
  }
  if (port < 1 || port > 65535) return Error{ErrorCode::Invalid, cat("no such port: ", port)};
  if (const auto address = net::Address::ip(text, port)) return Host{"", *address};
  const bool impossible = text.size() > kHostBytesMax || printable(text) != text ||
                          text.find(' ') != std::string_view::npos;
  if (impossible) return Error{ErrorCode::Invalid, cat("not a host: \"", printable(text), '"')};
  return Host{std::string(text), {}};
}

class Loader {
 public:
  Result<Config> load(const std::vector<IniEntry>& entries) {
    for (const auto& row : kKeys) {
      CHECK(row.apply(config_.settings, row.default_value));
      config_.values.emplace_back(row.default_value);
    }
    bool found = false;
    for (const IniEntry& entry : entries) {
      TRY_DURING(take(entry), cat(entry.place(), ": ", entry.key));
      found = found || entry.section == "pgbouncer";
    }
    if (!found)
      return Error{ErrorCode::Invalid, "the file has no settings in a [pgbouncer] section"};
    TRY(give_hosts());
    return std::move(config_);
  }

 private:
  Status take(const IniEntry& entry) {
    if (entry.section == "pgbouncer") return take_setting(entry);
    if (entry.section == "databases") return take_database(entry);
    if (entry.section == "users") return take_user(entry);
    if (entry.section == "peers") return take_peer(entry);
    return Error{ErrorCode::Invalid, cat("unknown section [", printable(entry.section), "]")};
  }

  Status take_setting(const IniEntry& entry) {
    TRY(apply<Settings>(config_.settings, entry.key, entry.value, kKeys, kLater, config_.warnings));
    for (size_t i = 0; i < std::size(kKeys); ++i) {
      if (kKeys[i].name == entry.key) config_.values[i] = entry.value;
    }
    return ok();
  }

  Status take_database(const IniEntry& entry) {
    if (entry.key == "pgbouncer") {
      return Error{ErrorCode::Invalid, "this database name is reserved for the console"};
    }
    DatabaseConfig database;
    database.name = entry.key;
    for (const auto& [name, value] : TRY(parse_connection_words(entry.value))) {
      TRY_DURING(apply<DatabaseConfig>(database, name, value, kDatabaseKeys, {}, config_.warnings),
                 name);
    }
    if (database.dbname.empty() && database.name != "*") database.dbname = database.name;
    if (!database.host.empty()) {
      for (const std::string_view host : split(database.host, ',')) {
        database.hosts.push_back(TRY(host_from(trim(host), database.port)));
      }
    }
    config_.databases[entry.key] = std::make_shared<const DatabaseConfig>(std::move(database));
    return ok();
  }

  // A database without a host is on this machine.
  Status give_hosts() {
    const std::string& unix_dir = config_.settings.listen.unix_dir;
    for (auto& [name, database] : config_.databases) {
      if (!database->hosts.empty()) continue;
      auto local = std::make_shared<DatabaseConfig>(*database);
      local->hosts.push_back(TRY_DURING(
          host_from(unix_dir.empty() ? "/tmp" : unix_dir, local->port), cat("database ", name)));
      database = std::move(local);
    }
    return ok();
  }

  Status take_user(const IniEntry& entry) {
    UserConfig user;
    for (const auto& [name, value] : TRY(parse_connection_words(entry.value))) {
      TRY_DURING(apply<UserConfig>(user, name, value, kUserKeys, {}, config_.warnings), name);
    }
    config_.users[entry.key] = user;
    config_.users_wait_differently = config_.users_wait_differently || user.query_wait;
    return ok();
  }

  Status take_peer(const IniEntry& entry) {
    int id = 0;
    if (!read_value(entry.key, id) || id < 1 || id > kPeerIdMax) {
      return Error{ErrorCode::Invalid, cat("a peer's id is a number from 1 to ", kPeerIdMax)};
    }
    PeerConfig peer;
    for (const auto& [name, value] : TRY(parse_connection_words(entry.value))) {
      TRY_DURING(apply<PeerConfig>(peer, name, value, kPeerKeys, {}, config_.warnings), name);
    }
    if (peer.host_text.empty()) {
      return Error{ErrorCode::Invalid, "where is it? A peer needs host=, and port= if not 6432"};
    }
    if (peer.host_text.find(',') != std::string::npos) {
      return Error{ErrorCode::Invalid, "host: a peer is one process, so it has one host"};
    }
    if (peer.port < 1 || peer.port > 65535) {
      return Error{ErrorCode::Invalid, cat("no such port: ", peer.port)};
    }
    peer.host = TRY(host_from(peer.host_text, peer.port));
    config_.peers[id] = std::move(peer);
    return ok();
  }

  Config config_;
};

Status read_secrets(Config& config) {
  const std::string& file = config.settings.auth.file;
  config.secrets = {};
  if (file.empty()) return ok();
  const std::string text = TRY_DURING(read_text_file(file), "auth_file");
  config.secrets = TRY(Userlist::parse(text, file));
  return ok();
}

}  // namespace

std::string_view name_of(PoolMode mode) {
  switch (mode) {
    case PoolMode::Session:
      return "session";
    case PoolMode::Transaction:
      return "transaction";
    case PoolMode::Statement:
      return "statement";
  }
  std::abort();
}

std::string_view name_of(LoadBalance balance) {
  return balance == LoadBalance::RoundRobin ? "round-robin" : "disable";
}

bool DatabaseConfig::same_server(const DatabaseConfig& other) const {
  return dbname == other.dbname && host == other.host && port == other.port && user == other.user &&
         connect_query == other.connect_query && load_balance == other.load_balance &&
         auth_query == other.auth_query && auth_database == other.auth_database &&
         parameters == other.parameters;
}

std::string DatabaseConfig::target() const {
  std::string text = cat(host, '\n', port, '\n', dbname, '\n', connect_query);
  for (const auto& [key, value] : parameters) text += cat('\n', key, '=', value);
  return text;
}

std::shared_ptr<const DatabaseConfig> Config::database(const std::string& name) const {
  const auto found = databases.find(name);
  if (found != databases.end() && name != "*") return found->second;
  const auto fallback = databases.find("*");
  if (fallback == databases.end()) return nullptr;
  auto copy = std::make_shared<DatabaseConfig>(*fallback->second);
  copy->name = name;
  if (copy->dbname.empty()) copy->dbname = name;
  return copy;
}

std::optional<AuthSource> Config::auth_source(const std::string& name) const {
  const auto asked = database(name);
  AuthSource source{settings.auth.database, settings.auth.user, settings.auth.query};
  if (asked != nullptr) {
    source.user = asked->auth_user.value_or(source.user);
    source.sql = asked->auth_query.value_or(source.sql);
    source.database = asked->auth_database.value_or(source.database);
    if (source.database.empty()) source.database = name;
  }
  if (source.user.empty() || source.database.empty()) return std::nullopt;
  return source;
}

Result<std::shared_ptr<const Config>> Config::with(std::string_view key,
                                                   std::string_view value) const {
  auto changed = std::make_shared<Config>(*this);
  std::vector<std::string> ignored;
  TRY(apply<Settings>(changed->settings, key, value, kKeys, kLater, ignored));
  if (!ignored.empty()) return Error{ErrorCode::Invalid, ignored.front()};
  for (size_t i = 0; i < std::size(kKeys); ++i) {
    if (kKeys[i].name != key) continue;
    if (kKeys[i].reload == Reload::No) {
      return Error{ErrorCode::Invalid, cat(key, " can be changed only at start")};
    }
    changed->values[i] = value;
  }
  if (key == "auth_file") TRY(read_secrets(*changed));
  return std::shared_ptr<const Config>(std::move(changed));
}

void Config::keep_start_values(const Config& running) {
  const Settings& start = running.settings;
  const int defer_accept = settings.listen.defer_accept;
  settings.listen = start.listen;
  settings.listen.defer_accept = defer_accept;
  settings.limit.read_bytes = start.limit.read_bytes;
  settings.session.tracked_parameters = start.session.tracked_parameters;
  settings.session.simple_query_refused = start.session.simple_query_refused;
  settings.dns.resolv_conf = start.dns.resolv_conf;
  settings.log.pidfile = start.log.pidfile;
  settings.log.more_verbose = start.log.more_verbose;
  settings.log.quiet = start.log.quiet;
  for (size_t i = 0; i < keys().size(); ++i) {
    if (keys()[i].reload == Reload::No) values[i] = running.values[i];
  }
}

const UserConfig* Config::user(const std::string& name) const {
  const auto found = users.find(name);
  return found == users.end() ? nullptr : &found->second;
}

int Config::pool_size(const DatabaseConfig& database, const std::string& user) const {
  const auto own = of_user(user, &UserConfig::pool_size);
  return own.value_or(database.pool_size.value_or(settings.limit.pool_size));
}

int Config::reserve_size(const DatabaseConfig& database, const std::string& user) const {
  const auto own = of_user(user, &UserConfig::reserve_size);
  return own.value_or(database.reserve_size.value_or(settings.limit.reserve_size));
}

int Config::pool_size_min(const DatabaseConfig& database, const std::string& user) const {
  const int wanted = database.pool_size_min.value_or(settings.limit.pool_size_min);
  const int most = pool_size(database, user);
  return most > 0 ? std::min(wanted, most) : wanted;
}

PoolMode Config::mode(const DatabaseConfig& database, const std::string& user) const {
  const auto own = of_user(user, &UserConfig::mode);
  return own.value_or(database.mode.value_or(settings.session.mode));
}

microseconds Config::query_wait(const DatabaseConfig& database, const std::string& user) const {
  const auto own = of_user(user, &UserConfig::query_wait);
  return own.value_or(database.query_wait.value_or(settings.time.query_wait));
}

ActivityLimits Config::activity(const std::string& name) const {
  const ActivityLimits& global = settings.time.activity;
  const UserConfig* own = user(name);
  if (own == nullptr) return global;
  return {.query = own->query.value_or(global.query),
          .transaction = own->transaction.value_or(global.transaction),
          .idle_transaction = own->idle_transaction.value_or(global.idle_transaction),
          .client_idle = own->client_idle.value_or(global.client_idle)};
}

int Config::user_connections(const std::string& user) const {
  return of_user(user, &UserConfig::connections_max).value_or(settings.limit.user_connections);
}

int Config::user_clients(const std::string& user) const {
  return of_user(user, &UserConfig::clients_max).value_or(settings.limit.user_clients);
}

int Config::database_connections(const DatabaseConfig& database) const {
  return database.connections_max.value_or(settings.limit.database_connections);
}

int Config::database_clients(const DatabaseConfig& database) const {
  return database.clients_max.value_or(settings.limit.database_clients);
}

const PeerConfig* Config::other_peer(int id) const {
  const auto found = peers.find(id);
  return found == peers.end() || id == settings.peer_id ? nullptr : &found->second;
}

int Config::pool_size(const PeerConfig& peer) const {
  const int own = peer.pool_size.value_or(0);
  return own > 0 ? own : settings.limit.pool_size;
}

std::span<const KeyInfo> keys() { return key_infos(); }

Result<Config> config_from(const std::vector<IniEntry>& entries) { return Loader().load(entries); }

Result<std::shared_ptr<const Config>> load_config(const std::string& path) {
  const auto entries = TRY(read_ini(path));
  auto config = std::make_shared<Config>(TRY(config_from(entries)));
  config->path = path;
  TRY(read_secrets(*config));
  return std::shared_ptr<const Config>(std::move(config));
}

}  // namespace pgtend::pool
