#include "pool/console.h"

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/log.h"
#include "base/text.h"
#include "base/version.h"
#include "pool/client.h"
#include "pool/pools.h"
#include "pool/texts.h"
#include "pool/worker.h"
#include "wire/backend.h"

namespace pgtend::pool {
namespace {

namespace be = wire::backend;

// The console whose columns and texts these are, in the form that monitoring programs parse.
constexpr std::string_view kServerVersion = "1.25.0/bouncer";
constexpr size_t kArgumentBytesMax = 63;

constexpr int32_t kText = 25;
constexpr int32_t kInt4 = 23;
constexpr int32_t kInt8 = 20;
constexpr int32_t kNumeric = 1700;

struct Column {
  std::string_view name;
  int32_t type;
};
using Cell = std::optional<std::string>;
using Cells = std::vector<Cell>;
using Rows = std::vector<Cells>;

std::string number(uint64_t value) { return cat(value); }

std::string when(SteadyTime at, const Worker& worker) {
  // Wall time of a monotonic one, as the console prints it.
  const auto ago = const_cast<Worker&>(worker).now() - at;
  const auto wall = std::chrono::system_clock::now() -
                    std::chrono::duration_cast<std::chrono::system_clock::duration>(ago);
  const std::time_t seconds_since = std::chrono::system_clock::to_time_t(wall);
  std::tm parts{};
  gmtime_r(&seconds_since, &parts);
  char text[40];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts);
  return text;
}

// --- SHOW POOLS

constexpr Column kPoolColumns[] = {{"database", kText},
                                   {"user", kText},
                                   {"cl_active", kInt4},
                                   {"cl_waiting", kInt4},
                                   {"cl_active_cancel_req", kInt4},
                                   {"cl_waiting_cancel_req", kInt4},
                                   {"sv_active", kInt4},
                                   {"sv_active_cancel", kInt4},
                                   {"sv_being_canceled", kInt4},
                                   {"sv_idle", kInt4},
                                   {"sv_used", kInt4},
                                   {"sv_tested", kInt4},
                                   {"sv_login", kInt4},
                                   {"maxwait", kInt4},
                                   {"maxwait_us", kInt4},
                                   {"pool_mode", kText},
                                   {"load_balance_hosts", kText}};

size_t count_busy(Pool& pool, std::string_view state) {
  size_t count = 0;
  pool.busy.each([&](Server& server) { count += server.state_name() == state ? 1 : 0; });
  return count;
}

Rows show_pools(Worker& worker) {
  Rows rows;
  size_t console_clients = 0;
  worker.each_client(
      [&](Client& client) { console_clients += client.state() == Client::State::Console ? 1 : 0; });
  worker.pools().each([&](Pool& pool) {
    const auto wait = pool.longest_wait(worker.now()).count();
    rows.push_back({pool.database().name, pool.user(), number(pool.clients.size()),
                    number(pool.waiting()), "0", "0", number(count_busy(pool, "active")), "0",
                    number(count_busy(pool, "being_canceled")), number(pool.idle().size()),
                    number(count_busy(pool, "used")), number(count_busy(pool, "tested")),
                    number(count_busy(pool, "login")), cat(wait / 1'000'000), cat(wait % 1'000'000),
                    std::string(name_of(pool.mode())), std::nullopt});
  });
  rows.push_back({"pgbouncer", "pgbouncer", number(console_clients), "0", "0", "0", "0", "0", "0",
                  "0", "0", "0", "0", "0", "0", "statement", std::nullopt});
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
  std::vector<Column> columns = {{"database", kText}};
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

Rows stats_rows(Worker& worker, bool totals, bool averages) {
  Rows rows;
  for (const auto& [name, entry] : worker.statistics().by_database(worker.pools())) {
    Cells row = {name};
    if (totals) append_counters(row, entry.total);
    if (averages) append_counters(row, entry.average);
    rows.push_back(std::move(row));
  }
  return rows;
}

// STATS_TOTALS and STATS_AVERAGES name their columns after the counters, with two exceptions.
constexpr Column kTotalsColumns[] = {{"database", kText},
#define PGTEND_COLUMN(field, name) {#field, kNumeric},
                                     PGTEND_POOL_COUNTERS(PGTEND_COLUMN)
#undef PGTEND_COLUMN
};
constexpr Column kAveragesColumns[] = {{"database", kText},
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

Rows show_stats(Worker& worker) { return stats_rows(worker, true, true); }
Rows show_stats_totals(Worker& worker) { return stats_rows(worker, true, false); }
Rows show_stats_averages(Worker& worker) { return stats_rows(worker, false, true); }

// --- SHOW CLIENTS, SERVERS

constexpr Column kSocketColumns[] = {{"type", kText},
                                     {"user", kText},
                                     {"database", kText},
                                     {"replication", kText},
                                     {"state", kText},
                                     {"addr", kText},
                                     {"port", kInt4},
                                     {"local_addr", kText},
                                     {"local_port", kInt4},
                                     {"connect_time", kText},
                                     {"request_time", kText},
                                     {"wait", kInt4},
                                     {"wait_us", kInt4},
                                     {"close_needed", kInt4},
                                     {"ptr", kText},
                                     {"link", kText},
                                     {"remote_pid", kInt4},
                                     {"tls", kText},
                                     {"application_name", kText},
                                     {"prepared_statements", kInt4},
                                     {"id", kInt4}};
constexpr size_t kApplicationName = 4;  // in TrackedNames

std::string pointer(const char* kind, std::optional<uint64_t> id) {
  return id ? cat(kind, *id) : std::string();
}

Rows show_clients(Worker& worker) {
  Rows rows;
  worker.each_client([&](Client& client) {
    const auto& who = client.identity();
    const bool waits = client.state() == Client::State::Waiting;
    const auto wait =
        waits ? std::chrono::duration_cast<microseconds>(worker.now() - who.request_at).count() : 0;
    const auto local = net::local_of(client.channel().socket().descriptor());
    std::optional<uint64_t> link;
    if (client.server() != nullptr) link = client.server()->identity().id;
    rows.push_back({"C",
                    who.user,
                    who.database,
                    "none",
                    std::string(client.state_name()),
                    who.peer.host(),
                    cat(who.peer.port()),
                    local.host(),
                    cat(local.port()),
                    when(who.connected_at, worker),
                    when(who.request_at, worker),
                    cat(wait / 1'000'000),
                    cat(wait % 1'000'000),
                    "0",
                    pointer("c", who.id),
                    pointer("s", link),
                    "0",
                    "",
                    client.parameters().get(kApplicationName).value_or(""),
                    "0",
                    cat(who.id)});
  });
  return rows;
}

Rows show_servers(Worker& worker) {
  Rows rows;
  worker.each_server([&](Server& server) {
    if (server.state() == Server::State::Gone || server.channel() == nullptr) return;
    const auto& who = server.identity();
    const auto local = net::local_of(server.channel()->socket().descriptor());
    std::optional<uint64_t> link;
    if (server.lease().client() != nullptr) link = server.lease().client()->identity().id;
    rows.push_back({"S",
                    server.pool().server_user(),
                    server.pool().database().name,
                    "none",
                    std::string(server.state_name()),
                    who.address.host(),
                    cat(who.address.port()),
                    local.host(),
                    cat(local.port()),
                    when(who.connected_at, worker),
                    when(who.used_at, worker),
                    "0",
                    "0",
                    server.close_wanted() ? "1" : "0",
                    pointer("s", who.id),
                    pointer("c", link),
                    cat(who.pid),
                    "",
                    server.parameters().get(kApplicationName).value_or(""),
                    "0",
                    cat(who.id)});
  });
  return rows;
}

// --- SHOW DATABASES, CONFIG, VERSION

constexpr Column kDatabaseColumns[] = {{"name", kText},
                                       {"host", kText},
                                       {"port", kInt4},
                                       {"database", kText},
                                       {"force_user", kText},
                                       {"pool_size", kInt4},
                                       {"min_pool_size", kInt4},
                                       {"reserve_pool_size", kInt4},
                                       {"server_lifetime", kInt4},
                                       {"pool_mode", kText},
                                       {"load_balance_hosts", kText},
                                       {"max_connections", kInt4},
                                       {"current_connections", kInt4},
                                       {"max_client_connections", kInt4},
                                       {"current_client_connections", kInt4},
                                       {"paused", kInt4},
                                       {"disabled", kInt4}};

Rows show_databases(Worker& worker) {
  Rows rows;
  const Settings& settings = worker.config().settings;
  for (const auto& [name, database] : worker.config().databases) {
    int servers = 0;
    size_t clients = 0;
    worker.pools().each([&, &wanted = name](Pool& pool) {
      if (pool.database().name != wanted) return;
      servers += pool.slots().own.used();
      clients += pool.clients.size() + pool.waiting();
    });
    const auto lifetime = std::chrono::duration_cast<seconds>(
        database->server_lifetime.value_or(settings.time.server_lifetime));
    Cell mode;
    if (database->mode) mode = name_of(*database->mode);
    rows.push_back({name, database->host.empty() ? Cell() : Cell(database->host),
                    cat(database->port), database->dbname.empty() ? name : database->dbname,
                    database->user, cat(database->pool_size.value_or(settings.limit.pool_size)),
                    "0", "0", cat(lifetime.count()), mode, std::nullopt,
                    cat(database->connections_max.value_or(settings.limit.database_connections)),
                    cat(servers), "0", number(clients), "0", "0"});
  }
  return rows;
}

constexpr Column kConfigColumns[] = {
    {"key", kText}, {"value", kText}, {"default", kText}, {"changeable", kText}};

Rows show_config(Worker& worker) {
  Rows rows;
  for (size_t i = 0; i < keys().size(); ++i) {
    const KeyInfo& key = keys()[i];
    rows.push_back({std::string(key.name), worker.config().values[i],
                    std::string(key.default_value), key.reload == Reload::Yes ? "yes" : "no"});
  }
  return rows;
}

constexpr Column kVersionColumns[] = {{"version", kText}};

Rows show_version(Worker&) { return {{version_text()}}; }

// --- the table of SHOW

struct Show {
  std::string_view name;
  std::span<const Column> columns;
  Rows (*fill)(Worker&);
};

std::span<const Column> columns_of_stats() {
  static const std::vector<Column> columns = stats_columns(true, true);
  return columns;
}

std::span<const Show> shows() {
  static const std::array all = {
      Show{"clients", kSocketColumns, show_clients},
      Show{"config", kConfigColumns, show_config},
      Show{"databases", kDatabaseColumns, show_databases},
      Show{"pools", kPoolColumns, show_pools},
      Show{"servers", kSocketColumns, show_servers},
      Show{"stats", columns_of_stats(), show_stats},
      Show{"stats_averages", kAveragesColumns, show_stats_averages},
      Show{"stats_totals", kTotalsColumns, show_stats_totals},
      Show{"version", kVersionColumns, show_version},
  };
  return all;
}

void append_table(std::string& out, std::span<const Column> columns, const Rows& rows) {
  std::vector<be::Column> described;
  for (const Column& column : columns) {
    const int16_t size = column.type == kInt4 ? 4 : column.type == kInt8 ? 8 : -1;
    described.push_back({.name = column.name, .type_oid = column.type, .type_size = size});
  }
  be::append_row_description(out, described);
  for (const Cells& cells : rows) {
    DCHECK(cells.size() == columns.size());
    // A zero byte cannot come: names end at one on the wire.
    be::append_data_row(out, be::Row(cells.begin(), cells.end()));
  }
  be::append_command_complete(out, "SHOW");
}

void append_help(std::string& out) {
  std::string detail = "\n\tSHOW HELP";
  for (const Show& show : shows()) {
    std::string upper(show.name);
    for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    detail += cat("|", upper);
  }
  detail += "\n\tRELOAD\n\tSHUTDOWN [ WAIT_FOR_SERVERS | WAIT_FOR_CLIENTS ]\n";
  be::append_notice(out, {.severity = "NOTICE",
                          .sqlstate = "00000",
                          .message = "Console usage",
                          .detail = std::string_view(detail)});
  be::append_command_complete(out, "SHOW");
}

// --- commands

struct Session {
  Worker& worker;
  Client& client;
  std::string& out;
  bool is_admin;

  void error(std::string_view text, std::string_view sqlstate = kPoolerState) {
    out += error_message(text, sqlstate);
  }
};

bool names_contain(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

void run_show(Session& session, std::string_view what, std::string_view whole) {
  if (equal_ignoring_case(what, "help")) return append_help(session.out);
  for (const Show& show : shows()) {
    if (equal_ignoring_case(show.name, what)) {
      return append_table(session.out, show.columns, show.fill(session.worker));
    }
  }
  session.error(cat("invalid command '", printable(whole), "', use SHOW HELP;"));
}

void run_reload(Session& session) {
  if (!session.is_admin) return session.error("admin access needed");
  log::info("RELOAD command issued");
  auto status = session.worker.reload();
  if (!status) {
    log::error("reload failed", {log::kv("cause", status.error().message)});
    return session.error("RELOAD failed, see logs for additional details", "F0000");
  }
  be::append_command_complete(session.out, "RELOAD");
}

// True if the client is to be closed without an answer.
bool run_shutdown(Session& session, std::string_view how) {
  if (!session.is_admin) {
    session.error("admin access needed");
    return false;
  }
  log::info("SHUTDOWN command issued");
  if (how.empty()) {
    session.worker.loop().stop();
    return true;
  }
  const bool servers = equal_ignoring_case(how, "wait_for_servers");
  if (!servers && !equal_ignoring_case(how, "wait_for_clients")) {
    session.error("bad arguments");
    return false;
  }
  be::append_command_complete(session.out, "SHUTDOWN");
  // After this answer is on its way.
  session.worker.loop().defer([&worker = session.worker, servers] {
    worker.shut_down(servers ? Service::WaitForServers : Service::WaitForClients);
  });
  return false;
}

bool run_command(Session& session, std::string_view command) {
  const size_t end = command.find_first_of(" \t\r\n");
  const auto verb = command.substr(0, end);
  const auto argument =
      end == std::string_view::npos ? std::string_view{} : trim(command.substr(end));
  if (argument.size() > kArgumentBytesMax) {
    session.error("bad arguments");
  } else if (equal_ignoring_case(verb, "show") || equal_ignoring_case(verb, "select")) {
    run_show(session, argument, command);
  } else if (equal_ignoring_case(verb, "reload") && argument.empty()) {
    run_reload(session);
  } else if (equal_ignoring_case(verb, "shutdown")) {
    return run_shutdown(session, argument);
  } else {
    session.error(cat("invalid command '", printable(command), "', use SHOW HELP;"));
  }
  return false;
}

}  // namespace

std::string version_text() { return cat("pgtend-pool ", kVersion, " (console of PgBouncer 1.25)"); }

bool console_allows(const Worker& worker, const std::string& user) {
  const AuthSettings& auth = worker.config().settings.auth;
  return names_contain(auth.admin_users, user) || names_contain(auth.stats_users, user);
}

void append_console_welcome(std::string& out) {
  be::append_authentication(out, {be::AuthKind::Ok, {}});
  static constexpr be::ParameterStatus kWelcome[] = {{"server_version", kServerVersion},
                                                     {"client_encoding", "UTF8"},
                                                     {"server_encoding", "UTF8"},
                                                     {"DateStyle", "ISO"},
                                                     {"TimeZone", "GMT"},
                                                     {"standard_conforming_strings", "on"},
                                                     {"is_superuser", "on"}};
  for (const auto& status : kWelcome) be::append_parameter_status(out, status);
  be::append_backend_key_data(out, {wire::random_pid(), wire::random_bytes(4)});
  be::append_ready_for_query(out, be::TransactionStatus::Idle);
}

bool run_console(Worker& worker, Client& client, std::string_view sql, std::string& out) {
  std::string_view command = trim(sql);
  while (command.ends_with(';')) command = trim(command.substr(0, command.size() - 1));
  const std::string& user = client.identity().user;
  const bool is_admin =
      user == "pgbouncer" || names_contain(worker.config().settings.auth.admin_users, user);
  Session session{worker, client, out, is_admin};
  if (command.empty()) {
    be::append_bare(out, be::kEmptyQueryResponse);
  } else if (run_command(session, command)) {
    return true;
  }
  be::append_ready_for_query(out, be::TransactionStatus::Idle);
  return false;
}

}  // namespace pgtend::pool
