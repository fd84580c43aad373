// Estimated bloat against the truth: the size after VACUUM FULL, which also builds every index
// anew.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <iostream>

#include "base/text.h"
#include "e2e/support/bloat_cases.h"
#include "e2e/support/database.h"
#include "facts/layout.h"
#include "vacuum/bloat_report.h"

namespace pgtend::e2e {
namespace {

using testing::HasSubstr;
using vacuum::Bloat;
using vacuum::BloatReport;
using vacuum::Method;

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
  // Of the TOAST of t.
  int64_t toast_pages() {
    const auto rows =
        must(conn_->query("SELECT pg_relation_size(reltoastrelid) / 8192 FROM pg_class "
                          "WHERE oid = 't'::regclass"));
    return must(rows[0].get<int64_t>(0));
  }
  // What was said of each relation of the only table, and its truth.
  std::vector<Trial> trials(const std::string& name, const BloatReport& said) {
    std::vector<Trial> out;
    for (const vacuum::TableBloat& table : said.tables) {
      must(conn_->exec(cat("VACUUM FULL ", table.table)));
      out.push_back({cat(name, " heap"), table.heap, pages(table.table)});
      if (table.toast) out.push_back({cat(name, " TOAST"), *table.toast, toast_pages()});
      for (const vacuum::IndexBloat& index : table.indexes) {
        out.push_back({cat(name, " ", index.name), index.bloat, pages(index.name)});
      }
    }
    return out;
  }
  // The table of a case, by a session that ends: what a session has not told yet of its changes
  // would be counted once more after a VACUUM of its own.
  void make(const BloatCase& one, int seed) {
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
  must(conn_->exec(kBloatFunctions));
  std::vector<Trial> all;
  const int seeds = thorough() ? 4 : 1;  // others for each version
  for (int seed = 1; seed <= seeds; ++seed) {
    for (const BloatCase& one : kBloatCases) {
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
  must(conn_->exec(kBloatFunctions));
  for (const BloatCase& one : kBloatCases) {
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
  must(conn_->exec(kBloatFunctions));
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

PGTEND_ON_SOME_VERSIONS(VacuumBloat);

}  // namespace
}  // namespace pgtend::e2e
