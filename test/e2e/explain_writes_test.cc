// Statements that write are run with --analyze-writes --apply only, and leave nothing that was
// promised not to stay: a list of attacks, what a dry run tells, what is measured, who is refused.
#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "base/json.h"
#include "base/text.h"
#include "care/rehearsal.h"
#include "e2e/support/database.h"
#include "explain/refusal.h"
#include "explain/run.h"
#include "explain/writes.h"
#include "pg/quote.h"

namespace pgtend {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

const fs::path kFolder = fs::path(PGTEND_SOURCE_DIR) / "test/e2e/attacks";

std::string text_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

struct Attack {
  std::string name;
  std::vector<std::string> words;  // "runs", "refused" or "fails"; "sequence": a number is lost
  std::string text;
  bool is(const std::string& word) const { return std::ranges::find(words, word) != words.end(); }
};

std::vector<Attack> attacks() {
  std::vector<Attack> out;
  const std::string text = text_of(kFolder / "writes.sql");
  constexpr std::string_view kMark = "\n--- ";
  for (size_t at = text.find(kMark); at != text.npos;) {
    const size_t next = text.find(kMark, at + 1);
    const std::string_view piece = std::string_view(text).substr(at + 5, next - at - 5);
    const size_t head = piece.find('\n');
    const auto words = split(piece.substr(0, head), ' ');
    Attack attack{std::string(words[0]), {}, std::string(trim(piece.substr(head)))};
    attack.words.assign(words.begin() + 1, words.end());
    out.push_back(std::move(attack));
    at = next;
  }
  return out;
}

std::string filled(std::string text, const std::string& folder) {
  for (size_t at = text.find("{dir}"); at != text.npos; at = text.find("{dir}", at)) {
    text.replace(at, 5, folder);
  }
  for (size_t at = text.find("{conninfo}"); at != text.npos; at = text.find("{conninfo}", at)) {
    text.replace(at, 10, "dbname=nowhere");
  }
  return text;
}

using State = std::map<std::string, std::string>;

class ExplainWrites : public e2e::VersionTest {
 protected:
  e2e::Settings settings() const override {
    return {{"autovacuum", "off"}, {"max_prepared_transactions", "5"}};
  }

  // Each attack meets two versions; with PGTEND_TESTS=all every one.
  bool meets(size_t number) const {
    const auto turn = number + static_cast<size_t>(e2e::must(parse_int(version())));
    return e2e::thorough() || turn % 3 == 0;
  }

  e2e::Outcome explain(std::vector<std::string> words, const std::string& pgoptions = "") {
    words.insert(words.begin(), {PGTEND_BINARY_DIR "/pgtend", "explain"});
    e2e::Environment environment = e2e::environment_of(options());
    environment.emplace_back("PGTEND_STATE", scratch_.path() + "/state.db");
    if (!pgoptions.empty()) environment.emplace_back("PGOPTIONS", pgoptions);
    return e2e::run(words, environment);
  }
  std::string one(pg::Connection& conn, const std::string& sql) {
    return e2e::must(e2e::must(conn.query(sql)).scalar());
  }
  State state(pg::Connection& conn, bool sequences);

  e2e::Scratch scratch_;
};

// Rows of all tables as they are seen, sequences, and what lives outside of transactions.
State ExplainWrites::state(pg::Connection& conn, bool sequences) {
  EXPECT_TRUE(e2e::wait_until([&] {
    return one(conn,
               "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'pgtend%' AND "
               "pid <> pg_backend_pid()") == "0";
  }));
  State out;
  for (const pg::Row row : e2e::must(
           conn.query("SELECT oid::regclass::text, relkind FROM pg_class WHERE relnamespace = "
                      "'public'::regnamespace AND relkind IN ('r', 'S', 'm') ORDER BY 1"))) {
    const std::string table(row.text(0));
    if (row.text(1) == "S" && !sequences) continue;
    out[table] =
        one(conn, row.text(1) == "S" ? cat("SELECT (last_value, is_called)::text FROM ", table)
                                     : cat("SELECT md5(coalesce(string_agg(r::text, ' ' ORDER BY "
                                           "r::text), '')) FROM ",
                                           table, " r"));
  }
  out["locks"] = one(conn, "SELECT count(*) FROM pg_locks WHERE pid <> pg_backend_pid()");
  out["prepared"] = one(conn, "SELECT count(*) FROM pg_prepared_xacts");
  out["large objects"] = one(conn, "SELECT count(*) FROM pg_largeobject_metadata");
  out["files"] = one(conn, "SELECT string_agg(f, ' ' ORDER BY f) FROM pg_ls_dir('.') f");
  out["made"] = one(conn, "SELECT coalesce(to_regclass('made')::text, '')");
  return out;
}

TEST_P(ExplainWrites, AttacksLeaveNothingButWhatIsTold) {
  auto conn = connect();
  const std::string folder = cat(cluster().data_folder(), "/attacked");
  e2e::must(conn.exec(filled(text_of(kFolder / "schema.sql"), folder)));
  e2e::must(conn.exec(text_of(kFolder / "writes_schema.sql")));
  e2e::must(conn.exec("ANALYZE"));
  const std::vector<Attack> list = attacks();
  ASSERT_GE(list.size(), 40u);
  const State start = state(conn, false);
  for (size_t i = 0; i < list.size(); ++i) {
    const Attack& attack = list[i];
    if (!meets(i)) continue;
    if (attack.is(">=15") && e2e::must(parse_int(version())) < 15) continue;
    const State before = state(conn, !attack.is("sequence"));
    const auto outcome = explain({"-c", attack.text, "--analyze-writes", "--apply"});
    SCOPED_TRACE(cat(attack.name, ": exit ", outcome.exit_code, "\n", outcome.err, outcome.out));
    EXPECT_LT(outcome.exit_code, 128);
    EXPECT_EQ(outcome.exit_code <= 1, attack.is("runs"));
    // By us, before the server was asked to run it: not for a mistake in the list.
    const bool by_us = outcome.err.find("is not run: ") != std::string::npos ||
                       outcome.err.find("is not even planned: ") != std::string::npos ||
                       outcome.err.find("is for statements that write") != std::string::npos ||
                       outcome.err.find("exactly one statement") != std::string::npos;
    EXPECT_EQ(by_us, attack.is("refused"));
    EXPECT_EQ(outcome.out.find("what the run has cost") != std::string::npos, attack.is("runs"));
    EXPECT_EQ(state(conn, !attack.is("sequence")), before);
    if (attack.is("sequence")) {
      EXPECT_THAT(outcome.out, HasSubstr("numbers of sequences are lost"));
    }
  }
  EXPECT_EQ(state(conn, false), start);
}

TEST_P(ExplainWrites, DryRunTellsTheCostAndRunsNothing) {
  auto conn = connect();
  e2e::must(
      conn.exec("CREATE TABLE t (id serial PRIMARY KEY, v text);"
                "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
                "CREATE TRIGGER \"Odd t\" BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f();"
                "INSERT INTO t (v) SELECT 'x' FROM generate_series(1, 1000); ANALYZE t"));
  const std::string place =
      "SELECT pg_stat_get_tuples_updated('t'::regclass)::text || ' ' || "
      "(SELECT min(ctid) || ' ' || max(xmax::text) FROM t)";
  const std::string before = one(conn, place);

  const auto outcome = explain({"-c", "UPDATE t SET v = 'y'", "--analyze-writes"});

  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("writes about 1,000 rows of public.t (update)"));
  EXPECT_THAT(outcome.out, HasSubstr("leaves about 1,000 dead rows"));
  EXPECT_THAT(outcome.out, HasSubstr("fires triggers: Odd t"));
  EXPECT_THAT(outcome.out, HasSubstr("UPDATE t SET v = 'y'"));
  EXPECT_THAT(cat(outcome.out, outcome.err), HasSubstr("--apply runs it and rolls it back"));
  EXPECT_EQ(one(conn, place), before);
}

