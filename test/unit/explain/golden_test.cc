// test/golden/explain/<case>: plan.json as a server made it, facts.json (optional) as the catalogs
// would tell, want.txt what a terminal shows. UPDATE_GOLDEN=1 rewrites want.txt. Whatever the plan,
// its self times must add up to the time of its root.
#include "golden/golden.h"
#include "explain/explain.h"
#include "explain/parse_json.h"
#include "explain/render_term.h"

namespace pgtend::explain {
namespace {

class ExplainGolden : public golden::Test {
 protected:
  Report examined() const {
    Facts facts;
    if (has("facts.json")) {
      const auto value = parse_json(file("facts.json"));
      EXPECT_TRUE(value);
      auto loaded = facts_from_json(*value);
      EXPECT_TRUE(loaded) << loaded.error().message;
      if (loaded) facts = *loaded;
    }
    auto plan = parse_json_plan(file("plan.json"));
    EXPECT_TRUE(plan) << plan.error().message;
    return plan ? examine_offline({.plan = std::move(plan).take()}, facts) : Report{};
  }
};

TEST_P(ExplainGolden, ReportIsTheOneWrittenDown) {
  expect_text(render_term(examined(), {.width = 160}));
}

TEST_P(ExplainGolden, SelfTimesAddUpToTheRoot) {
  const Report report = examined();

  EXPECT_TRUE(report.timing.adds_up())
      << report.timing.self_sum_ms << " against " << report.timing.expected_sum_ms << " ± "
      << report.timing.tolerance_ms;
  for (size_t id = 0; id < report.timing.nodes.size(); ++id) {
    EXPECT_GE(report.timing.nodes[id].self.mid + report.timing.nodes[id].self.eps, -0.05)
        << "node " << id << " has spent less than nothing";
  }
}

PGTEND_GOLDEN_CASES(ExplainGolden, "explain");

}  // namespace
}  // namespace pgtend::explain
