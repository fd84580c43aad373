#include "cli/explain.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>

#include "base/text.h"
#include "cli/explain_apply.h"
#include "cli/explain_log.h"
#include "cli/explain_show.h"
#include "cli/explain_worst.h"
#include "cli/explain_writes.h"
#include "cli/findings.h"
#include "cli/lookout.h"
#include "cli/page_file.h"
#include "explain/explain.h"
#include "explain/read_plans.h"
#include "explain/render_html.h"
#include "pg/connection.h"
#include "sql/classify.h"

namespace pgtend::cli {

namespace {
constexpr Parameter kExplainParameters[] = {
    {"[INPUT]", "",
     "a statement, plans (text, JSON, YAML, XML, framed, in logs) or a file; \"-\": stdin"},
    {"-c,--command", "SQL", "the statement"},
    {"-f,--file", "FILE", "read the statement or the plans from a file"},
    {"--plan", "FILE", "the same for plans alone: what is none is an error, never a statement"},
    {"--offline", "", "for plans: ask no server; what it alone knows stays unknown"},
    {"--log", "FILE...", "sum up server logs with auto_explain's plans, of any size; \"-\": stdin"},
    {"--top", "N", "with --log: the N queries that cost most, 10 by default"},
    {"--diff", "FILE...", "compare the plans of two files, before and after"},
    {"--all", "", "show every node: fold neither partitions nor what took next to no time"},
    {"--why", "N",
     "what finding N rests on, every way to mend it with its locks, and how to check"},
    {"--text", "", "print the plans as EXPLAIN's TEXT, whatever format they came in"},
    {"--worst", "N", "the N statements that cost most, as pg_stat_statements counts them"},
    {"--query", "ID", "the statement of this queryid, or of this shape with --pool"},
    {"--pool", "CONNINFO", "with --worst and --query: ask SHOW QUERIES of this pool's console"},
    {"--analyze", "", "run the statement (a SELECT that changes nothing) and use real numbers"},
    {"--param", "VALUE",
     "the value of $1, with the next --param of $2, ...: plan (and run) for these; \\N is NULL",
     true},
    {"--sample", "", "take values that are not given from pg_stats; --analyze does so, too"},
    {"--apply", "",
     "carry a proposal out, measured before and after; it is taken back when it does not help"},
    {"--finding", "N",
     "with --apply: of this finding; the first that proposes a change without it"},
    {"--keep", "", "with --apply: leave it even if it does not help"},
    {"--runs", "N", "with --apply: runs of the statement for each measurement, 5 by default"},
    {"--allow-volatile", "",
     "with --analyze: also when it calls functions that somebody declared VOLATILE"},
    {"--timeout", "SECONDS", "stop the statement after this time, 30 by default"},
    {"--no-hypopg", "", "do not try the proposed index with HypoPG"},
    {"--verify", "",
     "try statistics (rolled back; ANALYZE and DDL on the table wait) and settings (run both "
     "ways)"},
    {"--analyze-writes", "",
     "tell what running a writing statement costs; with --apply run it and roll it back"},
    {"--anonymize", "",
     "show pseudonyms for all names and values, so that it can be given to anybody"},
    {"--html", "FILE", "write a page to read in a browser, complete in one file; \"-\": stdout"},
    {"--fail-on", "SEVERITY", "exit 1 when a finding is info, notice, warning or critical"},
};
constexpr size_t kInputBytesMax = size_t{64} << 20;
constexpr int64_t kTimeoutSecondsMax = 86'400;

Result<std::string> read_stream(std::istream& stream, const std::string& name) {
  std::string text;
  std::array<char, size_t{64} << 10> piece;
  do {
    stream.read(piece.data(), piece.size());
    text.append(piece.data(), static_cast<size_t>(stream.gcount()));
    if (text.size() > kInputBytesMax) {
      return Error{ErrorCode::Limit, cat(name, " is longer than 64 MB")};
    }
  } while (stream);
  if (stream.bad()) return Error{ErrorCode::Invalid, cat("cannot read ", name)};
  return text;
}

Result<std::string> read_file(const std::string& path) {
  if (path == "-") return read_stream(std::cin, "standard input");
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return Error{ErrorCode::NotFound, cat("cannot open ", path)}.hinting(
        "give the path of a file that you may read, or - for standard input");
  }
  return read_stream(file, path);
}

// Whether `word` is rather the path of a file than a statement or a plan.
bool names_a_file(const std::string& word) {
  constexpr size_t kPathMax = 4096;
  if (word.empty() || word.size() > kPathMax || word.find_first_of("\n;") != std::string::npos) {
    return false;
  }
  std::error_code failure;
  return std::filesystem::is_regular_file(word, failure);
}

Result<std::string> input_text(const Args& args) {
  if (args.has("-c")) return args.get("-c");
  if (args.has("--plan")) return read_file(args.get("--plan"));
  if (args.has("-f")) return read_file(args.get("-f"));
  const std::string given = args.get("INPUT", "-");
  return given == "-" || names_a_file(given) ? read_file(given) : given;
}

// A statement, or plans.
struct Input {
  std::string sql = {};
  explain::PlanInput read = {};
};

// What parses as SQL is a statement, even if a literal of it holds a plan; what holds no plan is
// one, too: the server says what is wrong with it.
Result<Input> input_of(std::string text, bool plans_only) {
  const std::string_view start = trim(text);
  const bool marked = !start.empty() && std::string_view("[{<").find(start[0]) != start.npos;
  if (!plans_only && !marked && sql::classify(text)) return Input{std::move(text), {}};
  auto read = explain::read_plans(text);
  if (read) return Input{{}, std::move(read).take()};
  if (!plans_only && read.error().code == ErrorCode::NotFound) return Input{std::move(text), {}};
  return std::move(read).error();
}

// COPY's notation of NULL; a backslash more is the text itself.
pg::Params values_of(const std::vector<std::string>& words) {
  pg::Params out;
  for (const std::string& word : words) {
    const bool escape =
        word.ends_with("N") && word.find_first_not_of('\\') == word.size() - 1 && word.size() > 1;
    if (!escape) {
      out.emplace_back(word);
    } else if (word.size() == 2) {
      out.emplace_back(std::nullopt);
    } else {
      out.emplace_back(word.substr(1));
    }
  }
  return out;
}

Result<explain::Request> request_from(const Args& args) {
  explain::Request request;
  request.options.analyze = args.has("--analyze");
  request.options.allow_volatile = args.has("--allow-volatile");
  request.options.statement_timeout =
      seconds(TRY(args.number("--timeout", 30, 1, kTimeoutSecondsMax)));
  request.options.values = values_of(args.list("--param"));
  request.sample = args.has("--sample");
  request.ask_planner = !args.has("--no-hypopg");
  request.verify = args.has("--verify");
  return request;
}

// The server's own errors about a statement, with what to do about them here.
Error with_next_step(Error error) {
  static constexpr std::pair<std::string_view, std::string_view> kNext[] = {
      {"42P01", "name it with its schema, or set the search path: PGOPTIONS='-c search_path=...'"},
      {"42703", "look the columns up: \\d TABLE in psql"},
      {"42501",
       "GRANT SELECT on the tables of the statement to this role, or connect as their owner"},
      {"42601", "correct the statement; psql's \\h shows the grammar"},
      {"42P18", "say in the statement which type it is: $1::date"},
      {"22P02", "give --param a value of the parameter's type"},
      {"57014", "allow more time with --timeout SECONDS, or leave --analyze out"},
  };
  for (const auto& [sqlstate, next] : kNext) {
    if (error.sqlstate == sqlstate) return std::move(error).hinting(std::string(next));
  }
  if (error.hint.empty() && !error.sqlstate.empty()) {
    return std::move(error).hinting("correct the statement: the server refuses to plan it");
  }
  return error;
}

Reports reports_offline(explain::PlanInput read) {
  Reports reports;
  for (explain::ReadPlan& plan : read.plans) {
    reports.push_back(explain::examine_offline(std::move(plan)));
  }
  return reports;
}

// What works on the database's own names.
Status check_anonymize(const Args& args) {
  if (!args.has("--anonymize")) return ok();
  for (const std::string_view flag : {"--apply", "--verify", "--analyze-writes"}) {
    if (!args.has(flag)) continue;
    return Error{ErrorCode::Invalid, cat("--anonymize and ", flag, " cannot be had together")}
        .hinting("look first, then show the plan to others with --anonymize");
  }
  return ok();
}

Result<Reports> reports_from(pg::Connection& conn, Input input, const explain::Request& request) {
  Reports reports;
  if (!input.sql.empty()) {
    reports.push_back(TRY(explain::examine(conn, request)));
    return reports;
  }
  for (explain::ReadPlan& plan : input.read.plans) {
    reports.push_back(TRY(explain::examine_plan(conn, std::move(plan), request)));
  }
  return reports;
}

Result<Reports> make_reports(const Args& args, Output& output, Input input) {
  explain::Request request = TRY(request_from(args));
  request.sql = input.sql;
  const bool plans = input.sql.empty();
  if (args.has("--anonymize") && plans) return reports_offline(std::move(input.read));
  if (args.apply && plans) {
    return Error{ErrorCode::Invalid, "--apply needs the statement, not its plan"}.hinting(
        "what is changed is measured by running the statement before and after");
  }
  if (args.has("--analyze-writes") && (plans || args.has("--analyze"))) {
    return Error{ErrorCode::Invalid, plans ? "--analyze-writes needs a statement, not its plan"
                                           : "--analyze is for what reads, --analyze-writes for "
                                             "what writes"}
        .hinting("pgtend explain -c 'UPDATE ...' --analyze-writes");
  }
  if (args.has("--offline") && args.has("--verify")) {
    return Error{ErrorCode::Invalid, "--verify needs a server, --offline forbids one"}.hinting(
        "leave one of them out");
  }
  if (args.has("--offline")) {
    if (plans) return reports_offline(std::move(input.read));
    return Error{ErrorCode::Invalid, "--offline works on plans, not on a statement"}.hinting(
        "give what EXPLAIN printed, or leave --offline out");
  }
  auto opened = pg::Connection::open(args.connection);
  if (!opened && plans && !names_a_server(args)) {
    output.warn(cat("no server was asked, what it alone knows stays unknown: ",
                    trim(printable(opened.error().message))));
    return reports_offline(std::move(input.read));
  }
  if (!opened) return std::move(opened).error();
  const pg::Canceller canceller = opened->canceller();
  const std::stop_callback cancel_on_stop(args.stop,
                                          [&] { static_cast<void>(canceller.cancel()); });
  auto reports = args.has("--analyze-writes") ? run_writes(*opened, request, args, output)
                 : args.apply                 ? apply_and_measure(*opened, request, args, output)
                                              : reports_from(*opened, std::move(input), request);
  if (reports) return reports;
  if (args.stop.stop_requested()) return Error{ErrorCode::Cancelled, "interrupted"};
  return with_next_step(std::move(reports).error());
}

// The first plan of a file, explained without a server.
Result<explain::Report> report_on_file(const std::string& path, Output& output) {
  const std::string text = TRY(read_file(path));
  explain::PlanInput read = TRY_DURING(explain::read_plans(text), printable(path));
  if (read.plans.size() > 1) {
    output.warn(
        cat(printable(path), " holds ", read.plans.size(), " plans: the first is compared"));
  }
  return explain::examine_offline(std::move(read.plans.front()));
}

Result<int> run_diff(const Args& args, Output& output) {
  const std::vector<std::string>& files = args.list("--diff");
  if (files.size() != 2) {
    return Error{ErrorCode::Invalid, cat("--diff compares two files, not ", files.size())}.hinting(
        "pgtend explain --diff before.txt after.txt");
  }
  const auto reports = std::make_shared<Reports>();
  for (const std::string& file : files) reports->push_back(TRY(report_on_file(file, output)));
  if (args.has("--anonymize")) {
    explain::Pseudonyms pseudonyms;  // of both, so that they can be compared
    *reports = TRY(anonymous_reports(std::move(*reports), pseudonyms));
  }
  show_diff(reports, output);
  return 0;
}

// Whether the page may go where --html says: a mistake there should cost no work.
Status check_page(const Args& args, const Output& output) {
  if (!args.has("--html")) return ok();
  if (output.json() && args.get("--html") == "-") {
    return Error{ErrorCode::Invalid, "--json and --html - both want standard output"}.hinting(
        "give --html the path of a file");
  }
  return check_writable(args.get("--html"));
}

Status write_page(const Args& args, Output& output, const Reports& reports) {
  const std::string path = args.get("--html");
  const std::string page = explain::render_html(reports);
  TRY(write_whole(path, page));
  if (path != "-")
    output.note(cat("page written to ", printable(path), ", ",
                    human(Bytes{static_cast<int64_t>(page.size())})));
  return ok();
}
}  // namespace

