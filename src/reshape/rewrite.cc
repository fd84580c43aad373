#include "reshape/rewrite.h"

#include <algorithm>
#include <iterator>

#include "base/text.h"
#include "base/units.h"
#include "pg/quote.h"
#include "reshape/copy.h"
#include "reshape/exchange.h"

namespace pgtend::reshape {
namespace {

using care::LockMode;
using care::RoundEnd;
using care::Rounds;

constexpr int64_t kKeysAtOnce = 5'000;
constexpr int64_t kKeysLeast = 50;  // take as long as they take
constexpr int64_t kKeysFew = 500;   // so few are left for the swap, or as many as come in that time
constexpr int kRoundsPerSweep = 50;
constexpr milliseconds kLookAgain{200};
constexpr int kVersionCheckClient = 140000;
constexpr int kCatchUpMax = 100'000;
constexpr int kCatchUpAtLeast = 3;  // rounds that may find more than a few before the swap

care::Step sweep_log(const Flow& flow) {
  return {.sql = cat("VACUUM (ANALYZE) ", flow.log), .in_transaction = false};
}

// All that belongs to the job alone.
std::vector<std::string> drop_notes(const Job& job) {
  std::vector<std::string> out;
  for (const char* function : {"capture", "back"}) {
    out.push_back(cat("DROP FUNCTION IF EXISTS ", job.own(function), "()"));
  }
  for (const char* table : {"log", "back_log", "ledger"}) {
    out.push_back(cat("DROP TABLE IF EXISTS ", job.own(table)));
  }
  return out;
}

bool unique_or_reference(const Error& error) {
  return error.sqlstate == "23505" || error.sqlstate == "23503";
}

}  // namespace

// A table that is written anew in parts leaves others to those who find them without it.
std::vector<std::string> swap_locks(const Job& job, bool back) {
  const auto lock = [](const std::string& table) {
    return cat("LOCK TABLE ", table, " IN ACCESS EXCLUSIVE MODE");
  };
  std::vector<std::string> out{lock(cat(job.in_parts() ? "ONLY " : "", job.table()))};
  for (const Part& part : back ? job.results : job.sources) out.push_back(lock(part.table));
  if (back) out.push_back(lock(job.old_table()));
  return out;
}

json::object to_json(const Report& report) {
  json::array warnings;
  for (const std::string& warning : report.warnings) warnings.emplace_back(warning);
  return {{"table", report.table},
          {"phase", name(report.phase)},
          {"rows_copied", report.rows_copied},
          {"chunks", report.chunks},
          {"keys_applied", report.keys_applied},
          {"rows_compared", report.rows_compared},
          {"swap_tries", report.swap_tries},
          {"swap_holds", report.swap_holds},
          {"swap_locked_ms", report.swap_locked.count()},
          {"held_back", care::to_json(report.held)},
          {"waited_for", report.waited_for},
          {"warnings", std::move(warnings)}};
}

Status Rewrite::note(pg::Connection& conn, Phase phase) {
  TRY(conn.exec(note_phase(job_, phase)));
  return ok();
}

Status Rewrite::unchanged(pg::Connection& conn) const {
  const pg::Rows rows = TRY_DURING(conn.query(job_.unchanged_sql), "looking for changes");
  if (!rows.empty() && rows[0].text(0) == "t") return ok();
  return Error{ErrorCode::Invalid, cat(job_.table(), " was altered since this was planned")}
      .hinting("pgtend partition abort, then plan it again");
}

// Names in it are written as an empty search path makes them.
Status Rewrite::still_unchanged(Rounds& rounds) const {
  const auto end = rounds.round([&](pg::Connection& conn) -> Result<RoundEnd> {
    TRY(conn.exec(kPlainTexts));
    TRY(unchanged(conn));
    const pg::Rows reasons = TRY_DURING(conn.query(job_.refusals_sql), "looking for changes");
    if (reasons.empty()) return RoundEnd::Rollback;
    return Error{
        ErrorCode::Invalid,
        cat(job_.table(), " has changed since this was planned: ", printable(reasons[0].text(0)))}
        .hinting("take that back and resume, or pgtend partition abort");
  });
  return end ? ok() : Status(end.error());
}

// Several programs at one job would copy rows twice. The session of one that was killed lives on
// until its statement has ended.
Status Rewrite::begin(Rounds& rounds) {
  report_.table = job_.table();
  throttle_.use(rounds);
  pg::Connection& conn = rounds.connection();
  if (conn.server_version() >= kVersionCheckClient) {
    (void)conn.exec("SET client_connection_check_interval = '1s'");  // not on every platform
  }
  const SteadyTime start = rounds.clock().steady();
  while (true) {
    const pg::Rows rows = TRY(conn.query(
        "select pg_try_advisory_lock(hashtext('pgtend reshape'), $1::oid::int8::bit(32)::int4)",
        {cat(job_.oid)}));
    if (TRY(rows.scalar()) == "t") return ok();
    if (rounds.clock().steady() - start >= setup_.patience) break;
    rounds.tell(cat("waiting for another pgtend at work on ", job_.table()));
    TRY(rounds.pause(kLookAgain));
  }
  return Error{ErrorCode::Conflict, cat("another pgtend is at work on ", job_.table()), "55P03"}
      .hinting("wait for it; pg_locks shows its session under locktype advisory");
}

// VACUUM keeps the budget by itself.
Status Rewrite::begin_throttle(Rounds& rounds) {
  if (setup_.throttle.wal_second.count <= 0) return ok();
  for (const std::string& sql : care::vacuum_budget(setup_.throttle.wal_second, job_.block_size)) {
    TRY(rounds.connection().exec(sql));
  }
  return ok();
}

Status Rewrite::together(Rounds& rounds, const std::string& what, const std::string& shown,
                         const std::vector<std::string>& statements) {
  const care::Step step{.sql = shown, .lock = LockMode::AccessExclusive};
  Report unused;
  const Exchange one{.what = what, .oid = job_.oid, .then = [&](pg::Connection& conn) -> Status {
                       for (const std::string& sql : statements) TRY(conn.exec(sql));
                       return ok();
                     }};
  return rounds.series(step, [&] { return exchange(rounds, setup_, one, unused); });
}

Status Rewrite::make(Rounds& rounds) {
  std::vector<std::string> statements = make_ledger(job_);
  statements.insert(statements.end(), job_.create.begin(), job_.create.end());
  return together(rounds, "making the new table", job_.create.front(), statements);
}

Status Rewrite::start_capture(Rounds& rounds) {
  std::vector<std::string> statements = capture(forward(job_), false);
  statements.push_back(note_sizes(job_));
  statements.push_back(note_phase(job_, Phase::Capturing));
  return together(rounds, "noticing changes", statements.front(), statements);
}

Status Rewrite::copy(Rounds& rounds) {
  std::vector<std::string> sizes;
  for (const Source& source : forward(job_).sources) {
    sizes.push_back(cat("pg_total_relation_size(", pg::literal(source.table), ")"));
  }
  const pg::Rows size =
      TRY(rounds.connection().query(cat("select (", join(sizes, " + "), ")::int8")));
  const int64_t left = TRY(size[0].get<int64_t>(0)) / std::max<int64_t>(ledger_.pages, 1) *
                       (ledger_.pages - ledger_.next_page);
  TRY(throttle_.find_room(job_.oid, Bytes{left}));
  Copier copier(rounds, throttle_, job_, {.wanted = setup_.chunk});
  const care::Step shown{.sql = copy_pages(job_, {.last = 1}), .lock = LockMode::AccessShare};
  const Status status = rounds.series(shown, [&]() -> Status {
    while (ledger_.next_page < ledger_.pages) {
      if (copier.due_for_a_look()) TRY(still_unchanged(rounds));
      TRY(copier.chunk(ledger_));
    }
    return ok();
  });
  report_.rows_copied += copier.rows();
  report_.chunks += copier.chunks();
  TRY(status);
  const auto end = rounds.round([&](pg::Connection& conn) -> Result<RoundEnd> {
    TRY(note(conn, Phase::Copied));
    return RoundEnd::Commit;
  });
  return end ? ok() : Status(end.error());
}

Status Rewrite::build(Rounds& rounds, const std::vector<Make>& list) {
  for (const Make& make : list) {
    if (!make.done_sql.empty()) {
      const pg::Rows rows = TRY_DURING(rounds.connection().query(make.done_sql), make.sql);
      if (!rows.empty() && rows[0].text(0) == "t") continue;
    }
    TRY(throttle_.rest(microseconds(0)));
    TRY(rounds.step({.sql = make.sql, .lock = make.lock, .in_transaction = !make.alone},
                    make.creates));
  }
  return ok();
}

// Until so little is left that the swap can bring it over while everybody waits.
Status Rewrite::catch_up(Rounds& rounds, const Flow& flow) {
  const care::Step shown{.sql = insert_keys(flow), .lock = LockMode::RowExclusive};
  const pg::Rows mark = TRY(rounds.connection().query("select pg_current_xact_id()::xid::text"));
  mark_ = TRY(mark.scalar());
  TRY(rounds.step(sweep_log(flow)));
  return rounds.series(shown, [&]() -> Status {
    int64_t at_once = kKeysAtOnce;
    for (int round = 0; round < kCatchUpMax; ++round) {
      int64_t entries = 0;
      int64_t most = at_once;
      const auto body = [&](pg::Connection& conn) -> Result<RoundEnd> {
        if (most <= kKeysLeast) TRY(conn.exec("SET LOCAL statement_timeout = 0"));
        entries = TRY(apply(conn, flow, most));
        return RoundEnd::Commit;
      };
      TRY(throttle_.begin());
      auto end = rounds.round(body);
      if (!end && end.error().code == ErrorCode::Timeout && at_once > kKeysLeast) {
        at_once = std::max(at_once / 4, kKeysLeast);
        continue;
      }
      if (!end && unique_or_reference(end.error())) {
        // Part of the changes may be at odds with what has not been brought over yet: all of them
        // are as consistent as the table is.
        most = 0;
        end = rounds.round(body);
      }
      if (!end) return end.error();
      TRY(throttle_.end());
      report_.keys_applied += entries;
      // What was taken stands in the way of what comes until it is swept out.
      if (round % kRoundsPerSweep == kRoundsPerSweep - 1) TRY(rounds.step(sweep_log(flow)));
      if (entries < std::min(kKeysFew, at_once) && (entries == 0 || round + 1 >= kCatchUpAtLeast))
        return ok();
      rounds.tell(cat("catching up: ", grouped(report_.keys_applied), " changes brought over"));
      TRY(throttle_.rest(microseconds(0)));
    }
    return Error{ErrorCode::Limit,
                 cat("changes of ", flow.name, " come faster than they can be brought over")}
        .hinting("resume in a quieter hour");
  });
}

Status Rewrite::verify(Rounds& rounds, const Flow& flow) {
  const care::Step shown{.sql = compare_all(flow), .lock = LockMode::AccessShare};
  return rounds.series(shown, [&]() -> Status {
    rounds.tell("comparing all rows");
    for (int tries = 1;; ++tries) {
      Status found = ok();
      const auto end = rounds.round([&](pg::Connection& conn) -> Result<RoundEnd> {
        auto rows = compare(rounds, conn, flow);
        if (rows) report_.rows_compared = *rows;
        found = rows ? ok() : Status(rows.error());
        if (!rows && rows.error().code != ErrorCode::Internal) return rows.error();
        return RoundEnd::Rollback;
      });
      if (!end) return end.error();
      // A TRUNCATE in the middle shows the table empty to an older snapshot.
      if (found || tries == 2) return found;
      TRY(catch_up(rounds, flow));
    }
  });
}

// Rows are written as a client would write them: what a CHECK calls may need the search path.
Status Rewrite::bring_last(pg::Connection& conn, const Flow& flow) {
  if (!job_.copies) return ok();
  TRY(conn.exec(kTextsAsEver));
  report_.keys_applied += TRY(apply_last(conn, flow));
  return conn.exec(kPlainTexts);
}

Status Rewrite::change_places(pg::Connection& conn, const Flow& flow) {
  TRY(unchanged(conn));
  TRY(bring_last(conn, flow));
  TRY_DURING(conn.exec(join(job_.swap, ";\n")), "changing places");
  if (job_.copies) {
    TRY(conn.exec(silence(flow)));  // its triggers go afterwards
    TRY(conn.exec(listen(backward(job_))));
  }
  return note(conn, Phase::Swapped);
}

Status Rewrite::swap(Rounds& rounds) {
  const Flow flow = forward(job_);
  TRY(bring_over(rounds, flow));
  Exchange places{.what = "changing places",
                  .oid = job_.oid,
                  .lock_first = job_.lock_first,
                  .locks = swap_locks(job_, false),
                  .snapshots = job_.copies,
                  .swaps = true,
                  .then = [&](pg::Connection& conn) { return change_places(conn, flow); }};
  places.mark = &mark_;
  places.between = [&]() -> Status {
    TRY(still_unchanged(rounds));
    return job_.copies ? catch_up(rounds, flow) : ok();
  };
  TRY(still_unchanged(rounds));
  const care::Step shown{.sql = places.locks.front(), .lock = LockMode::AccessExclusive};
  TRY(rounds.series(shown, [&] { return exchange(rounds, setup_, places, report_); }));
  ledger_.phase = report_.phase = Phase::Swapped;
  return ok();
}

// Whose snapshots are not seen cannot be waited for.
Status Rewrite::look_at_rights(Rounds& rounds) {
  const pg::Rows rows = TRY(
      rounds.connection().query("select pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')"));
  if (TRY(rows.scalar()) == "t") return ok();
  report_.warnings.emplace_back(
      "open snapshots of other roles were not seen, so a REPEATABLE READ transaction of theirs may "
      "have missed rows: GRANT pg_read_all_stats");
  return ok();
}

Status Rewrite::bring_over(Rounds& rounds, const Flow& flow) {
  if (!job_.copies) return ok();
  TRY(look_at_rights(rounds));
  TRY(prepare_apply(rounds.connection(), flow));
  TRY(catch_up(rounds, flow));
  TRY(verify(rounds, flow));
  return catch_up(rounds, flow);
}

// What noticed changes of the old table, which nobody uses any more.
Status Rewrite::tidy(Rounds& rounds, Phase then) {
  std::vector<std::string> statements;
  if (job_.copies) statements = uncapture(renamed(forward(job_), job_.old_table()));
  statements.push_back(cat("DROP FUNCTION IF EXISTS ", job_.own("capture"), "()"));
  statements.push_back(cat("DROP TABLE IF EXISTS ", job_.own("log")));
  statements.push_back(note_phase(job_, then));
  return together(rounds, "tidying up", cat("DROP TABLE ", job_.own("log")), statements);
}

Status Rewrite::settle(Rounds& rounds) {
  TRY(build(rounds, job_.after));
  return tidy(rounds, Phase::Settled);
}

// Before the swap the roles are still the other way round.
Status Rewrite::prepare_back(Rounds& rounds) {
  std::vector<std::string> statements;
  if (job_.copies) {
    statements = capture(renamed(backward(job_), job_.new_table()), true);
  }
  statements.push_back(note_phase(job_, Phase::Built));
  return together(rounds, "preparing the way back", statements.front(), statements);
}

// What is left of the way back after an interruption.
Status Rewrite::finish_return(Rounds& rounds) {
  report_.phase = Phase::Returned;
  TRY(build(rounds, job_.after_back));
  return clear(rounds, drop_notes(job_));
}

Status Rewrite::run(Rounds& rounds) {
  TRY(begin(rounds));
  TRY(begin_throttle(rounds));
  Status status = go_on(rounds);
  report_.held = throttle_.sums();
  if (status) return status;
  // What would turn clients away does not stay behind; the next run makes it again.
  if (!job_.release.empty() && known_ && ledger_.phase < Phase::Swapped) {
    // Noted first: without what is taken away the swap would read the table under its lock. The
    // answer to the COMMIT of a swap may be what was lost.
    std::vector<std::string> statements{
        cat(note_phase(job_, Phase::Made), " WHERE phase IN ('made', 'built')")};
    statements.insert(statements.end(), job_.release.begin(), job_.release.end());
    const Status released = release(rounds, statements);
    if (!released) {
      Error error = std::move(status).error();
      error.message +=
          cat("; ", join(job_.release, "; "), " could not be run: ", released.error().message,
              ": run pgtend partition abort");
      return error;
    }
  }
  if (status.error().sqlstate != "23514") return status;
  return std::move(status).error().hinting(
      "a row lies outside of all partitions: abort, and plan so that it has a place, with --from "
      "and "
      "--ahead, or --values or --default");
}

// Also after a cancel.
Status Rewrite::release(Rounds& rounds, const std::vector<std::string>& statements) {
  for (const std::string& sql : statements) TRY(rounds.undo(sql));
  return ok();
}

Status Rewrite::go_on(Rounds& rounds) {
  const auto known = TRY(find_ledger(rounds.connection(), job_.table()));
  if (!known.has_value()) {
    TRY(still_unchanged(rounds));
    TRY(make(rounds));
  }
  ledger_ = TRY(read_ledger(rounds.connection(), job_));
  known_ = true;
  report_.phase = ledger_.phase;
  if (ledger_.phase == Phase::Returned) return finish_return(rounds);
  const auto reached = [&](Phase phase) { return ledger_.phase >= phase; };
  const auto advance = [&]() -> Status {
    ledger_ = TRY(read_ledger(rounds.connection(), job_));
    report_.phase = ledger_.phase;
    return ok();
  };
  if (job_.copies && !reached(Phase::Capturing)) {
    TRY(start_capture(rounds));
    TRY(advance());
  }
  if (job_.copies && !reached(Phase::Copied)) {
    TRY(copy(rounds));
    TRY(advance());
  }
  if (!reached(Phase::Built)) {
    TRY(build(rounds, job_.build));
    TRY(prepare_back(rounds));
    TRY(advance());
  }
  if (!reached(Phase::Swapped)) TRY(swap(rounds));
  if (!reached(Phase::Settled)) {
    TRY(settle(rounds));
    TRY(advance());
  }
  return ok();
}

Status Rewrite::clear(Rounds& rounds, const std::vector<std::string>& statements) {
  return together(rounds, "clearing up", statements.front(), statements);
}

Status Rewrite::abort(Rounds& rounds) {
  TRY(begin(rounds));
  ledger_ = TRY(read_ledger(rounds.connection(), job_));
  if (ledger_.phase >= Phase::Swapped) {
    return Error{ErrorCode::Invalid, cat("the new ", job_.table(), " is in use already")}.hinting(
        "pgtend partition undo takes it back, pgtend partition finish drops the old table");
  }
  return clear(rounds, abort_statements(job_, ledger_.phase));
}

Status Rewrite::return_places(pg::Connection& conn, const Flow& flow) {
  const pg::Rows same = TRY(conn.query(job_.equal_sql));
  if (same.empty() || same[0].text(0) != "t") {
    return Error{ErrorCode::Invalid, cat(job_.table(),
                                         " was altered since the swap: its columns, or views, "
                                         "rules, policies, publications of it, are not those of "
                                         "the old table")}
        .hinting("take that back, then try again");
  }
  TRY(bring_last(conn, flow));
  TRY_DURING(conn.exec(join(job_.back, ";\n")), "changing places back");
  return note(conn, Phase::Returned);
}

Status Rewrite::swap_back(Rounds& rounds) {
  const Flow flow = backward(job_);
  TRY(build(rounds, job_.before_back));
  TRY(bring_over(rounds, flow));
  const pg::Rows oid =
      TRY(rounds.connection().query("select to_regclass($1)::oid::int8", {job_.table()}));
  Exchange places{.what = "changing places back",
                  .oid = static_cast<uint32_t>(TRY(oid[0].get<int64_t>(0))),
                  .lock_first = job_.lock_first,
                  .locks = swap_locks(job_, true),
                  .snapshots = true,
                  .swaps = true,
                  .then = [&](pg::Connection& conn) { return return_places(conn, flow); }};
  places.mark = &mark_;
  if (!job_.copies) {
    const pg::Rows mark = TRY(rounds.connection().query("select pg_current_xact_id()::xid::text"));
    mark_ = TRY(mark.scalar());
  }
  if (job_.copies) places.between = [&] { return catch_up(rounds, flow); };
  const care::Step shown{.sql = places.locks.front(), .lock = LockMode::AccessExclusive};
  return rounds.series(shown, [&] { return exchange(rounds, setup_, places, report_); });
}

Status Rewrite::take_back(Rounds& rounds) {
  TRY(begin(rounds));
  ledger_ = TRY(read_ledger(rounds.connection(), job_));
  if (ledger_.phase < Phase::Swapped) {
    return Error{ErrorCode::Invalid, cat("the old ", job_.table(), " is still in use")}.hinting(
        "pgtend partition abort ends the job");
  }
  TRY(begin_throttle(rounds));
  if (ledger_.phase == Phase::Swapped) TRY(tidy(rounds, Phase::Swapped));
  const Status back = ledger_.phase == Phase::Returned ? ok() : swap_back(rounds);
  report_.held = throttle_.sums();
  TRY(back);
  return finish_return(rounds);
}

Status Rewrite::finish(Rounds& rounds) {
  TRY(begin(rounds));
  ledger_ = TRY(read_ledger(rounds.connection(), job_));
  if (ledger_.phase != Phase::Settled) {
    return Error{ErrorCode::Invalid,
                 cat("the job of ", job_.table(), " is not at its end: ", name(ledger_.phase))}
        .hinting("pgtend partition resume goes on with it");
  }
  return clear(rounds, finish_statements(job_));
}

std::vector<std::string> finish_statements(const Job& job) {
  std::vector<std::string> out = job.finish;
  if (job.copies) {
    out = uncapture(backward(job));
    out.push_back(cat("DROP TABLE IF EXISTS ", job.old_table()));
  }
  std::ranges::move(drop_notes(job), std::back_inserter(out));
  return out;
}

std::vector<std::string> abort_statements(const Job& job, Phase phase) {
  std::vector<std::string> out;
  if (job.copies && phase >= Phase::Capturing) out = uncapture(forward(job));
  out.insert(out.end(), job.abort.begin(), job.abort.end());
  out.push_back(cat("DROP TABLE IF EXISTS ", job.new_table()));
  std::ranges::move(drop_notes(job), std::back_inserter(out));
  return out;
}

std::vector<care::Step> shown_steps(const Job& job) {
  const Flow flow = forward(job);
  std::vector<care::Step> out;
  const auto add = [&](const std::string& sql, LockMode lock, bool in_transaction = true) {
    out.push_back({.sql = sql, .lock = lock, .in_transaction = in_transaction});
  };
  for (const std::string& sql : job.create) add(sql, LockMode::AccessShare);
  if (job.copies) {
    for (const std::string& sql : capture(flow, false)) {
      const bool on_table = sql.starts_with("CREATE TRIGGER") || sql.starts_with("ALTER TABLE");
      add(sql, on_table ? LockMode::ShareRowExclusive : LockMode::None);
    }
    add(copy_pages(job, {.last = 1'000}), LockMode::AccessShare, false);
  }
  for (const Make& make : job.build) add(make.sql, make.lock, false);
  if (job.copies) {
    add(insert_keys(flow), LockMode::AccessShare, false);
    add(compare_all(flow), LockMode::AccessShare, false);
  }
  for (const std::string& sql : job.lock_first) add(sql, LockMode::AccessExclusive);
  for (const std::string& sql : swap_locks(job, false)) add(sql, LockMode::AccessExclusive);
  for (const std::string& sql : job.swap) add(sql, LockMode::AccessExclusive);
  for (const Make& make : job.after) add(make.sql, make.lock, false);
  return out;
}

}  // namespace pgtend::reshape
