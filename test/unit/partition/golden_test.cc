// test/golden/partition/<case>: facts.json is a table's definition and the proposed layout,
// want.txt the statements of the conversion in each mode, or why it is refused. UPDATE_GOLDEN=1
// rewrites them.
#include "golden/golden.h"
#include "base/text.h"
#include "partition/online.h"

namespace pgtend::partition {
namespace {

constexpr int kAhead = 3;

std::string text_of(const Conversion& conversion) {
  std::string out;
  for (const std::string& reason : conversion.refusals) out += cat("refused: ", reason, "\n");
  for (const std::string& change : conversion.changes) out += cat("change: ", change, "\n");
  for (const care::Step& step : conversion.action.steps) {
    out += cat(step.check ? "check " : "", care::name(step.lock), "\n  ", step.sql, "\n");
  }
  for (const std::string& sql : conversion.action.undo) out += cat("undo\n  ", sql, "\n");
  return out;
}

std::string text_of(const OnlinePlan& plan) {
  std::string out = cat("\n== ", plan.mode, "\n");
  for (const std::string& reason : plan.refusals) out += cat("refused: ", reason, "\n");
  for (const std::string& change : plan.changes) out += cat("change: ", change, "\n");
  if (!plan.refusals.empty()) return out;
  for (const care::Step& step : plan.action.steps) {
    out += cat(step.lock == care::LockMode::None ? "no lock" : care::name(step.lock), "\n  ",
               step.sql, "\n");
  }
  for (const std::string& sql : plan.job.abort) out += cat("abort\n  ", sql, "\n");
  for (const reshape::Make& make : plan.job.before_back) {
    out += cat("before undo\n  ", make.sql, "\n");
  }
  for (const std::string& sql : plan.job.back) out += cat("undo\n  ", sql, "\n");
  for (const reshape::Make& make : plan.job.after_back) {
    out += cat("after undo\n  ", make.sql, "\n");
  }
  return out;
}

class PartitionGolden : public golden::Test {};

TEST_P(PartitionGolden, ConversionIsTheOneWrittenDown) {
  const auto value = parse_json(file("facts.json"));
  ASSERT_TRUE(value) << value.error().message;
  const json::object& facts = value->as_object();
  const auto definition = definition_from_json(facts.at("definition"));
  ASSERT_TRUE(definition) << definition.error().message;
  const auto proposal = proposal_from_json(facts.at("proposal"));
  ASSERT_TRUE(proposal) << proposal.error().message;
  const ConvertOptions options{.drop_old = facts.contains("drop_old"),
                               .widen_unique = facts.contains("widen_unique")};

  const std::vector<std::string> taken{"t_taken_2025_01"};
  expect_text(cat(text_of(plan_conversion(*definition, *proposal, options, taken)),
                  text_of(plan_shadow(*definition, *proposal, options, taken)),
                  text_of(plan_instant(*definition, *proposal, options, taken, kAhead))));
}

PGTEND_GOLDEN_CASES(PartitionGolden, "partition");

}  // namespace
}  // namespace pgtend::partition
