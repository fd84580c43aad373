// One VACUUM or ANALYZE through the gate: looked at before, proved and told afterwards.
#include <algorithm>

#include "base/text.h"
#include "care/trail.h"
#include "facts/upkeep.h"
#include "vacuum/horizon.h"
#include "vacuum/vacuum.h"

namespace pgtend::vacuum {
namespace {

void put(json::object& object, std::string_view name, const std::optional<int64_t>& value) {
  if (value) object[name] = *value;
}

// Why a VACUUM now would remove nothing, "" if it might remove something.
Result<std::string> why_useless(pg::Connection& conn, const RunSetup& setup, const Facts& facts,
                                const std::string& table) {
  store::Audit* const audit = setup.gate.audit;
  if (setup.job == Job::Analyze || facts.context.holders.empty() || audit == nullptr) {
    return std::string();
  }
  const std::string place = TRY(care::place_of(conn));
  const auto last = TRY(last_own_vacuum(conn, *audit, place, table));
  if (!last || last->rows_not_removable <= 0 || !last->cutoff_age) return std::string();
  const facts::HorizonHolder& oldest = facts.context.holders.front();
  if (oldest.age_xids < *last->cutoff_age) return std::string();
  return cat("nothing can be removed: since the last VACUUM ", oldest.describe(),
             " still holds the same row horizon");
}

// Whether `warning` tells of a partition that was skipped because it is locked, as we mean it to
// be.
bool was_passed_by(const std::vector<pg::Notice>& notices, const std::string& warning) {
  return std::ranges::any_of(notices, [&](const pg::Notice& notice) {
    return notice.sqlstate == "55P03" && printable(notice.message) == warning;
  });
}

std::string difference(const json::object& before, const json::object& after,
                       std::string_view name) {
  const auto from = recorded::number(before, name);
  const auto to = recorded::number(after, name);
  if (!from || !to) return "unknown";
  if (name == "bytes") return cat(human(Bytes{*from}), " -> ", human(Bytes{*to}));
  return cat(grouped(*from), " -> ", grouped(*to));
}

// "  label                  value".
std::string pair_line(std::string_view label, const std::string& value) {
  std::string padded(label);
  padded.resize(std::max<size_t>(padded.size(), 22), ' ');
  return cat("  ", padded, " ", value);
}

void append_verbose(const RunReport& report, std::vector<std::string>& lines) {
  const Verbose& verbose = report.verbose;
  const care::Outcome& outcome = report.outcome;
  const auto known = [](const std::optional<int64_t>& value) {
    return value ? grouped(*value) : std::string("unknown");
  };
  lines.push_back(pair_line("dead rows removed", known(verbose.rows_removed)));
  lines.push_back(pair_line("dead, not removable", known(verbose.rows_not_removable)));
  lines.push_back(pair_line("dead rows", difference(outcome.before, outcome.after, "rows_dead")));
  lines.push_back(pair_line("pages", difference(outcome.before, outcome.after, "pages")));
  lines.push_back(pair_line("on disk", difference(outcome.before, outcome.after, "bytes")));
  if (verbose.pages_frozen.value_or(0) > 0) {
    lines.push_back(pair_line("pages newly frozen", known(verbose.pages_frozen)));
  }
  if (verbose.index_passes) lines.push_back(pair_line("index passes", known(verbose.index_passes)));
  if (verbose.wal_bytes) lines.push_back(pair_line("WAL", human(Bytes{*verbose.wal_bytes})));
  if (verbose.failsafe) {
    lines.emplace_back("  the failsafe came: indexes were left out, so that freezing ends in time");
  }
}

// What ran, how long, how often it gave way, and what it won.
void append_done(const RunReport& report, std::vector<std::string>& lines) {
  const care::Outcome& outcome = report.outcome;
  const care::StatementReport work =
      outcome.statements.empty() ? care::StatementReport{} : outcome.statements.back();
  lines.push_back(cat(name(report.job), " of ", printable(report.table), " in ",
                      care::took_text(work.duration)));
  if (work.yields > 0) {
    lines.push_back(pair_line(
        "gave way to others",
        cat(work.yields, work.yields == 1 ? " time, " : " times, ", human(work.away), " away")));
  }
  if (report.job != Job::Analyze) append_verbose(report, lines);
  if (report.job != Job::Vacuum && !report.choice.parent_alone) {
    lines.push_back(pair_line("changed since ANALYZE",
                              difference(outcome.before, outcome.after, "modified_since_analyze")));
  }
  if (report.second) {
    for (const std::string& line : lines_of(*report.second)) lines.push_back(cat("  ", line));
  }
  for (const std::vector<Option>* list : {&report.choice.options, &report.choice.settings}) {
    for (const Option& option : *list) lines.push_back(pair_line(option.sql, option.why));
  }
}

}  // namespace

namespace {

Result<pg::Connection> look(const RunSetup& setup) {
  pg::Options options = setup.gate.options;
  options.set("application_name", "pgtend/look");
  pg::Connection conn = TRY(pg::Connection::open(options));
  TRY(conn.guard());  // the sizes of a table under ACCESS EXCLUSIVE would be waited for
  return conn;
}

Result<facts::TableFacts> named(pg::Connection& conn, const std::string& table,
                                const std::vector<facts::TableFacts>& tables) {
  const uint32_t oid = TRY(facts::resolve_table(conn, table));
  const auto found = std::ranges::find(tables, oid, &facts::TableFacts::oid);
  if (found == tables.end()) {
    return Error{ErrorCode::Invalid, cat(printable(table), " is not a user table")};
  }
  return *found;
}

// What a VACUUM is looked at for before, too: who holds rows.
Result<Prepared> prepare_vacuum(const RunSetup& setup, RunReport& report) {
  pg::Connection conn = TRY(look(setup));
  Facts facts = TRY(load(conn, {.table = setup.table}));
  Prepared out{.table = TRY(named(conn, setup.table, facts.tables)),
               .settings = std::move(facts.context.settings)};
  report.table = out.table.qualified();
  report.holders = facts.context.holders;
  if (!setup.force) report.skipped = TRY(why_useless(conn, setup, facts, report.table));
  out.upkeep = TRY(facts::load_upkeep(conn, {out.table.oid}));
  if (setup.job != Job::Vacuum) out.before = TRY(statistics_of(conn, out.table.oid));
  return out;
}

Result<std::shared_ptr<const Prepared>> prepare(const RunSetup& setup, RunReport& report) {
  if (setup.job != Job::Analyze) {
    return std::make_shared<const Prepared>(TRY(prepare_vacuum(setup, report)));
  }
  if (setup.prepared) return setup.prepared;
  pg::Connection conn = TRY(look(setup));
  return std::make_shared<const Prepared>(TRY(prepare_analyze(conn, setup.table)));
}

}  // namespace

Result<Prepared> prepare_analyze(pg::Connection& conn, const std::string& table) {
  const facts::Tables tables = TRY(facts::load_tables(conn, {.table = table}));
  Prepared out{.table = TRY(named(conn, table, tables.tables)),
               .settings = TRY(facts::load_settings(conn))};
  out.upkeep = TRY(facts::load_upkeep(conn, {out.table.oid}));
  out.before = TRY(statistics_of(conn, out.table.oid));
  return out;
}

Result<RunReport> run(const RunSetup& setup) {
  RunReport report{.job = setup.job};
  // Its connection has ended: the gate has two of its own.
  const std::shared_ptr<const Prepared> prepared = TRY(prepare(setup, report));
  const facts::TableFacts& table = prepared->table;
  report.table = table.qualified();
  if (!report.skipped.empty()) return report;

  const facts::ServerSettings& settings = prepared->settings;
  report.choice = choose(table, setup.job, settings, prepared->upkeep, setup.means);
  care::GateSetup gate_setup = setup.gate;
  gate_setup.policy.statement_timeout = milliseconds(0);
  gate_setup.on_done = [&](care::Outcome& outcome) {
    if (setup.job == Job::Analyze) return;
    report.verbose = read_verbose(outcome.notices);
    put(outcome.after, recorded::kRowsRemoved, report.verbose.rows_removed);
    put(outcome.after, recorded::kRowsNotRemovable, report.verbose.rows_not_removable);
    put(outcome.after, recorded::kCutoff, report.verbose.cutoff_xid);
  };
  report.outcome =
      TRY(care::Gate(gate_setup).run(action(table, setup.job, settings.version, report.choice)));
  if (report.choice.parent_alone) {
    std::erase_if(report.outcome.warnings, [&](const std::string& warning) {
      return was_passed_by(report.outcome.notices, warning);
    });
  }
  if (report.outcome.applied && !prepared->before.columns.empty()) {
    gate_setup.on_done = {};
    report.second = TRY(look_again(gate_setup, setup.means, table, settings, prepared->before));
  }
  if (report.outcome.applied && report.verbose.rows_not_removable.value_or(0) == 0) {
    report.holders.clear();
  }
  return report;
}

json::object to_json(const RunReport& report) {
  json::object out{{"table", report.table},
                   {"job", name(report.job)},
                   {"skipped", report.skipped},
                   {"outcome", to_json(report.outcome)}};
  json::object verbose;
  put(verbose, recorded::kRowsRemoved, report.verbose.rows_removed);
  put(verbose, recorded::kRowsNotRemovable, report.verbose.rows_not_removable);
  put(verbose, "pages_removed", report.verbose.pages_removed);
  put(verbose, recorded::kCutoff, report.verbose.cutoff_xid);
  put(verbose, "pages_frozen", report.verbose.pages_frozen);
  put(verbose, "index_passes", report.verbose.index_passes);
  put(verbose, "wal_bytes", report.verbose.wal_bytes);
  verbose["failsafe"] = report.verbose.failsafe;
  out["options"] = to_json(report.choice.options);
  out["settings"] = to_json(report.choice.settings);
  out["verbose"] = std::move(verbose);
  if (report.second) out["second_sample"] = to_json(*report.second);
  json::array holders;
  for (const facts::HorizonHolder& holder : report.holders) holders.emplace_back(to_json(holder));
  out["holders"] = std::move(holders);
  return out;
}

std::string to_text(const RunReport& report) {
  const care::Outcome& outcome = report.outcome;
  std::vector<std::string> lines;
  if (!report.skipped.empty()) {
    lines.push_back(cat(printable(report.table), ": ", report.skipped));
  } else if (!outcome.applied) {
    for (const care::StatementReport& statement : outcome.statements) {
      lines.push_back(cat("would run: ", printable(statement.sql)));
      lines.push_back(cat("  ", care::name(statement.lock), ": ", care::effect(statement.lock)));
    }
    if (!outcome.refusal.empty()) lines.push_back(cat("would be refused: ", outcome.refusal));
  } else {
    append_done(report, lines);
  }
  const bool held = !report.skipped.empty() || report.verbose.rows_not_removable.value_or(0) > 0;
  if (held && !report.holders.empty()) {
    const facts::HorizonHolder& oldest = report.holders.front();
    lines.push_back(cat("  held by ", oldest.describe()));
    lines.push_back(cat("  a person may run: ", oldest.remedy()));
  }
  for (const std::string& warning : outcome.warnings) lines.push_back(cat("warning: ", warning));
  return join(lines, "\n");
}

}  // namespace pgtend::vacuum
