#include "cli/pool_console.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "base/text.h"

namespace pgtend::cli {

namespace {
constexpr milliseconds kStopTick(100);
constexpr const char* kNotAConsole =
    "this looks like a PostgreSQL server, not a pooler: give the pooler's port with -p";
constexpr const char* kNotAllowed =
    "add the user to stats_users (or admin_users) of the pooler's file and reload it, or name "
    "another one with -U";
constexpr const char* kLogin =
    "check user and password: -U, ~/.pgpass or PGPASSWORD; the user must be in the pooler's "
    "auth_file";
constexpr std::string_view kNoDatabase = "3D000";
constexpr std::string_view kNoParameter = "42704";
constexpr std::string_view kPoolerError = "08P01";  // a pooler's answer to whatever it refuses

// Poolers give one SQLSTATE to all they refuse: only the text tells a right from a mistake.
Error refusal(Error error) {
  if (error.sqlstate == kNoDatabase) return std::move(error).hinting(kNotAConsole);
  if (error.sqlstate != kPoolerError) return error;
  const auto says = [&](std::string_view text) {
    return error.message.find(text) != std::string::npos;
  };
  if (says("not allowed")) {
    error.code = ErrorCode::Denied;
    return std::move(error).hinting(kNotAllowed);
  }
  if (says("authentication failed") || says("no such user") || says("auth failed")) {
    error.code = ErrorCode::Denied;
    return std::move(error).hinting(kLogin);
  }
  return error;
}

bool is_number(std::string_view text) { return static_cast<bool>(parse_double(text)); }

uint64_t next_session() {
  static std::atomic<uint64_t> last{0};
  return ++last;
}
}  // namespace

Table table_of(const pg::Rows& rows) {
  Table table;
  for (int column = 0; column < rows.columns(); ++column) {
    table.headings.emplace_back(rows.column_name(column));
    bool numbers = !rows.empty();
    for (const pg::Row row : rows) numbers = numbers && is_number(row.text(column));
    table.align.push_back(numbers ? Align::Right : Align::Left);
  }
  for (const pg::Row row : rows) {
    auto& cells = table.rows.emplace_back();
    for (int column = 0; column < rows.columns(); ++column) cells.emplace_back(row.text(column));
  }
  return table;
}

PoolConsole::PoolConsole(pg::Connection conn) : conn_(std::move(conn)), session_(next_session()) {}

Result<PoolConsole> PoolConsole::open(const pg::Options& asked, const std::stop_token& stop) {
  pg::Options options = asked;
  if (options.get("dbname").empty()) options.set("dbname", "pgbouncer");
  auto conn = pg::Connection::open(options, kPatience, stop);
  if (!conn) return refusal(std::move(conn).error());
  return PoolConsole(std::move(conn).take());
}

Result<Table> PoolConsole::show(std::string_view what, const std::stop_token& stop) {
  const SteadyTime deadline = system_clock().steady() + kPatience;
  TRY(conn_.start_simple(cat("SHOW ", what)));
  while (true) {
    auto rows = conn_.finish_within(kStopTick);
    if (!rows) {
      Error error = std::move(rows).error();
      const bool server = error.sqlstate == kNoParameter;
      if (!server && error.sqlstate != kPoolerError) return error;
      error.code = server ? ErrorCode::Invalid : ErrorCode::NotFound;
      return server ? std::move(error).hinting(kNotAConsole) : error;
    }
    if (*rows) return table_of(**rows);
    if (stop.stop_requested()) return Error{ErrorCode::Cancelled, "interrupted"};
    if (system_clock().steady() >= deadline) {
      return Error{ErrorCode::Unavailable,
                   cat("SHOW ", what, ": no answer for ", kPatience.count(), " s")}
          .hinting("is the pooler stopped or out of processor time? look at its log");
    }
  }
}

Result<pg::Rows> PoolConsole::command(std::string_view sql, milliseconds patience) {
  TRY(conn_.start_simple(std::string(sql)));
  auto rows = TRY(conn_.finish_within(patience));
  if (rows) return *std::move(rows);
  return Error{ErrorCode::Unavailable, cat(sql, ": no answer for ", patience.count(), " ms")};
}

Result<PoolReading> PoolConsole::read(const std::stop_token& stop) {
  PoolReading reading{.session = session_, .where = conn_.where()};
  for (const PoolShow& part : pool_shows()) {
    if (std::ranges::find(unknown_, part.what) != unknown_.end()) continue;
    auto table = show(part.what, stop);
    if (!table) {
      Error error = std::move(table).error();
      if (part.required || error.code != ErrorCode::NotFound) return error;
      unknown_.push_back(part.what);
      continue;
    }
    if (part.what == "stats_totals") {
      reading.at = system_clock().steady();
      reading.wall = system_clock().wall();
    }
    TRY_DURING(part.take(*table, reading), cat("SHOW ", part.what));
  }
  return reading;
}

}  // namespace pgtend::cli
