#include "explain/read_plans.h"

#include <algorithm>
#include <utility>

#include "base/sql_lexer.h"
#include "base/text.h"
#include "explain/frames.h"
#include "explain/input_text.h"
#include "explain/log_records.h"
#include "explain/parse_json.h"
#include "explain/parse_text.h"
#include "explain/parse_xml.h"
#include "explain/parse_yaml.h"
#include "explain/text_extent.h"

namespace pgtend::explain {
namespace {

constexpr size_t kAllNodesMax = 1'000'000;
constexpr size_t kWarningsMax = 100;
constexpr int kLayersMax = 4;  // texts inside JSON inside texts …

constexpr std::string_view kBlanks = " \t\n";

// The format of the plan that may begin with `line`, whose first character is no blank.
std::optional<PlanFormat> format_of(std::string_view line) {
  if (line[0] == '[' || line[0] == '{') return PlanFormat::Json;
  if (may_begin_xml_plan(line)) return PlanFormat::Xml;
  if (may_begin_yaml_plan(line)) return PlanFormat::Yaml;
  // The end of a JSON record that a rotated file began may hold figures, too.
  const bool record = line.ends_with('}') && line.find("\":") != std::string_view::npos;
  if (!record && may_begin_text_plan(line)) return PlanFormat::Text;
  return {};
}

constexpr size_t kEchoMax = size_t{64} << 10;

bool says_explain(std::string_view row) {
  return equal_ignoring_case(row.substr(0, 7), "explain") &&
         (row.size() == 7 || row[7] == ' ' || row[7] == '(');
}

// Whether `row` echoes "explain …", perhaps behind a prompt.
bool is_echo(std::string_view row) {
  constexpr size_t kPromptMax = 80;
  const size_t prompt = row.substr(0, kPromptMax).find_first_of("#>");
  return says_explain(row) || (prompt != std::string_view::npos &&
                               says_explain(row.substr(std::min(prompt + 2, row.size()))));
}

// The bytes of `text` up to the end of its first statement, whose literals may look like plans; 0
// if the end is not near.
size_t echo_size(std::string_view text) {
  SqlLexer lexer(text.substr(0, kEchoMax));
  for (SqlToken token; lexer.next(token);) {
    if (token.text == ";") return static_cast<size_t>(token.text.data() - text.data()) + 1;
  }
  return 0;
}

PlansRead read_text_part(std::string_view text, const ParseLimits& limits) {
  PlansRead out;
  TextPlan source = first_text_plan(text);
  out.used = source.text.size();
  auto plan = parse_text_plan(std::move(source), limits);
  if (plan) {
    out.plans.push_back(std::move(plan).take());
  } else {
    out.error = std::move(plan).error();
  }
  return out;
}

// The plan of `format` that `text` begins with.
PlansRead read_part(PlanFormat format, std::string_view text, const ParseLimits& limits) {
  switch (format) {
    case PlanFormat::Text:
      return read_text_part(text, limits);
    case PlanFormat::Json:
      return read_json_plans(text, limits);
    case PlanFormat::Yaml:
      return read_yaml_plans(text, limits);
    case PlanFormat::Xml:
      return read_xml_plans(text, limits);
  }
  std::abort();
}

// Whether `read`, which was no whole plan of `format`, was one at all: brackets begin other things.
bool plan_like(PlanFormat format, std::string_view read) {
  return format != PlanFormat::Json || read.find("\"Plan\"") != std::string_view::npos ||
         read.find("\"Node Type\"") != std::string_view::npos;
}

// Goes through texts and collects plans. Lives during one call.
class PlanScanner {
 public:
  explicit PlanScanner(const ParseLimits& limits) : limits_(limits) {}

  // `forced`: the first line begins a plan, whatever it looks like.
  void scan(std::string_view text, size_t line, bool forced);
  void scan_log(const LoggedPlan& logged);
  Result<PlanInput> finish() &&;

 private:
  void take_part(PlanFormat format, PlansRead part, size_t line);
  size_t take_indented(std::string_view text, size_t indent, size_t line, bool forced);
  void problem(size_t line, const Error& error);

