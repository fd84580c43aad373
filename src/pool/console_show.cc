#include "pool/console_show.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <ctime>
#include <functional>
#include <limits>
#include <set>
#include <utility>

#include "base/text.h"
#include "pool/console.h"
#include "wire/binary.h"

namespace pgtend::pool {
namespace {

using wire::kByteaOid;
using wire::kInt4Oid;
using wire::kInt8Oid;
using wire::kTextOid;
constexpr int32_t kNumeric = wire::kNumericOid;

using Column = ShowColumn;
using Cell = std::optional<std::string>;
using Cells = std::vector<Cell>;
using Rows = ShowRows;

std::string number(uint64_t value) { return cat(value); }

std::string when(WallTime at) {
  const std::time_t seconds_since = std::chrono::system_clock::to_time_t(at);
  std::tm parts{};
  gmtime_r(&seconds_since, &parts);
  char text[40];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts);
  return text;
}

// Wall time of a monotonic one.
std::string when(SteadyTime at, SteadyTime now) {
  return when(std::chrono::system_clock::now() -
              std::chrono::duration_cast<WallTime::duration>(now - at));
}

// --- SHOW POOLS

constexpr Column kPoolColumns[] = {{"database", kTextOid},
                                   {"user", kTextOid},
                                   {"cl_active", kInt4Oid},
                                   {"cl_waiting", kInt4Oid},
                                   {"cl_active_cancel_req", kInt4Oid},
                                   {"cl_waiting_cancel_req", kInt4Oid},
                                   {"sv_active", kInt4Oid},
                                   {"sv_active_cancel", kInt4Oid},
                                   {"sv_being_canceled", kInt4Oid},
                                   {"sv_idle", kInt4Oid},
                                   {"sv_used", kInt4Oid},
                                   {"sv_tested", kInt4Oid},
                                   {"sv_login", kInt4Oid},
                                   {"maxwait", kInt4Oid},
                                   {"maxwait_us", kInt4Oid},
                                   {"pool_mode", kTextOid},
                                   {"load_balance_hosts", kTextOid}};

std::pair<std::string, std::string> seconds_and_micros(microseconds time) {
  return {cat(time.count() / 1'000'000), cat(time.count() % 1'000'000)};
}

// Of a database with a list of hosts.
Cell balance(const DatabaseConfig& database) {
  if (database.host.find(',') == std::string::npos) return std::nullopt;
  return std::string(name_of(database.load_balance));
}

Cell balance_of(const ShowInput& input, const std::string& name) {
  const auto database = input.config.database(name);
  return database ? balance(*database) : std::nullopt;
}

Rows show_pools(const ShowInput& input) {
  Rows rows;
  for (const PoolFigures& pool : input.snapshot.pools) {
    const auto [wait_s, wait_us] = seconds_and_micros(pool.longest_wait);
    rows.push_back({pool.database, pool.user, number(pool.clients), number(pool.waiting),
                    number(pool.cancels.clients_sent), number(pool.cancels.clients_waiting),
                    number(pool.active), number(pool.cancels.sent), number(pool.being_canceled),
                    number(pool.idle), number(pool.used), number(pool.tested), number(pool.login),
                    wait_s, wait_us, std::string(name_of(pool.mode)),
                    balance_of(input, pool.database)});
  }
  rows.push_back({"pgbouncer", "pgbouncer", number(input.snapshot.console_clients), "0", "0", "0",
                  "0", "0", "0", "0", "0", "0", "0", "0", "0", "statement", std::nullopt});
  return rows;
}

// --- SHOW PEERS, PEER_POOLS

constexpr Column kPeerColumns[] = {
    {"peer_id", kInt4Oid}, {"host", kTextOid}, {"port", kInt4Oid}, {"pool_size", kInt4Oid}};

Rows show_peers(const ShowInput& input) {
  Rows rows;
  for (const auto& [id, peer] : input.config.peers) {
    rows.push_back({cat(id), peer.host_text, cat(peer.port), cat(input.config.pool_size(peer))});
  }
  return rows;
}

constexpr Column kPeerPoolColumns[] = {{"peer_id", kInt4Oid},
                                       {"cl_active_cancel_req", kInt4Oid},
                                       {"cl_waiting_cancel_req", kInt4Oid},
                                       {"sv_active_cancel", kInt4Oid},
                                       {"sv_login", kInt4Oid}};

Rows show_peer_pools(const ShowInput& input) {
  Rows rows;
  for (const PeerFigures& peer : input.snapshot.peers) {
    rows.push_back({cat(peer.id), number(peer.clients_sent), number(peer.clients_waiting),
                    number(peer.sent), number(peer.connecting)});
  }
  return rows;
}

// --- SHOW STATS and relatives

std::vector<Column> stats_columns(bool totals, bool averages) {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
#define PGTEND_NAME(field, name) all.push_back(cat("total_", name));
    PGTEND_POOL_COUNTERS(PGTEND_NAME)
#undef PGTEND_NAME
#define PGTEND_NAME(field, name) \
  all.push_back(std::string_view(name) == "received" ? std::string("avg_recv") : cat("avg_", name));
    PGTEND_POOL_COUNTERS(PGTEND_NAME)
#undef PGTEND_NAME
    return all;
  }();
  std::vector<Column> columns = {{"database", kTextOid}};
  const size_t half = names.size() / 2;
  for (size_t i = 0; i < half && totals; ++i) columns.push_back({names[i], kNumeric});
  for (size_t i = half; i < names.size() && averages; ++i) columns.push_back({names[i], kNumeric});
  return columns;
}

