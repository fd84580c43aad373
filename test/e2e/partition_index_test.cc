// An index of a partitioned table, built while the table is used: what is interrupted is gone on
// with, what is there is taken, and nothing is built that was not wished.
#include <atomic>
#include <thread>

#include "base/text.h"
#include "e2e/support/audited.h"
#include "partition/index_set.h"

namespace pgtend::e2e {
namespace {

using partition::IndexPlan;
using partition::IndexWish;

class PartitionIndex : public AuditedTest {
 protected:
  void SetUp() override {
    AuditedTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    must(conn_->exec(
        "CREATE TABLE t (id int, at date NOT NULL, v int, name text) PARTITION BY RANGE (at); "
        "CREATE TABLE t_1 PARTITION OF t FOR VALUES FROM ('2025-01-01') TO ('2025-02-01'); "
        "CREATE TABLE t_2 PARTITION OF t FOR VALUES FROM ('2025-02-01') TO ('2025-03-01') "
        "PARTITION BY LIST (v); "
        "CREATE TABLE t_2a PARTITION OF t_2 FOR VALUES IN (0, 1); "
        "CREATE TABLE t_2b PARTITION OF t_2 DEFAULT; "
        "CREATE TABLE t_3 PARTITION OF t FOR VALUES FROM ('2025-03-01') TO ('2025-04-01'); "
        "INSERT INTO t SELECT i, date '2025-01-01' + i % 90, i % 5, 'n' || i FROM "
        "generate_series(1, 3000) i"));
  }
  care::GateSetup gate() {
    care::GateSetup out{.options = options(), .audit = &*audit_, .clock = &system_clock()};
    out.policy.apply = true;
    out.policy.back_off = milliseconds(10);
    return out;
  }
  IndexPlan planned(const IndexWish& wish) {
    IndexPlan plan = must(partition::plan_index(*conn_, wish));
    EXPECT_EQ(plan.refusals, std::vector<std::string>());
    return plan;
  }
  // Indexes below `index` and itself, whether they are valid, by name.
  std::string tree(const std::string& index) {
    return one(cat(
        "SELECT string_agg(c.relname || ' ' || x.indisvalid, ', ' ORDER BY c.relname) FROM "
        "pg_partition_tree('",
        index, "') t JOIN pg_class c ON c.oid = t.relid JOIN pg_index x ON x.indexrelid = c.oid"));
  }
  std::string all_indexes() {
    return one(
        "SELECT coalesce(string_agg(indexrelid::regclass::text, ' ' ORDER BY indexrelid), '') FROM "
        "pg_index WHERE indrelid IN (SELECT relid FROM pg_partition_tree('t'))");
  }
};

TEST_P(PartitionIndex, IsWholeInTheEndAndNewPartitionsHaveItToo) {
  const IndexPlan plan =
      planned({.table = "t", .columns = "lower(name), at DESC", .where = "v > 1"});
  EXPECT_EQ(plan.built, 4);
  EXPECT_EQ(all_indexes(), "");

  std::atomic<bool> stop = false;
  std::string error;
  std::thread writer([&] {
    pg::Connection conn = connect();
    for (int i = 0; !stop; ++i) {
      const auto done =
          conn.exec(cat("INSERT INTO t VALUES (", i, ", '2025-03-05', ", i % 5, ", 'x')"));
      if (!done) error = done.error().message;
    }
  });
  const auto outcome = partition::run_index(gate(), plan);
  stop = true;
  writer.join();

  ASSERT_TRUE(outcome) << outcome.error().message;
  EXPECT_EQ(error, "");
  EXPECT_EQ(tree("t_lower_at_idx"),
            "t_1_lower_at_idx true, t_2_lower_at_idx true, t_2a_lower_at_idx true, "
            "t_2b_lower_at_idx true, t_3_lower_at_idx true, t_lower_at_idx true");
  EXPECT_NE(one("SELECT pg_get_indexdef('t_3_lower_at_idx'::regclass)")
                .find("USING btree (lower(name), at DESC) WHERE (v > 1)"),
            std::string::npos);
  must(conn_->exec(
      "CREATE TABLE t_4 PARTITION OF t FOR VALUES FROM ('2025-04-01') TO ('2025-05-01')"));
  EXPECT_EQ(one("SELECT count(*) FROM pg_index WHERE indrelid = 't_4'::regclass AND indisvalid"),
            "1");
  // Once more: there is nothing to do.
  EXPECT_TRUE(planned({.table = "t", .columns = "lower(name), at DESC", .where = "v > 1"})
                  .action.steps.empty());
}

TEST_P(PartitionIndex, WhatWasInterruptedIsGoneOnWithAndEqualIndexesAreTaken) {
  must(
      conn_->exec("CREATE INDEX mine ON t_1 (v); CREATE INDEX t_3_v_idx ON t_3 (id); CREATE INDEX "
                  "other ON t_2a "
                  "(v DESC)"));
  std::atomic<bool> stop = false;
  care::GateSetup setup = gate();
  setup.cancel = &stop;
  // Whoever writes into the last partition is waited for before it gets its index.
  auto writer = connect();
  must(writer.exec("BEGIN; INSERT INTO t_2b VALUES (0, '2025-02-05', 4)"));
  setup.on_moment = [&](const care::Moment& now) {
    if (now.what.starts_with("waiting for pid")) stop = true;
  };
  const IndexPlan first = planned({.table = "t", .columns = "v"});
  EXPECT_EQ(first.kept, 1);
  EXPECT_EQ(first.built, 3);
  const auto ended = partition::run_index(setup, first);

  must(writer.exec("COMMIT"));
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, ErrorCode::Cancelled) << ended.error().message;

