// Tables that are divided by values or by the hash of columns while they are in use.
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
  must(conn_->exec(
      "CREATE TABLE m (m int PRIMARY KEY); INSERT INTO m VALUES (1); CREATE TABLE t (id bigint "
      "PRIMARY KEY, at timestamptz, m int DEFAULT 1 REFERENCES m); INSERT INTO t SELECT i, now() "
      "FROM generate_series(1, 500) i; CREATE INDEX ON t (at); CREATE TABLE o AS TABLE t"));
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

Request listed(const std::string& column, const std::vector<std::string>& groups = {},
               bool add_default = false) {
  Request out{
      .table = "t", .method = Method::List, .columns = {column}, .add_default = add_default};
  for (const std::string& text : groups) out.groups.push_back(must(partition::group_of(text)));
  return out;
}

class PartitionLists : public PartitionValues {
 protected:
  // Depends on the row alone, so that both tables get the same.
  std::string move() const override {
    return "region = (ARRAY['de', 'fr', 'us'])[1 + (id + v)::int % 3]";
  }
  void make_regions() {
    make_table();
    for (const char* table : {"t", "o"}) {
      must(conn_->exec(cat("ALTER TABLE ", table,
                           " ADD COLUMN region text NOT NULL DEFAULT 'de'; UPDATE ", table,
                           " SET region = (ARRAY['de', 'fr', 'us', 'ca'])[1 + id % 4]")));
    }
  }
};

TEST_P(PartitionLists, ATableIsListedUnderLoadAndUndoBringsItBack) {
  make_regions();
  const std::string before = everything();
  const OnlinePlan plan = planned_for(listed("region", {"eu=de, fr", "us='us','ca'"}));
  OnlineReport report;
  const OracleDeeds deeds = under_load(plan.job, Verb::Run, report);

  EXPECT_GT(std::min({deeds.inserted, deeds.updated, deeds.moved, deeds.renamed, deeds.deleted}),
            0);
  EXPECT_EQ(bounds(), "t_eu FOR VALUES IN ('de', 'fr')\nt_us FOR VALUES IN ('us', 'ca')");
  EXPECT_EQ(planned_over("SELECT * FROM t WHERE region = 'fr'"), 1);
  EXPECT_EQ(planned_over("SELECT * FROM t WHERE region IN ('fr', 'ca')"), 2);
  const Status refused = conn_->exec("INSERT INTO t (id, at, region) VALUES (-1, now(), 'at')");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().sqlstate, "23514");

  OnlineReport back;
  under_load(plan.job, Verb::TakeBack, back, 2'000'000);
  EXPECT_GT(back.job.keys_applied, 0);
  EXPECT_EQ(everything(), before);
}

// One that nobody has planned for comes while rows are copied.
TEST_P(PartitionLists, AValueThatComesMeanwhileEndsItAndTheTableStaysAsItWas) {
  make_regions();
  const OnlinePlan plan = planned_for(listed("region"));
  EXPECT_EQ(plan.proposal.slices.size(), 4u);
  bool come = false;
  care::GateSetup setup = gate();
  setup.on_moment = [&](const care::Moment& now) {
    if (come || !now.what.starts_with("copying")) return;
    come = true;
    must(connect().exec("UPDATE t SET region = 'new' WHERE id = 7"));
  };
  OnlineReport report;
  const Status done = partition::run_job(setup, plan.job, Verb::Run, small_chunks(), report);

  ASSERT_FALSE(done);
  EXPECT_NE(done.error().hint.find("--default"), std::string::npos) << done.error().hint;
  must_be(run(must(reshape::find_ledger(*conn_, "t"))->job, Verb::Abort, report));
  EXPECT_EQ(one("SELECT relkind FROM pg_class WHERE oid = 't'::regclass"), "r");
  EXPECT_EQ(one("SELECT count(*) FROM t"), cat(kOnlineRows));
}