void append_counters(Cells& row, const Counters& counters) {
#define PGTEND_CELL(field, name) row.emplace_back(number(counters.field));
  PGTEND_POOL_COUNTERS(PGTEND_CELL)
#undef PGTEND_CELL
}

Rows stats_rows(const ShowInput& input, bool totals, bool averages) {
  Rows rows;
  for (const auto& [name, sums] : input.snapshot.stats) {
    Cells row = {name};
    if (totals) append_counters(row, sums.total);
    if (averages) append_counters(row, sums.average());
    rows.push_back(std::move(row));
  }
  return rows;
}

// STATS_TOTALS and STATS_AVERAGES name their columns after the counters, with two exceptions.
constexpr Column kTotalsColumns[] = {{"database", kTextOid},
#define PGTEND_COLUMN(field, name) {#field, kNumeric},
                                     PGTEND_POOL_COUNTERS(PGTEND_COLUMN)
#undef PGTEND_COLUMN
};
constexpr Column kAveragesColumns[] = {{"database", kTextOid},
                                       {"server_assignment_count", kNumeric},
                                       {"xact_count", kNumeric},
                                       {"query_count", kNumeric},
                                       {"bytes_received", kNumeric},
                                       {"bytes_sent", kNumeric},
                                       {"xact_time", kNumeric},
                                       {"query_time", kNumeric},
                                       {"wait_time", kNumeric},
                                       {"avg_client_parse_count", kNumeric},
                                       {"avg_server_parse_count", kNumeric},
                                       {"avg_bind_count", kNumeric},
                                       {"avg_client_login_count", kNumeric}};

Rows show_stats(const ShowInput& input) { return stats_rows(input, true, true); }
Rows show_stats_totals(const ShowInput& input) { return stats_rows(input, true, false); }
Rows show_stats_averages(const ShowInput& input) { return stats_rows(input, false, true); }

// --- SHOW CLIENTS, SERVERS

constexpr Column kSocketColumns[] = {{"type", kTextOid},
                                     {"user", kTextOid},
                                     {"database", kTextOid},
                                     {"replication", kTextOid},
                                     {"state", kTextOid},
                                     {"addr", kTextOid},
                                     {"port", kInt4Oid},
                                     {"local_addr", kTextOid},
                                     {"local_port", kInt4Oid},
                                     {"connect_time", kTextOid},
                                     {"request_time", kTextOid},
                                     {"wait", kInt4Oid},
                                     {"wait_us", kInt4Oid},
                                     {"close_needed", kInt4Oid},
                                     {"ptr", kTextOid},
                                     {"link", kTextOid},
                                     {"remote_pid", kInt4Oid},
                                     {"tls", kTextOid},
                                     {"application_name", kTextOid},
                                     {"prepared_statements", kInt4Oid},
                                     {"id", kInt4Oid}};
std::string pointer(const char* kind, std::optional<uint64_t> id) {
  return id ? cat(kind, *id) : std::string();
}

