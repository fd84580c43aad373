// The program as a person meets it: exit codes, messages, JSON, dry run.
#include <gmock/gmock.h>

#include "base/json.h"
#include "base/text.h"
#include "pg/quote.h"
#include "support/database.h"

namespace pgtend {
namespace {

using testing::HasSubstr;

const std::string kProgram = PGTEND_BINARY_DIR "/pgtend";

class Cli : public e2e::DatabaseTest {
 protected:
  e2e::Outcome pgtend(std::vector<std::string> words, const pg::Options& as) {
    words.insert(words.begin(), kProgram);
    auto environment = e2e::environment_of(as);
    environment.emplace_back("PGTEND_STATE", scratch_.path() + "/state.db");
    return e2e::run(words, environment);
  }
  e2e::Outcome pgtend(std::vector<std::string> words) {
    return pgtend(std::move(words), options());
  }

  // A table of 50,000 readings, most of the rows dead.
  void make_readings() {
    auto conn = connect();
    e2e::must(
        conn.exec("CREATE TABLE \"re\"\"adings; drop\" (id int PRIMARY KEY, ts timestamptz)"));
    e2e::must(conn.exec(
        "ALTER TABLE \"re\"\"adings; drop\" SET (autovacuum_enabled = off);"
        "INSERT INTO \"re\"\"adings; drop\" SELECT i, now() - i * interval '1 minute' FROM "
        "generate_series(1, 50000) i; DELETE FROM \"re\"\"adings; drop\" WHERE id % 2 = 0"));
  }

  e2e::Scratch scratch_;
};

TEST_F(Cli, AnUnreachableServerIsExitThreeWithTheNextStep) {
  pg::Options nowhere = options();
  nowhere.set("host", scratch_.path());

  const auto outcome = pgtend({"doctor"}, nowhere);

  EXPECT_EQ(outcome.exit_code, 3) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("next: "));
  EXPECT_EQ(outcome.out, "");
}

TEST_F(Cli, AWrongConnectionStringIsAUsageError) {
  const auto outcome = pgtend({"doctor", "-d", "postgresql://[half"});

  EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
}

TEST_F(Cli, AWrongPasswordNamesItAndLeaksNothing) {
  pg::Options wrong = create_role();
  wrong.set("password", "not-the-secret");

  const auto outcome = pgtend({"doctor"}, wrong);

  EXPECT_EQ(outcome.exit_code, 4) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("password"));
  EXPECT_THAT(outcome.err, testing::Not(HasSubstr("not-the-secret")));
}

TEST_F(Cli, AMissingTableIsNamed) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"vacuum", "run", "no_such_table"},
        {"vacuum", "review", "no_such_table"},
        {"partition", "show", "no_such_table"},
        {"explain", "SELECT * FROM no_such_table"}}) {
    const auto outcome = pgtend(words);

    EXPECT_EQ(outcome.exit_code, 2) << words[0] << ": " << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("no_such_table"));
  }
}

TEST_F(Cli, AMissingRightIsExitFourAndNothingIsDone) {
  make_readings();
  const pg::Options plain = create_role();

  const auto outcome = pgtend({"vacuum", "run", "\"re\"\"adings; drop\"", "--apply"}, plain);

  EXPECT_EQ(outcome.exit_code, 4) << outcome.err;
  auto conn = connect();
  EXPECT_EQ(*e2e::must(conn.query("SELECT count(*) FROM pg_stat_user_tables WHERE last_vacuum IS "
                                  "NOT NULL"))
                 .scalar(),
            "0");
}

