// How a job is run, and what became of it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "care/throttle.h"
#include "reshape/ledger.h"

namespace pgtend::reshape {

struct Setup {
  milliseconds chunk{250};         // a transaction that copies should take so long
  milliseconds lock_timeout{100};  // of the swap: whoever comes behind it waits at most so long
  milliseconds patience{600'000};  // how long the swap is tried, waiting for others in between
  milliseconds exchange_statement{60'000};  // a statement under the lock, at most
  care::ThrottleLimits throttle = {};       // of copying, building and catching up
  milliseconds settle{50};  // under the lock: for statements with an older snapshot to end
  // Around each try of the swap: `hold` keeps others from beginning to use the table, so that they
  // do not come to wait for the lock, and `release` lets them on, also when `hold` has failed. What
  // they fail with is a warning, because the swap is right without them. Both may be empty.
  std::function<Status()> hold = {};
  std::function<Status()> release = {};
};

struct Report {
  std::string table = {};  // qualified
  Phase phase = Phase::Made;
  int64_t rows_copied = 0;    // by this run
  int64_t chunks = 0;         // transactions that copied
  int64_t keys_applied = 0;   // changed meanwhile and brought over
  int64_t rows_compared = 0;  // each on both sides
  int64_t swap_tries = 0;
  int64_t swap_holds = 0;       // of them, those while which the setup's hold stood
  milliseconds swap_locked{};   // ACCESS EXCLUSIVE of the try that succeeded, its COMMIT included
  care::HeldBack held = {};     // before the swap
  std::string waited_for = {};  // the last that the swap had to wait for; "" for nobody
  std::vector<std::string> warnings = {};
};
json::object to_json(const Report& report);

}  // namespace pgtend::reshape
