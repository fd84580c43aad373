// Estimated bloat against the truth: the size after VACUUM FULL, which also builds every index
// anew.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <iostream>

#include "base/text.h"
#include "e2e/support/database.h"
#include "facts/layout.h"
#include "vacuum/bloat_report.h"

namespace pgtend::e2e {
namespace {

using testing::HasSubstr;
using vacuum::Bloat;
using vacuum::BloatReport;
using vacuum::Method;

// A table t with indexes; `churn` runs after the rows are in. Made once for each seed.
struct Case {
  std::string_view name;
  std::string_view create;
  std::string_view fill;
  std::string_view churn = "";
};

constexpr Case kCases[] = {
    {"padding", "CREATE TABLE t (a bool NOT NULL, b bigint NOT NULL, c bool, d bigint, e smallint)",
     "INSERT INTO t SELECT true, i, i % 2 = 0, i, 1 FROM generate_series(1, 30000) i;"
     "CREATE INDEX t_b ON t (b); CREATE INDEX t_ab ON t (a, b)"},
    {"nullable",
     "CREATE TABLE t (a int, b int, c int, d int, e int, f int, g int, h int, i int, j int)",
     "INSERT INTO t SELECT n(0.7), n(0.7), n(0.7), n(0.7), n(0.7), n(0.7), n(0.7), n(0.7), n(0.7), "
     "n(0.7) FROM generate_series(1, 25000);"
     "CREATE INDEX t_a ON t (a); CREATE INDEX t_ab ON t (a, b)"},
    {"rare nulls, wide row",
     "CREATE TABLE t (a bigint, b int, c text, d smallint, e bigint, f int, g text, h int, i int)",
     "INSERT INTO t SELECT n(0.1), n(0.2), r(5, 30), 1, n(0.05), n(0.3), r(1, 60), n(0.5), 7 "
     "FROM generate_series(1, 25000);"
     "CREATE INDEX t_c ON t (c); CREATE INDEX t_dh ON t (d, h)"},
    {"dropped columns",
     "CREATE TABLE t (id int PRIMARY KEY, gone char(100), v text NOT NULL, gone2 bigint)",
     "INSERT INTO t SELECT i, 'x', r(10, 20), i FROM generate_series(1, 20000) i;"
     "ALTER TABLE t DROP COLUMN gone, DROP COLUMN gone2; CREATE INDEX t_v ON t (v)"},
    {"fillfactor 70", "CREATE TABLE t (id int PRIMARY KEY, v text) WITH (fillfactor = 70)",
     "INSERT INTO t SELECT i, r(20, 40) FROM generate_series(1, 20000) i;"
     "CREATE INDEX t_v ON t (v) WITH (fillfactor = 60)"},
    {"deleted, vacuumed", "CREATE TABLE t (id int PRIMARY KEY, k uuid NOT NULL, v text NOT NULL)",
     "INSERT INTO t SELECT i, md5(random()::text)::uuid, r(1, 90) FROM generate_series(1, 30000) i;"
     "CREATE INDEX t_k ON t (k)",
     "DELETE FROM t WHERE random() < 0.6"},
    {"updated", "CREATE TABLE t (id int PRIMARY KEY, at timestamptz, v text)",
     "INSERT INTO t SELECT i, now() + i * interval '1 s', r(30, 50) FROM generate_series(1, 20000) "
     "i;"
     "CREATE INDEX t_at ON t (at); CREATE INDEX t_v ON t (v)",
     "UPDATE t SET v = v || 'x', at = at + interval '1 day' WHERE random() < 0.4"},
    {"few keys", "CREATE TABLE t (id int NOT NULL, k int NOT NULL, s text NOT NULL)",
     "INSERT INTO t SELECT i, random() * 15, 'state ' || (random() * 5)::int "
     "FROM generate_series(1, 60000) i;"
     "CREATE INDEX t_k ON t (k); CREATE INDEX t_s ON t (s)"},
    {"2000 keys", "CREATE TABLE t (k int NOT NULL, u bigint NOT NULL)",
     "INSERT INTO t SELECT random() * 2000, i FROM generate_series(1, 60000) i;"
     "CREATE INDEX t_k ON t (k); CREATE INDEX t_ku ON t (k, u); CREATE UNIQUE INDEX t_u ON t (u)"},
    {"skewed keys", "CREATE TABLE t (k int, s text)",
     "INSERT INTO t SELECT 3000 * random() ^ 4, 'name ' || (2000 * random() ^ 3)::int "
     "FROM generate_series(1, 50000) i;"
     "CREATE INDEX t_k ON t (k); CREATE INDEX t_s ON t (s)"},
    {"pairs", "CREATE TABLE t (k int NOT NULL)",
     "INSERT INTO t SELECT random() * 12000 FROM generate_series(1, 25000) i;"
     "CREATE INDEX t_k ON t (k)"},
    {"mostly null key", "CREATE TABLE t (id int NOT NULL, k int, s text)",
     "INSERT INTO t SELECT i, CASE WHEN random() < 0.3 THEN i END, "
     "CASE WHEN random() < 0.2 THEN r(3, 9) END FROM generate_series(1, 60000) i;"
     "CREATE INDEX t_k ON t (k); CREATE INDEX t_s ON t (s)"},
    {"toast", "CREATE TABLE t (id int PRIMARY KEY, body text NOT NULL)",
     "ALTER TABLE t ALTER body SET STORAGE EXTERNAL;"
     "INSERT INTO t SELECT i, repeat(md5(random()::text), 200) FROM generate_series(1, 3000) i",
     "DELETE FROM t WHERE random() < 0.3"},
    {"some toasted", "CREATE TABLE t (id int, body text NOT NULL, tail int NOT NULL)",
     "ALTER TABLE t ALTER body SET STORAGE EXTERNAL;"
     "INSERT INTO t SELECT i, CASE WHEN random() < 0.1 THEN repeat('ab', 2500) ELSE r(20, 90) END, "
     "1 "
     "FROM generate_series(1, 20000) i"},
    {"long and short text",
     "CREATE TABLE t (a smallint NOT NULL, v text NOT NULL, w text NOT NULL)",
     "INSERT INTO t SELECT 1, CASE WHEN random() < 0.5 THEN r(5, 20) ELSE r(300, 400) END, "
     "r(100, 160) FROM generate_series(1, 8000) i; CREATE INDEX t_w ON t (w)"},
    {"numbers and codes",
     "CREATE TABLE t (n numeric(12,2), c varchar(20), b bytea, o numeric, i inet, j jsonb)",
     "INSERT INTO t SELECT (random() * 10 ^ (random() * 8))::numeric, 'C' || (random() * "
     "1e6)::int, "
     "decode(md5(random()::text), 'hex'), random()::numeric, '10.1.2.3', "
     "jsonb_build_object('k', (random() * 1000)::int) FROM generate_series(1, 20000) i;"
     "CREATE INDEX t_n ON t (n); CREATE INDEX t_c ON t (c); CREATE INDEX t_b ON t (b)"},
    {"arrays", "CREATE TABLE t (id int NOT NULL, a int[], f real[])",
     "INSERT INTO t SELECT i, array_fill(1, ARRAY[1 + (random() * 9)::int]), ARRAY[1.0, 2.0] "
     "FROM generate_series(1, 15000) i"},
    {"expressions and parts",
     "CREATE TABLE t (id int NOT NULL, mail text NOT NULL, done bool NOT NULL)",
     "INSERT INTO t SELECT i, upper(r(8, 24)) || '@X.ORG', random() < 0.9 "
     "FROM generate_series(1, 25000) i;"
     "CREATE INDEX t_low ON t (lower(mail)); CREATE INDEX t_open ON t (id) WHERE NOT done;"
     "CREATE INDEX t_inc ON t (id) INCLUDE (mail); CREATE INDEX t_len ON t ((length(mail)))"},
    {"many rows",
     "CREATE TABLE t (id bigint PRIMARY KEY, m int NOT NULL, at timestamptz, v numeric(9,3))",
     "INSERT INTO t SELECT i, random() * 5000, now() + i * interval '1 s', "
     "(random() * 1000)::numeric(9,3) FROM generate_series(1, 120000) i;"
     "CREATE INDEX t_m ON t (m); CREATE INDEX t_at ON t (at); CREATE INDEX t_mat ON t (m, at)",
     "DELETE FROM t WHERE id % 4 = 0"},
    {"one page", "CREATE TABLE t (id int PRIMARY KEY, v text)",
     "INSERT INTO t SELECT i, 'v' FROM generate_series(1, 40) i"},
    {"empty again", "CREATE TABLE t (id int PRIMARY KEY, v text)",
     "INSERT INTO t SELECT i, 'v' FROM generate_series(1, 9000) i",
     "DELETE FROM t WHERE id < 9000"},
};

constexpr int kSeeds = 2;  // of each version, others for each
constexpr std::string_view kFunctions = R"(
  CREATE FUNCTION n(share float8) RETURNS int LANGUAGE sql VOLATILE AS
    'SELECT CASE WHEN random() >= share THEN (random() * 1e9)::int END';
  CREATE FUNCTION r(low int, high int) RETURNS text LANGUAGE sql VOLATILE AS
    'SELECT left(repeat(md5(random()::text), high / 32 + 1),
                 low + floor(random() * (high - low + 1))::int)')";

// One relation: what was said and what is true.
struct Trial {
  std::string name;
  Bloat said;
  int64_t truth = 0;