  ParseLimits limits_;
  PlanInput out_;
  std::optional<Error> first_error_;
  std::optional<double> duration_ms_;  // of the log line above the plan that comes next
  size_t nodes_ = 0;
  int layer_ = 0;
};

void PlanScanner::problem(size_t line, const Error& error) {
  if (!first_error_) first_error_ = error;
  if (out_.warnings.size() >= kWarningsMax) return;
  out_.warnings.push_back(cat("line ", line, ": not read: ", printable(error.message)));
}

void PlanScanner::take_part(PlanFormat format, PlansRead part, size_t line) {
  for (Plan& plan : part.plans) {
    nodes_ += plan.nodes.size();
    if (nodes_ > kAllNodesMax) {
      return problem(line, {ErrorCode::Limit, cat("more than ", kAllNodesMax, " nodes in all")});
    }
    if (duration_ms_ && !plan.execution_ms) plan.execution_ms = duration_ms_;
    out_.plans.push_back({format, line, std::move(plan)});
  }
  if (!part.plans.empty()) duration_ms_.reset();
  if (layer_ >= kLayersMax) return;
  ++layer_;
  for (const std::string& text : part.texts) {
    if (auto logged = logged_plan(text)) {
      logged->line = line;
      scan_log(*logged);
    } else {
      scan(text, line, true);
    }
  }
  --layer_;
}

// A block whose lines all begin with `indent` blanks, as when only the rows of a frame are copied.
size_t PlanScanner::take_indented(std::string_view text, size_t indent, size_t line, bool forced) {
  std::string block;
  size_t at = 0;
  while (at < text.size()) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view row = text.substr(at, end - at);
    const size_t blanks = std::min(row.find_first_not_of(" \t"), row.size());
    if (blanks < row.size() && blanks < indent) break;
    block += cat(row.substr(std::min(indent, blanks)), "\n");
    at = std::min(end + 1, text.size());
  }
  ++layer_;
  scan(block, line, forced);
  --layer_;
  return at;
}

void PlanScanner::scan(std::string_view text, size_t line, bool forced) {
  size_t at = 0, counted = 0;
  size_t looked_to = 0;  // the ends of statements have been looked for so far: once is enough
  while (at < text.size()) {
    const size_t first = text.find_first_not_of(kBlanks, at);
    if (first == std::string_view::npos) return;
    const size_t newline = text.rfind('\n', first);
    const size_t start = newline == std::string_view::npos ? 0 : newline + 1;
    const size_t end = std::min(text.find('\n', first), text.size());
    const std::string_view row = text.substr(first, end - first);
    line += static_cast<size_t>(std::count(text.begin() + static_cast<ptrdiff_t>(counted),
                                           text.begin() + static_cast<ptrdiff_t>(start), '\n'));
    counted = start;
    if (is_echo(row)) {
      at = first + std::max(row.size(), first < looked_to ? 0 : echo_size(text.substr(first)));
      looked_to = std::max(looked_to, first + kEchoMax);
      continue;
    }
    auto format = format_of(row);
    if (!format && forced) format = PlanFormat::Text;
    if (!format) {
      if (const auto logged = logged_plan(cat(row, "\n"))) duration_ms_ = logged->duration_ms;
      at = std::min(end + 1, text.size());
      continue;
    }
    const bool laid_out = *format == PlanFormat::Text || *format == PlanFormat::Yaml;
    if (laid_out && start < first && layer_ < kLayersMax) {
      at = start + take_indented(text.substr(start), first - start, line, forced);
      forced = false;
      continue;
    }
    forced = false;
    PlansRead part = read_part(*format, text.substr(first), limits_);
    const std::string_view read = text.substr(first, part.used);
    if (part.error && plan_like(*format, read)) problem(line, *part.error);
    at = first + part.used;
    // Behind an error the rest of its line is none of another plan.
    if (part.error) at = std::max(std::min(text.find('\n', at), text.size()), end);
    at = std::max(at, first + 1);
    take_part(*format, std::move(part), line);
  }
}

void PlanScanner::scan_log(const LoggedPlan& logged) {
  duration_ms_ = logged.duration_ms;
  scan(logged.text, logged.line, true);
  duration_ms_.reset();
}

Result<PlanInput> PlanScanner::finish() && {
  if (!out_.plans.empty()) return std::move(out_);
  if (first_error_) return std::move(*first_error_);
  return Error{ErrorCode::NotFound, "no plan in the text"}.hinting(
      "give the output of EXPLAIN in any format, or a log with auto_explain's plans");
}

}  // namespace

std::string_view name(PlanFormat format) {
  switch (format) {
    case PlanFormat::Text:
      return "text";
    case PlanFormat::Json:
      return "json";
    case PlanFormat::Yaml:
      return "yaml";
    case PlanFormat::Xml:
      return "xml";
  }
  std::abort();
}

Result<PlanInput> read_plans(std::string_view text, const ParseLimits& limits) {
  if (text.size() > limits.bytes_max) {
    return Error{ErrorCode::Limit, cat("reading plans: ", text.size(),
                                       " bytes are over the limit of ", limits.bytes_max)};
  }
  std::string plain = plain_text(text);
  PlanScanner scanner(limits);
  const std::vector<LoggedPlan> logged = logged_plans(plain);
  for (const LoggedPlan& plan : logged) scanner.scan_log(plan);
  if (logged.empty()) {
    plain = unquoted(std::move(plain));
    for (const Region& region : unframed(plain)) {
      scanner.scan(region.text(), region.line, region.framed);
    }
  }
  return std::move(scanner).finish();
}

Result<ReadPlan> read_logged_plan(const LoggedPlan& logged, const ParseLimits& limits) {
  PlanScanner scanner(limits);
  LoggedPlan plain = logged;
  plain.text = plain_text(logged.text);
  scanner.scan_log(plain);
  PlanInput input = TRY(std::move(scanner).finish());
  return std::move(input.plans.front());
}

}  // namespace pgtend::explain
