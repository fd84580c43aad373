// HOLD TABLE of the admin console: for a moment no transaction begins that may touch a table, while
// all others go on. For whoever exchanges the table under its clients: they wait here, before they
// have a link, and not in the server's queue for the lock, where all come to wait behind it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "pool/lifecycle.h"
#include "pool/touch.h"

namespace pgtend::pool {

class Worker;

// What stands behind HOLD: TABLE name [, name …] [IN database] [[TIMEOUT] milliseconds].
struct HoldRequest {
  static constexpr milliseconds kTimeout{10'000};
  static constexpr milliseconds kTimeoutMax{60'000};
  static constexpr size_t kTablesMax = 100;

  std::vector<TableName> tables = {};
  std::string database = {};  // "": all
  milliseconds timeout = kTimeout;
};
std::optional<HoldRequest> parse_hold(std::string_view text);

// What stands behind RELEASE: nothing for all, or TABLE name [IN database].
struct ReleaseRequest {
  std::optional<TableName> table = {};
  std::string database = {};
};
std::optional<ReleaseRequest> parse_release(std::string_view text);

// One HOLD that stands. Immutable once shared.
struct TableHold {
  uint64_t id = 0;
  std::vector<TableName> tables = {};
  std::string database = {};
  SteadyTime since{};
  SteadyTime until{};        // released then, whatever happens
  uint64_t client = 0;       // of the console; its end releases
  std::string text() const;  // the tables
  bool concerns(std::string_view other) const { return database.empty() || database == other; }
};
using SharedHold = std::shared_ptr<const TableHold>;

// Those that one worker knows. Thread: its loop's.
class TableHolds {
 public:
  bool any() const { return !holds_.empty(); }
  const std::vector<SharedHold>& all() const { return holds_; }
  // Whether one is about tables of `database`.
  bool concern(std::string_view database) const;
  // The id of one that `sql` must wait for; 0 for none. As may_touch().
  uint64_t against(std::string_view database, std::string_view sql, bool whole) const;

 private:
  friend size_t end_holds(Worker& worker, const std::function<bool(const TableHold&)>& which);
  friend void begin_hold(Worker& worker, const SharedHold& hold);

  std::vector<SharedHold> holds_;
};

// How many transactions of `worker` are older than `hold` and touch its tables, or may: of one that
// has several statements only the last is known.
size_t open_before(Worker& worker, const TableHold& hold);

// Ends those of one worker that `which` names, and lets on who waited. Returns how many they were.
// Thread: the worker's.
size_t end_holds(Worker& worker, const std::function<bool(const TableHold&)>& which);

// Holds on all workers for the console client `client`; `done` is called on the scope's worker when
// it stands everywhere, with the number of transactions that are open_before() it. Errors:
// NotFound for an unknown database; Conflict while the pooler is suspended.
void hold_tables(const Scope& scope, const HoldRequest& request, uint64_t client,
                 const std::function<void(Result<size_t>)>& done);
// Errors: NotFound when nothing of the kind is held (any more).
void release_tables(const Scope& scope, const ReleaseRequest& request, const Done& done);
// The console client is gone.
void release_tables_of(Worker& home, uint64_t client);

}  // namespace pgtend::pool
