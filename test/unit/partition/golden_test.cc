// test/golden/partition/<case>: facts.json is a table's definition and the proposed layout,
// want.txt the statements of the conversion, or why it is refused. UPDATE_GOLDEN=1 rewrites them.
#include "golden/golden.h"
#include "base/text.h"
#include "partition/partition.h"

namespace pgtend::partition {
namespace {

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

  expect_text(text_of(plan_conversion(*definition, *proposal, options, {"t_taken_2025_01"})));
}

PGTEND_GOLDEN_CASES(PartitionGolden, "partition");

}  // namespace
}  // namespace pgtend::partition