Rows socket_rows(const ShowInput& input, const std::vector<SocketFigures>& sockets, bool clients) {
  Rows rows;
  const char* own = clients ? "c" : "s";
  const char* other = clients ? "s" : "c";
  for (const SocketFigures& socket : sockets) {
    const auto [wait_s, wait_us] = seconds_and_micros(socket.wait);
    rows.push_back({clients ? "C" : "S",
                    socket.user,
                    socket.database,
                    std::string(name_of(socket.replication)),
                    socket.state,
                    socket.peer.host(),
                    cat(socket.peer.port()),
                    socket.local.host(),
                    cat(socket.local.port()),
                    when(socket.connected_at, input.now),
                    when(socket.request_at, input.now),
                    wait_s,
                    wait_us,
                    socket.close_wanted ? "1" : "0",
                    pointer(own, socket.id),
                    pointer(other, socket.link),
                    cat(socket.pid),
                    "",
                    socket.application_name,
                    number(socket.prepared_statements),
                    cat(socket.id)});
  }
  return rows;
}

Rows show_clients(const ShowInput& input) {
  return socket_rows(input, input.snapshot.clients, true);
}
Rows show_servers(const ShowInput& input) {
  return socket_rows(input, input.snapshot.servers, false);
}

// SHOW SOCKETS: both, with the state of their buffers.
std::vector<Column> buffer_columns() {
  std::vector<Column> columns(std::begin(kSocketColumns), std::end(kSocketColumns));
  for (const char* name : {"recv_pos", "pkt_pos", "pkt_remain", "send_pos", "send_remain",
                           "pkt_avail", "send_avail"}) {
    columns.push_back({name, kInt4Oid});
  }
  return columns;
}

std::span<const Column> columns_of_sockets() {
  static const std::vector<Column> columns = buffer_columns();
  return columns;
}