  // The catalogs are the note of what is done.
  const IndexPlan rest = must(partition::plan_missing_parts(*conn_, "t")).at(0);
  EXPECT_EQ(rest.kept, 3);
  EXPECT_EQ(rest.built, 1);
  must(partition::run_index(gate(), rest));
  EXPECT_EQ(tree("t_v_idx"),
            "mine true, t_2_v_idx true, t_2a_v_idx true, t_2b_v_idx true, t_3_v_idx1 true, t_v_idx "
            "true");
  EXPECT_EQ(one("SELECT count(*) FROM pg_index WHERE NOT indisvalid"), "0");
}

TEST_P(PartitionIndex, AnUnfinishedIndexOfAnEarlierRunIsBuiltAgain) {
  // As a lost CREATE INDEX CONCURRENTLY leaves it.
  must(conn_->exec(
      "CREATE INDEX t_id_idx ON ONLY t (id); CREATE INDEX t_1_id_idx ON t_1 (id); UPDATE pg_index "
      "SET indisvalid = false WHERE indexrelid = 't_1_id_idx'::regclass"));
  const std::vector<IndexPlan> plans = must(partition::plan_missing_parts(*conn_, "t"));
  ASSERT_EQ(plans.size(), 1u);
  EXPECT_EQ(plans[0].built, 4);
  must(partition::run_index(gate(), plans[0]));
  EXPECT_EQ(
      tree("t_id_idx"),
      "t_1_id_idx true, t_2_id_idx true, t_2a_id_idx true, t_2b_id_idx true, t_3_id_idx true, "
      "t_id_idx true");
  EXPECT_TRUE(must(partition::plan_missing_parts(*conn_, "t")).empty());
}

// Not valid either, but no leftover: it is somebody's work.
TEST_P(PartitionIndex, AnIndexThatSomebodyIsBuildingIsLeftAlone) {
  must(conn_->exec("CREATE INDEX t_id_idx ON ONLY t (id)"));
  auto writer = connect();
  must(writer.exec("BEGIN; INSERT INTO t_1 VALUES (0, '2025-01-05', 4)"));
  auto builder = connect();
  must(builder.start("CREATE INDEX CONCURRENTLY t_1_id_idx ON t_1 (id)"));
  ASSERT_TRUE(wait_until([&] {
    return one("SELECT count(*) FROM pg_stat_progress_create_index WHERE index_relid = "
               "to_regclass('t_1_id_idx')") == "1";
  }));

  const auto ended =
      partition::run_index(gate(), must(partition::plan_missing_parts(*conn_, "t")).at(0));
  must(writer.exec("COMMIT"));
  ASSERT_TRUE(must(builder.finish_within(seconds(30))).has_value());

  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, ErrorCode::Conflict) << ended.error().message;
  EXPECT_NE(ended.error().message.find("is being built by pid"), std::string::npos)
      << ended.error().message;
  EXPECT_EQ(one("SELECT indisvalid FROM pg_index WHERE indexrelid = 't_1_id_idx'::regclass"), "t");
}

