// One connection to a PostgreSQL server (libpq behind RAII). libpq is included in this module only.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "pg/options.h"
#include "pg/rows.h"

struct pg_conn;
struct pg_cancel;

namespace pgtend::pg {

// A NOTICE, WARNING, INFO or LOG message that came with a statement.
struct Notice {
  std::string severity;  // not translated
  std::string sqlstate;
  std::string message;
  std::string detail;
};

// Text parameters $1, $2, …; nullopt is NULL.
using Params = std::vector<std::optional<std::string>>;

struct Statement {
  std::string sql;
  Params params = {};
};

// Asks the server to stop what a connection is doing. Thread: any; outlives the connection.
class Canceller {
 public:
  // `asked` is set before a request leaves, so that the connection can tell a cancelled statement
  // (Cancelled) from one that ran out of time (Timeout).
  Canceller(pg_cancel* handle, std::shared_ptr<std::atomic<bool>> asked);
  // Errors: Unavailable. Success means only that the request was delivered. Blocks for a round
  // trip.
  Status cancel() const;

 private:
  std::shared_ptr<pg_cancel> handle_;
  std::shared_ptr<std::atomic<bool>> asked_;
};

// Time limits that keep a session of ours from hurting others; 0 switches one off.
struct Guards {
  milliseconds statement = seconds(30);
  milliseconds lock = seconds(1);
  milliseconds idle_in_transaction = seconds(60);
};

// Errors of all calls: what PostgreSQL answered, with its SQLSTATE and the code that tells what to
// do (57014 Timeout or Cancelled, 55P03/40P01/40001 Conflict, 42501 Denied, 42P01 … NotFound, …;
// the table is in sqlstate.cc); Unavailable when the link is lost; Invalid when a text holds a NUL
// byte. The session's client_encoding is UTF8. Thread: one at a time, blocking unless said
// otherwise.
class Connection {
 public:
  // Connects, waiting at most `timeout`, or connect_timeout (PGCONNECT_TIMEOUT) where that is
  // given, for all hosts together; name look-up has the resolver's own limit. `application_name`
  // defaults to "pgtend"; a dead network is noticed after about two minutes (TCP keepalives) unless
  // the options say otherwise. A requested `stop` ends the wait within a tenth of a second. Errors,
  // each with a hint: Unavailable, Denied (login), NotFound (database, service), Limit (no free
  // slot), Invalid; Cancelled by `stop`.
  static Result<Connection> open(const Options& options, seconds timeout = seconds(10),
                                 const std::stop_token& stop = {});
  Connection(Connection&&) noexcept;
  Connection& operator=(Connection&&) noexcept;
  ~Connection();

  // Sets the session's statement_timeout, lock_timeout and idle_in_transaction_session_timeout, in
  // one round trip. They last until the session ends.
  Status guard(const Guards& guards = {});

  // Runs one statement. With `params` (or none) it uses the extended protocol: never several
  // statements, so no injection by semicolon.
  Result<Rows> query(std::string_view sql, const Params& params = {});
  // Runs a statement by the simple protocol, which is all that a pooler's console understands. The
  // text may hold several statements: it must come from this program, never from outside.
  Result<Rows> query_simple(std::string_view sql);
  // Runs one or more statements separated by semicolons (simple protocol), discarding rows.
  Status exec(std::string_view sql);
  // Sends all statements in one round trip (pipeline mode). Outside a transaction block they are
  // one transaction: the first failure is returned, the rest is skipped by the server, and nothing
  // remains of those before it. At most kPipelineMax statements (Limit).
  Result<std::vector<Rows>> pipeline(std::span<const Statement> statements);
  static constexpr size_t kPipelineMax = 10'000;

  // COPY … FROM STDIN: calls `fill` with an empty buffer until it leaves it empty, sending each
  // buffer; an error from `fill` aborts the COPY and is returned. Returns the rows copied.
  Result<int64_t> copy_in(std::string_view sql,
                          const std::function<Status(std::string& buffer)>& fill);
  // COPY … TO STDOUT: gives each chunk to `sink`; an error from it cancels and is returned.
  Result<int64_t> copy_out(std::string_view sql,
                           const std::function<Status(std::string_view chunk)>& sink);

  // Asynchronous use: start() sends a statement and returns; then wait until socket() is readable
  // (or poll) and call finish_if_ready(): nullopt while the server still works. One statement at a
  // time; any other call on this connection waits for it first and drops its result.
  Status start(std::string_view sql, const Params& params = {});
  // The same by the simple protocol; see query_simple().
  Status start_simple(std::string_view sql);
  Result<std::optional<Rows>> finish_if_ready();
  // Waits for the started statement at most `timeout`. nullopt when the time is over (the statement
  // goes on; call again or cancel).
  Result<std::optional<Rows>> finish_within(milliseconds timeout);
  int socket() const;

  // What to store as `user`'s password (ALTER ROLE … PASSWORD literal(…)) so that neither the wire
  // nor the server's log and statistics see the password itself: a SCRAM-SHA-256 verifier.
  Result<std::string> password_verifier(const std::string& user, const std::string& password) const;

  Canceller canceller() const;
  // Messages since the last call, oldest first; at most 10,000 are kept.
  std::vector<Notice> take_notices();

  int server_version() const;  // 150020 for 15.20
  int backend_pid() const;
  std::string where() const;  // "host:port" of the server that answered; a folder for a socket
  bool alive() const;         // false once the link was seen lost; no traffic
  std::string parameter(const std::string& name) const;  // ParameterStatus, "" if not reported
  bool in_transaction() const;
  const Options& options() const;

 private:
  struct State;
  explicit Connection(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace pgtend::pg
