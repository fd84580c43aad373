#include "vacuum/probes.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/text.h"
#include "base/units.h"
#include "facts/statements.h"
#include "pg/quote.h"

namespace pgtend::vacuum {
namespace {

using facts::ColumnFacts;
using facts::ColumnStats;

constexpr size_t kCommonProbes = 3;  // of either statistics
constexpr size_t kBoundProbes = 4;
constexpr double kWorse = std::numbers::ln2;  // twice as far off
constexpr int64_t kProbeRowsMax = 10'000;
constexpr milliseconds kProbeTime{300};
constexpr seconds kProbesTime{3};
constexpr int kVersionGenericPlan = 160000;
constexpr int64_t kStatementsAsked = 500;
constexpr size_t kStatementsMax = 10;

// Values that stand for all: some common ones, and some of the others.
void add_values(const ColumnStats& stats, std::vector<std::string>& out) {
  const auto add = [&](const std::string& value) {
    if (std::ranges::find(out, value) == out.end()) out.push_back(value);
  };
  for (size_t i = 0; i < std::min(kCommonProbes, stats.common_values.size()); ++i) {
    add(stats.common_values[i]);
  }
  const std::vector<std::string>& bounds = stats.histogram_bounds;
  for (size_t i = 1; i <= kBoundProbes && bounds.size() > kBoundProbes; ++i) {
    add(bounds[i * (bounds.size() - 1) / (kBoundProbes + 1)]);
  }
}

const ColumnStats* stats_of(const std::vector<ColumnFacts>& columns, const std::string& name) {
  const auto found = std::ranges::find(columns, name, &ColumnFacts::name);
  return found == columns.end() || !found->stats ? nullptr : &*found->stats;
}

// Whether a plan in JSON has a node that reads the whole table.
bool reads_all(const json::value& node) {
  const json::object* object = node.if_object();
  if (object == nullptr) return true;
  const json::value* type = object->if_contains("Node Type");
  if (type != nullptr && type->is_string() && type->get_string() == "Seq Scan") return true;
  const json::value* below = object->if_contains("Plans");
  if (below == nullptr || !below->is_array()) return false;
  return std::ranges::any_of(below->get_array(), reads_all);
}

// Whether the plan reads the relation of that name and schema.
bool reads(const json::value& node, const facts::TableFacts& table) {
  const json::object* object = node.if_object();
  if (object == nullptr) return false;
  const auto is = [&](const char* member, const std::string& wanted) {
    const json::value* value = object->if_contains(member);
    return value != nullptr && value->is_string() && value->get_string() == wanted;
  };
  if (is("Relation Name", table.name) && is("Schema", table.schema)) return true;
  const json::value* below = object->if_contains("Plans");
  return below != nullptr && below->is_array() &&
         std::ranges::any_of(below->get_array(),
                             [&](const json::value& child) { return reads(child, table); });
}

// The plan of an EXPLAIN (FORMAT JSON); null: the statement cannot be explained. Errors: the link
// was lost.
Result<json::value> plan_of(pg::Connection& conn, std::string_view options,
                            const std::string& sql) {
  const std::string explain = cat("EXPLAIN (FORMAT JSON", options, ") ", sql);
  // One with $1 in it can be explained by the simple protocol only, which would take several
  // statements, too.
  const bool generic = !options.empty();
  if (generic && sql.find(';') != std::string::npos) return json::value();
  const auto rows = generic ? conn.query_simple(explain) : conn.query(explain);
  if (!rows && !conn.alive()) return rows.error();
  if (!rows || rows->size() == 0) return json::value();
  const auto plan = parse_json((*rows)[0].text(0));
  if (!plan || !plan->is_array() || plan->get_array().empty()) return json::value();
  const json::object* whole = plan->get_array()[0].if_object();
  const json::value* top = whole == nullptr ? nullptr : whole->if_contains("Plan");
  return top == nullptr ? json::value() : *top;
}

std::optional<double> rows_of(const json::value& plan) {
  const json::object* object = plan.if_object();
  const json::value* rows = object == nullptr ? nullptr : object->if_contains("Plan Rows");
  if (rows == nullptr || !rows->is_number()) return {};
  return rows->to_number<double>();
}

std::string options_of(const Probe& probe) {
  return probe.column.empty() ? ", GENERIC_PLAN, VERBOSE" : "";
}

// How many rows the probe's condition gives, nullopt when no index tells within its limits.
Result<std::optional<int64_t>> count_probe(pg::Connection& conn, const Probe& probe) {
  const json::value plan = TRY(plan_of(conn, "", probe.sql));
  if (plan.is_null() || reads_all(plan)) return std::optional<int64_t>();
  const auto rows = conn.query(
      cat("SELECT count(*) FROM (", probe.sql, " LIMIT ", kProbeRowsMax + 1, ") counted"));
  if (rows) return std::optional(TRY((*rows)[0].get<int64_t>(0)));
  if (!conn.alive()) return rows.error();
  return std::optional<int64_t>();
}

// The difference of the errors of the two, for `real`; nullopt: one is not known.
std::optional<double> difference_of(const Probe& probe, const std::optional<double>& real) {
  if (!real || !probe.before || !probe.after) return {};
  return probe.error(*probe.after, *real) - probe.error(*probe.before, *real);
}

Verdict judge(const std::vector<Probe>& probes, const std::string& column, bool sample) {
  bool odd = false;
  bool right = false;
  for (const Probe& probe : probes) {
    if (probe.column != column) continue;
    if (probe.vanished()) {
      if (!sample) return Verdict::Open;
      continue;
    }
    const auto less = difference_of(probe, probe.truth || !sample ? probe.truth : probe.second);
    if (!less) continue;
    odd = odd || *less > kWorse;
    right = right || *less < -kWorse;
  }
  if (odd == right) return Verdict::Open;
  return odd ? Verdict::Odd : Verdict::True;
}

// A statement that only reads, for all that its first word tells.
bool is_read(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n(");
  if (begin == std::string_view::npos) return false;
  const std::string word = lower(text.substr(begin, 6));
  return word == "select" || word.starts_with("with ") || word.starts_with("with\n");
}

}  // namespace

double Probe::error(double expected, double real) const {
  const double ratio = std::log(std::max(expected, 1.0) / std::max(real, 1.0));
  if (more && ratio > 0) return 0;
  return std::abs(ratio);
}

std::vector<Probe> probes_of(const facts::TableFacts& table, const std::vector<Jump>& odd,
                             const std::vector<ColumnFacts>& before,
                             const std::vector<ColumnFacts>& after) {
  std::vector<Probe> out;
  const std::string from =
      cat("SELECT 1 FROM ", table.kind == 'p' ? "" : "ONLY ", table.qualified(), " WHERE ");
  for (const Jump& jump : odd) {
    const ColumnStats* was = stats_of(before, jump.column);
    const ColumnStats* is = stats_of(after, jump.column);
    if (was == nullptr || is == nullptr) continue;
    const auto add = [&](const std::string& condition, bool old_value = false) {
      const std::string sql = cat(pg::ident(jump.column), condition);
      out.push_back({.column = jump.column,
                     .what = printable(sql),
                     .sql = cat(from, sql),
                     .old_value = old_value});
    };
    add(" IS NOT NULL");
    if (!was->histogram_bounds.empty()) {
      add(cat(" > ", pg::literal(was->histogram_bounds.back())));
    }
    std::vector<std::string> values;
    add_values(*was, values);
    const size_t old_values = values.size();
    add_values(*is, values);
    for (size_t i = 0; i < values.size(); ++i) {
      add(cat(" = ", pg::literal(values[i])), i < old_values);
    }
  }
  return out;
}

Status add_statements(pg::Connection& conn, const facts::TableFacts& table,
                      std::vector<Probe>& probes) {
  if (conn.server_version() < kVersionGenericPlan) return ok();
  const auto known = facts::load_statements(conn, kStatementsAsked);
  if (!known) return conn.alive() ? ok() : Status(known.error());
  size_t added = 0;
  for (const facts::StatementFacts& statement : known->statements) {
    if (added >= kStatementsMax) break;
    if (statement.text.find(table.name) == std::string::npos || !is_read(statement.text)) continue;
    Probe probe{.what = cat("statement ", statement.id), .sql = statement.text};
    const json::value plan = TRY(plan_of(conn, options_of(probe), probe.sql));
    if (plan.is_null() || !reads(plan, table)) continue;
    if (statement.calls > 0) probe.truth = statement.rows / static_cast<double>(statement.calls);
    probes.push_back(std::move(probe));
    ++added;
  }
  return ok();
}

Status expect(pg::Connection& conn, std::vector<Probe>& probes, Expectation where) {
  for (Probe& probe : probes) {
    // Inside a transaction a statement that fails must not take the others with it.
    const bool inside = conn.in_transaction();
    if (inside) TRY(conn.exec("SAVEPOINT pgtend_probe"));
    probe.*where = rows_of(TRY(plan_of(conn, options_of(probe), probe.sql)));
    if (inside) TRY(conn.exec("ROLLBACK TO pgtend_probe"));
  }
  return ok();
}

Status count_truth(pg::Connection& conn, const Clock& clock, std::vector<Probe>& probes) {
  TRY(
      conn.exec(cat("BEGIN READ ONLY; SET LOCAL enable_seqscan = off; "
                    "SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL statement_timeout = ",
                    kProbeTime.count())));
  const SteadyTime end = clock.steady() + kProbesTime;
  Status status = ok();
  for (Probe& probe : probes) {
    if (probe.column.empty() || clock.steady() > end) continue;
    status = conn.exec("SAVEPOINT pgtend_probe");
    if (!status) break;
    const auto counted = count_probe(conn, probe);
    if (!counted) status = counted.error();
    if (status) status = conn.exec("ROLLBACK TO pgtend_probe");
    if (!status) break;
    if (!*counted) continue;
    probe.truth = static_cast<double>(std::min(**counted, kProbeRowsMax));
    probe.more = **counted > kProbeRowsMax;
  }
  if (conn.alive()) TRY(conn.exec("ROLLBACK"));
  return status;
}

Verdict by_count(const std::vector<Probe>& probes, const std::string& column) {
  return judge(probes, column, false);
}

Verdict by_sample(const std::vector<Probe>& probes, const std::string& column) {
  return judge(probes, column, true);
}

const Probe* witness(const std::vector<Probe>& probes, const std::string& column) {
  const Probe* out = nullptr;
  double most = 0;
  for (const Probe& probe : probes) {
    if (probe.column != column || probe.vanished()) continue;
    const auto less = difference_of(probe, probe.truth ? probe.truth : probe.second);
    if (less && std::abs(*less) > most) {
      most = std::abs(*less);
      out = &probe;
    }
  }
  return out;
}

json::object to_json(const Probe& probe) {
  json::object out{{"column", probe.column}, {"what", probe.what}};
  const auto put = [&](const char* name, const std::optional<double>& value) {
    if (value) out[name] = *value;
  };
  put("before", probe.before);
  put("after", probe.after);
  put("second", probe.second);
  put("truth", probe.truth);
  if (probe.more) out["or_more"] = true;
  return out;
}

}  // namespace pgtend::vacuum
