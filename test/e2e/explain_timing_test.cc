// Self times against the truth: functions that sleep in known nodes of over a hundred plan shapes
// and tell how long they really slept, so that a loaded machine changes truth and report alike.
// Every other node must show next to nothing, and all of it must add up.
#include "explain/timing.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/text.h"
#include "e2e/support/database.h"
#include "e2e/support/plan_cases.h"
#include "explain/parse_json.h"
#include "explain/parse_text.h"

namespace pgtend {
namespace {

using e2e::plans::Case;
using explain::Plan;
using explain::Timing;

// "a=Seq_Scan/t": the naps called `label` are taken in nodes of this type, of this name if given.
struct Planted {
  std::string label;
  std::string type;
  std::string name;  // alias, relation, function, CTE or sub-plan; "" is any
};

std::vector<Planted> planted_in(const Case& each) {
  std::vector<Planted> out;
  for (const std::string& word : each.words) {
    const size_t equals = word.find('=');
    if (equals == word.npos || word.starts_with(">=")) continue;
    std::string place = word.substr(equals + 1);
    std::ranges::replace(place, '_', ' ');
    const size_t slash = place.find('/');
    out.push_back({word.substr(0, equals), place.substr(0, slash),
                   slash == place.npos ? "" : place.substr(slash + 1)});
  }
  return out;
}

bool is_at(const explain::Node& node, const Planted& planted) {
  if (node.type != planted.type) return false;
  const explain::Object& object = node.object;
  const bool subplan =
      node.subplan_name == planted.name || node.subplan_name.starts_with(cat(planted.name, " ("));
  return planted.name.empty() || subplan || object.alias == planted.name ||
         object.relation == planted.name || object.other == planted.name;
}

// What really was slept, in milliseconds.
struct Truth {
  std::map<std::string, double> by_label = {};    // over all processes
  std::map<std::string, double> by_process = {};  // of all labels
};

Truth truth_of(pg::Connection& conn) {
  Truth out;
  for (const pg::Notice& notice : conn.take_notices()) {
    const std::vector<std::string_view> words = split(notice.message, ' ');
    if (words.size() == 4 && words[0] == "nap") {
      const double ms = e2e::must(parse_double(words[3]));
      out.by_label[std::string(words[1])] += ms;
      out.by_process[std::string(words[2])] += ms;
    }
  }
  return out;
}

struct Measured {
  Plan plan;
  Timing timing;
  Truth truth;
};

// Process time of the node alone: below a Gather `self` is brought to wall time.
explain::Span process_self(const explain::NodeTime& time) {
  const double factor = time.wall.mid > 0 ? time.process.mid / time.wall.mid : 1;
  return {time.self.mid * factor, time.self.eps * factor};
}

// The sum of all labels at the places of `planted` against what the report says of them.
struct Comparison {
  double truth = 0;
  double self = 0;
  double eps = 0;
  bool parallel = false;

  double error() const { return truth > 0 ? std::abs(self - truth) / truth : 0; }
  // The node does some work of its own beside sleeping, so the truth is the least it has taken.
  // Workers load the function's language first.
  bool inside() const {
    const double own_work = truth * 0.1 + (parallel ? 10 : 1);
    return self + eps >= truth * 0.999 && self - eps <= truth + own_work;
  }
};

constexpr const char* kParallelSettings =
    "SET LOCAL parallel_setup_cost = 0; SET LOCAL parallel_tuple_cost = 0;"
    "SET LOCAL min_parallel_table_scan_size = 0; SET LOCAL min_parallel_index_scan_size = 0;"
    "SET LOCAL max_parallel_workers_per_gather = 2;";

class ExplainTiming : public e2e::VersionTest {
 protected:
  e2e::Settings settings() const override { return {{"autovacuum", "off"}, {"jit", "off"}}; }

  void SetUp() override {
    VersionTest::SetUp();
    if (IsSkipped()) return;
    conn_.emplace(connect());
    e2e::must(conn_->exec(e2e::plans::schema("naps")));
    e2e::must(conn_->exec("ANALYZE"));
  }

