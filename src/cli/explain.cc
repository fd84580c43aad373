#include "cli/explain.h"

#include <fstream>
#include <iostream>
#include <iterator>

#include "base/text.h"
#include "cli/findings.h"
#include "cli/lookout.h"
#include "explain/explain.h"
#include "explain/render_term.h"
#include "pg/connection.h"

namespace pgtend::cli {

namespace {
constexpr Parameter kExplainParameters[] = {
    {"[SQL]", "", "the statement; \"-\" or nothing reads it from standard input"},
    {"-f,--file", "FILE", "read the statement from a file"},
    {"--plan", "FILE", "a plan from EXPLAIN (FORMAT JSON) instead of a statement; \"-\" is stdin"},
    {"--offline", "", "with --plan: ask no server; what it alone knows stays unknown"},
    {"--analyze", "", "run the statement (a SELECT that changes nothing) and use real numbers"},
    {"--timeout", "SECONDS", "stop the statement after this time, 30 by default"},
    {"--no-hypopg", "", "do not try the proposed index with HypoPG"},
    {"--fail-on", "SEVERITY", "exit 1 when a finding is info, notice, warning or critical"},
};
constexpr size_t kInputBytesMax = size_t{64} << 20;
constexpr int64_t kTimeoutSecondsMax = 86'400;

Result<std::string> read_stream(std::istream& stream, const std::string& name) {
  std::string text(kInputBytesMax + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(stream.gcount()));
  if (text.size() > kInputBytesMax) {
    return Error{ErrorCode::Limit, cat(name, " is longer than 64 MB")};
  }
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

Result<explain::Request> request_from(const Args& args) {
  explain::Request request;
  if (args.has("--plan")) {
    request.plan_json = TRY(read_file(args.get("--plan")));
  } else if (args.has("-f")) {
    request.sql = TRY(read_file(args.get("-f")));
  } else {
    const std::string given = args.get("SQL", "-");
    request.sql = given == "-" ? TRY(read_file("-")) : given;
  }
  request.options.analyze = args.has("--analyze");
  request.options.statement_timeout =
      seconds(TRY(args.number("--timeout", 30, 1, kTimeoutSecondsMax)));
  request.ask_planner = !args.has("--no-hypopg");
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
      {"57014", "allow more time with --timeout SECONDS, or leave --analyze out"},
  };
  for (const auto& [sqlstate, next] : kNext) {
    if (error.sqlstate == sqlstate) return std::move(error).hinting(std::string(next));
  }
  return error;
}

Result<explain::Report> make_report(const Args& args, const explain::Request& request) {
  if (args.has("--offline")) {
    if (request.plan_json.empty()) {
      return Error{ErrorCode::Invalid, "--offline works on a plan"}.hinting(
          "give one with --plan FILE");
    }
    return explain::examine_offline(request.plan_json);
  }
  pg::Connection conn = TRY(pg::Connection::open(args.connection));
  const pg::Canceller canceller = conn.canceller();
  const std::stop_callback cancel_on_stop(args.stop,
                                          [&] { static_cast<void>(canceller.cancel()); });
  auto report = explain::examine(conn, request);
  if (report) return report;
  if (args.stop.stop_requested()) return Error{ErrorCode::Cancelled, "interrupted"};
  return with_next_step(std::move(report).error());
}
}  // namespace

std::span<const Parameter> explain_parameters() { return kExplainParameters; }

Result<int> run_explain(const Args& args, Output& output) {
  const FailOn limit = TRY(fail_on(args));  // a typing mistake should cost no work
  std::optional<Lookout> lookout(std::in_place, args, output);
  const explain::Request request = TRY(request_from(args));  // may wait for a person's typing
  lookout.reset();
  explain::Report report = TRY(make_report(args, request));
  const Terminal& terminal = output.terminal();
  output.line(trim(explain::render_term(report, {.color = terminal.color,
                                                 .ascii = terminal.ascii,
                                                 .width = static_cast<int>(terminal.width),
                                                 .evidence = true})));
  output.data() = explain::to_json(report);
  for (const std::string& warning : report.warnings) output.keep_warning(warning);
  for (const facts::MissingRight& missing : report.missing) {
    output.missing_right(cat(missing.what, "; ", missing.grant, " would show it"));
  }
  return exit_for(limit, report.findings);
}

}  // namespace pgtend::cli
