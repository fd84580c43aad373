// Tables that are divided by the hash of columns while they are in use.
#include "e2e/support/partition_online.h"

namespace pgtend::e2e {
namespace {

using partition::Method;
using partition::Mode;
using partition::OnlinePlan;
using partition::OnlineReport;
using partition::Request;
using partition::Verb;

class PartitionValues : public PartitionOnline {
 protected:
  OnlinePlan planned_for(const Request& request) {
    OnlinePlan plan = must(partition::plan_online(*conn_, request));
    EXPECT_EQ(join(plan.refusals, "; "), "");
    return plan;
  }
  // Why it is not done, whether the table or the request is not fit.
  std::string refusal(const Request& request, const partition::ConvertOptions& options = {}) {
    const auto plan = partition::plan_online(*conn_, request, options);
    return plan ? join(plan->refusals, "; ") : cat(plan.error().message, "; ", plan.error().hint);
  }
  std::string bounds() {
    return one(
        "SELECT string_agg(c.relname || ' ' || pg_get_expr(c.relpartbound, c.oid), E'\\n' ORDER BY "
        "c.relname) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = "
        "'t'::regclass");
  }
  // How many partitions the server plans a statement over.
  int planned_over(const std::string& sql) {
    const std::string plan = one(cat("EXPLAIN (FORMAT JSON, COSTS OFF) ", sql));
    int scans = 0;
    for (size_t at = 0; (at = plan.find("\"Relation Name\"", at)) != std::string::npos; ++at) {
      ++scans;
    }
    return scans;
  }
};

Request hashed(std::vector<std::string> columns, int partitions) {
  return {.table = "t",
          .method = Method::Hash,
          .columns = std::move(columns),
          .partitions = partitions};
}

TEST_P(PartitionValues, ATableIsHashedUnderLoadAndUndoBringsItBack) {
  make_table();
  const std::string before = everything();
  const OnlinePlan plan = planned_for(hashed({"id", "at"}, 4));
  OnlineReport report;
  const OracleDeeds deeds = under_load(plan.job, Verb::Run, report);

  EXPECT_GT(std::min({deeds.inserted, deeds.updated, deeds.moved, deeds.renamed, deeds.deleted}),
            0);
  EXPECT_GT(report.job.keys_applied, 0);
  EXPECT_EQ(bounds(),
            "t_h0 FOR VALUES WITH (modulus 4, remainder 0)\n"
            "t_h1 FOR VALUES WITH (modulus 4, remainder 1)\n"
            "t_h2 FOR VALUES WITH (modulus 4, remainder 2)\n"
            "t_h3 FOR VALUES WITH (modulus 4, remainder 3)");
  EXPECT_EQ(one("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = "
                "'t'::regclass AND contype = 'p'"),
            "PRIMARY KEY (id, at)");
  EXPECT_EQ(one("SELECT count(DISTINCT tableoid) FROM t"), "4");
  EXPECT_EQ(planned_over("SELECT * FROM t WHERE id = 5 AND at = '2026-01-01 00:00:00+00'"), 1);
  EXPECT_EQ(planned_over("SELECT * FROM t WHERE id = 5"), 4);

  OnlineReport back;
  under_load(plan.job, Verb::TakeBack, back, 2'000'000);
  EXPECT_GT(back.job.keys_applied, 0);
  EXPECT_EQ(everything(), before);
}

// The key is the table's own, foreign keys and indexes come along, and nothing is left in the end.
TEST_P(PartitionValues, AHashedTableKeepsItsKeysAndIsFinished) {
  make_table();
  must(
      conn_->exec("CREATE TABLE m (m int PRIMARY KEY); INSERT INTO m VALUES (1); ALTER TABLE t ADD "
                  "COLUMN m int DEFAULT 1 REFERENCES m; ALTER TABLE o ADD COLUMN m int DEFAULT 1"));
  const OnlinePlan plan = planned_for(hashed({"id"}, 11));
  OnlineReport report;
  must_be(run(plan.job, Verb::Run, report));

  EXPECT_EQ(one("SELECT to_regclass('t_h00') IS NOT NULL AND to_regclass('t_h10') IS NOT NULL"),
            "t");
  EXPECT_EQ(one("SELECT string_agg(pg_get_constraintdef(oid), ' ' ORDER BY contype) FROM "
                "pg_constraint WHERE conrelid = 't'::regclass AND contype IN ('p', 'f')"),
            "FOREIGN KEY (m) REFERENCES m(m) PRIMARY KEY (id)");
  EXPECT_EQ(one("SELECT count(*) FROM pg_constraint c JOIN pg_inherits i ON i.inhrelid = "
                "c.conrelid WHERE i.inhparent = 't'::regclass AND c.contype = 'f' AND "
                "c.convalidated AND c.confrelid = 'm'::regclass"),
            "11");
  EXPECT_FALSE(conn_->exec("INSERT INTO t (id, at, m) VALUES (-1, now(), 2)"));
  must_be(run(plan.job, Verb::Finish, report));
  EXPECT_EQ(everything().find("pgtend_"), std::string::npos) << everything();
  EXPECT_EQ(difference(), "0");
}

TEST_P(PartitionValues, UnderALockTheRowsAreHashedAlsoWithoutAKey) {
  must(
      conn_->exec("CREATE TABLE t (a text, v int); INSERT INTO t SELECT nullif(i % 10, 3)::text, i "
                  "FROM generate_series(1, 1000) i; CREATE TABLE o AS TABLE t"));
  const auto plan = must(partition::plan(*conn_, hashed({"a"}, 3)));
  EXPECT_EQ(join(plan.refusals, "; "), "");
  must(partition::convert(gate(), plan));

  EXPECT_EQ(one("SELECT count(*) FROM pg_partition_tree('t') WHERE isleaf"), "3");
  EXPECT_EQ(difference(), "0");
  EXPECT_NE(refusal(hashed({"a"}, 3)).find("partitioned already, by hash (a)"), std::string::npos);
}

TEST_P(PartitionValues, AHashThatCannotBeIsRefusedWithTheReason) {
  must(
      conn_->exec("CREATE DOMAIN word AS text; CREATE TABLE t (id bigint PRIMARY KEY, b bit(8), w "
                  "word, n int, g bigint GENERATED ALWAYS AS (id + 1) STORED, a int[])"));
  const auto told = [&](const Request& request, std::string_view what) {
    const std::string reason = refusal(request);
    EXPECT_NE(reason.find(what), std::string::npos) << reason;
  };
  told(hashed({"b"}, 4), "column b is of type bit(8), which has no hash operator class");
  told(hashed({"a"}, 4), "column a is of type integer[], which has no hash operator class");
  told(hashed({"w"}, 4), "is of type word, a domain");
  told(hashed({"nowhere"}, 4), "has no column nowhere");
  told(hashed({"id", "id"}, 4), "column id is named twice");
  told(hashed({"id"}, 1), "2 to 2000 partitions");
  told(hashed({"g"}, 4), "column g is generated");
  told(hashed({"n"}, 4), "column n may be null, and a primary key or unique constraint has to");
  EXPECT_NE(must(partition::plan_online(*conn_, hashed({"id"}, 4))).changes.size(), 0u);
  const auto instant = partition::plan_online(*conn_, hashed({"id"}, 4), {}, Mode::Instant);
  ASSERT_FALSE(instant);
  EXPECT_NE(instant.error().message.find("by hash as it is"), std::string::npos);
}

// Below a partition its parent's key has no room for another column.
TEST_P(PartitionValues, APartitionIsHashedInItsTurn) {
  must(
      conn_->exec("CREATE TABLE t (id bigint, at date, v int NOT NULL DEFAULT 1, PRIMARY KEY (id, "
                  "at)) PARTITION BY RANGE "
                  "(at); CREATE TABLE t_1 PARTITION OF t FOR VALUES FROM ('2025-01-01') TO "
                  "('2026-01-01'); INSERT INTO t SELECT i, date '2025-01-01' + i FROM "
                  "generate_series(0, 300) i; CREATE TABLE o AS TABLE t"));
  Request request = hashed({"v"}, 3);
  request.table = "t_1";
  EXPECT_NE(refusal(request).find("constraint t_1_pkey lacks v, and what public.t above it"),
            std::string::npos)
      << refusal(request);
  request.columns = {"id"};
  const OnlinePlan plan = planned_for(request);
  OnlineReport report;
  must_be(run(plan.job, Verb::Run, report));
  EXPECT_EQ(one("SELECT count(*) FROM pg_partition_tree('t') WHERE isleaf AND level = 2"), "3");
  EXPECT_EQ(difference(), "0");
  must_be(run(plan.job, Verb::TakeBack, report));
  EXPECT_EQ(one("SELECT count(*) FROM pg_partition_tree('t')"), "2");
  EXPECT_EQ(difference(), "0");
}

PGTEND_ON_OLDEST_AND_NEWEST(PartitionValues);

}  // namespace
}  // namespace pgtend::e2e
