#include "explain/writes.h"

#include <gmock/gmock.h>

#include "base/text.h"
#include "explain/parse_json.h"

namespace pgtend::explain {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

Plan plan_of(const std::string& root) {
  auto plan = parse_json_plan(cat("{\"Plan\": ", root, "}"));
  EXPECT_TRUE(plan) << plan.error().message;
  return plan ? *plan : Plan{};
}

std::string modify(const std::string& operation, const std::string& below,
                   const std::string& more = "") {
  return cat(R"({"Node Type": "ModifyTable", "Operation": ")", operation,
             R"(", "Schema": "s", "Relation Name": "t", "Plan Rows": 0)", more, R"(, "Plans": [)",
             below, "]}");
}
constexpr const char* kExpected =
    R"({"Node Type": "Seq Scan", "Parent Relationship": "Outer", "Plan Rows": 500, "Plan Width": 100})";
constexpr const char* kMet =
    R"({"Node Type": "Seq Scan", "Parent Relationship": "Outer", "Plan Rows": 500, "Plan Width": 100,
        "Actual Rows": 700, "Actual Loops": 1})";
constexpr const char* kRan = R"(, "Actual Rows": 0, "Actual Loops": 1, "WAL Bytes": 4096)";

TEST(Writes, RowsAreThoseThatComeToTheWritingNode) {
  const auto planned = write_targets(plan_of(modify("Update", kExpected)));
  const auto run = write_targets(plan_of(modify("Update", kMet, kRan)));

  ASSERT_EQ(planned.size(), 1u);
  EXPECT_EQ(planned[0].operation, "Update");
  EXPECT_EQ(planned[0].schema, "s");
  EXPECT_EQ(planned[0].name, "t");
  EXPECT_EQ(planned[0].rows, 500);
  ASSERT_EQ(run.size(), 1u);
  EXPECT_EQ(run[0].rows, 700);
  EXPECT_EQ(wal_bytes(plan_of(modify("Update", kMet, kRan))), 4096);
  EXPECT_EQ(wal_bytes(plan_of(kExpected)), std::nullopt);
}

TEST(Writes, OnlyNewVersionsAreLeftDead) {
  EXPECT_EQ(write_targets(plan_of(modify("Update", kMet, kRan)))[0].dead_rows, 700);
  EXPECT_EQ(write_targets(plan_of(modify("Insert", kMet, kRan)))[0].dead_rows, 700);
  EXPECT_EQ(write_targets(plan_of(modify("Delete", kMet, kRan)))[0].dead_rows, 0);
  const std::string told = cat(kRan, R"(, "Tuples Inserted": 3, "Tuples Updated": 4)");
  EXPECT_EQ(write_targets(plan_of(modify("Merge", kMet, told)))[0].dead_rows, 7);
  const std::string conflicts = cat(kRan, R"(, "Tuples Inserted": 3, "Conflicting Tuples": 4)");
  EXPECT_EQ(write_targets(plan_of(modify("Insert", kMet, conflicts)))[0].dead_rows, 3);
  const std::string updates = cat(conflicts, R"(, "Conflict Resolution": "UPDATE")");
  EXPECT_EQ(write_targets(plan_of(modify("Insert", kMet, updates)))[0].dead_rows, 7);
}

TEST(Writes, LockingRowsNamesTheTableBelow) {
  const auto targets = write_targets(plan_of(
      R"({"Node Type": "LockRows", "Plans": [{"Node Type": "Index Scan", "Schema": "s",
          "Relation Name": "t", "Parent Relationship": "Outer", "Plan Rows": 9}]})"));

  ASSERT_EQ(targets.size(), 1u);
  EXPECT_EQ(targets[0].operation, "Lock");
  EXPECT_EQ(targets[0].name, "t");
  EXPECT_EQ(targets[0].rows, 9);
  EXPECT_EQ(targets[0].dead_rows, 0);
  EXPECT_THAT(write_targets(plan_of(kExpected)), IsEmpty());
}

TEST(Writes, CostNamesWhatARollbackDoesNotGiveBack) {
  const WriteTarget target{"Insert", "s", "Odd t", 1000, 100, 1000};
  TargetFacts facts;
  facts.indexes = 2;
  facts.triggers = {"fires"};
  facts.deferred = {"waits"};
  facts.sequences = {"s.t_id_seq"};

  const auto lines = cost_lines(target, facts, false);

  EXPECT_THAT(lines, Contains(HasSubstr("about 1,000 rows of s.\"Odd t\" (insert)")));
  EXPECT_THAT(lines, Contains(HasSubstr("about 1,000 dead rows in it, about 16 pages")));
  EXPECT_THAT(lines, Contains(HasSubstr("2 indexes")));
  EXPECT_THAT(lines, Contains(HasSubstr("fires triggers: fires")));
  EXPECT_THAT(lines, Contains(HasSubstr("not measured: waits")));
  EXPECT_THAT(lines, Contains(HasSubstr("s.t_id_seq")));
  EXPECT_THAT(cost_lines(target, facts, true), Contains(HasSubstr("wrote 1,000 rows")));
}

TEST(Writes, VacuumIsAdvisedBeyondWhatAutovacuumLetsLie) {
  TargetFacts facts;
  facts.table_rows = 1000;
  EXPECT_EQ(vacuum_advice({"Update", "s", "t", 250, 1, 250}, facts), "");
  EXPECT_EQ(vacuum_advice({"Update", "s", "t", 251, 1, 251}, facts), "VACUUM s.t");
}

TEST(Writes, ValuesAreLiteralsOfExecute) {
  sql::StatementInfo info;
  info.text = "UPDATE t SET v = $1";

  const WriteRun with = write_run(info, {"it's", std::nullopt});
  const WriteRun without = write_run(info, {});

  EXPECT_THAT(with.before, Contains("PREPARE pgtend_write AS UPDATE t SET v = $1"));
  EXPECT_THAT(with.sql, HasSubstr("EXECUTE pgtend_write('it''s', NULL)"));
  EXPECT_TRUE(without.before.empty());
  EXPECT_TRUE(without.sql.ends_with("UPDATE t SET v = $1"));
}

}  // namespace
}  // namespace pgtend::explain