TEST_P(ExplainWrites, RunTellsWhatWasWrittenAndRecommendsVacuum) {
  auto conn = connect();
  e2e::must(
      conn.exec("CREATE TABLE t (id int PRIMARY KEY, v text);"
                "INSERT INTO t SELECT i, 'x' FROM generate_series(1, 2000) i; ANALYZE t"));

  const auto outcome =
      explain({"--json", "-c", "UPDATE t SET v = $1 WHERE id <= $2", "--param",
               "it's; DROP TABLE t", "--param", "1500", "--analyze-writes", "--apply"});

  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const json::value data = e2e::must(parse_json(outcome.out)).at("data");
  const json::value& writes = data.at("writes");
  EXPECT_TRUE(writes.at("ran").as_bool());
  EXPECT_EQ(writes.at("targets").at(0).at("rows").to_number<double>(), 1500);
  EXPECT_EQ(writes.at("targets").at(0).at("dead_rows").to_number<double>(), 1500);
  EXPECT_GT(writes.at("wal_bytes").to_number<double>(), 0);
  EXPECT_EQ(writes.at("vacuum"), "VACUUM public.t");
  EXPECT_TRUE(data.at("plans").at(0).at("analyzed").as_bool());
  EXPECT_EQ(one(conn, "SELECT count(*) FROM t WHERE v = 'x'"), "2000");
}

TEST_P(ExplainWrites, SessionThatMayOnlyReadIsRefusedWithTheReason) {
  e2e::must(connect().exec("CREATE TABLE t (id int)"));

  const auto outcome = explain({"-c", "INSERT INTO t VALUES (1)", "--analyze-writes", "--apply"},
                               "-c default_transaction_read_only=on");

  EXPECT_EQ(outcome.exit_code, 4) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("may only read"));
}

TEST_P(ExplainWrites, LockThatDoesNotComeIsNotWaitedFor) {
  auto conn = connect();
  e2e::must(conn.exec("CREATE TABLE t AS SELECT 1 AS id"));
  auto other = connect();
  e2e::must(other.exec("BEGIN; UPDATE t SET id = 2"));

  const auto outcome = explain({"-c", "UPDATE t SET id = 3", "--analyze-writes", "--apply"});

  EXPECT_EQ(outcome.exit_code, 6) << outcome.err;
  e2e::must(other.exec("ROLLBACK"));
  EXPECT_EQ(one(conn, "SELECT id FROM t"), "1");
}

TEST_P(ExplainWrites, OtherFlagsStillRunNothing) {
  auto conn = connect();
  e2e::must(conn.exec("CREATE TABLE t AS SELECT 1 AS id"));

  const auto analyzed = explain({"-c", "DELETE FROM t", "--analyze"});
  const auto both = explain({"-c", "DELETE FROM t", "--analyze", "--analyze-writes"});
  const auto reading = explain({"-c", "SELECT FROM t", "--analyze-writes"});

  EXPECT_EQ(analyzed.exit_code, 2);
  EXPECT_EQ(both.exit_code, 2);
  EXPECT_THAT(reading.err, HasSubstr("run it with --analyze"));
  EXPECT_EQ(one(conn, "SELECT count(*) FROM t"), "1");
}

PGTEND_ON_ALL_VERSIONS(ExplainWrites);

}  // namespace
}  // namespace pgtend
