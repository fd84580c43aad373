// test/golden/vacuum/<case>: facts.json is what the rules see, want.txt the findings they make.
// UPDATE_GOLDEN=1 rewrites want.txt.
#include "golden/golden.h"
#include "base/text.h"
#include "vacuum/vacuum.h"

namespace pgtend::vacuum {
namespace {

std::string text_of(const std::vector<care::Finding>& findings) {
  std::string out;
  for (const care::Finding& finding : findings) {
    out += cat(care::name(finding.severity), " ", finding.id, " ", finding.object, "\n  ",
               finding.what, "\n  ", finding.why, "\n");
    for (const care::Evidence& item : finding.evidence) {
      out += cat("  ", item.name, " = ", item.value, "\n");
    }
    for (const care::Action& action : finding.actions) {
      for (const care::Step& step : action.steps) out += cat("  > ", step.sql, "\n");
    }
    for (const std::string& sql : finding.statements) out += cat("  ! ", sql, "\n");
    out += cat("  => ", finding.prediction, "\n");
  }
  return out.empty() ? "nothing\n" : out;
}

class VacuumGolden : public golden::Test {};

TEST_P(VacuumGolden, FindingsAreThoseWrittenDown) {
  const auto value = parse_json(file("facts.json"));
  ASSERT_TRUE(value) << value.error().message;
  const auto facts = facts_from_json(*value);
  ASSERT_TRUE(facts) << facts.error().message;

  expect_text(text_of(review(*facts)));
}

PGTEND_GOLDEN_CASES(VacuumGolden, "vacuum");

}  // namespace
}  // namespace pgtend::vacuum
