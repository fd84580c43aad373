#include "reshape/copy.h"

#include <algorithm>

#include "base/text.h"
#include "base/units.h"
#include "facts/activity.h"
#include "reshape/flow.h"

namespace pgtend::reshape {
namespace {

constexpr seconds kLookEvery{1};

}  // namespace

bool Copier::due_for_a_look() {
  const SteadyTime now = rounds_.clock().steady();
  if (looked_ && now - *looked_ < kLookEvery) return false;
  looked_ = now;
  return true;
}

void Copier::tell(const Ledger& ledger) {
  const std::chrono::duration<double> spent = rounds_.clock().steady() - *start_;
  const double pace = static_cast<double>(pages_done_) / std::max(spent.count(), 1e-3);
  const double left = static_cast<double>(ledger.pages - ledger.next_page) / std::max(pace, 1e-3);
  rounds_.tell(cat("copying: ", 100 * ledger.next_page / std::max<int64_t>(ledger.pages, 1),
                   " % of ", grouped(ledger.pages), " pages, ", grouped(ledger.rows), " rows, ",
                   facts::human_seconds(left), " left"));
}

// When others wait for what we hold, they get as much time as we took.
Status Copier::rest(milliseconds took) {
  int64_t waiting = 0;
  const auto answer = rounds_.probe(
      cat("select count(*) from pg_catalog.pg_stat_activity where wait_event_type = 'Lock' and ",
          rounds_.connection().backend_pid(), " = any (pg_catalog.pg_blocking_pids(pid))"),
      waiting);
  return throttle_.rest(answer && waiting > 0 ? took : milliseconds(0));
}

// The next pages, of one source.
Pages Copier::next(const Ledger& ledger) const {
  Pages out{.first = ledger.next_page};
  while (out.source + 1 < ledger.sizes.size() && out.first >= ledger.sizes[out.source]) {
    out.first -= ledger.sizes[out.source];
    ++out.source;
  }
  out.last = std::min(ledger.sizes[out.source], out.first + pages_);
  return out;
}

Status Copier::chunk(Ledger& ledger) {
  const SteadyTime start = rounds_.clock().steady();
  if (!start_) start_ = start;
  const Pages pages = next(ledger);
  const int64_t last = ledger.next_page + pages.last - pages.first;
  int64_t copied = 0;
  TRY(throttle_.begin());
  const auto end = rounds_.round([&](pg::Connection& conn) -> Result<care::RoundEnd> {
    // A single page is the least there is: it may take as long as it takes.
    if (last - ledger.next_page == 1) TRY(conn.exec("SET LOCAL statement_timeout = 0"));
    const pg::Rows rows =
        TRY_DURING(conn.query(copy_pages(job_, pages)),
                   cat("copying pages ", grouped(ledger.next_page), " to ", grouped(last - 1)));
    copied = rows.affected();
    TRY(conn.exec(note_pages(job_, last, copied)));
    return care::RoundEnd::Commit;
  });
  if (!end) {
    if (end.error().code != ErrorCode::Timeout || last - ledger.next_page == 1) return end.error();
    pages_ = std::max<int64_t>((last - ledger.next_page) / 4, 1);
    return ok();
  }
  TRY(throttle_.end());
  pages_done_ += last - ledger.next_page;
  ledger.next_page = last;
  ledger.rows += copied;
  rows_ += copied;
  ++chunks_;
  tell(ledger);
  const auto took = std::chrono::duration_cast<milliseconds>(rounds_.clock().steady() - start);
  const double factor = std::clamp(static_cast<double>(pace_.wanted.count()) /
                                       static_cast<double>(std::max<int64_t>(took.count(), 1)),
                                   0.25, 2.0);
  pages_ = std::clamp<int64_t>(static_cast<int64_t>(static_cast<double>(pages_) * factor), 1,
                               pace_.pages_max);
  return rest(took);
}

}  // namespace pgtend::reshape