std::span<const Parameter> explain_parameters() { return kExplainParameters; }

Result<int> run_explain(const Args& args, Output& output) {
  const FailOn limit = TRY(fail_on(args));  // a typing mistake should cost no work
  TRY(check_page(args, output));
  TRY(check_anonymize(args));
  const bool several =
      args.has("--log") || args.has("--diff") || args.has("--worst") || args.has("--query");
  if (several && (args.apply || args.has("--html") || args.has("--analyze-writes"))) {
    return Error{ErrorCode::Invalid,
                 "--apply, --html and --analyze-writes work on one statement or on plans"}
        .hinting("pgtend explain -c 'SELECT ...' --apply");
  }
  if (args.has("--log")) return run_explain_log(args, output);
  if (args.has("--diff")) return run_diff(args, output);
  if (args.has("--worst") || args.has("--query")) {
    return run_explain_worst(args, TRY(request_from(args)), output);
  }
  std::optional<Lookout> lookout(std::in_place, args, output);
  std::string text = TRY(input_text(args));  // may wait for a person's typing
  Input input;
  if (args.has("-c")) {
    input.sql = std::move(text);
  } else {
    input = TRY(input_of(std::move(text), args.has("--plan")));
  }
  lookout.reset();
  const bool anonymize = args.has("--anonymize");
  for (const std::string& warning : input.read.warnings) {
    if (!anonymize) output.warn(warning);  // it may quote the input
  }
  Reports made = TRY(make_reports(args, output, std::move(input)));
  if (anonymize) {
    explain::Pseudonyms pseudonyms;
    made = TRY(anonymous_reports(std::move(made), pseudonyms));
  }
  const auto reports = std::make_shared<const Reports>(std::move(made));
  if (args.get("--html") != "-") TRY(show_reports(reports, args, output));
  if (args.has("--html")) TRY(write_page(args, output, *reports));
  int exit = 0;
  for (const explain::Report& report : *reports) {
    exit = std::max(exit, exit_for(limit, report.findings));
  }
  return exit;
}

}  // namespace pgtend::cli
