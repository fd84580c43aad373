#include "reshape/exchange.h"

#include <algorithm>

#include "base/text.h"
#include "care/locks.h"
#include "facts/activity.h"

namespace pgtend::reshape {
namespace {

using care::RoundEnd;
using care::Rounds;

constexpr milliseconds kGlance{2};

// Transactions that began before the lock was had ($1) and keep a snapshot. Of those who wait for
// what we have locked, most read committed rows and look again when they get it; one that keeps its
// snapshot cannot be told from them, but by the age of it: $2 is a transaction of ours that it must
// have seen.
constexpr std::string_view kOlderSnapshots =
    "SELECT a.pid, coalesce(a.application_name, ''), coalesce(a.usename, ''), "
    "coalesce(a.state, ''), pg_catalog.left(coalesce(a.query, ''), 200), "
    "extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start)::float8 "
    "FROM pg_catalog.pg_stat_activity a "
    "WHERE a.datname = pg_catalog.current_database() AND a.backend_xmin IS NOT NULL "
    "AND a.backend_type = 'client backend' AND a.pid <> pg_catalog.pg_backend_pid() "
    "AND a.xact_start < $1::timestamptz "
    "AND (NOT EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE l.pid = a.pid AND NOT l.granted "
    "AND EXISTS (SELECT FROM pg_catalog.pg_locks m WHERE m.pid = pg_catalog.pg_backend_pid() "
    "AND m.relation = l.relation AND m.mode = 'AccessExclusiveLock')) "
    "OR pg_catalog.age(a.backend_xmin) >= pg_catalog.age($2::text::xid)) "
    "ORDER BY a.xact_start LIMIT 1";

struct Moment {
  std::string locked = {};  // the server's clock
  std::string mark = {};
};

Result<std::optional<facts::Session>> older_snapshot(pg::Connection& conn, const Moment& moment) {
  const pg::Rows rows = TRY(conn.query(kOlderSnapshots, {moment.locked, moment.mark}));
  if (rows.empty()) return std::optional<facts::Session>();
  const pg::Row row = rows[0];
  return std::optional(facts::Session{.pid = TRY(row.get<int32_t>(0)),
                                      .application = std::string(row.text(1)),
                                      .user = std::string(row.text(2)),
                                      .state = std::string(row.text(3)),
                                      .open_s = TRY(row.get<std::optional<double>>(5)),
                                      .query = std::string(row.text(4))});
}

// A round that is not to be run again as it is: the code that tells so is taken away.
Error once(Error error) {
  if (error.sqlstate == "55P03" || error.sqlstate == "40P01" || error.sqlstate == "40001") {
    error.code = ErrorCode::Conflict;
    error.sqlstate.clear();
  } else if (error.code == ErrorCode::Conflict && !error.sqlstate.empty()) {
    error.code = ErrorCode::Internal;  // 55006 and the like: trying again would not help
  }
  return error;
}

milliseconds since(const Rounds& rounds, SteadyTime start) {
  return std::chrono::duration_cast<milliseconds>(rounds.clock().steady() - start);
}

// Under the lock. Statements that have begun before end by themselves; a transaction that keeps its
// snapshot would not see the rows that were brought over since, and is waited for.
Status no_older_snapshot(Rounds& rounds, pg::Connection& conn, const Exchange& exchange,
                         milliseconds settle) {
  const pg::Rows now = TRY(conn.query("SELECT pg_catalog.clock_timestamp()"));
  const Moment moment{.locked = TRY(now.scalar()),
                      .mark = exchange.mark == nullptr ? "3" : *exchange.mark};
  const SteadyTime start = rounds.clock().steady();
  while (true) {
    const auto older = TRY(older_snapshot(conn, moment));
    if (!older) return ok();
    if (older->state.starts_with("idle") || since(rounds, start) >= settle) {
      return Error{
          ErrorCode::Conflict,
          cat("an older snapshot, to which rows would be missing, is held by ", older->describe())};
    }
    TRY(rounds.pause(kGlance));
  }
}

Result<RoundEnd> attempt(Rounds& rounds, const Setup& setup, const Exchange& exchange,
                         SteadyTime& locked) {
  return rounds.round([&](pg::Connection& conn) -> Result<RoundEnd> {
    const auto body = [&]() -> Status {
      TRY(conn.exec(cat(kPlainTexts,
                        "; SET LOCAL synchronous_commit = on; "
                        "SET LOCAL statement_timeout = ",
                        setup.exchange_statement.count(),
                        "; SET LOCAL lock_timeout = ", setup.lock_timeout.count())));
      for (const auto* statements : {&exchange.lock_first, &exchange.locks}) {
        for (const std::string& sql : *statements) {
          TRY(conn.exec(sql));
          if (locked == SteadyTime{}) locked = rounds.clock().steady();
        }
      }
      if (exchange.snapshots) {
        TRY(no_older_snapshot(rounds, conn, exchange, setup.settle));
      }
      return exchange.then(conn);
    };
    auto done = body();
    if (done) return RoundEnd::Commit;
    return once(std::move(done).error().during(exchange.what));
  });
}

void warn_once(Report& report, std::string text) {
  if (std::ranges::find(report.warnings, text) == report.warnings.end()) {
    report.warnings.push_back(std::move(text));
  }
}

// Others are kept from the table before its lock is asked for, and go on when it is over.
Result<RoundEnd> attempt_held(Rounds& rounds, const Setup& setup, const Exchange& exchange,
                              SteadyTime& locked, Report& report) {
  bool held = false;
  if (exchange.swaps && setup.hold) {
    const Status status = setup.hold();
    held = static_cast<bool>(status);
    if (!held) warn_once(report, cat("the table was not held: ", status.error().message));
  }
  auto end = attempt(rounds, setup, exchange, locked);
  if (end) report.swap_locked = since(rounds, locked);
  if (!exchange.swaps || !setup.release) return end;
  const Status released = setup.release();
  if (!held) return end;
  if (released) {
    ++report.swap_holds;
  } else {
    warn_once(report, cat("the table was not held to the end: ", released.error().message));
  }
  return end;
}

// The table itself, and those above it whose partition it is.
std::string in_the_way(Rounds& rounds, uint32_t oid, const Error& error) {
  pg::Connection& conn = rounds.connection();
  const auto tables = conn.query(
      "SELECT $1::oid::int8 UNION SELECT relid::oid::int8 FROM "
      "pg_catalog.pg_partition_ancestors($1::oid)",
      {cat(oid)});
  if (!tables) return error.message;
  for (const pg::Row row : *tables) {
    const auto table = row.get<int64_t>(0);
    if (!table) continue;
    const auto holders = facts::load_lock_holders(
        conn, static_cast<uint32_t>(*table), care::conflicting(care::LockMode::AccessExclusive),
        conn.backend_pid());
    if (holders && !holders->empty()) {
      return cat("the table is held by ", holders->front().describe());
    }
  }
  return error.message;
}

}  // namespace

Status exchange(Rounds& rounds, const Setup& setup, const Exchange& exchange, Report& report) {
  const SteadyTime start = rounds.clock().steady();
  milliseconds wait = rounds.policy().back_off;
  rounds.tell(exchange.what);
  while (true) {
    ++report.swap_tries;
    SteadyTime locked{};
    const auto end = attempt_held(rounds, setup, exchange, locked, report);
    if (end) {
      return ok();
    }
    if (end.error().code != ErrorCode::Conflict) return end.error();
    report.waited_for = in_the_way(rounds, exchange.oid, end.error());
    if (since(rounds, start) >= setup.patience) {
      return Error{ErrorCode::Conflict, cat(exchange.what, " was given up: ", report.waited_for),
                   "55P03"}
          .hinting("what was done before stays: resume when that has ended");
    }
    rounds.tell(cat(exchange.what, ": waiting, ", report.waited_for));
    TRY(rounds.pause(wait));
    wait = std::min(wait * 2, rounds.policy().back_off_max);
    if (exchange.between) TRY(exchange.between());
  }
}

}  // namespace pgtend::reshape