TEST_F(Cli, VacuumIsADryRunUntilItIsApplied) {
  make_readings();
  const std::string table = "\"re\"\"adings; drop\"";
  auto conn = connect();
  const auto last_vacuum = [&] {
    return *e2e::must(conn.query("SELECT count(last_vacuum) FROM pg_stat_user_tables")).scalar();
  };

  const auto dry = pgtend({"vacuum", "run", table});
  EXPECT_EQ(dry.exit_code, 0) << dry.err;
  EXPECT_THAT(dry.out, HasSubstr("VACUUM"));
  EXPECT_THAT(dry.err, HasSubstr("--apply"));
  EXPECT_EQ(last_vacuum(), "0");

  const auto real = pgtend({"vacuum", "run", table, "--apply"});
  EXPECT_EQ(real.exit_code, 0) << real.err;
  EXPECT_EQ(last_vacuum(), "1");
}

TEST_F(Cli, ReviewFailsOnRequestWhenThereAreFindings) {
  make_readings();
  auto conn = connect();
  ASSERT_TRUE(e2e::wait_until([&] {
    return *e2e::must(conn.query("SELECT coalesce(sum(n_dead_tup), 0) > 20000 FROM "
                                 "pg_stat_user_tables"))
                .scalar() == "t";
  }));

  const auto outcome = pgtend({"vacuum", "review", "--fail-on", "notice"});

  EXPECT_EQ(outcome.exit_code, 1) << outcome.out << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("dead-rows"));
  EXPECT_EQ(pgtend({"vacuum", "review"}).exit_code, 0);
}

TEST_F(Cli, ReviewTellsHowFarAutovacuumIs) {
  e2e::must(connect().exec("CREATE TABLE calm AS SELECT generate_series(1, 100) AS id"));
  auto conn = connect();
  ASSERT_TRUE(e2e::wait_until([&] {
    return e2e::must(e2e::must(conn.query("SELECT pg_stat_get_tuples_inserted('calm'::regclass)"))
                         .scalar()) == "100";
  }));
  e2e::must(conn.exec("VACUUM ANALYZE calm"));

  const auto text = pgtend({"vacuum", "review", "calm"});
  const auto json = pgtend({"vacuum", "review", "calm", "--json"});

  // 50 + 0.2 of 100 rows for dead ones, 50 + 0.1 for changes; more than that.
  EXPECT_THAT(text.out, testing::ContainsRegex("in 71 rows .* in 61 rows")) << text.err;
  EXPECT_THAT(json.out, testing::ContainsRegex("\"dead_rows\": [{][^}]*\"left\": 71,")) << json.err;
}

TEST_F(Cli, BloatTellsMethodAndIntervalOfTheNamedTables) {
  make_readings();
  auto conn = connect();
  e2e::must(conn.exec("CREATE TABLE other (id int)"));
  e2e::must(conn.exec("VACUUM ANALYZE"));
  const std::string name = "\"re\"\"adings; drop\"";

  const auto text = pgtend({"vacuum", "bloat", name, "other", "--read", "0"});
  const auto json = pgtend({"vacuum", "bloat", name, "--json", "--exact"});
  const auto poor = pgtend({"vacuum", "bloat", "--json"}, create_role());

  EXPECT_EQ(text.exit_code, 0) << text.err;
  EXPECT_THAT(text.out, HasSubstr("public.other"));
  EXPECT_THAT(text.out, testing::ContainsRegex("drop\" .* % \\(.* to .*\\) +statistics"));
  EXPECT_EQ(json.exit_code, 0) << json.err;
  const json::value document = e2e::must(parse_json(json.out));
  EXPECT_EQ(document.at("data").at("tables").as_array().size(), 1U);
  EXPECT_EQ(document.at("data").at("tables").at(0).at("heap").at("method"), "count");
  const json::value seen = e2e::must(parse_json(poor.out));
  EXPECT_EQ(seen.at("data").at("tables").at(0).at("heap").at("method"), "unknown") << poor.out;
  EXPECT_FALSE(seen.at("missing_rights").as_array().empty());
  EXPECT_EQ(pgtend({"vacuum", "bloat", "--read", "many"}).exit_code, 2);
  EXPECT_EQ(pgtend({"vacuum", "bloat", "nowhere"}).exit_code, 2);
}

