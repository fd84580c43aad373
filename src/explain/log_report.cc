#include "explain/log_report.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "base/units.h"
#include "explain/plan_shape.h"
#include "explain/report_json.h"
#include "explain/rows.h"
#include "explain/words.h"

namespace pgtend::explain {
namespace {

constexpr size_t kShapesShown = 5;  // of one query
constexpr double kFlipFactor = 5;   // how much slower a plan is than another to be told

std::string runs_text(const LogRuns& runs) {
  std::string out =
      cat(grouped(static_cast<int64_t>(runs.calls)), runs.calls == 1 ? " run" : " runs");
  if (runs.calls == 1) return cat(out, " of ", milliseconds_text(runs.total_ms));
  return cat(out, ", mean ", milliseconds_text(runs.mean_ms()), ", p95 ",
             milliseconds_text(runs.quantile_ms(0.95)), ", slowest ",
             milliseconds_text(runs.slowest_ms));
}

std::string period_text(const LogRuns& runs) {
  if (runs.first.empty()) return {};
  return runs.first == runs.last ? runs.first : cat(runs.first, " to ", runs.last);
}

// The shape with a report that was fastest on average, and the slowest one that cost more than it
// had to. Both ran at least twice: one run may have been cold or waited for a lock.
struct Flip {
  const ShapeReport* fast = nullptr;
  const ShapeReport* slow = nullptr;
};
std::optional<Flip> find_flip(const QueryReport& query) {
  Flip flip;
  for (const ShapeReport& shape : query.shapes) {
    if (!shape.report || shape.logged.runs.calls < 2) continue;
    const double mean = shape.logged.runs.mean_ms();
    if (!flip.fast || mean < flip.fast->logged.runs.mean_ms()) flip.fast = &shape;
    if (!flip.slow || mean > flip.slow->logged.runs.mean_ms()) flip.slow = &shape;
  }
  if (!flip.fast || flip.fast == flip.slow) return {};
  const LogRuns &fast = flip.fast->logged.runs, &slow = flip.slow->logged.runs;
  if (slow.mean_ms() < kFlipFactor * std::max(fast.mean_ms(), 0.001)) return {};
  const double wasted_ms = (slow.mean_ms() - fast.mean_ms()) * static_cast<double>(slow.calls);
  constexpr double kShareOfQuery = 0.05;
  if (wasted_ms < kShareOfQuery * query.logged.runs.total_ms) return {};
  return flip;
}

// Rows that the leaves of a plan handed up: what the query had to read with any plan.
double rows_needed(const Plan& plan) {
  double out = 0;
  for (size_t i = 0; i < plan.nodes.size(); ++i) {
    if (plan.nodes[i].children.empty()) out += count_rows(plan, static_cast<int>(i)).actual;
  }
  return std::max(out, 1.0);
}

// Whether the slow plan's example is slower because its run had more to read.
bool had_more_rows(const Flip& flip) {
  const double rows = rows_needed(flip.slow->report->plan) / rows_needed(flip.fast->report->plan);
  const double times = flip.slow->logged.slowest.duration_ms /
                       std::max(flip.fast->logged.slowest.duration_ms, 0.001);
  return rows >= 0.5 * times;
}

care::Finding flip_finding(const Flip& flip, const QueryReport& query) {
  const LogRuns &fast = flip.fast->logged.runs, &slow = flip.slow->logged.runs;
  const double wasted_ms = (slow.mean_ms() - fast.mean_ms()) * static_cast<double>(slow.calls);
  care::Finding out;
  out.id = "G10";
  const bool more_rows = had_more_rows(flip);
  out.severity = more_rows ? care::Severity::Info : care::Severity::Warning;
  const std::string change = plan_change(flip.fast->report->plan, flip.slow->report->plan);
  out.what = cat("the query flips between plans: with ",
                 change.empty() ? std::string("another plan") : printable(change), " it takes ",
                 milliseconds_text(slow.mean_ms()), " on average, not ",
                 milliseconds_text(fast.mean_ms()));
  out.why = cat("the slow plan ran ", grouped(static_cast<int64_t>(slow.calls)), " times and cost ",
                milliseconds_text(wasted_ms), " more than the fast one would have (",
                percent(wasted_ms / query.logged.runs.total_ms), " of the query's time)",
                more_rows ? ", but the example of it had as many times more rows to read" : "");
  const auto note = [&](const char* name, const LogRuns& runs) {
    out.evidence.push_back({name, runs_text(runs)});
    if (!period_text(runs).empty()) out.evidence.push_back({cat(name, " seen"), period_text(runs)});
  };
  note("fast plan", fast);
  note("slow plan", slow);
  out.prediction = cat("up to ", milliseconds_text(wasted_ms), " less in the time of this log");
  return out;
}

// The node that took most time itself: "Seq Scan on t (93 %)".
std::string costliest_node(const Report& report) {
  if (!report.plan.timed()) return printable(node_words(report.plan.root()));
  size_t most = 0;
  for (size_t i = 1; i < report.timing.nodes.size(); ++i) {
    if (report.timing.nodes[i].self.mid > report.timing.nodes[most].self.mid) most = i;
  }
  const double share = report.timing.nodes[most].self.mid / std::max(report.timing.total_ms, 1e-9);
  return cat(printable(node_words(report.plan.nodes[most])), " takes ",
             percent(std::clamp(share, 0.0, 1.0)), " of it");
}

json::object runs_json(const LogRuns& runs) {
  json::object out;
  out["calls"] = runs.calls;
  out["total_ms"] = runs.total_ms;
  out["mean_ms"] = runs.mean_ms();
  out["fastest_ms"] = runs.fastest_ms;
  out["p50_ms"] = runs.quantile_ms(0.5);
  out["p95_ms"] = runs.quantile_ms(0.95);
  out["slowest_ms"] = runs.slowest_ms;
  out["first"] = runs.first.empty() ? json::value(nullptr) : json::value(runs.first);
  out["last"] = runs.last.empty() ? json::value(nullptr) : json::value(runs.last);
  return out;
}

void write_shape(JsonWriter& out, const ShapeReport& shape, const LogReport& log) {
  out.begin_object();
  out.members(runs_json(shape.logged.runs));
  out.key("file");
  out.value(shape.logged.file < log.files.size() ? json::value(log.files[shape.logged.file])
                                                 : json::value(nullptr));
  out.key("line");
  out.value(shape.logged.slowest.line);
  out.key("slowest");
  if (shape.report) {
    write_json(out, *shape.report);
  } else {
    out.value(nullptr);
  }
  out.end();
}

// Writes a log's report for people. Lives during one call.
class LogWriter {
 public:
  LogWriter(const LogReport& report, const LogRenderOptions& options)
      : report_(report), options_(options) {}

