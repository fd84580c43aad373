// Opening a connection: parameters, the deadline, and what to tell a person when it fails.
#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/text.h"
#include "pg/connection.h"
#include "pg/sqlstate.h"
#include "pg/state.h"

namespace pgtend::pg {
namespace {

constexpr std::string_view kServerHint = "is the server running there? check -h and -p";
constexpr milliseconds kStopTick(100);
constexpr seconds kTimeLimitMax = std::chrono::hours(1);
constexpr std::string_view kPasswordHint =
    "give the password in ~/.pgpass, PGPASSWORD, passfile=… or a service file";

// Keyword and value lists for libpq, null-terminated; borrow from `pairs`.
struct Lists {
  std::vector<std::pair<std::string, std::string>> pairs;
  std::vector<const char*> keywords;
  std::vector<const char*> values;
};

Lists lists_of(const Options& options) {
  Lists lists;
  lists.pairs = options.pairs();
  std::erase_if(lists.pairs, [](const auto& pair) { return pair.first == "client_encoding"; });
  const auto prefer = [&](const char* key, const char* value) {
    if (options.get(key).empty()) lists.pairs.emplace_back(key, value);
  };
  lists.pairs.emplace_back("client_encoding", "UTF8");  // quote.h relies on it
  prefer("fallback_application_name", "pgtend");
  const char* service = std::getenv("PGSERVICE");
  const bool has_service = !options.get("service").empty() || (service != nullptr && *service != 0);
  if (!has_service) {  // a service file may set these, and what we set would win over it
    prefer("keepalives_idle", "60");
    prefer("keepalives_interval", "10");
    prefer("keepalives_count", "6");
    prefer("tcp_user_timeout", "120000");
  }
  for (const auto& [key, value] : lists.pairs) {
    lists.keywords.push_back(key.c_str());
    lists.values.push_back(value.c_str());
  }
  lists.keywords.push_back(nullptr);
  lists.values.push_back(nullptr);
  return lists;
}

// The server's lines of a verbose message that help nobody: LOCATION with a file of PostgreSQL.
std::string readable(std::string_view libpq_text, std::string_view sqlstate) {
  std::string out;
  for (const std::string_view line : split(trim(libpq_text), '\n')) {
    if (line.starts_with("LOCATION:") || trim(line).empty()) continue;
    std::string text(trim(line));
    const std::string verbose = cat("  ", sqlstate, ": ");
    if (const size_t at = text.find(verbose); !sqlstate.empty() && at != std::string::npos) {
      text.replace(at, verbose.size(), " ");
    }
    out += cat(out.empty() ? "" : "; ", text);
  }
  return printable(out);
}

// Without a SQLSTATE libpq itself failed. Its texts are English: nobody here sets the locale.
struct ClientSide {
  std::string_view text;
  ErrorCode code;
  std::string_view hint;
};
constexpr std::string_view kTlsHint = "check sslmode, sslrootcert and the server's ssl setting";
constexpr std::string_view kServiceHint =
    "services are defined in ~/.pg_service.conf (or PGSERVICEFILE)";
constexpr ClientSide kClientSide[] = {
    {"could not translate host name", ErrorCode::Unavailable, "check the host name (-h)"},
    {"definition of service", ErrorCode::NotFound, kServiceHint},
    {"service file", ErrorCode::NotFound, kServiceHint},
    {"SSL", ErrorCode::Unavailable, kTlsHint},
    {"certificate", ErrorCode::Unavailable, kTlsHint},
    {"connection to server", ErrorCode::Unavailable, kServerHint},
    {"server closed the connection", ErrorCode::Unavailable, kServerHint},
};

Error client_side_error(const pg_conn* conn, const std::string& message) {
  if (PQconnectionNeedsPassword(conn) != 0) {
    return Error{ErrorCode::Denied, message, "28P01", std::string(kPasswordHint)};
  }
  for (const ClientSide& known : kClientSide) {
    if (message.find(known.text) == std::string::npos) continue;
    return Error{known.code, message, {}, std::string(known.hint)};
  }
  return Error{ErrorCode::Invalid, message, {}, "check the connection options"};
}

Error connect_error(const pg_conn* conn) {
  const std::string_view raw = PQerrorMessage(conn);
  const std::string sqlstate(sqlstate_in(raw));
  std::string message = readable(raw, sqlstate);
  if (sqlstate.empty()) return client_side_error(conn, message);
  return Error{code_of(sqlstate), std::move(message), sqlstate, std::string(hint_of(sqlstate))};
}

// What the user asked for in connect_timeout counts, else `preset`.
seconds time_limit(const Options& options, seconds preset) {
  std::string asked = options.get("connect_timeout");
  const char* environment = std::getenv("PGCONNECT_TIMEOUT");
  if (asked.empty() && environment != nullptr) asked = environment;
  const auto limit = parse_int(trim(asked));
  if (!limit || *limit <= 0 || *limit > kTimeLimitMax.count()) return preset;
  return seconds(*limit);
}

Error too_slow(const pg_conn* conn, seconds timeout) {
  return Error{ErrorCode::Unavailable,
               cat("connection to server at \"", printable(PQhost(conn)), "\", port ",
                   printable(PQport(conn)), " failed: no answer within ", timeout.count(), " s"),
               {},
               std::string(kServerHint)};
}

// wait_for(), but a requested stop is noticed within kStopTick.
Result<bool> wait_or_stop(int socket, Wait what, SteadyTime deadline, const std::stop_token& stop) {
  if (!stop.stop_possible()) return wait_for(socket, what, deadline);
  while (!stop.stop_requested()) {
    const SteadyTime tick = system_clock().steady() + kStopTick;
    if (TRY(wait_for(socket, what, std::min(tick, deadline)))) return true;
    if (deadline <= tick) return false;
  }
  return Error{ErrorCode::Cancelled, "interrupted while connecting"};
}

Status await_login(pg_conn* conn, seconds timeout, const std::stop_token& stop) {
  const SteadyTime deadline = system_clock().steady() + timeout;
  PostgresPollingStatusType step = PGRES_POLLING_WRITING;
  while (step != PGRES_POLLING_OK) {
    if (step == PGRES_POLLING_FAILED) return connect_error(conn);
    const Wait what = step == PGRES_POLLING_READING ? Wait::Read : Wait::Write;
    if (!TRY(wait_or_stop(PQsocket(conn), what, deadline, stop))) return too_slow(conn, timeout);
    step = PQconnectPoll(conn);
  }
  return ok();
}

}  // namespace

Result<bool> wait_for(int socket, Wait what, SteadyTime deadline) {
  pollfd entry{.fd = socket,
               .events = static_cast<short>(what == Wait::Read ? POLLIN : POLLOUT),
               .revents = 0};
  while (true) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - system_clock().steady()).count();
    const int64_t bounded = std::clamp<int64_t>(left, 0, 1'000'000'000);
    const int count = poll(&entry, 1, static_cast<int>(bounded));
    if (count > 0) return true;
    if (count == 0) return false;
    if (errno != EINTR) {
      return Error{ErrorCode::Internal, cat("poll: ", std::strerror(errno))};
    }
  }
}

Result<Connection> Connection::open(const Options& options, seconds timeout,
                                    const std::stop_token& stop) {
  for (const auto& [key, value] : options.pairs()) {
    if (key.find('\0') != std::string::npos || value.find('\0') != std::string::npos) {
      return Error{ErrorCode::Invalid, cat("connection option ", printable(key), ": a NUL byte")};
    }
  }
  const Lists lists = lists_of(options);
  auto state = std::make_unique<State>();
  state->options = options;
  state->conn.reset(PQconnectStartParams(lists.keywords.data(), lists.values.data(), 0));
  pg_conn* conn = state->conn.get();
  CHECK(conn != nullptr);  // out of memory
  PQsetNoticeReceiver(
      conn,
      [](void* receiver, const pg_result* notice) {
        static_cast<State*>(receiver)->take_notice(notice);
      },
      state.get());
  PQsetErrorVerbosity(conn, PQERRORS_VERBOSE);  // the only way to a SQLSTATE before login
  if (PQstatus(conn) == CONNECTION_BAD) return connect_error(conn);
  TRY(await_login(conn, time_limit(options, timeout), stop));
  PQsetErrorVerbosity(conn, PQERRORS_DEFAULT);
  return Connection(std::move(state));
}

}  // namespace pgtend::pg
