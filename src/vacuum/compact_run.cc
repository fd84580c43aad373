#include "vacuum/compact_run.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "base/units.h"
#include "care/locks.h"
#include "facts/horizon.h"

namespace pgtend::vacuum {
namespace {

constexpr double kMostlyFrozen = 0.5;
constexpr int kSweepsMax = 40;
constexpr int kRoundTripsMax = 20;       // of sweeps and truncation
constexpr double kFar = 1.04;            // of the pages that a rewrite would need, at most
constexpr double kProgressMin = 0.005;   // of the pages: less is not worth another VACUUM
constexpr int64_t kTruncateMin = 1'000;  // pages: VACUUM does not cut fewer,
constexpr int64_t kTruncateShare = 16;   // unless they are this part of the table
constexpr double kFineRound = 0.003;  // of the pages, of a round that looks for the last free space
constexpr double kLeftOver = 1.1;     // of the pages that were not cleared
constexpr milliseconds kLookAgain{200};
constexpr const char* kWindowClosed = "the quiet times are over";
constexpr int kVersionCheckClient = 140000;

care::Step lone(std::string sql) {
  const bool yields = sql.starts_with("VACUUM");  // a REINDEX that is stopped has to begin anew
  return {.sql = std::move(sql),
          .lock = care::LockMode::ShareUpdateExclusive,
          .in_transaction = false,
          .yields = yields};
}

bool freezes(const CompactSetup& setup, const CompactTable& table) {
  return setup.freeze || table.frozen.value_or(0) >= kMostlyFrozen;
}

care::Step vacuum_last(const CompactSetup& setup, const CompactTable& table) {
  return lone(cat("VACUUM (VERBOSE, TRUNCATE TRUE, INDEX_CLEANUP ON",
                  freezes(setup, table) ? ", FREEZE" : "", ") ", table.table));
}

care::Step reindex_step(const std::string& index) {
  return lone(cat("REINDEX INDEX CONCURRENTLY ", index));
}

// What REINDEX CONCURRENTLY calls the index while it builds it, for names that are not too long.
std::string leftover_name(const std::string& index) {
  return index.ends_with('"') ? cat(index.substr(0, index.size() - 1), "_ccnew\"")
                              : cat(index, "_ccnew");
}

MoveTarget target_of(const CompactTable& table, const CompactFit& fit) {
  return {.oid = table.oid,
          .table = table.table,
          .column = fit.column,
          .replica_role = fit.replica_role,
          .version = table.version,
          .block_size = table.block_size};
}

care::Step moving_step(const CompactTable& table, const CompactFit& fit) {
  return {.sql = move_statement(target_of(table, fit)), .lock = care::LockMode::RowExclusive};
}

std::string storing_statement(const CompactTable& table) {
  const auto fit = fit_to_store(table);
  return fit ? store_statement({.oid = table.oid,
                                .table = table.table,
                                .fit = *fit,
                                .version = table.version,
                                .block_size = table.block_size})
             : "";
}

// Its last steps take the table for an instant; all before lets readers and writers go on.
care::Step repack_step(const CompactPlan& plan) {
  return {.sql = plan.cost(Way::Repack).command,
          .lock = care::LockMode::AccessExclusive,
          .in_transaction = false};
}

bool moves(const CompactPlan& plan, const CompactFacts& facts) {
  return plan.pick == Way::InPlace ||
         (plan.pick == Way::Tail && facts.tail && facts.tail->rows > 0);
}

}  // namespace

care::Step vacuum_between(const std::string& table) {
  return lone(cat("VACUUM (VERBOSE, TRUNCATE FALSE, INDEX_CLEANUP ON) ", table));
}

care::Step storing_step(const CompactTable& table) {
  return {.sql = storing_statement(table), .lock = care::LockMode::RowExclusive};
}

std::vector<care::Step> compact_steps(const CompactSetup& setup, const CompactFacts& facts,
                                      const CompactPlan& plan, const CompactFit& fit) {
  std::vector<care::Step> out;
  if (plan.pick == Way::Nothing) return out;
  if (plan.pick == Way::Repack) return {repack_step(plan)};
  if (plan.toast) out.push_back(storing_step(facts.table));
  if (moves(plan, facts)) {
    out.push_back(vacuum_between(facts.table.table));
    out.push_back(moving_step(facts.table, fit));
  }
  if (plan.pick != Way::Reindex) out.push_back(vacuum_last(setup, facts.table));
  for (const CompactIndex& index : facts.indexes) {
    const bool all = plan.pick == Way::InPlace && index.btree;
    const bool excluded =
        std::ranges::find(facts.table.exclusions, index.name) != facts.table.exclusions.end();
    if (plan.pick == Way::Tail || excluded) continue;
    if (all || worth_reindex(index.bloat, setup.policy)) out.push_back(reindex_step(index.name));
  }
  return out;
}

Result<int64_t> CompactWork::pages(care::Rounds& rounds) const {
  const pg::Rows rows = TRY(rounds.connection().query(
      "select pg_relation_size(oid) / current_setting('block_size')::int from pg_class where oid = "
      "$1::oid",
      {std::to_string(report_.facts.table.oid)}));
  if (rows.empty()) {
    return Error{ErrorCode::NotFound, cat(report_.table, " was dropped meanwhile"), "42P01"};
  }
  return rows[0].get<int64_t>(0);
}

// The last page with a row.
Result<int64_t> CompactWork::occupied(care::Rounds& rounds, Mover& mover) const {
  const int64_t all = TRY(pages(rounds));
  return mover.last_occupied(all);
}

// What was true at the beginning must still be: somebody may have made a trigger, or published it.
Status CompactWork::still_fit(care::Rounds& rounds) const {
  auto now = load_compact_table(rounds.connection(), report_.facts.table.oid);
  if (!now && now.error().code == ErrorCode::NotFound) {
    return Error{ErrorCode::NotFound, cat(report_.table, " was dropped meanwhile"), "42P01"};
  }
  if (!now) return now.error();
  if (now->table != report_.table) {
    return Error{ErrorCode::NotFound, cat(report_.table, " was renamed meanwhile"), "42P01"};
  }
  // Whether it may be set was asked at the beginning, and is not asked again: it is set.
  now->replica_role = fit_.replica_role;
  const auto fit = fit_to_move(*now, setup_.published);
  const bool same =
      !report_.plan.toast || storing_statement(*now) == storing_statement(report_.facts.table);
  if (!same) {
    return Error{ErrorCode::Conflict,
                 cat("columns or triggers of ", report_.table, " were changed meanwhile")}
        .hinting("run it again");
  }
  if (fit) return ok();
  Error error = fit.error();
  return std::move(error).during("changed meanwhile");
}

// Two programs that move rows of one table would undo each other's work. A session that outlives
// its program, because it runs a VACUUM, holds the lock until that ends.
Status CompactWork::lock_out_others(care::Rounds& rounds) {
  pg::Connection& conn = rounds.connection();
  const std::string oid = std::to_string(report_.facts.table.oid);
  if (conn.server_version() >= kVersionCheckClient) {
    (void)conn.exec("SET client_connection_check_interval = '1s'");  // not on every platform
  }
  const SteadyTime start = rounds.clock().steady();
  while (true) {
    const pg::Rows rows = TRY(conn.query(
        "select pg_try_advisory_lock(hashtext('pgtend compact'), $1::oid::int8::bit(32)::int4)",
        {oid}));
    if (TRY(rows.scalar()) == "t") return ok();
    if (rounds.clock().steady() - start >= rounds.policy().lock_timeout_patient) break;
    rounds.tell("waiting for another compaction of the table");
    TRY(rounds.pause(kLookAgain));
  }
  return Error{ErrorCode::Conflict, cat("another compaction of ", report_.table, " is running"),
               "55P03"}
      .hinting("wait for it; pg_locks shows its session under locktype advisory");
}

Status CompactWork::drop_leftovers(care::Rounds& rounds) {
  const auto names = TRY(load_leftovers(rounds.connection(), report_.facts.table.oid));
  for (const std::string& index : names) {
    TRY(rounds.undo(cat("DROP INDEX CONCURRENTLY IF EXISTS ", index)));
  }
  return ok();
}

bool CompactWork::window_closed() const { return waits_for_window_ && !setup_.cut.quiet(); }

std::string CompactWork::stopped() {
  if (cutting_ && window_closed()) return kWindowClosed;
  return throttle_.stopped();
}

// A VACUUM is neither begun nor gone on with while clients feel it; what it has done stays.
Status CompactWork::gently(care::Rounds& rounds, const care::Step& step) {
  while (true) {
    TRY(throttle_.rest(microseconds(0)));
    Status status = rounds.step(step);
    const bool again = !status && status.error().code == ErrorCode::Cancelled && throttle_.held();
    if (!again) return status;
  }
}

// How dense the table can become is an estimate: sweeps end when they win nothing any more.
Status CompactWork::sweeps(care::Rounds& rounds, Mover& mover, int64_t floor) {
  int64_t last = TRY(occupied(rounds, mover));
  int idle = 0;  // sweeps in a row that won next to nothing
  for (int sweep = 0; sweep < kSweepsMax && last >= floor && idle < 2; ++sweep) {
    SweepEnd end = SweepEnd::Floor;
    const auto sweep_down = [&]() -> Status {
      const auto swept = mover.sweep(last, floor);
      if (swept) end = *swept;
      return swept ? ok() : Status(swept.error());
    };
    TRY(rounds.series(moving_step(report_.facts.table, fit_), sweep_down));
    ++report_.sweeps;
    const int64_t now = TRY(occupied(rounds, mover));
    const auto least = static_cast<int64_t>(kProgressMin * static_cast<double>(last)) + 1;
    idle = last - now < least ? idle + 1 : 0;
    last = now;
    if (last < floor) break;
    const auto fine = static_cast<int64_t>(kFineRound * static_cast<double>(last)) + 1;
    if (end == SweepEnd::Full && mover.round_pages() > fine) {
      mover.limit_rounds(fine);
      idle = 0;
    }
    TRY(gently(rounds, vacuum_between(report_.table)));
    // Rows that died since are room again, and others may have come to lie behind.
    last = TRY(occupied(rounds, mover));
  }
  return ok();
}

// One row at the end keeps the whole file. A few pages behind are what writers need meanwhile.
void CompactWork::note_stragglers(const Mover& mover, int64_t used) {
  if (report_.sweeps == 0 ||
      static_cast<double>(used) <= kLeftOver * static_cast<double>(mover.cleared_from())) {
    return;
  }
  report_.unfinished =
      cat("rows that others held locked, or have written meanwhile, keep pages ",
          grouped(mover.cleared_from()), " to ", grouped(used - 1), " of ", report_.table);
}

namespace {

constexpr milliseconds kSnapshotsMax{1'000};

// Commits of rounds do not wait for the disk, and VACUUM freezes nothing whose commit is not there,
// or that a snapshot of the moment (our own watcher's, too) takes for running. One commit that
// waits takes those before it along; snapshots that do not end soon are left alone.
Status flush(care::Rounds& rounds) {
  std::string last;
  const auto done = rounds.round([&](pg::Connection& conn) -> Result<care::RoundEnd> {
    TRY(conn.exec("SET LOCAL synchronous_commit = local"));
    const pg::Rows rows = TRY(conn.query("SELECT pg_current_xact_id()::xid::text"));
    last = TRY(rows.scalar());
    return care::RoundEnd::Commit;
  });
  if (!done) return done.error();
  const SteadyTime start = rounds.clock().steady();
  while (rounds.clock().steady() - start < kSnapshotsMax) {
    const pg::Rows older = TRY(rounds.connection().query(
        "SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE datname = "
        "pg_catalog.current_database() AND pid <> pg_catalog.pg_backend_pid() AND "
        "pg_catalog.age(backend_xmin) >= pg_catalog.age($1::xid)",
        {last}));
    if (TRY(older.scalar()) == "0") return ok();
    TRY(rounds.pause(milliseconds(10)));
  }
  return ok();
}

}  // namespace

// All else that can be done before is done before, so that little is left to the quiet times.
Status CompactWork::await_window(care::Rounds& rounds, Mover& mover, int64_t floor) {
  const care::Standbys standbys = TRY(care::load_standbys(rounds.connection()));
  waits_for_window_ = cut_waits(setup_.cut, standbys.list.size());
  if (!window_closed()) return ok();
  TRY(gently(rounds, vacuum_between(report_.table)));
  while (window_closed()) {
    rounds.tell(cat("waiting for the quiet times ", setup_.cut.times, " to cut the file"));
    TRY(throttle_.rest(kLookAgain));
  }
  // Writers may have put rows at the end meanwhile.
  return moves(report_.plan, report_.facts) ? sweeps(rounds, mover, floor) : ok();
}

// A VACUUM that may cut the file, and ends with the quiet times.
Status CompactWork::cut(care::Rounds& rounds) {
  cutting_ = true;
  Status status = gently(rounds, vacuum_last(setup_, report_.facts.table));
  cutting_ = false;
  const bool closed = !status && status.error().code == ErrorCode::Cancelled && window_closed();
  return closed ? ok() : status;
}

// VACUUM cuts the file only when nobody else uses the table for a moment, and only after rows that
// nobody sees any more.
Status CompactWork::truncate(care::Rounds& rounds, Mover& mover) {
  milliseconds wait = rounds.policy().back_off;
  while (true) {
    TRY(flush(rounds));
    TRY(cut(rounds));
    const int64_t now = TRY(pages(rounds));
    const int64_t used = TRY(mover.last_occupied(now)) + 1;
    report_.pages_after = now;
    const int64_t left = now - used;
    report_.unfinished.clear();
    if (left < kTruncateMin && left < std::max<int64_t>(now / kTruncateShare, 1)) {
      note_stragglers(mover, used);
      return ok();
    }
    const auto holders = TRY(facts::load_lock_holders(
        rounds.connection(), report_.facts.table.oid,
        care::conflicting(care::LockMode::AccessExclusive), rounds.connection().backend_pid()));
    std::string who = TRY(holder(rounds));
    if (who.empty()) {
      who = holders.empty() ? "others use it all the time"
                            : cat("used by ", holders.front().describe());
    }
    report_.unfinished = cat("the last ", grouped(left), " pages of ", report_.table,
                             " are empty, but cannot be given back: ", who);
    if (window_closed()) report_.unfinished += cat(", and ", kWindowClosed);
    if (window_closed() || patience_over(rounds)) return ok();
    rounds.tell(cat("waiting to give back ", grouped(left), " pages: ", who));
    TRY(rounds.pause(wait));
    wait = std::min(wait * 2, rounds.policy().back_off_max);
  }
}

// All waiting for others, from the first time on, is bounded as one wait for a lock is.
bool CompactWork::patience_over(care::Rounds& rounds) {
  const SteadyTime now = rounds.clock().steady();
  if (!waiting_since_) waiting_since_ = now;
  return now - *waiting_since_ >= rounds.policy().lock_timeout_patient;
}

bool CompactWork::far_from_dense() const {
  const Bloat& heap = report_.facts.heap;
  return heap.known() && static_cast<double>(report_.pages_after) > heap.needed.high * kFar + 1;
}

// Who keeps dead rows from being removed; "" for nobody.
Result<std::string> CompactWork::holder(care::Rounds& rounds) const {
  const auto horizon = TRY(facts::load_holders(rounds.connection()));
  const auto old = facts::of(horizon.holders, facts::Horizon::Data);
  return old.empty() ? std::string() : cat("held by ", old.front().describe());
}

Status CompactWork::move(care::Rounds& rounds) {
  waits_for_window_ = cut_waits(setup_.cut, report_.facts.standbys.size());
  Mover mover(rounds, throttle_, target_of(report_.facts.table, fit_),
              [&] { return still_fit(rounds); });
  if (setup_.throttle.wal_second.count > 0) {
    const auto settings =
        care::vacuum_budget(setup_.throttle.wal_second, report_.facts.table.block_size);
    for (const std::string& sql : settings) TRY(rounds.connection().exec(sql));
  }
  if (moves(report_.plan, report_.facts)) {
    TRY(still_fit(rounds));
    TRY(store_anew(rounds));
    TRY(mover.prepare());
  }
  const int64_t floor =
      report_.plan.pick == Way::Tail ? report_.facts.table.pages - report_.facts.tail->pages : 0;
  const Status status = [&]() -> Status {
    if (moves(report_.plan, report_.facts)) TRY(gently(rounds, vacuum_between(report_.table)));
    milliseconds wait = rounds.policy().back_off;
    for (int trip = 0; trip < kRoundTripsMax; ++trip) {
      const int64_t before = TRY(pages(rounds));
      if (moves(report_.plan, report_.facts)) TRY(sweeps(rounds, mover, floor));
      TRY(await_window(rounds, mover, floor));
      TRY(truncate(rounds, mover));
      TRY(cut_toast(rounds));
      if (!report_.unfinished.empty() && window_closed()) return ok();
      // Writers may have filled the end again while VACUUM was on its way there.
      if (report_.plan.pick != Way::InPlace || !far_from_dense()) return ok();
      const auto won = static_cast<int64_t>(kProgressMin * static_cast<double>(before));
      if (report_.pages_after < before - won) continue;
      const std::string who = TRY(holder(rounds));
      if (report_.unfinished.empty()) {
        report_.unfinished =
            cat(report_.table, " has ", grouped(report_.pages_after), " pages where about ",
                grouped(std::llround(report_.facts.heap.needed.best)), " would do",
                who.empty() ? ": no room could be won before its end"
                            : cat(", because rows that died cannot be removed: ", who));
      }
      if (who.empty() || patience_over(rounds)) return ok();
      rounds.tell(cat("waiting, because rows that died cannot be removed: ", who));
      TRY(rounds.pause(wait));
      wait = std::min(wait * 2, rounds.policy().back_off_max);
    }
    if (report_.unfinished.empty()) {
      report_.unfinished = cat(report_.table, " has ", grouped(report_.pages_after),
                               " pages: writers fill its end as fast as it is emptied");
    }
    return ok();
  }();
  report_.moved = mover.totals();
  if (status && moves(report_.plan, report_.facts)) TRY(mover.finish());
  return status;
}

// REINDEX CONCURRENTLY waits at its end for everybody who uses the table since before, and leaves
// an invalid index when it gives up then: so the waiting is done first.
Status CompactWork::quiet(care::Rounds& rounds) {
  const SteadyTime start = rounds.clock().steady();
  while (true) {
    const auto holders = TRY(facts::load_lock_holders(
        rounds.connection(), report_.facts.table.oid,
        care::conflicting(care::LockMode::AccessExclusive), rounds.connection().backend_pid()));
    const std::chrono::duration<double> waited = rounds.clock().steady() - start;
    const auto old = std::ranges::find_if(holders, [&](const facts::Session& holder) {
      return !holder.open_s || *holder.open_s >= waited.count();
    });
    if (old == holders.end()) return ok();
    if (waited >= rounds.policy().lock_timeout_patient) {
      return Error{ErrorCode::Conflict,
                   cat("the indexes of ", report_.table, " could not be written anew: used by ",
                       old->describe()),
                   "55P03"}
          .hinting("all else is done: run it again when that has ended");
    }
    rounds.tell(cat("waiting to write indexes anew: used by ", old->describe()));
    TRY(rounds.pause(kLookAgain));
  }
}

Status CompactWork::reindex_one(care::Rounds& rounds, const std::string& index) {
  TRY(throttle_.rest(microseconds(0)));
  TRY(quiet(rounds));
  // Named so, the gate waits for those who write now before it begins, and drops what a failure
  // left.
  Status status = rounds.step(reindex_step(index), leftover_name(index));
  if (status) return status;
  const Status dropped = drop_leftovers(rounds);
  if (dropped) return status;
  Error error = std::move(status).error();
  error.message +=
      cat("; an invalid index is left, which the next run drops: ", dropped.error().message);
  return error;
}

// The moves made entries and left dead ones: what an index needs was estimated before, what it has
// is read now. One whose need is unknown is written anew after moves; without any it is left alone.
Status CompactWork::reindex(care::Rounds& rounds) {
  const bool moved = report_.moved.rows > 0;
  for (const CompactIndex& index : report_.facts.indexes) {
    const auto& fixed = report_.facts.table.exclusions;
    if (!index.btree || std::ranges::find(fixed, index.name) != fixed.end()) continue;
    const pg::Rows rows = TRY(rounds.connection().query(
        "select pg_relation_size(to_regclass($1)) / current_setting('block_size')::int",
        {index.name}));
    const auto size = TRY(rows[0].get<std::optional<int64_t>>(0));
    if (!size) continue;  // dropped meanwhile
    Bloat now = index.bloat;
    now.pages = *size;
    const bool unknown = !now.known() && moved && now.pages >= setup_.policy.index_pages_min;
    if (unknown || worth_reindex(now, setup_.policy)) TRY(reindex_one(rounds, index.name));
  }
  return ok();
}

Status CompactWork::repack(care::Rounds& rounds) {
  TRY(throttle_.rest(microseconds(0)));
  const RepackSetup setup{.client = report_.facts.rewriters.client,
                          .options = setup_.gate.options,
                          .table = report_.facts.table,
                          .database = report_.facts.database,
                          .wait_max = setup_.repack_wait_max,
                          .wait_timeout = setup_.repack_wait_timeout};
  TRY(rounds.series(repack_step(report_.plan), [&] { return run_repack(rounds, setup); }));
  report_.pages_after = TRY(pages(rounds));
  return ok();
}

Status CompactWork::operator()(care::Rounds& rounds) {
  const SteadyTime start = rounds.clock().steady();
  throttle_.use(rounds);
  const Status status = [&]() -> Status {
    TRY(lock_out_others(rounds));
    TRY(drop_leftovers(rounds));
    const Bytes disk = report_.plan.cost(report_.plan.pick).disk;
    TRY(throttle_.find_room(report_.facts.table.oid, disk));
    report_.pages_before = report_.pages_after = TRY(pages(rounds));
    if (report_.plan.pick == Way::InPlace || report_.plan.pick == Way::Tail) TRY(move(rounds));
    if (report_.plan.pick == Way::Repack) TRY(repack(rounds));
    // Whoever keeps the end would keep REINDEX, too.
    const bool indexes = report_.plan.pick == Way::InPlace || report_.plan.pick == Way::Reindex;
    if (indexes && report_.unfinished.empty()) TRY(reindex(rounds));
    if (report_.unfinished.empty()) report_.unfinished = toast_unfinished_;
    return ok();
  }();
  report_.rounds = rounds.sums();
  report_.held = throttle_.sums();
  report_.took = std::chrono::duration_cast<milliseconds>(rounds.clock().steady() - start);
  return status;
}

}  // namespace pgtend::vacuum
