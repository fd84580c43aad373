// The steps of writing a table anew, each alone, on a table that is not divided.
#include "base/text.h"
#include "e2e/support/database.h"
#include "reshape/apply.h"
#include "reshape/copy.h"
#include "reshape/exchange.h"
#include "reshape/rewrite.h"

namespace pgtend::e2e {
namespace {

using care::RoundEnd;
using care::Rounds;

class ReshapeSteps : public DatabaseTest {
 protected:
  void SetUp() override {
    DatabaseTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    conn_.emplace(connect());
    audit_.emplace(must(store::Audit::open(scratch_.path() + "/audit.db", system_clock())));
    must(
        conn_->exec("CREATE TABLE t (id int PRIMARY KEY, v int, mail text);"
                    "INSERT INTO t SELECT i, i, 'm' || i FROM generate_series(1, 5000) i;"
                    "CREATE UNIQUE INDEX ON t (mail)"));
    job_ = {
        .schema = "public",
        .name = "t",
        .shadow = "t_new",
        .old = "t_old",
        .key = {"id"},
        .columns = {"id", "v", "mail"},
        .leaves = {"public.t_new"},
        .create = {"CREATE TABLE public.t_new (LIKE public.t INCLUDING ALL)"},
        .swap = {"ALTER TABLE public.t RENAME TO t_old", "ALTER TABLE public.t_new RENAME TO t"},
        .back = {"DROP TABLE public.t", "ALTER TABLE public.t_old RENAME TO t"},
        .unchanged_sql = "SELECT true",
        .equal_sql = "SELECT true",
        .version = conn_->server_version()};
    job_.oid = static_cast<uint32_t>(
        must(must(conn_->query("SELECT 't'::regclass::oid::int8"))[0].get<int64_t>(0)));
  }
  care::GateSetup gate() {
    care::GateSetup out{.options = options(), .audit = &*audit_, .clock = &system_clock()};
    out.policy.apply = true;
    out.policy.back_off = milliseconds(5);
    out.policy.back_off_max = milliseconds(20);
    return out;
  }
  Status work(const care::Work& body, care::GateSetup setup) {
    const care::Action action{
        .kind = "partition", .object = "public.t", .steps = {{.sql = "SELECT 1"}}};
    const auto outcome = care::Gate(setup).run(action, body);
    return outcome ? ok() : Status(outcome.error());
  }
  std::string one(const std::string& sql) {
    return std::string(must(conn_->query(sql))[0].text(0));
  }
  void all(const std::vector<std::string>& statements) {
    for (const std::string& sql : statements) must(conn_->exec(sql));
  }

