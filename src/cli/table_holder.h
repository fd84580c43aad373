// Keeps the clients of a pooler from a table for the moment in which it is exchanged, by the
// pooler's admin console.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/pool_console.h"
#include "pg/connection.h"

namespace pgtend::cli {

// With pgtend-pool HOLD TABLE and RELEASE, with another pooler PAUSE and RESUME of the databases
// that lead to the table's. Thread: one.
class TableHolder {
 public:
  // So long a hold may stand: then the pool lets its clients on, whatever became of us.
  static constexpr milliseconds kHoldMax{10'000};

  // Asks `conn` which relations are used together with `table` (quoted as SQL writes it), and the
  // console at `console` what it can do. Errors: Invalid when `conn` itself leads through a pooler,
  // or the console knows no way to its database; those of both connections.
  static Result<TableHolder> open(const pg::Options& console, pg::Connection& conn,
                                  const std::string& table);

  // Errors: nobody is held then.
  Status hold();
  // Safe to call when nothing is held. Errors: NotFound when it was let go before, by its time.
  Status release();
  // PAUSE: all of the databases waits, not the table alone.
  bool pauses() const { return pauses_; }

 private:
  explicit TableHolder(pg::Options options) : options_(std::move(options)) {}

  Status begin(const std::string& database);
  Status resume(const std::string& database);

  pg::Options options_;
  std::optional<PoolConsole> console_;
  bool pauses_ = false;
  std::string tables_ = {};                  // as HOLD TABLE takes them
  std::vector<std::string> databases_ = {};  // of the pooler
  std::vector<std::string> held_ = {};       // of them
};

}  // namespace pgtend::cli