TEST_F(Cli, JsonIsOneDocumentOnStandardOutput) {
  make_readings();
  for (const std::vector<std::string>& words : {std::vector<std::string>{"doctor", "--json"},
                                                {"vacuum", "review", "--json"},
                                                {"explain", "SELECT 1", "--json"}}) {
    const auto outcome = pgtend(words);

    ASSERT_EQ(outcome.exit_code, 0) << words[0] << ": " << outcome.err;
    const auto document = parse_json(outcome.out);
    ASSERT_TRUE(document) << words[0] << ": " << outcome.out;
    for (const char* member : {"schema", "data", "warnings", "missing_rights"}) {
      EXPECT_TRUE(document->as_object().contains(member)) << words[0] << ": " << member;
    }
  }
}

TEST_F(Cli, AnErrorInJsonModeIsADocumentToo) {
  const auto outcome = pgtend({"vacuum", "review", "no_such_table", "--json"});

  EXPECT_EQ(outcome.exit_code, 2);
  const auto document = parse_json(outcome.out);
  ASSERT_TRUE(document) << outcome.out;
  EXPECT_EQ(document->at("schema"), "pgtend.error/1");
  EXPECT_EQ(document->at("error").at("code"), "not found");
}

TEST_F(Cli, AnUnknownAreaOffersTheNearestOne) {
  const auto outcome = pgtend({"vaccum"});

  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("did you mean vacuum"));
}

TEST_F(Cli, ExplainReadsAPlanWithoutAServer) {
  auto conn = connect();
  e2e::must(conn.exec("CREATE TABLE t AS SELECT i FROM generate_series(1, 100) i"));
  const std::string plan =
      *e2e::must(conn.query("EXPLAIN (ANALYZE, FORMAT JSON) SELECT * FROM t")).scalar();
  pg::Options nowhere = options();
  nowhere.set("host", scratch_.path());

  const auto outcome =
      pgtend({"explain", "--plan", scratch_.write("plan.json", plan), "--offline"}, nowhere);

  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("Seq Scan"));
}

// One plan in all formats, as argument, as file and from standard input, also framed and logged.
TEST_F(Cli, ExplainTellsPlansFromStatementsWhereverTheyComeFrom) {
  auto conn = connect();
  e2e::must(conn.exec("CREATE TABLE t AS SELECT i FROM generate_series(1, 100) i"));
  const auto explained = [&](const std::string& format) {
    return e2e::psql(options(),
                     cat("EXPLAIN (FORMAT ", format, ") SELECT * FROM t WHERE i > 3 ORDER BY i"))
        .out;
  };
  const std::string text = explained("TEXT");
  const std::string log = "2026-01-01 00:00:00 UTC [1] LOG:  duration: 1.5 ms  plan:\n\t";
  std::string logged = cat("Query Text: SELECT 1\n", text);
  for (size_t at = 0; (at = logged.find('\n', at)) != std::string::npos; ++at) {
    if (at + 1 < logged.size()) logged.insert(at + 1, "\t");
  }
  for (const std::string& input : {text, explained("JSON"), explained("YAML"), explained("XML"),
                                   log + logged, cat(" QUERY PLAN\n------------\n ", text)}) {
    for (const auto& words : {std::vector<std::string>{"explain", "--json", "--offline", input},
                              {"explain", "--json", "--offline", "-f", scratch_.write("in", input)},
                              {"explain", "--json", "--offline", scratch_.write("in", input)}}) {
      const auto outcome = pgtend(words);
      ASSERT_EQ(outcome.exit_code, 0) << outcome.err << input;
      const json::value plans = parse_json(outcome.out)->at("data").at("plans");
      ASSERT_EQ(plans.as_array().size(), 1u) << input;
      EXPECT_EQ(plans.at(0).at("nodes"), json::value(2)) << input;
      EXPECT_EQ(plans.at(0).at("root").at("type"), json::value("Sort"));
      EXPECT_EQ(plans.at(0).at("root").at("children").at(0).at("relation"), json::value("t"));
    }
  }
  const auto piped = e2e::run({kProgram, "explain", "--json", "--offline", "-"}, {}, text + text);
  ASSERT_EQ(piped.exit_code, 0) << piped.err;
  EXPECT_EQ(parse_json(piped.out)->at("data").at("plans").as_array().size(), 2u);
}

