// Every query case of e2e/plans on every version, in the four formats of EXPLAIN: all formats give
// the same tree, TEXT comes back byte for byte, and JSON becomes the TEXT of the server.
#include <gmock/gmock.h>

#include <array>
#include <sstream>

#include "base/text.h"
#include "e2e/support/database.h"
#include "e2e/support/plan_cases.h"
#include "explain/compare.h"
#include "explain/parse_json.h"
#include "explain/parse_text.h"
#include "explain/parse_xml.h"
#include "explain/parse_yaml.h"
#include "explain/render_text.h"

namespace pgtend {
namespace {

using e2e::plans::Case;
using explain::Plan;

struct Format {
  const char* name;
  Result<Plan> (*parse)(std::string_view, const explain::ParseLimits&);
};
constexpr std::array<Format, 4> kFormats = {{{"TEXT", explain::parse_text_plan},
                                             {"JSON", explain::parse_json_plan},
                                             {"YAML", explain::parse_yaml_plan},
                                             {"XML", explain::parse_xml_plan}}};

struct OptionSet {
  std::string options;
  bool analyze = false;
  bool alike = true;  // two runs print the same but for what `varies` says
};

constexpr const char* kParallel =
    "SET LOCAL parallel_setup_cost = 0; SET LOCAL parallel_tuple_cost = 0;"
    "SET LOCAL min_parallel_table_scan_size = 0; SET LOCAL min_parallel_index_scan_size = 0;"
    "SET LOCAL max_parallel_workers_per_gather = 2;";

// Nodes by another way than our readers: lines of the server's JSON that begin with the type.
size_t count_nodes(const std::string& json) {
  std::istringstream lines(json);
  size_t count = 0;
  for (std::string line; std::getline(lines, line);) {
    if (trim(line).starts_with("\"Node Type\": ")) ++count;
  }
  return count;
}

// The first lines that differ.
std::string first_difference(const std::string& want, const std::string& got) {
  std::istringstream wanted(want), have(got);
  for (std::string a, b;;) {
    const bool more = !!std::getline(wanted, a), another = !!std::getline(have, b);
    if (!more && !another) return {};
    if (more != another || a != b) {
      return cat("\n  - ", more ? a : "(end)", "\n  + ", another ? b : "(end)");
    }
  }
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// A count that was rounded to zero is a line in TEXT, a zero in JSON.
bool is_rounded_zero(std::string_view line) {
  return line.starts_with("Rows Removed by ") && line.ends_with(": 0");
}

// `text` without lines of rounded zeros and, unless it is `exact`, without what two runs print
// differently: numbers, and lines that are there or not.
std::string comparable(const std::string& text, bool exact) {
  static constexpr std::array<std::string_view, 16> kFleeting = {
      "Worker ",   "Buffers:",        "I/O Timings:",      "WAL:",
      "Planning:", "Rows Removed by", "Sort Method:",      "Heap Blocks:",
      "Hits:",     "Batches:",        "Full-sort Groups:", "Pre-sorted Groups:",
      "JIT:",      "Functions:",      "Options:",          "Timing:"};
  std::string out;
  for (std::string_view line : split(text, '\n')) {
    if (!exact) line = line.substr(0, std::min(line.find(" (actual "), line.find(" (never ")));
    const std::string_view words = trim(line);
    const bool fleeting = std::ranges::any_of(
        kFleeting, [&](std::string_view word) { return words.starts_with(word); });
    if (is_rounded_zero(words) || (fleeting && !exact)) continue;
    for (size_t i = 0; i < line.size(); ++i) {
      const bool more = i > 0 && (is_digit(line[i - 1]) || line[i - 1] == '.');
      if (exact || !is_digit(line[i])) {
        out += line[i];
      } else if (!more) {
        out += '#';
      }
    }
    out += '\n';
  }
  return out;
}

// Another run may print other costs: a table grows with each change that is rolled back.
bool differs_by_run(const Case& each, const Plan& plan) {
  return plan.root().type == "ModifyTable" || each.is("varies");
}

class ExplainPlans : public e2e::VersionTest {
 protected:
  e2e::Settings settings() const override {
    return {{"autovacuum", "off"}, {"jit", "off"}, {"track_io_timing", "on"}};
  }

  void SetUp() override {
    VersionTest::SetUp();
    if (IsSkipped()) return;
    conn_.emplace(connect());
    e2e::must(conn_->exec(e2e::plans::schema()));
  }

  int major() const { return static_cast<int>(e2e::must(parse_int(version()))); }

  // What the server prints for `each` in `format`; "" after an error, which fails the test.
  std::string printed(const Case& each, const OptionSet& set, const std::string& format);
  void check(const Case& each, const OptionSet& set);
  void check_text(const Case& each, const OptionSet& set, const std::string& text,
                  const Plan& plan);
  void check_json(const Case& each, const OptionSet& set, const std::string& json,
                  const Plan& plan);
  std::string settings_of(const Case& each) const;
  std::vector<OptionSet> sets_of(const Case& each, size_t number) const;
  // The first complaints are told in full.
  void complain(const Case& each, const OptionSet& set, const std::string& what) {
    if (++complaints_ <= 20) {
      ADD_FAILURE() << each.name << " (" << set.options << "): " << what;
    }
  }

  std::optional<pg::Connection> conn_;
  std::string text_;  // of the case at hand, as the server printed it
  size_t checked_ = 0;
  size_t complaints_ = 0;
};

std::string ExplainPlans::settings_of(const Case& each) const {
  std::string out;
  if (each.is("parallel")) out += kParallel;
  if (each.is("jit")) out += "SET LOCAL jit = on; SET LOCAL jit_above_cost = 0;";
  if (each.is("single")) {
    out +=
        cat("SET LOCAL ", major() < 16 ? "force_parallel_mode" : "debug_parallel_query", " = on;");
  }
  return out;
}

// Each case as an estimate and run, with options in turn: over the versions it meets them all.
std::vector<OptionSet> ExplainPlans::sets_of(const Case& each, size_t number) const {
  const std::string newest = major() >= 17 ? ", MEMORY, SERIALIZE TEXT" : "";
  const size_t turn = number + static_cast<size_t>(major());
  if (each.is("generic")) return {{"GENERIC_PLAN, VERBOSE"}, {"GENERIC_PLAN"}};
  const OptionSet estimates[] = {
      {"COSTS"}, {"VERBOSE, SETTINGS"}, {"COSTS OFF"}, {"VERBOSE, COSTS OFF"}};
  std::vector<OptionSet> out{estimates[turn % 4]};
  if (each.is("noanalyze")) return out;
  const OptionSet analyzed[] = {
      {cat("ANALYZE, VERBOSE, BUFFERS, WAL, SETTINGS", newest), true, false},
      {"ANALYZE, TIMING OFF, SUMMARY OFF, BUFFERS OFF", true},
      {"ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF, VERBOSE", true}};
  out.push_back(analyzed[turn % 3]);
  return out;
}

std::string ExplainPlans::printed(const Case& each, const OptionSet& set,
                                  const std::string& format) {
  std::string out;
  const auto run = [&]() -> Status {
    TRY(conn_->exec(cat("BEGIN; ", settings_of(each), each.setup)));
    const pg::Rows rows = TRY(conn_->query_simple(
        cat("EXPLAIN (", set.options, ", FORMAT ", format, ") ", each.statement)));
    for (const pg::Row& row : rows) out += cat(row.text(0), "\n");
    return ok();
  };
  const Status done = run();
  if (!done) complain(each, set, cat(format, ": ", done.error().message));
  e2e::must(conn_->exec("ROLLBACK; DEALLOCATE ALL"));
  return done ? out : std::string();
}

void ExplainPlans::check_text(const Case& each, const OptionSet& set, const std::string& text,
                              const Plan& plan) {
  text_ = text;
  const std::string written = e2e::must(explain::render_text(plan));
  if (written != text) complain(each, set, first_difference(text, written));
}

void ExplainPlans::check_json(const Case& each, const OptionSet& set, const std::string& json,
                              const Plan& plan) {
  if (plan.nodes.size() != count_nodes(json)) {
    complain(each, set, cat(plan.nodes.size(), " nodes of ", count_nodes(json)));
  }
  const std::string written = e2e::must(explain::render_text(plan));
  const auto again = explain::parse_text_plan(written);
  if (!again) return complain(each, set, cat("JSON as TEXT: ", again.error().message));
  const std::string difference = explain::describe_difference(plan, *again);
  if (!difference.empty()) complain(each, set, cat("JSON as TEXT: ", difference));
  if (set.analyze && differs_by_run(each, plan)) return;
  const bool workers = each.is("parallel") || each.is("single");
  const bool exact = set.alike && !(set.analyze && workers);
  const std::string want = comparable(text_, exact), got = comparable(written, exact);
  if (got != want) complain(each, set, cat("JSON as TEXT:", first_difference(want, got)));
}

void ExplainPlans::check(const Case& each, const OptionSet& set) {
  std::optional<Plan> first;
  for (const Format& format : kFormats) {
    if (first && each.is("oddjson") && set.analyze) return;
    const std::string source = printed(each, set, format.name);
    auto plan = format.parse(source, {});
    if (!plan) return complain(each, set, cat(format.name, ": ", plan.error().message));
    if (!plan->warnings.empty()) complain(each, set, cat(format.name, ": ", plan->warnings[0]));
    if (!first) check_text(each, set, source, *plan);
    if (format.name == std::string_view("JSON")) check_json(each, set, source, *plan);
    if (first && !(set.analyze && differs_by_run(each, *plan))) {
      const std::string difference =
          explain::describe_difference(*first, *plan, {.measured = !set.analyze});
      if (!difference.empty()) complain(each, set, cat("TEXT, ", format.name, ": ", difference));
    }
    if (!first) first = std::move(plan).take();
    ++checked_;
  }
}

TEST_P(ExplainPlans, AllFormatsGiveOneTreeAndItsText) {
  const std::vector<Case> cases = e2e::plans::all();
  size_t run = 0;
  for (size_t i = 0; i < cases.size(); ++i) {
    const Case& each = cases[i];
    if (!each.runs_on(major()) || each.is("split")) continue;
    for (const OptionSet& set : sets_of(each, i)) check(each, set);
    ++run;
  }
  EXPECT_GE(run, 250u);
  EXPECT_GT(checked_, 7 * run);
  EXPECT_EQ(complaints_, 0u);
}

TEST_P(ExplainPlans, SeveralPlansOfOneStatementAreSplit) {
  for (const Case& each : e2e::plans::all()) {
    if (!each.is("split")) continue;
    const std::string text = printed(each, {"ANALYZE, VERBOSE"}, "TEXT");

    const std::vector<std::string_view> parts = explain::split_text_plans(text);

    ASSERT_EQ(parts.size(), 2u) << text;
    for (const std::string_view part : parts) {
      EXPECT_EQ(e2e::must(explain::render_text(e2e::must(explain::parse_text_plan(part)))),
                cat(part, "\n"));
    }
  }
}

PGTEND_ON_SOME_VERSIONS(ExplainPlans);

}  // namespace
}  // namespace pgtend
