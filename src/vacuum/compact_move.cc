#include "vacuum/compact_move.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "base/units.h"

namespace pgtend::vacuum {
namespace {

constexpr int kVersionTidScan = 140000;  // before, WHERE ctid >= … reads the whole table
constexpr milliseconds kFeelEvery{100};
constexpr milliseconds kTellEvery{100};
constexpr milliseconds kRecheckEvery{1'000};
constexpr int kQuietProbes = 10;
constexpr size_t kFillsAtOnceMax = 16;
// More updates of one row than a page has room for rows are a mistake of ours, not of the table.
constexpr int kFillsMax = 4'000;
constexpr int64_t kLookPages = 512;
constexpr int64_t kLookPagesSlow = 64;
constexpr seconds kAnswer{10};

// A range of addresses is to be scanned as one, and a plan be made once.
constexpr std::pair<std::string_view, std::string_view> kSettings[] = {
    {"enable_seqscan", "off"},
    {"enable_indexscan", "off"},
    {"enable_bitmapscan", "off"},
    {"enable_indexonlyscan", "off"},
    {"jit", "off"},
    {"plan_cache_mode", "force_generic_plan"}};

// A condition that holds for the rows at addresses from page $1 up to page $2, not included.
std::string in_range(const MoveTarget& target) {
  if (target.version >= kVersionTidScan) return "ctid >= $1 AND ctid < $2";
  return cat("ctid = ANY (ARRAY(SELECT ('(' || page || ',' || item || ')')::tid FROM ",
             "generate_series(($1::text::point)[0]::int8, ($2::text::point)[0]::int8 - 1) page, ",
             "generate_series(1, ", rows_of_page(target.block_size), ") item))");
}

std::string range_arguments(const PageRange& range) {
  return cat("('(", range.first, ",0)', '(", range.last + 1, ",0)')");
}

}  // namespace

std::string move_statement(const MoveTarget& target) {
  // SKIP LOCKED first, so that a round never waits for a row. The table's oid is asked for, because
  // the name may have become another table's.
  return cat("UPDATE ONLY ", target.table, " SET ", target.column, " = ", target.column,
             " WHERE ctid = ANY (ARRAY(SELECT ctid FROM ONLY ", target.table, " WHERE ",
             in_range(target), " AND tableoid = ", target.oid,
             " FOR NO KEY UPDATE SKIP LOCKED)) RETURNING ctid");
}

std::vector<std::string> move_preparation(const MoveTarget& target) {
  std::vector<std::string> out;
  for (const auto& [setting, value] : kSettings) out.push_back(cat("SET ", setting, " = ", value));
  if (target.replica_role) out.emplace_back("SET session_replication_role = replica");
  out.push_back(cat("PREPARE pgtend_move (tid, tid) AS ", move_statement(target)));
  // The rows that this transaction has moved already and that stayed within the range: the server
  // puts a new version on the page of the old one while that has room, and only then elsewhere.
  out.push_back(cat("PREPARE pgtend_fill (tid, tid) AS UPDATE ONLY ", target.table, " SET ",
                    target.column, " = ", target.column, " WHERE ", in_range(target),
                    " AND xmin = pg_current_xact_id()::xid AND tableoid = ", target.oid,
                    " RETURNING ctid"));
  return out;
}

Status Mover::prepare() {
  for (const std::string& sql : move_preparation(target_)) TRY(rounds_.connection().query(sql));
  for (int i = 0; i < kQuietProbes; ++i) feel();
  return ok();
}

Status Mover::finish() {
  pg::Connection& conn = rounds_.connection();
  for (const auto& [setting, value] : kSettings) TRY(conn.exec(cat("RESET ", setting)));
  if (target_.replica_role) TRY(conn.exec("RESET session_replication_role"));
  TRY(conn.exec("DEALLOCATE pgtend_move"));
  return conn.exec("DEALLOCATE pgtend_fill");
}

// How another session fares now, and who waits for ours.
void Mover::feel() {
  const std::string sql =
      cat("select count(*) from pg_catalog.pg_stat_activity where wait_event_type = 'Lock' and ",
          rounds_.connection().backend_pid(), " = any (pg_catalog.pg_blocking_pids(pid))");
  std::optional<microseconds> answer;
  const SteadyTime start = rounds_.clock().steady();
  int64_t waiting = 0;
  answer = rounds_.probe(sql, waiting);
  felt_ = start;
  if (answer) size_.felt(*answer, waiting);
}

// The first statement of a round; now and then, while the server works on it, others are felt.
Result<pg::Rows> Mover::first_pass(pg::Connection& conn, const std::string& sql) {
  TRY(conn.start(sql));
  if (rounds_.clock().steady() - felt_ >= kFeelEvery) feel();
  auto rows = TRY(conn.finish_within(kAnswer));
  if (!rows) return Error{ErrorCode::Timeout, "a round did not end"};
  return std::move(*rows);
}

Result<care::RoundEnd> Mover::clear_within(pg::Connection& conn, const PageRange& range,
                                           Done& done) {
  const std::string arguments = range_arguments(range);
  const pg::Rows first = TRY(first_pass(conn, cat("EXECUTE pgtend_move ", arguments)));
  Landings landed = TRY(landings(first, range));
  done = Done{.rows = landed.rows, .updates = landed.rows};
  int fills = 0;
  std::vector<pg::Statement> batch(1, {.sql = cat("EXECUTE pgtend_fill ", arguments)});
  while (landed.above == 0 && landed.inside > 0) {
    fills += static_cast<int>(batch.size());
    if (fills > kFillsMax) {
      return Error{ErrorCode::Internal, cat("rows stay on pages ", range.first, " to ", range.last,
                                            " of ", target_.table)};
    }
    const std::vector<pg::Rows> results = TRY(conn.pipeline(batch));
    for (const pg::Rows& rows : results) {
      landed = TRY(landings(rows, range));
      done.updates += landed.rows;
      if (landed.above > 0) break;
    }
    if (batch.size() < kFillsAtOnceMax) batch.resize(batch.size() * 2, batch[0]);
  }
  done.full = landed.above > 0;
  return done.full ? care::RoundEnd::Rollback : care::RoundEnd::Commit;
}

Result<Mover::Done> Mover::clear(const PageRange& range) {
  Done done;
  TRY(throttle_.begin());
  const SteadyTime start = rounds_.clock().steady();
  TRY(rounds_.round([&](pg::Connection& conn) { return clear_within(conn, range, done); }));
  size_.ran(range.last - range.first + 1,
            std::chrono::duration_cast<microseconds>(rounds_.clock().steady() - start));
  TRY(throttle_.end());
  return done;
}

void Mover::tell(int64_t page, int64_t pages) {
  const SteadyTime now = rounds_.clock().steady();
  if (now - told_ < kTellEvery) return;
  told_ = now;
  rounds_.tell(cat("moving rows, page ", grouped(page), " of ", grouped(pages), ", ",
                   pgtend::compact(static_cast<double>(totals_.rows)), " rows moved, ",
                   size_.pages(), " pages a round"));
}

Status Mover::between_rounds() {
  const SteadyTime now = rounds_.clock().steady();
  if (now - checked_ >= kRecheckEvery) {
    checked_ = now;
    if (recheck_) TRY(recheck_());
  }
  return throttle_.rest(size_.rest());
}

Result<SweepEnd> Mover::sweep(int64_t last, int64_t floor) {
  cleared_from_ = last + 1;
  for (int64_t page = last; page >= floor;) {
    const PageRange range{std::max(floor, page - size_.pages() + 1), page};
    const Done done = TRY(clear(range));
    if (done.full) return SweepEnd::Full;
    totals_.rows += done.rows;
    totals_.updates += done.updates;
    totals_.pages += range.last - range.first + 1;
    cleared_from_ = range.first;
    // What an earlier sweep has emptied is skipped at one look.
    page = range.first - 1;
    if (done.rows == 0) page = TRY(last_occupied(range.first));
    tell(range.first, last + 1);
    TRY(between_rounds());
  }
  return SweepEnd::Floor;
}

Result<int64_t> Mover::last_occupied(int64_t pages) {
  const bool range_scan = target_.version >= kVersionTidScan;
  const int64_t step = range_scan ? kLookPages : kLookPagesSlow;
  pg::Connection& conn = rounds_.connection();
  for (int64_t end = pages; end > 0; end -= step) {
    const PageRange range{std::max<int64_t>(0, end - step), end - 1};
    const std::string sql =
        cat("SELECT ctid FROM ONLY ", target_.table, " WHERE ", in_range(target_),
            " AND tableoid = ", target_.oid, " ORDER BY ctid DESC LIMIT 1");
    const pg::Rows rows =
        TRY(conn.query(sql, {cat("(", range.first, ",0)"), cat("(", range.last + 1, ",0)")}));
    if (!rows.empty()) return page_of(rows[0].text(0));
    TRY(rounds_.pause(milliseconds(0)));
  }
  return -1;
}

}  // namespace pgtend::vacuum