  bool inside() const {
    return said.known() && said.needed.low <= static_cast<double>(truth) &&
           static_cast<double>(truth) <= said.needed.high;
  }
  double error() const { return said.needed.best / static_cast<double>(truth) - 1; }
  double width() const { return (said.needed.high - said.needed.low) / static_cast<double>(truth); }
  std::string line() const {
    const auto percent = [](double share) { return std::round(share * 1000) / 10; };
    return cat(name, ": ", said.pages, " pages, needs ", said.needed.low, " .. ", said.needed.best,
               " .. ", said.needed.high, ", truth ", truth, ", error ", percent(error()),
               " %, width ", percent(width()), " %", inside() ? "" : "  OUTSIDE ", said.why);
  }
};

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values.empty() ? 0 : values[values.size() / 2];
}

class VacuumBloat : public VersionTest {
 protected:
  Settings settings() const override { return {{"autovacuum", "off"}}; }
  void SetUp() override {
    VersionTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    conn_.emplace(connect());
  }

  BloatReport report(const vacuum::BloatSetup& setup = {}) {
    return must(vacuum::load_bloat(*conn_, setup));
  }
  int64_t pages(const std::string& relation) {
    const auto rows =
        must(conn_->query("SELECT pg_relation_size($1::regclass) / 8192", {relation}));
    return must(rows[0].get<int64_t>(0));
  }
  // What was said of each relation of the only table, and its truth.
  std::vector<Trial> trials(const std::string& name, const BloatReport& said) {
    std::vector<Trial> out;
    for (const vacuum::TableBloat& table : said.tables) {
      must(conn_->exec(cat("VACUUM FULL ", table.table)));
      out.push_back({cat(name, " heap"), table.heap, pages(table.table)});
      for (const vacuum::IndexBloat& index : table.indexes) {
        out.push_back({cat(name, " ", index.name), index.bloat, pages(index.name)});
      }
    }
    return out;
  }
  // The table of a case, by a session that ends: what a session has not told yet of its changes
  // would be counted once more after a VACUUM of its own.
  void make(const Case& one, int seed) {
    pg::Connection writer = connect();
    must(writer.exec(cat("SELECT setseed(0.", seed, ")")));
    must(writer.exec(one.create));
    must(writer.exec(one.fill));
    if (!one.churn.empty()) must(writer.exec(one.churn));
  }
  bool holds(const std::string& query) {
    return wait_until([&] {
      const auto rows = must(conn_->query(query));
      return !rows.empty() && must(rows[0].get<bool>(0));
    });
  }
  // VACUUM ANALYZE of t when the counters have told all that happened before, and then that.
  void settle() {
    EXPECT_TRUE(
        holds("SELECT n_live_tup = (SELECT count(*) FROM t) AND n_tup_ins > 0 "
              "FROM pg_stat_user_tables WHERE relname = 't'"));
    must(conn_->exec("VACUUM ANALYZE t"));
    EXPECT_TRUE(
        holds("SELECT n_live_tup = (SELECT count(*) FROM t) AND n_mod_since_analyze = 0 "
              "FROM pg_stat_user_tables WHERE relname = 't'"));
  }

