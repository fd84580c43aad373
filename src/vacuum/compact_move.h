// Moves the rows of a table from its last pages to free space before them, in rounds: each row is
// updated to what it is, so that the server's own code writes heap, indexes and WAL, readers with
// old snapshots see every row, and writers who meet a moved row follow it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "care/rounds.h"
#include "care/throttle.h"
#include "vacuum/compact_rounds.h"

namespace pgtend::vacuum {

struct MoveTarget {
  uint32_t oid = 0;
  std::string table = {};   // qualified, quoted when needed
  std::string column = {};  // is set to itself; quoted when needed
  bool replica_role = false;
  int version = 0;  // of the server, 150020
  int block_size = 8192;
};

// What the working session needs before the first round: settings, and the prepared statements
// pgtend_move and pgtend_fill, each of the first page of a range and the page behind it. Pure.
std::vector<std::string> move_preparation(const MoveTarget& target);
// What a round runs, for people and the audit trail. Pure.
std::string move_statement(const MoveTarget& target);

struct MoveTotals {
  int64_t rows = 0;     // moved, each time counted that a row was
  int64_t updates = 0;  // that took, with those that fill a page up
  int64_t pages = 0;    // that were cleared
};

enum class SweepEnd : uint8_t {
  Floor,  // the lowest page asked for was reached
  Full,   // there is no free space before the range any more that the server would use
};

// Thread: one at a time.
class Mover {
 public:
  // Called about once a second; an error ends the sweep.
  using Recheck = std::function<Status()>;

  // `rounds` and `throttle` are borrowed.
  Mover(care::Rounds& rounds, care::Throttle& throttle, MoveTarget target, Recheck recheck)
      : rounds_(rounds),
        throttle_(throttle),
        target_(std::move(target)),
        recheck_(std::move(recheck)) {}

  // Prepares the session. Errors: those of the connection.
  Status prepare();
  // Gives the session back as it was. Errors: those of the connection.
  Status finish();
  // Clears pages from `last` down to `floor`, as far as there is room before them. Rows that others
  // have locked are left. Errors: those of Rounds::round, of the throttle and of `recheck`.
  Result<SweepEnd> sweep(int64_t last, int64_t floor);
  // The lowest page that the last sweep has cleared: rows behind it were locked, or came later.
  int64_t cleared_from() const { return cleared_from_; }
  // Pages of a round, now, and at most from now on: the last free space before a range takes the
  // rows of a small one only.
  int64_t round_pages() const { return size_.pages(); }
  void limit_rounds(int64_t pages) { size_.at_most(pages); }
  // The last page below `pages` with a row that is visible now; -1 for none. Errors: those of the
  // connection.
  Result<int64_t> last_occupied(int64_t pages);
  const MoveTotals& totals() const { return totals_; }

 private:
  struct Done {
    bool full = false;  // nothing was changed: there is no room before the range
    int64_t rows = 0;
    int64_t updates = 0;
  };
  Result<Done> clear(const PageRange& range);
  Result<care::RoundEnd> clear_within(pg::Connection& conn, const PageRange& range, Done& done);
  Result<pg::Rows> first_pass(pg::Connection& conn, const std::string& sql);
  void feel();
  Status between_rounds();
  void tell(int64_t page, int64_t pages);

  care::Rounds& rounds_;
  care::Throttle& throttle_;
  MoveTarget target_;
  Recheck recheck_;
  RoundSize size_;
  MoveTotals totals_;
  int64_t cleared_from_ = 0;
  SteadyTime felt_{};
  SteadyTime told_{};
  SteadyTime checked_{};
};

}  // namespace pgtend::vacuum