  Scratch scratch_;
  std::optional<pg::Connection> conn_;
  std::optional<store::Audit> audit_;
  reshape::Job job_;
};

TEST_F(ReshapeSteps, TheWholeWorksForATableThatIsNotDividedAndComesBack) {
  reshape::Report report;
  reshape::Rewrite rewrite({}, job_, report);
  const Status done = work([&](Rounds& rounds) { return rewrite.run(rounds); }, gate());
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(report.phase, reshape::Phase::Settled);
  EXPECT_EQ(report.rows_compared, 5000);
  EXPECT_NE(one("SELECT 't'::regclass::oid"), cat(job_.oid));
  must(
      conn_->exec("INSERT INTO t VALUES (9999, 1, 'z'); DELETE FROM t WHERE id = 5; UPDATE t SET v "
                  "= 0 WHERE id = 6"));

  const Status back = work([&](Rounds& rounds) { return rewrite.take_back(rounds); }, gate());

  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(one("SELECT 't'::regclass::oid"), cat(job_.oid));
  EXPECT_EQ(one("SELECT count(*) || ' ' || sum(v) || ' ' || max(id) FROM t"), "5000 12502490 9999");
  EXPECT_EQ(one("SELECT count(*) FROM pg_class WHERE relname LIKE 'pgtend%'"), "0");
}

// Two rows change places with each other: part of it would be two equal mails.
TEST_F(ReshapeSteps, ChangesThatFitOnlyTogetherAreBroughtTogether) {
  all(reshape::capture(reshape::forward(job_), false));
  all(job_.create);
  must(conn_->exec("INSERT INTO t_new SELECT * FROM t"));
  must(
      conn_->exec("UPDATE t SET mail = 'x' WHERE id = 1; UPDATE t SET mail = 'm1' WHERE id = 2; "
                  "UPDATE t SET mail = 'm2' WHERE id = 1; UPDATE t SET v = -v WHERE id < 100"));
  const reshape::Flow flow = reshape::forward(job_);
  const auto bring = [&](int64_t most) {
    return work(
        [&](Rounds& rounds) -> Status {
          TRY(reshape::prepare_apply(rounds.connection(), flow));
          const auto end = rounds.round([&](pg::Connection& conn) -> Result<RoundEnd> {
            TRY(reshape::apply(conn, flow, most));
            return RoundEnd::Commit;
          });
          return end ? ok() : Status(end.error());
        },
        gate());
  };

  const Status part = bring(1);
  ASSERT_FALSE(part);
  EXPECT_EQ(part.error().sqlstate, "23505");
  const Status whole = bring(0);
  ASSERT_TRUE(whole) << whole.error().message;
  EXPECT_EQ(one("SELECT count(*) FROM (TABLE t EXCEPT TABLE t_new) x"), "0");
  EXPECT_EQ(one("SELECT count(*) FROM pgtend_" + cat(job_.oid) + "_log"), "0");
}

// On a server that is slow today fewer are brought over at once.
TEST_F(ReshapeSteps, ChangesThatTakeTooLongTogetherAreBroughtBitByBit) {
  must(
      conn_->exec("CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM "
                  "pg_catalog.pg_sleep(0.002); RETURN NEW; END'"));
  job_.create.emplace_back(
      "CREATE TRIGGER slow BEFORE INSERT ON public.t_new FOR EACH ROW WHEN "
      "(NEW.v < 0) EXECUTE FUNCTION public.slow()");
  job_.build.push_back({.sql = "UPDATE public.t SET v = -id WHERE id <= 1000"});
  job_.swap.emplace_back("DROP TRIGGER slow ON public.t");
  care::GateSetup short_rounds = gate();
  short_rounds.policy.round_timeout = milliseconds(1'000);
  reshape::Report report;
  reshape::Rewrite rewrite({.patience = seconds(20)}, job_, report);

  const Status status = work([&](Rounds& rounds) { return rewrite.run(rounds); }, short_rounds);

  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(report.keys_applied, 1000);
  EXPECT_EQ(one("SELECT count(*) FROM t WHERE v = -id"), "1000");
}

TEST_F(ReshapeSteps, AChunkAndItsNoteAreOneTransaction) {
  all(reshape::make_ledger(job_));
  all(job_.create);
  all(reshape::capture(reshape::forward(job_), false));
  must(conn_->exec("UPDATE t SET v = 1 WHERE id = 1"));
  const auto status = work(
      [&](Rounds& rounds) -> Status {
        reshape::Ledger ledger = TRY(reshape::read_ledger(rounds.connection(), job_));
        ledger.sizes = {10};
        care::Throttle throttle({});
        throttle.use(rounds);
        reshape::Copier copier(rounds, throttle, job_, {.pages_max = 3});
        TRY(copier.chunk(ledger));
        TRY(copier.chunk(ledger));
        EXPECT_EQ(copier.chunks(), 2);
        EXPECT_EQ(copier.rows(), ledger.rows);
        return ok();
      },
      gate());

  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(one("SELECT count(*) FROM t_new"), one("SELECT copied FROM " + job_.own("ledger")));
  // What has been touched since comes by way of the log.
  EXPECT_EQ(one("SELECT count(*) FROM t_new WHERE id = 1"), "0");
}

TEST_F(ReshapeSteps, NobodyElseCanGoOnWithAJobThatIsNotTheirs) {
  all(reshape::make_ledger(job_));
  must(conn_->exec("CREATE TABLE pgtend_1_ledger (a int)"));  // no ledger, and another table's
  const auto other = create_role("other", {"GRANT pg_read_all_data TO %"});
  must(conn_->exec(cat("DROP TABLE pgtend_1_ledger; ALTER TABLE ", job_.own("ledger"),
                       " OWNER TO \"", other.get("user"), "\"")));

  const auto found = reshape::find_ledger(*conn_, "t");

  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::Denied);
  must(conn_->exec("DROP TABLE " + job_.own("ledger")));
}

TEST_F(ReshapeSteps, AnExchangeGivesUpWhenItsPatienceIsOverAndHasDoneNothing) {
  pg::Connection reader = connect();
  must(reader.exec("BEGIN; SELECT FROM t LIMIT 1"));
  reshape::Report report;
  int between = 0;
  const reshape::Exchange places{
      .what = "changing places",
      .oid = job_.oid,
      .locks = {"LOCK TABLE public.t IN ACCESS EXCLUSIVE MODE"},
      .then = [](pg::Connection& conn) { return conn.exec("DROP TABLE public.t"); },
      .between = [&]() -> Status {
        if (++between == 2) must(reader.exec("COMMIT"));
        return ok();
      }};
  const auto exchange = [&](milliseconds patience) {
    return work(
        [&](Rounds& rounds) {
          return reshape::exchange(rounds, {.lock_timeout = milliseconds(5), .patience = patience},
                                   places, report);
        },
        gate());
  };

  const Status hasty = exchange(milliseconds(0));
  ASSERT_FALSE(hasty);
  EXPECT_EQ(hasty.error().code, ErrorCode::Conflict);
  EXPECT_NE(hasty.error().message.find(cat("pid ", reader.backend_pid())), std::string::npos);
  EXPECT_EQ(one("SELECT count(*) FROM t"), "5000");
  const Status patient = exchange(seconds(30));
  ASSERT_TRUE(patient) << patient.error().message;
  EXPECT_EQ(between, 2);
}

}  // namespace
}  // namespace pgtend::e2e
