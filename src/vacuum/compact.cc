#include "vacuum/compact.h"

#include "base/text.h"
#include "base/units.h"
#include "vacuum/bloat_report.h"
#include "vacuum/compact_run.h"

namespace pgtend::vacuum {
namespace {

care::Action action_of(const CompactReport& report) {
  care::Action out{.kind = "compact", .object = report.table, .steps = report.steps};
  const WayCost& cost = report.plan.cost(report.plan.pick);
  out.expected_seconds = cost.seconds;
  out.extra_disk = cost.disk;
  out.wal = cost.wal;
  const std::string oid = std::to_string(report.facts.table.oid);
  out.measure_sql = cat("select pg_relation_size(", oid,
                        "::oid) / current_setting('block_size')::int as pages, pg_table_size(", oid,
                        "::oid) as bytes, pg_indexes_size(", oid,
                        "::oid) as index_bytes, (pg_current_wal_insert_lsn() - '0/0')::int8 as "
                        "wal_position");
  return out;
}

std::optional<int64_t> measured(const json::object& from, std::string_view name) {
  const auto* value = from.if_contains(name);
  if (value == nullptr || !value->is_int64()) return std::nullopt;
  return value->as_int64();
}

std::string change(const care::Outcome& outcome, std::string_view name) {
  const auto before = measured(outcome.before, name);
  const auto after = measured(outcome.after, name);
  if (!before || !after) return "unknown";
  return cat(human(Bytes{*before}), " -> ", human(Bytes{*after}));
}

// What is done when, and what may come in between.
std::vector<std::string> schedule_of(const CompactSetup& setup, const CompactReport& report) {
  const Way pick = report.plan.pick;
  if (pick != Way::InPlace && pick != Way::Tail) return {};
  std::vector<std::string> out = {"at any time: rows move, and others wait up to 20 ms for one"};
  const std::vector<std::string>& standbys = report.facts.standbys;
  const std::string who =
      standbys.empty() ? "" : cat("; standbys replay its lock: ", printable(join(standbys, ", ")));
  if (cut_waits(setup.cut, standbys.size())) {
    out.push_back(cat("in the quiet times ", setup.cut.times, ": the end of the file is cut", who));
    out.push_back(cat("until then an autovacuum may cut it, unless a person says: ALTER TABLE ",
                      report.table, " SET (vacuum_truncate = off)"));
  } else if (!standbys.empty()) {
    out.push_back(cat("when they have moved: the end of the file is cut", who,
                      ", which may cancel queries there; --window lets it wait"));
  } else {
    out.emplace_back("when they have moved: the end of the file is cut");
  }
  if (pick == Way::InPlace) out.emplace_back("then: btrees that need it are written anew");
  return out;
}

}  // namespace

bool cut_waits(const CutTime& cut, size_t standbys) {
  return cut.quiet && (cut.always || standbys > 0);
}

namespace {

// The same, and `fit` for moving rows: the error why they must not be moved.
Status plan_with(const CompactSetup& setup, CompactReport& report, Result<CompactFit>& fit) {
  pg::Options options = setup.gate.options;
  options.set("application_name", "pgtend/look");
  {
    pg::Connection conn = TRY(pg::Connection::open(options));
    TRY(conn.guard());
    report.facts = TRY(load_compact_facts(conn, setup));
  }
  report.table = report.facts.table.table;
  fit = fit_to_move(report.facts.table, setup.published);
  // What is no table of ours has no other way either.
  const CompactTable& table = report.facts.table;
  if (!fit && (table.kind != 'r' || table.standby || table.catalog || table.persistence == 't')) {
    return fit.error();
  }
  const bool asked = setup.way == Way::InPlace || setup.way == Way::Tail;
  if (!fit && asked) return fit.error();
  report.plan = TRY(plan_compaction(report.facts, setup.way, setup.policy));
  report.schedule = schedule_of(setup, report);
  report.steps = compact_steps(setup, report.facts, report.plan, fit ? *fit : CompactFit{});
  // Space that could only be won by moving rows, which is not allowed, is worth an error.
  const bool barred = report.plan.pick == Way::Nothing && !fit && report.facts.heap.known() &&
                      report.facts.heap.share().best >= setup.policy.share_min;
  return barred && setup.gate.policy.apply ? Status(fit.error()) : ok();
}

}  // namespace

Status plan_compact(const CompactSetup& setup, CompactReport& report) {
  Result<CompactFit> fit{CompactFit{}};
  return plan_with(setup, report, fit);
}

Status compact(const CompactSetup& setup, CompactReport& report) {
  Result<CompactFit> fit{CompactFit{}};
  TRY(plan_with(setup, report, fit));
  if (report.plan.pick == Way::Nothing) return ok();
  care::GateSetup gate_setup = setup.gate;
  gate_setup.policy.statement_timeout = milliseconds(0);  // its VACUUM and REINDEX hurt nobody
  CompactWork work(setup, fit ? *fit : CompactFit{}, report);
  gate_setup.stop_reason = [&work] { return work.stopped(); };
  care::Gate gate(std::move(gate_setup));
  report.outcome = TRY(gate.run(action_of(report), std::ref(work)));
  if (report.unfinished.empty() || !report.outcome.applied) return ok();
  return Error{ErrorCode::Conflict, report.unfinished, "55P03"}.hinting(
      "run it again when that has ended: it goes on from there, and writes the indexes anew");
}

json::object to_json(const CompactReport& report) {
  json::object out{{"table", report.table},
                   {"why_not_move", report.facts.why_not_move},
                   {"rows", report.facts.rows},
                   {"heap", to_json(report.facts.heap, report.facts.table.block_size)},
                   {"plan", to_json(report.plan)}};
  json::array schedule;
  for (const std::string& line : report.schedule) schedule.emplace_back(line);
  out["schedule"] = std::move(schedule);
  if (report.facts.tail) {
    out["tail"] =
        json::object{{"pages", report.facts.tail->pages}, {"rows", report.facts.tail->rows}};
  }
  if (report.facts.growth_bytes_day) out["growth_bytes_day"] = *report.facts.growth_bytes_day;
  if (report.facts.table.frozen) out["frozen_share"] = *report.facts.table.frozen;
  if (report.pages_before == 0) return out;
  out["done"] = json::object{{"pages_before", report.pages_before},
                             {"pages_after", report.pages_after},
                             {"toast_pages_before", report.toast_before},
                             {"toast_pages_after", report.toast_after},
                             {"rows_stored_anew", report.stored.rows},
                             {"bytes_stored_anew", report.stored.bytes},
                             {"rows_moved", report.moved.rows},
                             {"updates", report.moved.updates},
                             {"sweeps", report.sweeps},
                             {"rounds", report.rounds.rounds},
                             {"rounds_rolled_back", report.rounds.rolled_back},
                             {"rounds_without_lock", report.rounds.locked},
                             {"rounds_over_20_ms", report.rounds.too_long},
                             {"longest_round_us", report.rounds.longest.count()},
                             {"busy_us", report.rounds.busy.count()},
                             {"took_ms", report.took.count()},
                             {"held_back", to_json(report.held)},
                             {"unfinished", report.unfinished}};
  return out;
}

std::string to_text(const CompactReport& report) {
  if (report.pages_before == 0) return "";
  std::vector<std::string> lines;
  lines.push_back(cat("compacted ", printable(report.table), ", ", name(report.plan.pick), ", in ",
                      care::took_text(report.took)));
  lines.push_back(
      cat("  pages        ", grouped(report.pages_before), " -> ", grouped(report.pages_after)));
  if (report.toast_before > 0) {
    lines.push_back(cat("  TOAST pages  ", grouped(report.toast_before), " -> ",
                        grouped(report.toast_after), ", values of ", grouped(report.stored.rows),
                        " rows stored anew, ", human(Bytes{report.stored.bytes})));
  }
  lines.push_back(cat("  table        ", change(report.outcome, "bytes")));
  lines.push_back(cat("  indexes      ", change(report.outcome, "index_bytes")));
  if (report.rounds.rounds > 0) {
    lines.push_back(cat("  rows moved   ", grouped(report.moved.rows), " by ",
                        grouped(report.moved.updates), " updates in ",
                        grouped(report.rounds.rounds), " rounds, ", report.sweeps,
                        report.sweeps == 1 ? " sweep" : " sweeps"));
    lines.push_back(cat("  rounds       ", report.rounds.too_long, " over 20 ms, the longest ",
                        human(nanoseconds(report.rounds.longest))));
  }
  if (report.held.any()) lines.push_back(cat("  held back    ", care::held_text(report.held)));
  if (report.held.lag_unknown) {
    lines.emplace_back(
        "  standbys     how far they are behind may not be seen: GRANT pg_read_all_stats");
  }
  const auto before = measured(report.outcome.before, "wal_position");
  const auto after = measured(report.outcome.after, "wal_position");
  if (before && after) {
    lines.push_back(cat("  WAL          ", human(Bytes{*after - *before}), " by all meanwhile"));
  }
  return join(lines, "\n");
}

}  // namespace pgtend::vacuum