TEST_P(PartitionIndex, ARowThatIsThereTwiceEndsAUniqueOneAndWhatIsBuiltStays) {
  must(
      conn_->exec("DELETE FROM t; INSERT INTO t VALUES (1, '2025-01-05', 0), (2, '2025-03-05', 0), "
                  "(2, '2025-03-05', 0); DROP TABLE t_2"));
  const IndexPlan plan = planned({.table = "t", .columns = "id, at", .unique = true});
  const auto ended = partition::run_index(gate(), plan);
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().sqlstate, "23505") << ended.error().message;
  EXPECT_EQ(tree("t_id_at_idx"), "t_1_id_at_idx true, t_id_at_idx false");
  EXPECT_EQ(one("SELECT to_regclass('t_3_id_at_idx') IS NULL"), "t");

  must(conn_->exec("DELETE FROM t WHERE id = 2"));
  must(partition::run_index(gate(), must(partition::plan_missing_parts(*conn_, "t")).at(0)));
  EXPECT_EQ(tree("t_id_at_idx"), "t_1_id_at_idx true, t_3_id_at_idx true, t_id_at_idx true");
}

TEST_P(PartitionIndex, WhatIsNoIndexOfAPartitionedTableIsRefused) {
  const auto error = [&](const IndexWish& wish) {
    const auto plan = partition::plan_index(*conn_, wish);
    return plan ? std::string("planned") : plan.error().message;
  };
  for (const std::string columns :
       {"v); DROP TABLE t; --", "v) WHERE (true); SELECT (1", "v)) --", ""}) {
    EXPECT_NE(error({.table = "t", .columns = columns}), "planned") << columns;
  }
  EXPECT_NE(error({.table = "t", .columns = "v", .where = "true); DELETE FROM t WHERE (true"}),
            "planned");
  EXPECT_NE(error({.table = "t", .method = "btree (v); DROP TABLE t; --", .columns = "v"}),
            "planned");
  EXPECT_NE(error({.table = "t", .columns = "id", .unique = true}).find("at"), std::string::npos);
  EXPECT_NE(error({.table = "t_1", .columns = "v"}).find("is not partitioned"), std::string::npos);
  EXPECT_NE(
      error({.table = "t", .name = "t_1", .columns = "v"}).find("a relation public.t_1 already"),
      std::string::npos);
  EXPECT_NE(error({.table = "t", .columns = "nothing"}).find("nothing"), std::string::npos);
  EXPECT_EQ(one("SELECT count(*) FROM t"), "3000");
  EXPECT_EQ(all_indexes(), "");

  must(conn_->exec(
      "CREATE INDEX t_key ON ONLY t (id, at, v); CREATE UNIQUE INDEX u ON ONLY t (at, v); "
      "ALTER TABLE ONLY t ADD CONSTRAINT k UNIQUE (id, at, v)"));
  std::string refused;
  for (const IndexPlan& plan : must(partition::plan_missing_parts(*conn_, "t"))) {
    if (!plan.refusals.empty()) refused += plan.index + ": " + plan.refusals[0];
  }
  EXPECT_NE(refused.find("public.k: index public.k belongs to a key"), std::string::npos)
      << refused;
  EXPECT_EQ(refused.find("t_key"), std::string::npos) << refused;
}

PGTEND_ON_OLDEST_AND_NEWEST(PartitionIndex);

}  // namespace
}  // namespace pgtend::e2e
