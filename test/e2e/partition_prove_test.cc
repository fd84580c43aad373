// What is foretold of a statement's partitions is what the planner does, and a statement that is
// written anew gives the same rows.
#include <gmock/gmock.h>

#include "base/text.h"
#include "e2e/support/database.h"
#include "e2e/support/prune_shapes.h"
#include "partition/propose.h"
#include "partition/prove.h"

namespace pgtend::e2e {
namespace {

using partition::Proof;
using partition::Prunes;
using ::testing::HasSubstr;
using Statements = std::vector<facts::StatementFacts>;

class PartitionProve : public VersionTest {
 protected:
  Settings settings() const override {
    return {{"autovacuum", "off"}, {"timezone", "Europe/Berlin"}, {"jit", "off"}};
  }
  void SetUp() override {
    VersionTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    conn_.emplace(connect());
    must(conn_->exec(R"(
CREATE TABLE readings (id bigint PRIMARY KEY, meter_id int NOT NULL, ts timestamptz NOT NULL,
  v numeric);
CREATE INDEX ON readings (ts);
CREATE INDEX ON readings (meter_id, ts);
CREATE TABLE o (a timestamptz, b timestamptz, k int);
INSERT INTO readings VALUES (0, 1, '2026-12-31');
INSERT INTO o VALUES ('2025-03-03', '2025-03-04', 3);
ANALYZE o)"));
  }
  // Random times of two years, and each ten minutes around the days on which clocks are changed.
  void fill() {
    must(conn_->exec(R"(
SELECT setseed(0.5);
INSERT INTO readings
SELECT row_number() OVER (), 1 + n % 7, at, CASE WHEN n % 5 > 0 THEN n END FROM (
  SELECT n, timestamptz '2025-01-01' + random() * interval '730 days' AS at
    FROM generate_series(1, 3000) n
  UNION ALL
  SELECT n, day + n * interval '10 minutes' FROM generate_series(-150, 300) n,
    unnest('{2025-03-09,2025-03-30,2025-10-26,2025-11-02}'::timestamptz[]) day
  UNION ALL
  SELECT n, date_trunc('month', timestamptz '2025-01-01' + n * interval '1 month')
    FROM generate_series(0, 23) n) x;
ANALYZE readings)"));
  }
  partition::Proposal proposal() {
    return must(partition::propose(
        *conn_, {.table = "readings", .time_zone = "Europe/Berlin", .from = "2025-01-01"}));
  }
  partition::Proofs proven(const Statements& statements) {
    const auto definition = must(partition::load_definition(*conn_, "readings"));
    return must(
        partition::prove_proposal(*conn_, definition, proposal(), statements, {.tries = 1}));
  }
  static Statements shapes() {
    Statements out;
    for (const PruneShape& shape : kPruneShapes) out.push_back({.text = std::string(shape.sql)});
    return out;
  }
  std::string one(const std::string& sql) {
    const pg::Rows rows = must(conn_->query(sql));
    return rows.empty() ? "no row" : std::string(rows[0].text(0));
  }

  std::optional<pg::Connection> conn_;
};

// `sql` with its parameters put in.
std::string bound(std::string sql, const PruneShape& shape) {
  for (const auto& [name, value] : {std::pair("$1", shape.first), {"$2", shape.second}}) {
    for (size_t at = sql.find(name); at != std::string::npos; at = sql.find(name, at)) {
      sql.replace(at, 2, value);
    }
  }
  return sql;
}

TEST_P(PartitionProve, WhatIsForetoldIsWhatThePlannerDoes) {
  const partition::Proofs proofs = proven(shapes());

  ASSERT_EQ(proofs.proofs.size(), std::size(kPruneShapes));
  for (size_t i = 0; i < proofs.proofs.size(); ++i) {
    const PruneShape& shape = kPruneShapes[i];
    const Proof& proof = proofs.proofs[i];
    EXPECT_EQ(proof.problem, "") << shape.sql;
    if (!proof.problem.empty()) continue;
    const int version = conn_->server_version();
    const Prunes want = version < shape.since ? Prunes::Never : shape.prunes;
    EXPECT_EQ(name(proof.observed.prunes), name(want))
        << shape.sql << "\nplanned " << proof.observed.planned << " of " << proof.observed.total
        << ", started " << proof.observed.started;
    EXPECT_EQ(name(proof.prediction.prunes), name(proof.observed.prunes)) << shape.sql;
    const bool written = shape.rewritten != Prunes::NotRead;
    EXPECT_EQ(!proof.rewrite.empty(), written) << shape.sql << "\n" << proof.rewrite;
    if (written && proof.rewritten) {
      EXPECT_EQ(name(proof.rewritten->prunes), name(shape.rewritten)) << proof.rewrite;
    }
    if (proof.observed.prunes == Prunes::Never) {
      EXPECT_GE(proof.observed.locks, proof.observed.total) << shape.sql;
    }
    if (proof.observed.prunes == Prunes::AtPlan) {
      EXPECT_LT(proof.observed.planned, proof.observed.total) << shape.sql;
    }
  }
  EXPECT_EQ(one("SELECT count(*) FROM pg_class WHERE relname LIKE 'readings_2%'"), "0");
  EXPECT_EQ(one("SELECT count(*) FROM pg_prepared_statements WHERE name = 'pgtend_proof'"), "0");
}

TEST_P(PartitionProve, AStatementWrittenAnewGivesTheSameRows) {
  fill();
  Statements statements;
  std::vector<PruneShape> compared;
  for (const PruneShape& shape : kPruneShapes) {
    const bool unbound = shape.sql.find('$') != std::string_view::npos && shape.first.empty();
    if (shape.rewritten == Prunes::NotRead || unbound) continue;
    statements.push_back({.text = std::string(shape.sql)});
    compared.push_back(shape);
  }
  ASSERT_GE(compared.size(), 35U);
  // In Havana the hour after midnight comes twice in autumn, in Cairo midnight is left out.
  std::vector<const char*> zones{"Europe/Berlin"};
  if (version() == kDefaultVersion) zones.insert(zones.end(), {"America/Havana", "Africa/Cairo"});
  for (const char* zone : zones) {
    must(conn_->query("SELECT set_config('TimeZone', $1, false)", {zone}));
    const partition::Proofs proofs = proven(statements);
    for (size_t i = 0; i < compared.size(); ++i) {
      const Proof& proof = proofs.proofs.at(i);
      EXPECT_NE(proof.rewrite, "") << zone << ": " << compared[i].sql << proof.problem;
      if (proof.rewrite.empty()) continue;
      const std::string before = bound(proof.statement.text, compared[i]);
      const std::string after = bound(proof.rewrite, compared[i]);
      EXPECT_EQ(one(cat("SELECT count(*) FROM (((", before, ") EXCEPT ALL (", after,
                        ")) UNION ALL ((", after, ") EXCEPT ALL (", before, "))) x")),
                "0")
          << zone << "\n"
          << before << "\n"
          << after;
    }
  }
}

TEST_P(PartitionProve, ThePartitionedTableItselfIsAsked) {
  must(conn_->exec(R"(
CREATE TABLE parts (id int, ts date NOT NULL) PARTITION BY RANGE (ts);
CREATE INDEX ON parts (ts);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2025-01-01') TO ('2025-02-01');
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM ('2025-02-01') TO ('2025-03-01');
CREATE TABLE parts_3 PARTITION OF parts FOR VALUES FROM ('2025-03-01') TO ('2025-04-01');
INSERT INTO parts SELECT i, date '2025-01-01' + i % 90 FROM generate_series(1, 200) i;
ANALYZE parts)"));
  const auto ask = [&](const char* sql, bool run = false) {
    return must(partition::prove_statement(*conn_, "parts", sql, {.run = run, .tries = 1}));
  };

  EXPECT_EQ(ask("SELECT * FROM parts WHERE ts = '2025-02-03'").observed.partitions,
            std::vector<std::string>{"public.parts_2"});
  const Proof month = ask("SELECT * FROM parts WHERE extract(month FROM ts) = 3");
  EXPECT_EQ(month.observed.prunes, Prunes::Never);
  EXPECT_EQ(month.rewrite, "");
  EXPECT_EQ(ask("SELECT * FROM parts WHERE date_trunc('month', ts) = '2025-02-01'").rewrite,
            "SELECT * FROM parts WHERE ts >= '2025-02-01' AND ts < '2025-03-01'");
  const char* running = "SELECT * FROM parts WHERE ts = (SELECT a::date FROM o)";
  EXPECT_EQ(ask(running).observed.prunes, Prunes::WhileRunning);
  EXPECT_FALSE(ask(running).observed.executed);
  EXPECT_EQ(ask(running, true).observed.executed, 1);
  const auto parameter = ask("SELECT * FROM parts WHERE ts = $1");
  ASSERT_TRUE(parameter.custom);
  EXPECT_EQ(parameter.custom->prunes, Prunes::AtPlan);
  EXPECT_EQ(parameter.custom->planned, 1);
  for (const char* wrong : {"SELECT 1", "SELEC", "SELECT 1; SELECT 2", "VACUUM parts",
                            "SELECT * FROM parts WHERE nothing = 1"}) {
    EXPECT_EQ(partition::prove_statement(*conn_, "parts", wrong).error().code, ErrorCode::Invalid);
  }
  EXPECT_EQ(partition::prove_statement(*conn_, "nowhere", "SELECT 1").error().code,
            ErrorCode::NotFound);
}

TEST_P(PartitionProve, WhatAStatementCallsIsNotRun) {
  must(conn_->exec(R"(
CREATE TABLE seen (n int);
CREATE FUNCTION note() RETURNS timestamptz LANGUAGE plpgsql VOLATILE AS
  $$ BEGIN INSERT INTO seen VALUES (1); RETURN '2025-03-03'; END $$;
CREATE FUNCTION sly() RETURNS timestamptz LANGUAGE plpgsql STABLE AS
  $$ BEGIN PERFORM pg_notify('x', 'y'); RETURN '2025-03-03'; END $$;
CREATE SEQUENCE numbers;
CREATE FUNCTION counted(timestamptz) RETURNS bool LANGUAGE sql STABLE COST 0.0001 AS
  $$ SELECT nextval('numbers') > 0 $$;
CREATE VIEW guarded WITH (security_barrier) AS SELECT a FROM o WHERE counted(a))"));
  const partition::Proofs proofs =
      proven({{.text = "SELECT * FROM readings WHERE ts = (SELECT note())"},
              {.text = "SELECT * FROM readings WHERE ts = sly()"},
              {.text = "SELECT * FROM readings WHERE ts = (SELECT max(a) FROM guarded)"},
              {.text = "SELECT * FROM readings WHERE ts = (SELECT max(a) FROM o)"}});

  EXPECT_EQ(proofs.proofs[0].observed.prunes, Prunes::WhileRunning) << proofs.proofs[0].problem;
  EXPECT_FALSE(proofs.proofs[0].observed.executed);
  EXPECT_THAT(proofs.proofs[0].not_run, HasSubstr("note()"));
  EXPECT_THAT(proofs.proofs[1].problem, HasSubstr("pg_notify()"));
  EXPECT_FALSE(proofs.proofs[2].observed.executed) << proofs.proofs[2].problem;
  EXPECT_TRUE(proofs.proofs[3].observed.executed);
  EXPECT_EQ(one("SELECT count(*) FROM seen"), "0");
  EXPECT_EQ(one("SELECT is_called FROM numbers"), "f");
}

TEST_P(PartitionProve, TheOwnerAloneSuffices) {
  const pg::Options owner = create_role("owner", {"GRANT CREATE ON SCHEMA public TO %"});
  auto conn = connect(owner);
  must(conn.exec(
      "CREATE TABLE mine (\"when\" date NOT NULL, \"Wert\" int); CREATE INDEX ON mine (\"when\")"));
  auto reader = connect();
  must(reader.exec("BEGIN; LOCK TABLE mine IN ROW EXCLUSIVE MODE"));

  const auto proof = must(
      partition::prove_statement(conn, "mine", "SELECT FROM public.mine m WHERE m.when IS NULL"));

  EXPECT_EQ(proof.observed.prunes, Prunes::AtPlan);
  EXPECT_EQ(proof.observed.planned, 0);
}

TEST_P(PartitionProve, PlanningIsWeighedAgainstAllTime) {
  fill();
  const partition::Proofs proofs = proven(
      {{.text = "SELECT * FROM readings WHERE id = 5", .calls = 1000, .total_ms = 1},
       {.text = "SELECT * FROM readings WHERE ts = '2025-03-03'", .calls = 1000, .total_ms = 1}});

  EXPECT_EQ(proofs.budget.total_ms, 2);
  EXPECT_GT(proofs.budget.planning_ms, 0);
  const std::string verdict = join(proofs.verdict, "\n");
  EXPECT_THAT(verdict, HasSubstr("too much"));
  EXPECT_THAT(verdict, HasSubstr("1 statement gets slower"));
}

PGTEND_ON_SOME_VERSIONS(PartitionProve);

}  // namespace
}  // namespace pgtend::e2e