// `all`: else only those that are linked, wait or have something unsent.
Rows buffer_rows(const ShowInput& input, bool all) {
  constexpr size_t kState = 4;
  Rows rows;
  for (const bool clients : {true, false}) {
    for (const SocketFigures& socket : clients ? input.snapshot.clients : input.snapshot.servers) {
      const bool active = socket.link || socket.wait.count() > 0 || socket.unsent > 0;
      if (!all && !active) continue;
      Cells row = socket_rows(input, {socket}, clients).front();
      row[kState] = cat(clients ? "cl_" : "sv_", socket.state);
      const std::string kept = number(socket.kept);
      for (const std::string& cell :
           {kept, std::string("0"), number(socket.message_left), std::string("0"),
            number(socket.unsent), kept, std::string("0")}) {
        row.emplace_back(cell);
      }
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

Rows show_sockets(const ShowInput& input) { return buffer_rows(input, true); }
Rows show_active_sockets(const ShowInput& input) { return buffer_rows(input, false); }

// --- SHOW FDS

constexpr Column kDescriptorColumns[] = {{"fd", kInt4Oid},
                                         {"task", kTextOid},
                                         {"user", kTextOid},
                                         {"database", kTextOid},
                                         {"addr", kTextOid},
                                         {"port", kInt4Oid},
                                         {"cancel", kInt8Oid},
                                         {"link", kInt4Oid},
                                         {"client_encoding", kTextOid},
                                         {"std_strings", kTextOid},
                                         {"datestyle", kTextOid},
                                         {"timezone", kTextOid},
                                         {"password", kTextOid},
                                         {"scram_client_key", kByteaOid},
                                         {"scram_server_key", kByteaOid}};

// Secrets are not shown to anybody. The descriptors themselves go along with HANDOVER, not here.
Rows show_fds(const ShowInput& input) {
  Rows rows;
  for (const DescriptorFigures& socket : input.snapshot.descriptors) {
    const bool listens = socket.parameters.empty();
    Cells row = {cat(socket.descriptor), std::string(socket.task)};
    row.push_back(listens ? Cell() : socket.user);
    row.push_back(listens ? Cell() : socket.database);
    row.insert(row.end(), {socket.address.is_unix() ? "unix" : socket.address.host(),
                           cat(socket.address.port()), cat(static_cast<int64_t>(socket.cancel)),
                           cat(socket.link)});
    row.insert(row.end(), socket.parameters.begin(), socket.parameters.end());
    row.resize(std::size(kDescriptorColumns));
    rows.push_back(std::move(row));
  }
  return rows;
}

// --- SHOW DATABASES, CONFIG, VERSION

constexpr Column kDatabaseColumns[] = {{"name", kTextOid},
                                       {"host", kTextOid},
                                       {"port", kInt4Oid},
                                       {"database", kTextOid},
                                       {"force_user", kTextOid},
                                       {"pool_size", kInt4Oid},
                                       {"min_pool_size", kInt4Oid},
                                       {"reserve_pool_size", kInt4Oid},
                                       {"server_lifetime", kInt4Oid},
                                       {"pool_mode", kTextOid},
                                       {"load_balance_hosts", kTextOid},
                                       {"max_connections", kInt4Oid},
                                       {"current_connections", kInt4Oid},
                                       {"max_client_connections", kInt4Oid},
                                       {"current_client_connections", kInt4Oid},
                                       {"paused", kInt4Oid},
                                       {"disabled", kInt4Oid}};

// Users with clients, and how many.
std::map<std::string, int> clients_by_user(const ShowInput& input) {
  std::map<std::string, int> clients;
  input.groups.each_user_clients([&](const std::string& user, const Slots& slots) {
    if (slots.used() > 0) clients[user] = slots.used();
  });
  return clients;
}

// Everybody known: from the user list, from [users], and who is here.
std::set<std::string> user_names(const ShowInput& input) {
  std::set<std::string> names = input.config.secrets.names();
  for (const auto& [name, user] : input.config.users) names.insert(name);
  for (const PoolFigures& pool : input.snapshot.pools) names.insert(pool.user);
  for (const auto& [name, clients] : clients_by_user(input)) names.insert(name);
  return names;
}

Rows show_databases(const ShowInput& input) {
  Rows rows;
  const Settings& settings = input.config.settings;
  for (const auto& [name, database] : input.config.databases) {
    uint64_t servers = 0;
    for (const PoolFigures& pool : input.snapshot.pools) {
      if (pool.database == name) servers += pool.servers();
    }
    const auto lifetime = std::chrono::duration_cast<seconds>(
        database->server_lifetime.value_or(settings.time.server_lifetime));
    Switches& switches = input.groups.switches(name);
    const bool paused = switches.paused || input.groups.all_paused();
    Cell mode;
    if (database->mode) mode = name_of(*database->mode);
    rows.push_back({name, database->host.empty() ? Cell() : Cell(database->host),
                    cat(database->port), database->dbname.empty() ? name : database->dbname,
                    database->user, cat(database->pool_size.value_or(settings.limit.pool_size)),
                    cat(database->pool_size_min.value_or(settings.limit.pool_size_min)),
                    cat(database->reserve_size.value_or(settings.limit.reserve_size)),
                    cat(lifetime.count()), mode, balance(*database),
                    cat(input.config.database_connections(*database)), number(servers),
                    cat(input.config.database_clients(*database)),
                    cat(input.groups.database_clients(name)), paused ? "1" : "0",
                    switches.disabled ? "1" : "0"});
  }
  return rows;
}

constexpr Column kConfigColumns[] = {
    {"key", kTextOid}, {"value", kTextOid}, {"default", kTextOid}, {"changeable", kTextOid}};

Rows show_config(const ShowInput& input) {
  Rows rows;
  for (size_t i = 0; i < keys().size(); ++i) {
    const KeyInfo& key = keys()[i];
    rows.push_back({std::string(key.name), input.config.values[i], std::string(key.default_value),
                    key.reload == Reload::Yes ? "yes" : "no"});
  }
  return rows;
}

// --- SHOW STATE, LISTS, USERS, TOTALS

constexpr Column kStateColumns[] = {{"key", kTextOid}, {"value", kTextOid}};

Rows show_state(const ShowInput& input) {
  const bool paused = input.groups.all_paused();
  return {{"active", paused || input.is_suspended ? "no" : "yes"},
          {"paused", paused ? "yes" : "no"},
          {"suspended", input.is_suspended ? "yes" : "no"}};
}

constexpr Column kListColumns[] = {{"list", kTextOid}, {"items", kInt4Oid}};

Rows show_lists(const ShowInput& input) {
  const Snapshot& snapshot = input.snapshot;
  uint64_t clients = snapshot.console_clients;
  uint64_t idle = 0;
  uint64_t servers = 0;
  for (const PoolFigures& pool : snapshot.pools) {
    clients += pool.clients + pool.waiting;
    idle += pool.idle;
    servers += pool.servers();
  }
  uint64_t peer_pools = 0;
  for (const auto& [id, peer] : input.config.peers) {
    peer_pools += input.config.other_peer(id) != nullptr ? 1 : 0;
  }
  return {{"databases", number(input.config.databases.size() + 1)},
          {"users", number(user_names(input).size())},
          {"peers", number(input.config.peers.size())},
          {"pools", number(snapshot.pools.size() + 1)},
          {"peer_pools", number(peer_pools)},
          {"free_clients", "0"},
          {"used_clients", number(clients)},
          {"login_clients", number(snapshot.login_clients)},
          {"free_servers", number(idle)},
          {"used_servers", number(servers - idle)},
          {"dns_names", number(snapshot.names.size())},
          {"dns_zones", number(snapshot.zones.size())},
          {"dns_queries", number(snapshot.name_questions)},
          {"dns_pending", "0"}};
}

constexpr Column kHostColumns[] = {{"hostname", kTextOid}, {"ttl", kInt8Oid}, {"addrs", kTextOid}};

Rows show_dns_hosts(const ShowInput& input) {
  Rows rows;
  for (const NameFigures& name : input.snapshot.names) {
    std::string addresses;
    for (const net::Address& address : name.addresses) {
      addresses += cat(addresses.empty() ? "" : ",", address.text());
    }
    rows.push_back({name.name, cat(name.ttl.count()), addresses});
  }
  return rows;
}

constexpr Column kZoneColumns[] = {
    {"zonename", kTextOid}, {"serial", kInt8Oid}, {"count", kInt4Oid}};

Rows show_dns_zones(const ShowInput& input) {
  Rows rows;
  for (const ZoneFigures& zone : input.snapshot.zones) {
    rows.push_back({zone.name, cat(zone.serial.value_or(0)), number(zone.names)});
  }
  return rows;
}

constexpr Column kUserColumns[] = {{"name", kTextOid},
                                   {"pool_size", kTextOid},
                                   {"reserve_pool_size", kTextOid},
                                   {"pool_mode", kTextOid},
                                   {"max_user_connections", kInt4Oid},
                                   {"current_connections", kInt4Oid},
                                   {"max_user_client_connections", kInt4Oid},
                                   {"current_client_connections", kInt4Oid}};

Rows show_users(const ShowInput& input) {
  Rows rows;
  auto clients = clients_by_user(input);
  for (const std::string& name : user_names(input)) {
    const UserConfig* known = input.config.user(name);
    const UserConfig user = known == nullptr ? UserConfig{} : *known;
    uint64_t servers = 0;
    for (const PoolFigures& pool : input.snapshot.pools) {
      if (pool.server_user == name) servers += pool.servers();
    }
    rows.push_back({name, user.pool_size ? cat(*user.pool_size) : "",
                    user.reserve_size ? cat(*user.reserve_size) : "",
                    user.mode ? Cell(name_of(*user.mode)) : Cell(),
                    cat(input.config.user_connections(name)), number(servers),
                    cat(input.config.user_clients(name)), cat(clients[name])});
  }
  return rows;
}

constexpr Column kSumColumns[] = {{"name", kTextOid}, {"value", kNumeric}};

// PgBouncer's own names for what the tables of STATS call otherwise.
constexpr std::pair<std::string_view, std::string_view> kTotalNames[] = {
    {"received", "client_bytes"},
    {"sent", "server_bytes"},
    {"client_parse_count", "ps_client_parse_count"},
    {"server_parse_count", "ps_server_parse_count"},
    {"bind_count", "ps_bind_count"}};

std::string total_name(std::string_view name) {
  for (const auto& [ours, theirs] : kTotalNames) {
    if (ours == name) return std::string(theirs);
  }
  return std::string(name);
}

Rows show_totals(const ShowInput& input) {
  Statistics::Sums sums;
  for (const auto& [database, part] : input.snapshot.stats) sums.add(part);
  const Counters average = sums.average();
  Rows rows;
#define PGTEND_ROW(field, name) \
  rows.push_back({cat("total_", total_name(name)), number(sums.total.field)});
  PGTEND_POOL_COUNTERS(PGTEND_ROW)
#undef PGTEND_ROW
#define PGTEND_ROW(field, name) \
  rows.push_back({cat("avg_", total_name(name)), number(average.field)});
  PGTEND_POOL_COUNTERS(PGTEND_ROW)
#undef PGTEND_ROW
  return rows;
}

// --- what clients ask: pgtend's own

std::string hex(uint64_t value) {
  char digits[16];
  const auto end = std::to_chars(digits, std::end(digits), value, 16).ptr;
  const std::string text(digits, end);
  return std::string(sizeof digits - text.size(), '0') + text;
}

constexpr Column kQueryColumns[] = {
    {"database", kTextOid}, {"user", kTextOid},       {"shape", kTextOid},
    {"calls", kInt8Oid},    {"errors", kInt8Oid},     {"rows", kInt8Oid},
    {"bytes", kInt8Oid},    {"total_time", kInt8Oid}, {"mean_time", kInt8Oid},
    {"p50_time", kInt8Oid}, {"p95_time", kInt8Oid},   {"p99_time", kInt8Oid},
    {"max_time", kInt8Oid}, {"first_seen", kTextOid}, {"last_seen", kTextOid},
    {"query", kTextOid}};

// The most time first; calls without a shape of their own have none in the table either.
Rows show_queries(const ShowInput& input) {
  std::vector<const QueryFigures*> order;
  for (const auto& [key, figures] : input.snapshot.queries) {
    if (figures.counts.calls > 0) order.push_back(&figures);
  }
  std::ranges::stable_sort(order, std::greater<>{},
                           [](const auto* figures) { return figures->counts.time_us; });
  Rows rows;
  for (const QueryFigures* figures : order) {
    const QueryCounts& counts = figures->counts;
    const SmallHistogram& times = figures->times;
    Cell shape;
    if (figures->shape != 0) shape = hex(figures->shape);
    rows.push_back({figures->database, figures->user, shape, number(counts.calls),
                    number(counts.errors), number(counts.rows), number(counts.bytes),
                    number(counts.time_us), number(counts.time_us / counts.calls),
                    cat(times.quantile(0.5)), cat(times.quantile(0.95)), cat(times.quantile(0.99)),
                    cat(times.max()), when(figures->first_seen, input.now),
                    when(figures->last_seen, input.now),
                    figures->shape != 0 ? Cell(figures->text) : std::nullopt});
  }
  return rows;
}

constexpr Column kHistogramColumns[] = {
    {"database", kTextOid},  {"user", kTextOid},     {"kind", kTextOid},     {"count", kInt8Oid},
    {"mean_time", kInt8Oid}, {"p50_time", kInt8Oid}, {"p95_time", kInt8Oid}, {"p99_time", kInt8Oid},
    {"max_time", kInt8Oid},  {"buckets", kTextOid}};

// Buckets as "lowest value:count" by space: what lies between two looks can be computed from them.
Rows show_histograms(const ShowInput& input) {
  Rows rows;
  for (const auto& [key, times] : input.snapshot.times) {
    const std::pair<const char*, const SmallHistogram*> kinds[] = {
        {"wait", &times.wait}, {"query", &times.query}, {"transaction", &times.transaction}};
    for (const auto& [kind, histogram] : kinds) {
      std::string buckets;
      histogram->each_bucket([&](int64_t low, uint64_t count) {
        buckets += cat(buckets.empty() ? "" : " ", low, ':', count);
      });
      rows.push_back({key.first, key.second, kind, number(histogram->count()),
                      cat(static_cast<int64_t>(histogram->mean())), cat(histogram->quantile(0.5)),
                      cat(histogram->quantile(0.95)), cat(histogram->quantile(0.99)),
                      cat(histogram->max()), buckets});
    }
  }
  return rows;
}

constexpr Column kEventColumns[] = {
    {"time", kTextOid},    {"kind", kTextOid},   {"database", kTextOid}, {"user", kTextOid},
    {"command", kTextOid}, {"target", kTextOid}, {"rows", kInt8Oid}};

Rows show_events(const ShowInput& input) {
  Rows rows;
  for (const Event& event : input.snapshot.events) {
    rows.push_back({when(event.at), std::string(name_of(event.kind)), event.database, event.user,
                    event.command, event.target, number(event.rows)});
  }
  return rows;
}

constexpr Column kHoldColumns[] = {
    {"id", kInt8Oid},     {"database", kTextOid}, {"tables", kTextOid},  {"client", kInt8Oid},
    {"age_ms", kInt8Oid}, {"left_ms", kInt8Oid},  {"waiting", kInt8Oid}, {"open", kInt8Oid}};

Rows show_holds(const ShowInput& input) {
  const auto ms = [](SteadyTime from, SteadyTime to) {
    return cat(std::max<int64_t>(0, std::chrono::duration_cast<milliseconds>(to - from).count()));
  };
  Rows rows;
  for (const auto& [id, hold] : input.snapshot.holds) {
    Cell database;
    if (!hold.database.empty()) database = hold.database;
    rows.push_back({number(id), database, hold.tables, number(hold.client),
                    ms(hold.since, input.now), ms(input.now, hold.until), number(hold.waiting),
                    number(hold.open)});
  }
  return rows;
}

constexpr Column kMemoryColumns[] = {{"name", kTextOid},
                                     {"size", kInt4Oid},
                                     {"used", kInt4Oid},
                                     {"free", kInt4Oid},
                                     {"memtotal", kInt4Oid}};

// PgBouncer's type for the sums, which may not hold one.
std::string int4(uint64_t value) {
  return cat(std::min<uint64_t>(value, std::numeric_limits<int32_t>::max()));
}

Rows show_mem(const ShowInput& input) {
  Rows rows;
  for (const MemoryFigures& kind : input.snapshot.memory) {
    rows.push_back({std::string(kind.name), int4(kind.bytes), int4(kind.used), int4(kind.free),
                    int4(kind.bytes * (kind.used + kind.free))});
  }
  return rows;
}

constexpr Column kVersionColumns[] = {{"version", kTextOid}};

Rows show_version(const ShowInput&) { return {{version_text()}}; }

// --- the table of SHOW

std::span<const Column> columns_of_stats() {
  static const std::vector<Column> columns = stats_columns(true, true);
  return columns;
}

}  // namespace

std::span<const Show> shows() {
  static const std::array all = {
      Show{"active_sockets", Part::Sockets, columns_of_sockets(), show_active_sockets},
      Show{"clients", Part::Clients, kSocketColumns, show_clients},
      Show{"config", Part::None, kConfigColumns, show_config},
      Show{"databases", Part::Pools, kDatabaseColumns, show_databases},
      Show{"dns_hosts", Part::Names, kHostColumns, show_dns_hosts},
      Show{"dns_zones", Part::Names, kZoneColumns, show_dns_zones},
      Show{"events", Part::Events, kEventColumns, show_events},
      Show{"fds", Part::Descriptors, kDescriptorColumns, show_fds, true},
      Show{"histograms", Part::Times, kHistogramColumns, show_histograms},
      Show{"holds", Part::Holds, kHoldColumns, show_holds},
      Show{"lists", Part::Pools, kListColumns, show_lists},
      Show{"mem", Part::Memory, kMemoryColumns, show_mem},
      Show{"peer_pools", Part::Peers, kPeerPoolColumns, show_peer_pools},
      Show{"peers", Part::None, kPeerColumns, show_peers},
      Show{"pools", Part::Pools, kPoolColumns, show_pools},
      Show{"queries", Part::Queries, kQueryColumns, show_queries},
      Show{"servers", Part::Servers, kSocketColumns, show_servers},
      Show{"sockets", Part::Sockets, columns_of_sockets(), show_sockets},
      Show{"state", Part::None, kStateColumns, show_state},
      Show{"stats", Part::Stats, columns_of_stats(), show_stats},
      Show{"stats_averages", Part::Stats, kAveragesColumns, show_stats_averages},
      Show{"stats_totals", Part::Stats, kTotalsColumns, show_stats_totals},
      Show{"totals", Part::Stats, kSumColumns, show_totals},
      Show{"users", Part::Pools, kUserColumns, show_users},
      Show{"version", Part::None, kVersionColumns, show_version},
  };
  return all;
}

}  // namespace pgtend::pool
