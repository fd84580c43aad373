// Stores the values that a table keeps outside of its rows anew, so that they come to lie in free
// space near the front of its TOAST: an UPDATE that gives a column its own value as a new one. The
// server's own code reads, compresses and writes it; what is stored is equal, byte by byte.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <unordered_set>
#include <vector>

#include "care/rounds.h"
#include "care/throttle.h"
#include "vacuum/compact_fit.h"
#include "vacuum/compact_rounds.h"

namespace pgtend::vacuum {

struct ToastTarget {
  uint32_t oid = 0;
  std::string table = {};  // qualified, quoted when needed
  ToastFit fit = {};
  int version = 0;  // of the server, 150020
  int block_size = 8192;
  int64_t pages = 0;        // of the table, which are looked through
  int64_t batch_bytes = 0;  // are stored anew before what that left is made room again
};

// What the working session needs before: settings and the prepared statement pgtend_store of an
// array of row addresses. Pure.
std::vector<std::string> store_preparation(const ToastTarget& target);
// What a round runs, for people and the audit trail. Pure.
std::string store_statement(const ToastTarget& target);
// Reads addresses of rows with such values, and their bytes as stored, of pages $1 up to $2. Pure.
std::string stored_outside(const ToastTarget& target);

struct StoreTotals {
  int64_t rows = 0;
  int64_t bytes = 0;    // as stored
  int64_t skipped = 0;  // rows that others held locked to the end, or changed meanwhile
};

// Thread: one at a time.
class ToastMover {
 public:
  // Makes room of what is dead. False: it is of no use to go on.
  using MakeRoom = std::function<Result<bool>()>;

  // `rounds` and `throttle` are borrowed.
  ToastMover(care::Rounds& rounds, care::Throttle& throttle, ToastTarget target, MakeRoom make_room)
      : rounds_(rounds),
        throttle_(throttle),
        target_(std::move(target)),
        make_room_(std::move(make_room)) {}

  // Goes once through all rows that are there now. Errors: those of Rounds::round, of the throttle
  // and of making room.
  Status pass();
  const StoreTotals& totals() const { return totals_; }

 private:
  struct Row {
    std::string tid = {};
    int64_t bytes = 0;
  };
  Status read(const PageRange& range, std::deque<Row>& out);
  Result<bool> work_off(std::deque<Row>& rows, const PageRange& range);
  Result<int64_t> store(const std::vector<Row>& rows, const PageRange& range);
  Status retry(const PageRange& range);
  void tell(int64_t page);

  care::Rounds& rounds_;
  care::Throttle& throttle_;
  ToastTarget target_;
  MakeRoom make_room_;
  RoundSize size_;  // in blocks of values
  StoreTotals totals_;
  int64_t in_batch_ = 0;
  std::vector<std::vector<Row>> incomplete_ = {};  // rounds in which rows were passed by
  // Where rows that were stored anew came to lie further on: they are not to be done twice.
  std::unordered_set<std::string> done_ = {};
  SteadyTime told_{};
};

}  // namespace pgtend::vacuum
