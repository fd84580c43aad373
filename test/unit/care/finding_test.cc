#include "care/finding.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "care/locks.h"

namespace pgtend::care {
namespace {

constexpr LockMode kModes[] = {LockMode::AccessShare,  LockMode::RowShare,
                               LockMode::RowExclusive, LockMode::ShareUpdateExclusive,
                               LockMode::Share,        LockMode::ShareRowExclusive,
                               LockMode::Exclusive,    LockMode::AccessExclusive};

bool conflict(LockMode a, LockMode b) {
  const auto modes = conflicting(a);
  return std::ranges::find(modes, name(b)) != modes.end();
}

TEST(Locks, ConflictsAreSymmetric) {
  for (const LockMode a : kModes) {
    for (const LockMode b : kModes) {
      EXPECT_EQ(conflict(a, b), conflict(b, a)) << name(a) << " " << name(b);
    }
  }
}

TEST(Locks, TheTableIsThatOfPostgresql) {
  EXPECT_FALSE(conflict(LockMode::AccessShare, LockMode::Exclusive));
  EXPECT_TRUE(conflict(LockMode::AccessShare, LockMode::AccessExclusive));
  EXPECT_FALSE(conflict(LockMode::Share, LockMode::Share));
  EXPECT_TRUE(conflict(LockMode::ShareUpdateExclusive, LockMode::ShareUpdateExclusive));
  EXPECT_FALSE(conflict(LockMode::RowExclusive, LockMode::ShareUpdateExclusive));
  EXPECT_TRUE(conflict(LockMode::RowExclusive, LockMode::Share));
  EXPECT_TRUE(conflict(LockMode::RowShare, LockMode::Exclusive));
  EXPECT_TRUE(conflicting(LockMode::None).empty());
}

TEST(Locks, OnlyStrongModesDisturbReadersOrWriters) {
  EXPECT_FALSE(disturbs(LockMode::ShareUpdateExclusive));
  EXPECT_TRUE(disturbs(LockMode::Share));
  EXPECT_TRUE(disturbs(LockMode::AccessExclusive));
}

TEST(Finding, JsonHoldsEveryPartAScriptNeeds) {
  const Finding finding{.id = "dead-rows",
                        .object = "public.\"\"\"; drop\"",
                        .severity = Severity::Warning,
                        .what = "w",
                        .why = "y",
                        .evidence = {{"rows_dead", "30"}},
                        .actions = {{.kind = "vacuum",
                                     .object = "t",
                                     .steps = {{.sql = "VACUUM t",
                                                .lock = LockMode::ShareUpdateExclusive,
                                                .in_transaction = false}},
                                     .extra_disk = Bytes{5}}},
                        .statements = {"SET a"},
                        .proof = Proof::PlannerVerified};

  EXPECT_EQ(
      to_text(to_json(finding)),
      R"({"id":"dead-rows","object":"public.\"\"\"; drop\"","severity":"warning","what":"w",)"
      R"("why":"y","evidence":[{"name":"rows_dead","value":"30"}],"actions":[{"kind":)"
      R"("vacuum","object":"t","steps":[{"sql":"VACUUM t","lock":"ShareUpdateExclusiveLock",)"
      R"("effect":"readers and writers go on; other maintenance and schema changes wait",)"
      R"("in_transaction":false}],"verify_sql":"","undo":[],"extra_disk_bytes":5}],)"
      R"("statements":["SET a"],"prediction":"","proof":"L1 planner-verified","saved_seconds_per_day":0E0})");
}

}  // namespace
}  // namespace pgtend::care
