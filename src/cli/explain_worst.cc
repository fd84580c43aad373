#include "cli/explain_worst.h"

#include <algorithm>
#include <memory>

#include "base/text.h"
#include "base/units.h"
#include "cli/explain_show.h"
#include "cli/findings.h"
#include "cli/lookout.h"
#include "cli/pool_console.h"
#include "explain/words.h"
#include "facts/statements.h"

namespace pgtend::cli {

namespace {

constexpr int64_t kWorstDefault = 10;
constexpr int64_t kWorstMax = 1000;

using Statements = std::vector<facts::StatementFacts>;

Result<Statements> chosen_statements(const Args& args, pg::Connection& conn) {
  const int64_t count = TRY(args.number("--worst", kWorstDefault, 1, kWorstMax));
  const std::string id = args.get("--query");
  Statements out;
  if (args.has("--pool")) {
    out = TRY(pool_statements(args));
    if (!id.empty()) std::erase_if(out, [&](const auto& each) { return each.id != id; });
    out.resize(std::min(out.size(), static_cast<size_t>(count)));
  } else {
    facts::StatementList list = TRY(facts::load_statements(conn, count, id));
    if (!list.why_not.empty()) return Error{ErrorCode::NotFound, list.why_not};
    out = std::move(list.statements);
  }
  if (!id.empty() && out.empty()) {
    return Error{ErrorCode::NotFound, cat("no query ", printable(id), " is known")}.hinting(
        "take an id from pg_stat_statements.queryid, or with --pool from SHOW QUERIES");
  }
  return out;
}

// What became of one statement: its report, or why there is none.
struct Explained {
  facts::StatementFacts statement = {};
  std::optional<size_t> report = {};
  std::string why_not = {};
};

json::value to_json(const std::vector<Explained>& all) {
  json::array out;
  for (const Explained& each : all) {
    out.push_back(json::object{
        {"id", each.statement.id},
        {"query", each.statement.text},
        {"calls", each.statement.calls},
        {"total_ms", each.statement.total_ms},
        {"mean_ms", each.statement.mean_ms()},
        {"rows", each.statement.rows},
        {"plan", each.report ? json::value(*each.report) : json::value(nullptr)},
        {"why_not", each.why_not.empty() ? json::value(nullptr) : json::value(each.why_not)}});
  }
  return out;
}

Status hide_names(std::vector<Explained>& all, Reports& reports) {
  explain::Pseudonyms pseudonyms;
  reports = TRY(anonymous_reports(std::move(reports), pseudonyms));
  for (Explained& each : all) {
    each.statement.text = explain::anonymous_sql(each.statement.text, pseudonyms);
    if (!each.why_not.empty()) each.why_not = "(the reason is not shown)";
  }
  return ok();
}

// The generic plan, where no values could be sampled.
Result<explain::Report> without_values(pg::Connection& conn, explain::Request request,
                                       const std::string& why) {
  request.sample = request.options.analyze = false;
  explain::Report report = TRY(explain::examine(conn, request));
  report.warnings.push_back(cat("the generic plan, not run: ", why));
  return report;
}

}  // namespace

Result<std::vector<facts::StatementFacts>> pool_statements(const Args& args) {
  const pg::Options options = TRY(pg::Options::parse(args.get("--pool")));
  PoolConsole console = TRY(PoolConsole::open(options, args.stop));
  const PoolReading reading = TRY(console.read(args.stop));
  if (!reading.shapes) {
    return Error{ErrorCode::NotFound, "this pooler has no SHOW QUERIES"}.hinting(
        "give the console of pgtend-pool, or leave --pool out to ask pg_stat_statements");
  }
  Statements out;
  for (const ShapeTotals& shape : *reading.shapes) {
    if (shape.shape.empty() || shape.text.empty()) continue;  // calls without a row of their own
    auto known = std::ranges::find(out, shape.shape, &facts::StatementFacts::id);
    if (known == out.end()) {
      out.push_back({.id = shape.shape, .text = shape.text});
      known = out.end() - 1;
    }
    known->calls += shape.calls;
    known->total_ms += static_cast<double>(shape.time_us) / 1000;
    known->rows += static_cast<double>(shape.rows);
  }
  std::ranges::sort(out, std::ranges::greater{}, &facts::StatementFacts::total_ms);
  return out;
}

Result<int> run_explain_worst(const Args& args, const explain::Request& request, Output& output) {
  const FailOn limit = TRY(fail_on(args));
  Lookout lookout(args, output);
  pg::Connection conn = TRY(lookout.connect());
  TRY(conn.guard());
  std::vector<Explained> all;
  const auto reports = std::make_shared<Reports>();
  for (facts::StatementFacts& statement : TRY(chosen_statements(args, conn))) {
    Explained& each = all.emplace_back();
    explain::Request one = request;
    one.sql = statement.text;
    each.statement = std::move(statement);
    auto report = explain::examine(conn, one);
    if (!report && report.error().code == ErrorCode::NotFound && report.error().sqlstate.empty()) {
      report = without_values(conn, one, report.error().message);
    }
    if (report) {
      each.report = reports->size();
      reports->push_back(std::move(report).take());
    } else if (report.error().code == ErrorCode::Unavailable) {
      return std::move(report).error();
    } else {
      each.why_not = report.error().message;
    }
  }
  if (args.has("--anonymize")) TRY(hide_names(all, *reports));
  keep_plans(reports, output);
  output.data()["worst"] = to_json(all);
  int exit = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    const facts::StatementFacts& statement = all[i].statement;
    output.line(output.styled(
        Style::Bold,
        cat(i > 0 ? "\n" : "", "#", i + 1, "  ", explain::milliseconds_text(statement.total_ms),
            " in ", grouped(statement.calls), statement.calls == 1 ? " call" : " calls", ", mean ",
            explain::milliseconds_text(statement.mean_ms()), ", id ", printable(statement.id))));
    output.line(cat("    ", wrapped(printable(statement.text), output.terminal().width - 4, 4)));
    if (!all[i].report) {
      output.line(cat("    not explained: ", printable(all[i].why_not)));
      continue;
    }
    const explain::Report& report = (*reports)[*all[i].report];
    show_tree(report, args, output);
    exit = std::max(exit, exit_for(limit, report.findings));
  }
  if (all.empty()) output.line("no statement has been counted yet");
  return exit;
}

}  // namespace pgtend::cli