  std::optional<pg::Connection> conn_;
};

TEST_P(VacuumBloat, TruthLiesInTheStatedInterval) {
  must(conn_->exec(kFunctions));
  std::vector<Trial> all;
  for (int seed = 1; seed <= kSeeds; ++seed) {
    for (const Case& one : kCases) {
      make(one, std::stoi(version()) * 10 + seed);
      settle();
      for (Trial& trial : trials(cat(one.name, " #", seed), report())) {
        all.push_back(std::move(trial));
      }
      must(conn_->exec("DROP TABLE t"));
    }
  }

  std::vector<double> errors;
  std::vector<double> widths;
  std::string lines;
  size_t inside = 0;
  for (const Trial& trial : all) {
    lines += cat(trial.line(), "\n");
    EXPECT_TRUE(trial.said.known()) << trial.line();
    // Rows of fixed columns leave nothing to chance.
    const bool fixed = trial.name.starts_with("padding") || trial.name.starts_with("pairs");
    if (fixed && trial.name.ends_with("heap")) {
      EXPECT_EQ(trial.error(), 0) << trial.line();
    }
    inside += trial.inside() ? 1 : 0;
    errors.push_back(std::abs(trial.error()));
    widths.push_back(trial.width());
  }
  const double share = static_cast<double>(inside) / static_cast<double>(all.size());
  std::cout << cat(all.size(), " relations on PostgreSQL ", version(), ": ",
                   std::round(share * 1000) / 10, " % inside, median error ",
                   std::round(median(errors) * 10000) / 100, " %, median width ",
                   std::round(median(widths) * 1000) / 10, " %\n");
  EXPECT_GE(all.size(), 60U);
  EXPECT_GE(share, 0.97) << lines;
  EXPECT_LE(median(errors), 0.01) << lines;
  EXPECT_LE(median(widths), 0.10) << lines;
  if (std::getenv("PGTEND_BLOAT_LINES") != nullptr) std::cout << lines;
}

