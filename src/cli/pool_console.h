// A pooler's admin console: opening it and asking it with time limits.
#pragma once

#include <stop_token>
#include <string_view>
#include <vector>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/pool_reading.h"
#include "pg/connection.h"

namespace pgtend::cli {

// The rows as a table of texts (null is ""); columns of nothing but numbers are aligned right.
Table table_of(const pg::Rows& rows);

// A connection to a console. Thread: one.
class PoolConsole {
 public:
  // So long may the console take to answer a login or a SHOW.
  static constexpr seconds kPatience{5};

  // Connects as `options` say, to database pgbouncer unless they name another. A `stop` ends every
  // wait. Errors, with the next step: Denied (login, or a user who may not see the console),
  // NotFound and Invalid (this is no pooler), Unavailable, Cancelled.
  static Result<PoolConsole> open(const pg::Options& options, const std::stop_token& stop = {});

  // The table of SHOW `what`, which is letters and underscores. Errors: NotFound when the console
  // knows no such table, Invalid when this is no console, Unavailable when it does not answer in
  // time or the link is lost (then the connection is of no use any more), Cancelled.
  Result<Table> show(std::string_view what, const std::stop_token& stop = {});

  // Runs a command that changes something. Errors: the console's own, Unavailable when it does not
  // answer within `patience` or the link is lost: then the connection is of no use any more.
  Result<pg::Rows> command(std::string_view sql, milliseconds patience = kPatience);

  // All tables of a reading; those that the pooler does not know are asked for once and left out.
  // Errors: as show(), Corrupt.
  Result<PoolReading> read(const std::stop_token& stop = {});

 private:
  explicit PoolConsole(pg::Connection conn);

  pg::Connection conn_;
  uint64_t session_;
  std::vector<std::string_view> unknown_;
};

}  // namespace pgtend::cli