TEST_F(Cli, ExplainOfAPlanGoesOnWithoutAServerThatWasNotNamed) {
  const std::string plan = "Seq Scan on t  (cost=0.00..1.00 rows=1 width=4)\n";
  pg::Options nowhere = options();
  nowhere.set("host", scratch_.path());

  const auto unnamed = pgtend({"explain", plan}, nowhere);
  const auto named = pgtend({"explain", plan, "-h", scratch_.path()}, nowhere);
  const auto broken = pgtend({"explain", "--plan", scratch_.write("p", "SELECT 1")}, nowhere);

  EXPECT_EQ(unnamed.exit_code, 0) << unnamed.err;
  EXPECT_THAT(unnamed.err, HasSubstr("no server was asked"));
  EXPECT_EQ(named.exit_code, 3) << named.err;
  EXPECT_EQ(broken.exit_code, 2);
  EXPECT_THAT(broken.err, HasSubstr("next: give the output of EXPLAIN"));
}

TEST_F(Cli, ExplainRefusesToRunWhatChangesData) {
  make_readings();

  const auto outcome = pgtend({"explain", "--analyze", "DELETE FROM \"re\"\"adings; drop\""});

  EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
  auto conn = connect();
  EXPECT_EQ(*e2e::must(conn.query("SELECT count(*) FROM \"re\"\"adings; drop\"")).scalar(),
            "25000");
}

TEST_F(Cli, EveryFindingNamesItsTable) {
  make_readings();
  auto conn = connect();
  ASSERT_TRUE(e2e::wait_until([&] {
    return *e2e::must(conn.query("SELECT coalesce(sum(n_dead_tup), 0) > 20000 FROM "
                                 "pg_stat_user_tables"))
                .scalar() == "t";
  }));

  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"doctor"}, {"vacuum", "review"}}) {
    const auto outcome = pgtend(words);

    EXPECT_THAT(outcome.out, HasSubstr("[dead-rows] public.\"re\"\"adings; drop\": 25,000 dead"));
  }
}

TEST_F(Cli, ATypingMistakeInFailOnCostsNoWork) {
  const auto outcome = pgtend({"explain", "SELECT 1", "--fail-on", "grave"});

  EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
  EXPECT_EQ(outcome.out, "");
}

TEST_F(Cli, AnOwnerWithoutMonitoringIsNotSaidToHaveNoRights) {
  const pg::Options owner = create_role();
  auto conn = connect();
  e2e::must(conn.exec(
      cat("CREATE TABLE mine (i int); ALTER TABLE mine OWNER TO ", pg::ident(owner.get("user")))));

  const auto outcome = pgtend({"doctor"}, owner);

  EXPECT_THAT(outcome.out, HasSubstr(": advise, maintain, change\n"));
  const size_t first = outcome.err.find("GRANT pg_monitor");
  ASSERT_NE(first, std::string::npos) << outcome.err;
  EXPECT_EQ(outcome.err.find("GRANT pg_monitor", first + 1), std::string::npos) << outcome.err;
}

TEST_F(Cli, ExplainNamesTheNextStepOfTheServersErrors) {
  for (const char* sql : {"SELECT * FROM no_such_table", "SELEC 1", "SELECT nothing_such"}) {
    const auto outcome = pgtend({"explain", sql});

    EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("next: ")) << sql;
  }
  EXPECT_THAT(pgtend({"explain", "--analyze", "--timeout", "1",
                      "SELECT count(*) FROM generate_series(1, 1000000000)"})
                  .err,
              HasSubstr("--timeout"));
}