// Quotes, letters of any alphabet, words of our own, and names that become the same.
TEST_P(PartitionLists, HostileValuesHaveAPlaceEach) {
  must(conn_->exec(R"(
CREATE TABLE t (k text, v int);
INSERT INTO t SELECT k, n FROM unnest(ARRAY['''; DROP TABLE t; --', '', 'null', NULL, 'A b', 'a-b',
  'a_b', 'Grün', E'\\', 'default', 'empty', repeat('x', 80), repeat('x', 81), 'a,b'])
  WITH ORDINALITY u(k, n);
CREATE TABLE o AS TABLE t)"));
  const auto plan = must(partition::plan(*conn_, listed("k", {}, true)));
  ASSERT_EQ(join(plan.refusals, "; "), "");
  must(partition::convert(gate(), plan));

  EXPECT_EQ(difference(), "0");
  EXPECT_EQ(one("SELECT count(DISTINCT tableoid) FROM t"), "14");
  EXPECT_EQ(one("SELECT string_agg(c.relname, ' ' ORDER BY c.relname COLLATE \"C\") FROM "
                "pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE inhparent = "
                "'t'::regclass"),
            cat("t_a_b t_a_b_2 t_a_b_3 t_a_b_4 t_default t_default_2 t_drop_table_t t_empty "
                "t_empty_2 t_gr_n t_null t_null_2 t_v t_",
                std::string(30, 'x'), " t_", std::string(30, 'x'), "_2"));
  EXPECT_EQ(one("SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = "
                "'t_default_2'"),
            "DEFAULT");
  must(conn_->exec("INSERT INTO t VALUES ('another', 1)"));
}

TEST_P(PartitionLists, TablesOfTheLongestNamesAreListed) {
  const std::string name(63, 'n');
  must(conn_->exec(
      cat("CREATE TABLE ", name, " AS SELECT i % 2 AS k FROM generate_series(1, 9) i")));
  Request request = listed("k");
  request.table = name;
  const auto plan = must(partition::plan(*conn_, request));
  ASSERT_EQ(join(plan.refusals, "; "), "");
  must(partition::convert(gate(), plan));
  EXPECT_EQ(one(cat("SELECT count(*) FROM ", std::string(61, 'n'), "_0")), "4");
}

// Each type, with an index to walk and without.
TEST_P(PartitionLists, ValuesOfManyTypesAreReadByIndexAndByScan) {
  must(conn_->exec("CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')"));
  struct Case {
    const char* type;
    const char* value;  // of i
    const char* bound;  // of the first partition
  };
  const Case cases[] = {
      {"smallint", "i % 3 - 1", "'-1'"},
      {"mood", "(ARRAY['ok', 'happy', 'sad'])[1 + i % 3]::mood", "'sad'"},
      {"boolean", "i % 2 = 0", "false"},
      {"date", "date '2025-03-01' + i % 3", "'2025-03-01'"},
      {"uuid", "lpad(to_hex(i % 3), 32, '0')::uuid", "'00000000-0000-0000-0000-000000000000'"},
      {"character(3)", "chr(97 + i % 3)", "'a  '"},
      {"numeric(5,2)", "i % 3 + 0.25", "0.25"}};
  const auto names = [](const partition::Conversion& plan) {
    std::string out;
    for (const partition::Slice& slice : plan.proposal.slices) out += slice.name + slice.bound;
    return out;
  };
  for (const Case& each : cases) {
    must(conn_->exec(cat("DROP TABLE IF EXISTS t, t_old, o; CREATE TABLE t (id int, k ", each.type,
                         " NOT NULL); INSERT INTO t SELECT i, ", each.value,
                         " FROM generate_series(1, 300) i; CREATE TABLE o AS TABLE t")));
    const auto scanned = must(partition::plan(*conn_, listed("k")));
    must(conn_->exec("CREATE INDEX ON t (k, id)"));
    const auto plan = must(partition::plan(*conn_, listed("k")));
    EXPECT_EQ(names(plan), names(scanned)) << each.type;
    ASSERT_EQ(join(plan.refusals, "; "), "");
    must(partition::convert(gate(), plan));
    EXPECT_EQ(difference(), "0") << each.type;
    EXPECT_EQ(one("SELECT count(*) FROM (SELECT tableoid, k FROM t GROUP BY 1, 2) x"),
              one("SELECT count(DISTINCT tableoid) FROM t"))
        << each.type;
    EXPECT_NE(bounds().find(cat(" FOR VALUES IN (", each.bound, ")")), std::string::npos)
        << bounds();
  }
}

TEST_P(PartitionLists, AListThatCannotBeIsRefusedWithTheReason) {
  must(conn_->exec(
      "CREATE TABLE t (id int PRIMARY KEY, k text NOT NULL, f float8, p point, n text, e int NOT "
      "NULL DEFAULT 1, d date NOT NULL DEFAULT '2025-01-01'); INSERT INTO t (id, k) SELECT i, (i % "
      "20)::text FROM generate_series(1, 3000) i"));
  const auto told = [&](const Request& request, std::string_view what) {
    const std::string reason = refusal(request);
    EXPECT_NE(reason.find(what), std::string::npos) << reason;
  };
  told(listed("f"), "double precision, whose values are equal or not by rounding");
  told(listed("p"), "has no btree operator class");
  told(listed("n"), "no row has a value in n");
  told(listed("n", {"a=a"}), "no group has NULL, which rows have in n");
  told(listed("n", {"a=a,null"}), "column n may be null, and a primary key or unique");
  told(listed("id"), "column id has more than 2,000 values");
  told(listed("k", {"a=1,2,3", "b=4,5,6"}),
       "no group has '0', '10', '11', '12', '13', '14', '15', '16', '17', '18' and 4 more");
  told(listed("k", {"a=1,'1'"}, true), "value '1' is listed twice");
  told(listed("k", {"a=null,NULL"}, true), "null is listed twice");
  told(listed("k", {"a=1", "a=2"}, true), "there are two groups a");
  told(listed("e", {"a=1,one"}), "invalid input syntax for type integer");
  told(listed("d", {"a=2025-01-01", "b=2025-13-01"}), "out of range");
  const OnlinePlan plan = planned_for(listed("e", {"a=1"}));
  EXPECT_NE(join(plan.changes, "\n").find("rows with another e than those listed"),
            std::string::npos);
  const OnlinePlan rest = planned_for(listed("k", {"a=1"}, true));
  EXPECT_EQ(rest.proposal.slices.size(), 2u);
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
PGTEND_ON_OLDEST_AND_NEWEST(PartitionLists);

}  // namespace
}  // namespace pgtend::e2e