  Result<Measured> run(const Case& each, bool text, bool verbose);
  // When all naps are in one place below a Gather, the user waits for the longest sleeper, which
  // VERBOSE plans tell, or for the mean of those that ran.
  void check_wall(const Measured& measured, const Planted& planted, std::string& wrong);
  // Everything that is wrong with one run; "" if nothing is.
  std::string check(const Case& each, const Measured& measured);
  void check_others(const Measured& measured, const std::vector<Planted>& planted, double margin,
                    std::string& wrong);

  std::optional<pg::Connection> conn_;
  std::vector<Comparison> comparisons_;
};

Result<Measured> ExplainTiming::run(const Case& each, bool text, bool verbose) {
  TRY(conn_->exec("BEGIN"));
  const auto asked = [&]() -> Result<Measured> {
    TRY(conn_->exec(cat(
        each.is("parallel") ? kParallelSettings : "SET LOCAL max_parallel_workers_per_gather = 0;",
        each.setup)));
    conn_->take_notices();
    const pg::Rows rows =
        TRY(conn_->query_simple(cat("EXPLAIN (ANALYZE, BUFFERS, ", verbose ? "VERBOSE, " : "",
                                    "FORMAT ", text ? "TEXT" : "JSON", ") ", each.statement)));
    Truth truth = truth_of(*conn_);
    std::string printed;
    for (const pg::Row& row : rows) printed += cat(row.text(0), "\n");
    Plan plan = TRY(text ? explain::parse_text_plan(printed) : explain::parse_json_plan(printed));
    Timing timing = explain::measure_time(plan);
    return Measured{std::move(plan), std::move(timing), std::move(truth)};
  };
  auto out = asked();
  e2e::must(conn_->exec("ROLLBACK"));
  return out;
}

void ExplainTiming::check_others(const Measured& measured, const std::vector<Planted>& planted,
                                 double margin, std::string& wrong) {
  for (size_t id = 0; id < measured.plan.nodes.size(); ++id) {
    const explain::Node& node = measured.plan.nodes[id];
    // A Gather starts processes and waits for them: its own time is no nap and no mistake.
    const bool expected = is_gather(node) || std::ranges::any_of(planted, [&](const Planted& one) {
                            return is_at(node, one);
                          });
    const double self = measured.timing.nodes[id].self.mid;
    if (self < -measured.timing.nodes[id].self.eps - 0.01) {
      wrong += cat("\n  node ", id, " ", node.type, ": negative self time ", self);
    }
    if (!expected && self > margin) {
      wrong += cat("\n  node ", id, " ", node.type, ": ", self, " ms without a nap in it");
    }
  }
}

void ExplainTiming::check_wall(const Measured& measured, const Planted& planted,
                               std::string& wrong) {
  double wall = 0, sum = 0, longest = 0;
  bool told = false, below = false, whole = true;
  for (size_t id = 0; id < measured.plan.nodes.size(); ++id) {
    const explain::Node& node = measured.plan.nodes[id];
    if (!is_at(node, planted) || !node.actual) continue;
    wall += measured.timing.nodes[id].self.mid;
    below |= node.gather != explain::kNone;
    told |= !node.workers.empty();
    whole &= node.gather != explain::kNone &&
             node.actual->loops == double(measured.truth.by_process.size());
  }
  for (const auto& [process, ms] : measured.truth.by_process) {
    sum += ms;
    longest = std::max(longest, ms);
  }
  if (!below || (!told && !whole)) return;
  const double want = told ? longest : sum / double(measured.truth.by_process.size());
  if (wall < want * 0.95 || wall > want * 1.15 + 10) {
    wrong += cat("\n  ", planted.type, ": ", wall, " ms of wall time instead of ", want);
  }
}

std::string ExplainTiming::check(const Case& each, const Measured& measured) {
  std::string wrong;
  const std::vector<Planted> planted = planted_in(each);
  std::map<std::pair<std::string, std::string>, Comparison> places;
  double slept = 0;
  for (const auto& [label, ms] : measured.truth.by_label) {
    slept += ms;
    const auto at = std::ranges::find(planted, label, &Planted::label);
    if (at == planted.end()) wrong += cat("\n  naps of ", label, " at no place");
  }
  for (const Planted& one : planted) {
    Comparison& place = places[{one.type, one.name}];
    const auto at = measured.truth.by_label.find(one.label);
    if (at == measured.truth.by_label.end()) {
      wrong += cat("\n  no naps of ", one.label);
      continue;
    }
    const bool first = place.truth == 0;
    place.parallel = each.is("parallel");
    place.truth += at->second;
    if (!first) continue;
    if (one.type == "trigger") {
      for (const explain::TriggerTime& trigger : measured.plan.triggers) {
        const bool named = trigger.name.starts_with(one.label) || !trigger.constraint.empty();
        if (named) place.self += trigger.ms;
      }
      continue;
    }
    for (size_t id = 0; id < measured.plan.nodes.size(); ++id) {
      if (!is_at(measured.plan.nodes[id], one)) continue;
      const explain::Span self = process_self(measured.timing.nodes[id]);
      place.self += self.mid;
      place.eps += self.eps;
    }
  }
  for (const auto& [place, comparison] : places) {
    comparisons_.push_back(comparison);
    if (!comparison.inside()) {
      wrong += cat("\n  ", place.first, " ", place.second, ": slept ", comparison.truth,
                   " ms, reported ", comparison.self, " ± ", comparison.eps);
    }
  }
  if (each.is("parallel") && planted.size() == 1) check_wall(measured, planted[0], wrong);
  check_others(measured, planted, 1 + slept * 0.05, wrong);
  if (!measured.timing.adds_up()) {
    wrong += cat("\n  adds up to ", measured.timing.self_sum_ms, " instead of ",
                 measured.timing.expected_sum_ms);
  }
  if (measured.timing.unattributed_ms > 0.1) {
    wrong += cat("\n  nobody pays ", measured.timing.unattributed_ms, " ms");
  }
  const double outside = measured.timing.outside_ms;
  if (outside > 1 && !each.is("outside")) wrong += cat("\n  ", outside, " ms after the root");
  return wrong;
}

TEST_P(ExplainTiming, SelfTimesAreWhatTheNodesReallyTook) {
  const int major = static_cast<int>(e2e::must(parse_int(version())));
  const std::vector<Case> cases = e2e::plans::all("naps");
  ASSERT_GE(cases.size(), 60u);
  size_t number = 0;
  for (const Case& each : cases) {
    if (!each.runs_on(major)) continue;
    // Each shape is read from TEXT or JSON, with or without VERBOSE, over the versions in all four.
    const size_t turn = number++ + static_cast<size_t>(major);
    std::string wrong;
    const size_t counted = comparisons_.size();
    // What the machine does to one run it does not do to three.
    for (int tries = 0; tries < 3; ++tries) {
      comparisons_.resize(counted);
      const auto measured = run(each, turn % 2 == 0, turn / 2 % 2 == 0);
      wrong = measured ? check(each, *measured) : measured.error().message;
      if (wrong.empty()) break;
    }
    EXPECT_EQ(wrong, "") << each.name;
  }
  std::vector<double> errors;
  for (const Comparison& comparison : comparisons_) errors.push_back(comparison.error());
  ASSERT_FALSE(errors.empty());
  std::ranges::sort(errors);
  const auto inside = std::ranges::count_if(comparisons_, &Comparison::inside);
  const double share = double(inside) / double(comparisons_.size());
  const double median = errors[errors.size() / 2];
  std::printf("%zu places: median error %.2f %%, 95th percentile %.2f %%, %.1f %% inside\n",
              errors.size(), median * 100, errors[errors.size() * 95 / 100] * 100, share * 100);
  EXPECT_LE(median, 0.02);
  EXPECT_GE(share, 0.99);
}

PGTEND_ON_SOME_VERSIONS(ExplainTiming);

}  // namespace
}  // namespace pgtend