  std::string write() {
    head();
    for (size_t i = 0; i < report_.worst.size(); ++i) query(i);
    if (report_.other_calls > 0) {
      line(0, cat("others: ", grouped(static_cast<int64_t>(report_.other_calls)),
                  " runs of queries that cost too little to be kept apart, ",
                  milliseconds_text(report_.other_ms)));
    }
    return std::move(out_);
  }

 private:
  void head();
  void query(size_t index);
  void shape(const QueryReport& query, size_t index);
  void finding(const care::Finding& finding);

  void line(size_t indent, std::string_view text) {
    out_ += cat(std::string(indent, ' '), wrapped(text, options_.width - indent, indent), "\n");
  }

  const LogReport& report_;
  LogRenderOptions options_;
  std::string out_;
};

void LogWriter::head() {
  std::string text =
      cat(grouped(static_cast<int64_t>(report_.plans)), report_.plans == 1 ? " plan" : " plans",
          " in ", human(Bytes{static_cast<int64_t>(report_.bytes)}), " of log");
  if (!report_.first.empty()) text += cat(", ", report_.first, " to ", report_.last);
  line(0, cat(text, ": ", milliseconds_text(report_.total_ms), " in ", report_.queries,
              report_.queries == 1 ? " query" : " queries"));
  if (report_.plans == 0) {
    line(0,
         "no plan of auto_explain is in it; load it with session_preload_libraries = "
         "'auto_explain' and set auto_explain.log_min_duration");
  }
  if (report_.unread > 0) {
    line(0, cat(grouped(static_cast<int64_t>(report_.unread)),
                " records could not be read; the first: ", report_.first_problem));
  }
}

void LogWriter::query(size_t index) {
  const QueryReport& query = report_.worst[index];
  const LogRuns& runs = query.logged.runs;
  line(0, cat("\n#", index + 1, "  ", percent(runs.total_ms / std::max(report_.total_ms, 1e-9)),
              "  ", milliseconds_text(runs.total_ms), " in ", runs_text(runs)));
  constexpr size_t kTextShown = 400;
  std::string text;
  for (const char c : printable(query.logged.text, true)) {
    const bool blank = c == ' ' || c == '\n' || c == '\t';
    if (!blank || (!text.empty() && text.back() != ' ')) text += blank ? ' ' : c;
  }
  if (text.size() > kTextShown) {
    size_t end = kTextShown;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
    text = text.substr(0, end) + (options_.ascii ? "..." : "…");
  }
  line(4, text);
  if (!period_text(runs).empty()) line(4, cat("seen ", period_text(runs)));
  for (size_t i = 0; i < query.shapes.size(); ++i) shape(query, i);
  if (query.shapes_left_out > 0) {
    line(4, cat("and ", query.shapes_left_out, " other plans that cost less"));
  }
  if (query.flip) finding(*query.flip);
}

void LogWriter::shape(const QueryReport& query, size_t index) {
  const ShapeReport& shape = query.shapes[index];
  std::string text = cat("plan ", index + 1, ": ");
  if (query.shapes.size() > 1) text += cat(runs_text(shape.logged.runs), "; ");
  if (shape.report) {
    text += costliest_node(*shape.report);
    const std::string file = shape.logged.file < report_.files.size()
                                 ? printable(report_.files[shape.logged.file])
                                 : std::string();
    text += cat(" (the slowest run: ", file, ":", shape.logged.slowest.line, ")");
  } else {
    text += "its text was too large to keep an example";
  }
  line(4, text);
  if (!shape.report) return;
  for (const care::Finding& each : shape.report->findings) finding(each);
}

void LogWriter::finding(const care::Finding& finding) {
  line(6, cat(finding.id, "  ", finding.what));
  if (!finding.why.empty()) line(10, finding.why);
  std::vector<std::string> statements = finding.statements;
  if (!finding.actions.empty()) {
    for (const care::Step& step : finding.actions.front().steps) statements.push_back(step.sql);
  }
  for (const std::string& sql : statements) out_ += cat("          ", printable(sql), ";\n");
}

}  // namespace

Result<LogReport> report_log(const LogSummary& summary, size_t count, const ExaminePlan& examine) {
  LogReport out;
  out.plans = summary.plans();
  out.unread = summary.unread();
  out.first_problem = summary.first_problem();
  out.first = summary.first();
  out.last = summary.last();
  out.total_ms = summary.total_ms();
  out.queries = summary.queries();
  out.other_calls = summary.other_calls();
  out.other_ms = summary.other_ms();
  for (LoggedQuery& query : summary.worst(count)) {
    QueryReport& entry = out.worst.emplace_back();
    std::vector<LoggedShape> shapes = std::move(query.shapes);
    entry.logged = std::move(query);
    entry.shapes_left_out = shapes.size() - std::min(shapes.size(), kShapesShown);
    shapes.resize(shapes.size() - entry.shapes_left_out);
    for (LoggedShape& logged : shapes) {
      ShapeReport& shape = entry.shapes.emplace_back();
      if (!logged.slowest.text.empty()) {
        ReadPlan read = TRY(read_logged_plan(logged.slowest));
        shape.report = TRY(examine(std::move(read)));
      }
      shape.logged = std::move(logged);
    }
    if (const auto flip = find_flip(entry)) entry.flip = flip_finding(*flip, entry);
  }
  return out;
}

std::string render_log(const LogReport& report, const LogRenderOptions& options) {
  return LogWriter(report, options).write();
}

void write_json(JsonWriter& out, const LogReport& report) {
  out.begin_object();
  json::array files;
  for (const std::string& file : report.files) files.emplace_back(file);
  out.key("files");
  out.value(files);
  json::object totals;
  totals["bytes"] = report.bytes;
  totals["plans"] = report.plans;
  totals["unread"] = report.unread;
  totals["too_long"] = report.too_long;
  totals["first"] = report.first.empty() ? json::value(nullptr) : json::value(report.first);
  totals["last"] = report.last.empty() ? json::value(nullptr) : json::value(report.last);
  totals["total_ms"] = report.total_ms;
  totals["queries"] = report.queries;
  totals["other_calls"] = report.other_calls;
  totals["other_ms"] = report.other_ms;
  out.members(totals);
  out.key("worst");
  out.begin_list();
  for (const QueryReport& query : report.worst) {
    out.begin_object();
    out.key("query");
    out.value(json::value(query.logged.text));
    out.key("fingerprint");
    out.value(json::value(cat(query.logged.id)));
    out.members(runs_json(query.logged.runs));
    out.key("flip");
    out.value(query.flip ? json::value(care::to_json(*query.flip)) : json::value(nullptr));
    out.key("plans");
    out.begin_list();
    for (const ShapeReport& shape : query.shapes) write_shape(out, shape, report);
    out.end();
    out.key("plans_left_out");
    out.value(query.shapes_left_out);
    out.end();
  }
  out.end();
  out.end();
}

}  // namespace pgtend::explain
