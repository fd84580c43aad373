#include "cli/table_holder.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace pgtend::cli {
namespace {

// How long a stock pooler may take to bring a database to rest: all its clients wait meanwhile.
constexpr milliseconds kPauseMax{1'000};

// What a statement that does not name the table ($1) may use it by: views, of views too, the tables
// above it, the tables that foreign keys join with it. HOLD TABLE takes at most 100.
constexpr std::string_view kRelations =
    "WITH RECURSIVE used(oid) AS (SELECT $1::regclass::oid UNION SELECT x.oid FROM used, LATERAL ("
    "SELECT r.ev_class FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid "
    "WHERE d.classid = 'pg_catalog.pg_rewrite'::regclass "
    "AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = used.oid "
    "UNION ALL SELECT i.inhparent FROM pg_catalog.pg_inherits i WHERE i.inhrelid = used.oid"
    ") x(oid)), "
    "named AS (SELECT oid, 1 AS place FROM used "
    "UNION ALL SELECT f.conrelid, 2 FROM pg_catalog.pg_constraint f "
    "WHERE f.contype = 'f' AND f.confrelid = $1::regclass "
    "UNION ALL SELECT f.confrelid, 2 FROM pg_catalog.pg_constraint f "
    "WHERE f.contype = 'f' AND f.conrelid = $1::regclass) "
    "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) "
    "FROM named JOIN pg_catalog.pg_class c ON c.oid = named.oid "
    "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
    "GROUP BY c.oid, n.nspname, c.relname "
    "ORDER BY c.oid <> $1::regclass, pg_catalog.min(named.place), 1 LIMIT 100";

std::string quoted(const std::string& database) {
  std::string out = "\"";
  for (const char c : database) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + '"';
}

// A pooler answers with a process id of its own making.
Status is_direct(pg::Connection& conn) {
  const pg::Rows rows = TRY(conn.query("SELECT pg_catalog.pg_backend_pid()"));
  if (TRY(rows[0].get<int32_t>(0)) == conn.backend_pid()) return ok();
  return Error{
      ErrorCode::Invalid,
      "with --pool the other connection must not lead through a pooler: what is held there "
      "would be we"}
      .hinting("give the server's own host and port with -h and -p");
}

// The names under which `console` serves the database `name` of a server.
Result<std::vector<std::string>> databases_of(PoolConsole& console, const std::string& name) {
  const Table table = TRY(console.show("databases"));
  const auto column = [&table](std::string_view heading) {
    return static_cast<size_t>(std::ranges::find(table.headings, heading) - table.headings.begin());
  };
  const size_t own = column("name");
  const size_t target = column("database");
  std::vector<std::string> out;
  for (const auto& row : table.rows) {
    const bool fits = std::max(own, target) < row.size() && row[target] == name;
    if (fits && row[own] != "pgbouncer") out.push_back(row[own]);
  }
  if (!out.empty()) return out;
  return Error{ErrorCode::Invalid, cat("the pooler has no database that leads to ", name)};
}

}  // namespace

Result<TableHolder> TableHolder::open(const pg::Options& console, pg::Connection& conn,
                                      const std::string& table) {
  TRY(is_direct(conn));
  TableHolder out(console);
  const pg::Rows names = TRY(conn.query(kRelations, {table}));
  std::vector<std::string> tables;
  for (const pg::Row row : names) tables.emplace_back(row.text(0));
  out.tables_ = join(tables, ", ");
  const pg::Rows database = TRY(conn.query("SELECT pg_catalog.current_database()"));
  out.console_ = TRY(PoolConsole::open(console));
  const auto holds = out.console_->show("holds");
  if (!holds && holds.error().code != ErrorCode::NotFound) return holds.error();
  out.pauses_ = !holds;
  out.databases_ = TRY(databases_of(*out.console_, std::string(database[0].text(0))));
  return out;
}

Status TableHolder::begin(const std::string& database) {
  // One that a stock pooler has not answered goes on, also without its console.
  held_.push_back(database);
  if (pauses_) {
    TRY(console_->command(cat("PAUSE ", quoted(database)), kPauseMax));
  } else {
    TRY(console_->command(
        cat("HOLD TABLE ", tables_, " IN ", quoted(database), " TIMEOUT ", kHoldMax.count())));
  }
  return ok();
}

Status TableHolder::hold() {
  if (!console_) console_ = TRY(PoolConsole::open(options_));
  for (const std::string& database : databases_) {
    Status status = begin(database);
    if (status) continue;
    console_.reset();
    (void)release();
    return status;
  }
  return ok();
}

Status TableHolder::resume(const std::string& database) {
  if (!console_) console_ = TRY(PoolConsole::open(options_));
  auto done = console_->command(cat("RESUME ", quoted(database)));
  if (!done && done.error().code == ErrorCode::Unavailable) console_.reset();
  return done ? ok() : Status(done.error());
}

// The end of its console ends a hold of pgtend-pool, but no PAUSE: that is asked for once more.
Status TableHolder::release() {
  const auto held = std::exchange(held_, {});
  if (held.empty()) return ok();
  if (!pauses_) {
    if (!console_) return ok();
    auto done = console_->command("RELEASE");
    if (!done) console_.reset();
    return done ? ok() : Status(done.error());
  }
  Status outcome = ok();
  for (const std::string& database : held) {
    Status status = resume(database);
    if (!status && status.error().code == ErrorCode::Unavailable) status = resume(database);
    if (!status) outcome = std::move(status);
  }
  return outcome;
}

}  // namespace pgtend::cli