TEST_P(VacuumBloat, DeletedAndVacuumedIsBloatThoughNothingIsDead) {
  make({"", "CREATE TABLE t (id int PRIMARY KEY, v text NOT NULL)",
        "INSERT INTO t SELECT i, repeat('x', 20) FROM generate_series(1, 50000) i"},
       1);
  settle();
  must(connect().exec("DELETE FROM t WHERE id % 5 < 3"));
  ASSERT_TRUE(holds("SELECT n_dead_tup = 30000 FROM pg_stat_user_tables"));
  must(conn_->exec("VACUUM t"));  // no ANALYZE: the statistics are from before
  ASSERT_TRUE(
      holds("SELECT n_dead_tup = 0 AND n_live_tup = 20000 AND n_mod_since_analyze = 30000 "
            "FROM pg_stat_user_tables"));

  const auto said = report({.pages_max = 0});

  ASSERT_EQ(said.tables.size(), 1U);
  EXPECT_EQ(said.tables[0].heap.method, Method::Statistics);
  EXPECT_NEAR(said.tables[0].heap.share().best, 0.6, 0.01);
  EXPECT_GT(said.tables[0].heap.share().low, 0.4);
  ASSERT_EQ(said.tables[0].indexes.size(), 1U);
  EXPECT_NEAR(said.tables[0].indexes[0].bloat.share().best, 0.6, 0.02);
  for (const Trial& trial : trials("deleted", said)) EXPECT_TRUE(trial.inside()) << trial.line();
}