// An interrupt that comes before the program is ready ends it as well: no timing can spoil this.
TEST_F(Cli, AnInterruptEndsWhatOnlyWaits) {
  auto holder = connect();
  e2e::must(holder.exec("CREATE TABLE held (ts date NOT NULL)"));
  e2e::must(holder.exec("BEGIN; LOCK TABLE held"));

  for (const std::string& words : {std::string("explain"), std::string("partition plan held"),
                                   std::string("vacuum run held --apply")}) {
    auto environment = e2e::environment_of(options());
    environment.emplace_back("PGTEND_STATE", scratch_.path() + "/state.db");
    // Standard input stays open for as long as the program lives.
    const std::string script =
        cat("mkfifo '", scratch_.path(), "/in' 2>/dev/null; exec 3<>'", scratch_.path(),
            "/in'; exec timeout --preserve-status -s INT -k 10 1 '", kProgram, "' ", words, " <&3");
    const auto outcome = e2e::run({"/bin/sh", "-c", script}, environment);

    EXPECT_THAT(outcome.exit_code, testing::AnyOf(130, 6)) << words << ": " << outcome.err;
  }
}

TEST_F(Cli, ADryRunIsToldOnce) {
  make_readings();

  const auto dry = pgtend({"vacuum", "run", "\"re\"\"adings; drop\""});

  const size_t first = dry.out.find("VACUUM (VERBOSE)");
  ASSERT_NE(first, std::string::npos);
  EXPECT_EQ(dry.out.find("VACUUM (VERBOSE)", first + 1), std::string::npos) << dry.out;
}

TEST_F(Cli, AQueryThatDoesNotReadTheTableProvesNoPruning) {
  auto conn = connect();
  e2e::must(
      conn.exec("CREATE TABLE parts (ts date NOT NULL) PARTITION BY RANGE (ts);"
                "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (MINVALUE) TO "
                "(MAXVALUE)"));

  const auto outcome = pgtend({"partition", "prove", "parts", "SELECT 1"});

  EXPECT_THAT(outcome.err, HasSubstr("does not read"));
}

TEST_F(Cli, StatementsOfAFileAreProvenBeforeARowIsMoved) {
  auto conn = connect();
  e2e::must(conn.exec("CREATE TABLE whole (id int, ts date NOT NULL); CREATE INDEX ON whole (ts)"));
  const e2e::Scratch scratch;
  const std::string file = scratch.write(
      "work.sql", "SELECT * FROM whole WHERE id = 5; SELEC; SELECT FROM whole WHERE ts = now()");

  const auto plan = pgtend({"partition", "plan", "whole", "--queries", file});
  const auto proof = pgtend({"partition", "prove", "whole", "--queries", file, "--json"});

  EXPECT_EQ(plan.exit_code, 0) << plan.err;
  EXPECT_THAT(plan.out, HasSubstr("pruning: 3 statements"));
  EXPECT_THAT(plan.out, HasSubstr("nothing can be told: syntax error"));
  EXPECT_THAT(plan.out, HasSubstr("never: planned"));
  EXPECT_EQ(proof.exit_code, 1) << proof.err;
  EXPECT_THAT(proof.out, HasSubstr("\"predicted\": \"at executor start\""));
  EXPECT_EQ(pgtend({"partition", "prove", "whole"}).exit_code, 2);
  EXPECT_EQ(pgtend({"partition", "prove", "whole", "--queries", "/nowhere"}).exit_code, 2);
}

TEST_F(Cli, AServerThatIsNoPoolerIsToldApart) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"pool"}, {"pool", "-d", "dbname=pgbouncer"}}) {
    const auto outcome = pgtend(words);

    EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("not a pooler"));
  }
}

}  // namespace
}  // namespace pgtend
