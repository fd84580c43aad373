// Copies a table a few pages at a time, each time in a transaction that also notes how far it came.
#pragma once

#include "care/rounds.h"
#include "care/throttle.h"
#include "reshape/flow.h"
#include "reshape/ledger.h"

namespace pgtend::reshape {

struct CopyPace {
  milliseconds wanted{250};  // of one transaction
  int64_t pages_max = 100'000;
};

// Thread: one at a time.
class Copier {
 public:
  // All are borrowed.
  Copier(care::Rounds& rounds, care::Throttle& throttle, const Job& job, CopyPace pace)
      : rounds_(rounds), throttle_(throttle), job_(job), pace_(pace) {}

  // Copies from `ledger`'s next page on, moves it ahead, and rests. Errors: those of the server and
  // of the throttle; a row that no partition takes is named, with the next step.
  Status chunk(Ledger& ledger);
  // Whether a second has passed since it was asked last.
  bool due_for_a_look();
  int64_t rows() const { return rows_; }
  int64_t chunks() const { return chunks_; }

 private:
  Pages next(const Ledger& ledger) const;
  void tell(const Ledger& ledger);
  Status rest(milliseconds took);

  care::Rounds& rounds_;
  care::Throttle& throttle_;
  const Job& job_;
  CopyPace pace_;
  int64_t pages_ = 64;
  int64_t rows_ = 0;
  int64_t chunks_ = 0;
  int64_t pages_done_ = 0;
  std::optional<SteadyTime> start_ = {};
  std::optional<SteadyTime> looked_ = {};
};

}  // namespace pgtend::reshape
