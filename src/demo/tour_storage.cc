// The tour's steps about the table's rows on disk: VACUUM and partitions.
#include <algorithm>

#include "base/text.h"
#include "base/units.h"
#include "demo/tour_state.h"
#include "explain/verify.h"
#include "partition/partition.h"
#include "partition/prove.h"
#include "vacuum/vacuum.h"

namespace pgtend::demo {

namespace {
// Heap bytes and dead rows of the readings' table as the server counts them now.
struct HeapState {
  int64_t bytes = 0;
  int64_t dead = 0;
};

Result<HeapState> heap_state(TourState& state) {
  const pg::Rows rows =
      TRY(state.conn->query("SELECT pg_relation_size('t_dlpdata'), n_dead_tup "
                            "FROM pg_stat_user_tables WHERE relid = 't_dlpdata'::regclass"));
  if (rows.empty()) return Error{ErrorCode::Internal, "the server has no counters of t_dlpdata"};
  HeapState heap;
  heap.bytes = TRY(rows[0].get<int64_t>(0));
  heap.dead = TRY(rows[0].get<int64_t>(1));
  return heap;
}

// A backend's counters reach the others at the latest a second after its transaction.
Result<HeapState> counted_heap_state(TourState& state, int64_t dead_expected) {
  const SteadyTime deadline = state.options.clock->steady() + seconds(5);
  HeapState heap = TRY(heap_state(state));
  while (heap.dead < dead_expected && state.options.clock->steady() < deadline) {
    TRY(state.conn->query("SELECT pg_sleep(0.1)"));
    heap = TRY(heap_state(state));
  }
  return heap;
}

Result<int64_t> change_rows(TourState& state) {
  const pg::Rows deleted =
      TRY(state.conn->query("DELETE FROM t_dlpdata WHERE reading_timestamp < (SELECT "
                            "min(reading_timestamp) FROM t_dlpdata) + interval '2 days'"));
  const pg::Rows updated = TRY(state.conn->query(
      "UPDATE t_dlpdata SET kwh_reading = kwh_reading * 1.01 WHERE meter_id % 10 = 0"));
  state.say(cat(grouped(deleted.affected()), " readings of the two oldest days deleted, ",
                grouped(updated.affected()), " corrected"));
  return deleted.affected() + updated.affected();
}

// Inserts the mission's row and says where it went.
Status insert_into_january(TourState& state) {
  const pg::Rows rows = TRY(state.conn->query(
      "INSERT INTO t_dlpdata (meter_id, reading_timestamp, kwh_reading) "
      "VALUES (1, '2025-01-15 10:00:00+00', 123.45) RETURNING tableoid::regclass"));
  const std::string leaf(rows[0].text(0));
  const facts::Layout layout = TRY(partition::show(*state.conn, "t_dlpdata"));
  const auto found = std::ranges::find_if(
      layout.partitions, [&](const facts::Partition& p) { return p.name == leaf; });
  if (found == layout.partitions.end()) {
    return Error{ErrorCode::Internal, cat("the row went to ", leaf, ", which is no partition")};
  }
  state.say(cat("INSERT of 2025-01-15 10:00:00+00 landed in ", leaf, " ", found->bound));
  state.data()["insert"] = {{"partition", leaf}, {"bound", found->bound}};
  return ok();
}

// Proves from the plan which partitions the day query touches: as it is written, and with its open
// end closed, because future partitions satisfy the condition too.
Status prove_pruning(TourState& state) {
  const std::pair<std::string_view, std::string> queries[] = {
      {"as written", std::string(kDayQuery)},
      {"with AND d.reading_timestamp <= NOW()",
       cat(kDayQuery, "\n  AND d.reading_timestamp <= NOW()")}};
  json::array proofs;
  for (const auto& [how, query] : queries) {
    const partition::Proof proven =
        TRY(partition::prove_statement(*state.conn, "t_dlpdata", query));
    const partition::Observed& pruning = proven.observed;
    state.say(cat("day query ", how, ": touches ", pruning.started, " of ", pruning.total,
                  " partitions (", join(pruning.partitions, ", "), ")"));
    json::object proof = partition::to_json(pruning);
    proof["query"] = how;
    proofs.push_back(std::move(proof));
  }
  state.data()["proofs"] = std::move(proofs);
  return ok();
}
}  // namespace

Status vacuum_after_changes(TourState& state) {
  const int64_t changed = TRY(change_rows(state));
  const HeapState before = TRY(counted_heap_state(state, changed));
  const vacuum::Facts facts = TRY(vacuum::load(*state.conn, {.table = "t_dlpdata"}));
  const auto findings = vacuum::review(facts);
  const auto dead = std::ranges::find_if(findings, [](const care::Finding& finding) {
    return !finding.actions.empty() && finding.actions.front().kind.starts_with("vacuum");
  });
  if (dead == findings.end()) {
    return Error{ErrorCode::Internal, "the dead rows were not found"};
  }
  state.say(cat("[", dead->id, "] ", dead->what));
  state.say(cat("  ", dead->why));
  vacuum::RunSetup setup;
  setup.gate = state.gate_setup();
  setup.table = "t_dlpdata";
  setup.job = vacuum::Job::VacuumAnalyze;
  const vacuum::RunReport report = TRY(vacuum::run(setup));
  const std::string text = vacuum::to_text(report);
  for (const std::string_view line : split(text, '\n')) state.say(std::string(line));
  const HeapState after = TRY(heap_state(state));
  state.say(cat("heap ", human(Bytes{before.bytes}), " -> ", human(Bytes{after.bytes}),
                ", dead rows ", grouped(before.dead), " -> ", grouped(after.dead)));
  state.data() = {{"changed", changed},
                  {"heap_before", before.bytes},
                  {"heap_after", after.bytes},
                  {"dead_before", before.dead},
                  {"dead_after", after.dead},
                  {"finding", care::to_json(*dead)},
                  {"report", vacuum::to_json(report)}};
  return ok();
}

Status convert_to_partitions(TourState& state) {
  const partition::Conversion conversion =
      TRY(partition::plan(*state.conn, {.table = "t_dlpdata",
                                        .column = "reading_timestamp",
                                        .interval = partition::Interval::Month,
                                        .time_zone = "UTC",
                                        .from = "2025-01-01",
                                        .ahead = 2}));
  const partition::Proposal& proposal = conversion.proposal;
  state.say(cat(proposal.slices.size(), " monthly partitions from ", proposal.slices.front().from,
                " to ", proposal.slices.back().to));
  for (const std::string& change : conversion.changes) state.say(cat("  ", change));
  const SteadyTime start = state.options.clock->steady();
  const partition::ConvertReport report = TRY(partition::convert(state.gate_setup(), conversion));
  const nanoseconds took = state.options.clock->steady() - start;
  state.say(cat("converted in one transaction of ", report.outcome.statements.size(),
                " statements, rows counted and compared: ", human(took),
                "; the old table stays as ", conversion.old_table));
  for (const std::string& warning : report.warnings) state.say(cat("  ", warning));
  state.data() = {{"conversion", partition::to_json(conversion)},
                  {"report", partition::to_json(report)},
                  {"seconds", std::chrono::duration<double>(took).count()}};
  TRY(insert_into_january(state));
  TRY(prove_pruning(state));
  state.day_partitioned = TRY(explain::measure(*state.conn, kDayQuery, state.options.runs));
  state.say(cat("day query now: ",
                human(nanoseconds(static_cast<int64_t>(state.day_partitioned->median_ms * 1e6))),
                " median, ", grouped(static_cast<int64_t>(state.day_partitioned->blocks)),
                " buffers"));
  return ok();
}

}  // namespace pgtend::demo
