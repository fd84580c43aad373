// How many pages a round of moving takes, how long to rest between rounds, and where its rows came
// to lie. No server, no clock: numbers in, numbers out.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "pg/rows.h"

namespace pgtend::vacuum {

// Pages first to last, both included.
struct PageRange {
  int64_t first = 0;
  int64_t last = 0;
};

// Rows that a page can have at most (MaxHeapTuplesPerPage).
constexpr int rows_of_page(int block_size) { return (block_size - 24) / (24 + 4); }

// Where the new versions of rows of a range lie.
struct Landings {
  int64_t rows = 0;
  int64_t inside = 0;  // the range, which is not empty yet
  int64_t above = 0;   // behind the range: there is no room before it
};

// Reads the first column of `rows`, row addresses as "(12,3)". Errors: Corrupt.
Result<Landings> landings(const pg::Rows& rows, const PageRange& range);
// The page of a row address. Errors: Corrupt.
Result<int64_t> page_of(std::string_view tid);

// The size of rounds. They are to take 10 to 20 ms, because somebody may wait as long for a row,
// and are smaller, with longer rests, while others get slow answers. Thread: one at a time.
class RoundSize {
 public:
  struct Limits {
    microseconds wanted{11'000};
    microseconds longest{20'000};
    int64_t pages_max = 4'096;
    microseconds rest_max{400'000};
    // An answer to another session counts as slow from so many times the usual on, and from
    // `slow_min` on in any case: shorter ones are the scheduler's.
    double slow_factor = 4;
    microseconds slow_min{8'000};
  };

  RoundSize() : RoundSize(Limits{}) {}
  explicit RoundSize(const Limits& limits) : limits_(limits) {}

  int64_t pages() const { return pages_; }
  microseconds rest() const { return rest_; }
  // No round is larger from now on.
  void at_most(int64_t pages) {
    limits_.pages_max = pages;
    pages_ = std::min(pages_, pages);
  }

  // A round of `pages` pages took `took`.
  void ran(int64_t pages, microseconds took);
  // Another session of ours was answered within `answer`, and `waiting` sessions were seen waiting
  // for ours. The first answers, before any round, tell what is usual.
  void felt(microseconds answer, int64_t waiting);

 private:
  microseconds usual() const;
  void settle(microseconds took);

  Limits limits_;
  int64_t pages_ = 2;
  microseconds rest_{0};
  double page_us_ = 0;  // of one page, smoothed
  std::deque<microseconds> quiet_ = {};
  double answer_us_ = 0;  // smoothed
  double pressure_ = 1;   // 1: nobody is slow
};

}  // namespace pgtend::vacuum