TEST_P(VacuumBloat, RoleThatSeesNoStatisticsIsToldTheGrant) {
  must(conn_->exec(
      R"(CREATE SCHEMA "S x"; CREATE TABLE "S x"."t""; drop" (id int PRIMARY KEY, v text);
    INSERT INTO "S x"."t""; drop" SELECT i, 'v' FROM generate_series(1, 1000) i;
    CREATE INDEX low ON "S x"."t""; drop" (lower(v)); ANALYZE)"));
  pg::Connection poor = connect(create_role("poor", {"GRANT pg_monitor TO %"}));

  const auto said = must(vacuum::load_bloat(poor));

  ASSERT_EQ(said.tables.size(), 1U);
  const vacuum::TableBloat& table = said.tables[0];
  ASSERT_EQ(table.indexes.size(), 2U);
  for (const Bloat* bloat : {&table.heap, &table.indexes[0].bloat, &table.indexes[1].bloat}) {
    EXPECT_FALSE(bloat->known());
    EXPECT_THAT(bloat->why, HasSubstr("no SELECT on \"S x\".\"t\"\"; drop\""));
    EXPECT_THAT(bloat->grant, HasSubstr("GRANT "));
  }
  EXPECT_EQ(said.pages_read, 0);
  ASSERT_FALSE(said.missing.empty());
  const std::string json = to_text(vacuum::to_json(said));
  EXPECT_THAT(json, testing::Not(HasSubstr("pages_needed")));
  must(conn_->exec(cat(table.heap.grant, "; GRANT USAGE ON SCHEMA \"S x\" TO ",
                       must(must(poor.query("SELECT quote_ident(current_user)")).scalar()))));

  EXPECT_TRUE(must(vacuum::load_bloat(poor)).tables[0].heap.known());
}

TEST_P(VacuumBloat, NeverAnalyzedTableIsUnknownUntilItIsSampled) {
  must(
      conn_->exec("CREATE TABLE t (id int, v text);"
                  "INSERT INTO t SELECT i, 'v' FROM generate_series(1, 20000) i"));

  const auto estimated = report({.pages_max = 0});
  const auto measured = report();

  EXPECT_FALSE(estimated.tables[0].heap.known());
  EXPECT_THAT(estimated.tables[0].heap.why, HasSubstr("ANALYZE public.t"));
  EXPECT_EQ(estimated.tables[0].heap.grant, "");
  EXPECT_EQ(measured.tables[0].heap.method, Method::Count);
  EXPECT_NEAR(measured.tables[0].heap.share().best, 0, 0.01);
}

TEST_P(VacuumBloat, CountingEveryRowTellsTheSizeToThePage) {
  must(conn_->exec(kFunctions));
  for (const Case& one : kCases) {
    make(one, 7);
    must(conn_->exec("VACUUM ANALYZE t"));

    const auto said = report({.exact = true});
    const Trial heap = trials(std::string(one.name), said).at(0);

    EXPECT_EQ(heap.said.method, heap.truth == 0 ? heap.said.method : Method::Count);
    EXPECT_TRUE(heap.inside()) << heap.line();
    must(conn_->exec("DROP TABLE t"));
  }
}

TEST_P(VacuumBloat, SampleStaysWithinItsBudgetAndItsInterval) {
  must(conn_->exec(kFunctions));
  make({"", "CREATE TABLE t (id int PRIMARY KEY, v text, w int)",
        "INSERT INTO t SELECT i, r(10, 100), n(0.5) FROM generate_series(1, 200000) i",
        "DELETE FROM t WHERE id % 100 < (id / 1000) % 100"},
       3);
  settle();
  const int64_t all = pages("t");
  const vacuum::BloatSetup setup{
      .pages_max = 500, .share_min = 0, .wasted_min = Bytes{0}, .sample_blocks = 400};

  const auto said = report(setup);
  const auto spent = report({.pages_max = 5, .share_min = 0, .wasted_min = Bytes{0}});
  const auto exact = report({.exact = true, .pages_max = 500});

  EXPECT_EQ(said.tables[0].heap.method, Method::Sample);
  EXPECT_LE(said.pages_read, 500);
  EXPECT_GT(said.pages_read, 250);
  EXPECT_EQ(spent.tables[0].heap.method, Method::Statistics);
  EXPECT_THAT(spent.tables[0].heap.why, HasSubstr("budget"));
  EXPECT_EQ(spent.pages_read, 0);
  EXPECT_EQ(exact.tables[0].heap.method, Method::Sample);  // the budget goes before the wish
  EXPECT_LE(exact.pages_read, 500);
  ASSERT_GT(all, 1500);
  const Trial trial = trials("sampled", said).at(0);
  EXPECT_TRUE(trial.inside()) << trial.line();
  EXPECT_LT(trial.width(), 0.25) << trial.line();
}

TEST_P(VacuumBloat, PartitionsAreSummedUpAtTheirParents) {
  must(connect().exec(R"(
    CREATE TABLE p (at int NOT NULL, v text NOT NULL) PARTITION BY RANGE (at);
    CREATE INDEX p_at ON p (at);
    CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10000);
    CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10000) TO (30000) PARTITION BY RANGE (at);
    CREATE TABLE p21 PARTITION OF p2 FOR VALUES FROM (10000) TO (20000);
    CREATE TABLE p22 PARTITION OF p2 FOR VALUES FROM (20000) TO (30000);
    INSERT INTO p SELECT i, 'value' FROM generate_series(0, 29999) i;
    DELETE FROM p WHERE at % 2 = 0)"));
  ASSERT_TRUE(holds("SELECT sum(n_dead_tup) = 15000 FROM pg_stat_user_tables"));
  must(conn_->exec("VACUUM ANALYZE p1, p21"));
  ASSERT_TRUE(
      holds("SELECT count(*) = 2 FROM pg_stat_user_tables "
            "WHERE relname IN ('p1', 'p21') AND n_live_tup = 5000 AND n_mod_since_analyze = 0"));
  const auto partly = report({.tables = {"p"}, .pages_max = 0});
  must(conn_->exec("VACUUM ANALYZE p22"));
  ASSERT_TRUE(
      holds("SELECT sum(n_live_tup) = 15000 AND sum(n_mod_since_analyze) = 0 "
            "FROM pg_stat_user_tables"));
  const auto whole = report({.tables = {"p", "p21"}, .pages_max = 0});

  const auto of = [](const BloatReport& said, std::string_view name) {
    return *std::ranges::find(said.tables, name, &vacuum::TableBloat::table);
  };
  EXPECT_FALSE(of(partly, "public.p").heap.known());
  EXPECT_THAT(of(partly, "public.p").heap.why, HasSubstr("1 of 3 partitions unknown"));
  const vacuum::TableBloat top = of(whole, "public.p");
  ASSERT_EQ(whole.tables.size(), 5U);
  EXPECT_EQ(top.partitions, 3);
  EXPECT_EQ(of(whole, "public.p2").partitions, 2);
  EXPECT_NEAR(top.heap.share().best, 0.5, 0.02);
  ASSERT_EQ(top.indexes.size(), 1U);
  EXPECT_NEAR(top.indexes[0].bloat.share().best, 0.5, 0.04);
  EXPECT_EQ(top.heap.pages, pages("p1") + pages("p21") + pages("p22"));
}

TEST_P(VacuumBloat, OtherAccessMethodsAreUnknownWithTheReason) {
  must(conn_->exec(
      "CREATE TABLE t (id int NOT NULL, a int[] NOT NULL);"
      "INSERT INTO t SELECT i, ARRAY[i] FROM generate_series(1, 1000) i;"
      "CREATE INDEX t_gin ON t USING gin (a); CREATE INDEX t_brin ON t USING brin (id)"));
  must(conn_->exec("VACUUM ANALYZE t"));

  const auto said = report();

  ASSERT_EQ(said.tables[0].indexes.size(), 2U);
  EXPECT_THAT(said.tables[0].indexes[0].bloat.why, HasSubstr("method brin"));
  EXPECT_THAT(said.tables[0].indexes[1].bloat.why, HasSubstr("method gin"));
}

INSTANTIATE_TEST_SUITE_P(Versions, VacuumBloat, ::testing::Values("13", "15", "18"),
                         [](const ::testing::TestParamInfo<std::string>& version_info) {
                           return "pg" + version_info.param;
                         });

}  // namespace
}  // namespace pgtend::e2e
