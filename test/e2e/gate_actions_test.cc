// The gate against a real server: dry runs change nothing, locks are asked for politely, failures
// and cancels leave nothing behind, and everything is in the audit trail.
#include <atomic>
#include <thread>

#include "base/text.h"
#include "care/gate.h"
#include "e2e/support/audited.h"
#include "pg/quote.h"

namespace pgtend::e2e {
namespace {

using care::Action;
using care::Gate;
using care::GateSetup;
using care::LockMode;
using care::Outcome;
using store::AuditEvent;

constexpr const char* kTable = "public.\"\"\"; drop\"";
constexpr const char* kIndex = "public.\"i \"\"; drop\"";

class GateActions : public AuditedTest {
 protected:
  Settings settings() const override {
    return {{"autovacuum", "off"}, {"max_prepared_transactions", "5"}};
  }
  void SetUp() override {
    AuditedTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    must(conn_->exec(cat("CREATE TABLE ", kTable, " AS SELECT i AS id, i % 7 AS k, now() AS at ",
                         "FROM generate_series(1, 20000) i")));
  }

  GateSetup setup(bool apply) {
    GateSetup out{.options = options(), .audit = &*audit_, .clock = &system_clock()};
    out.cancel = &cancel_;
    out.policy.apply = apply;
    out.policy.tries = 3;
    out.policy.lock_timeout = milliseconds(60);
    out.policy.lock_timeout_patient = milliseconds(250);
    out.policy.back_off = milliseconds(10);
    out.policy.back_off_max = milliseconds(20);
    out.policy.verify_timeout = milliseconds(3000);
    out.policy.seed = 42;
    return out;
  }

  static Action create_index() {
    return {.kind = "create-index",
            .object = kTable,
            .steps = {{.sql = cat("CREATE INDEX CONCURRENTLY ", "\"i \"\"; drop\"", " ON ", kTable,
                                  " (at)"),
                       .lock = LockMode::ShareUpdateExclusive,
                       .in_transaction = false}},
            .creates = kIndex,
            .verify_sql = cat("select exists (select from pg_index where indexrelid = to_regclass(",
                              pg::literal(kIndex), ") and indisvalid)"),
            .undo = {cat("DROP INDEX CONCURRENTLY IF EXISTS ", kIndex)}};
  }
  static Action add_column() {
    return {
        .kind = "alter",
        .object = kTable,
        .steps = {{.sql = cat("ALTER TABLE ", kTable, " ADD COLUMN n int"),
                   .lock = LockMode::AccessExclusive},
                  {.sql = cat("SELECT count(n) = 0 FROM ", kTable), .check = true}},
        .verify_sql = cat("select exists (select from pg_attribute where attrelid = to_regclass(",
                          pg::literal(kTable), ") and attname = 'n')"),
        .undo = {cat("ALTER TABLE ", kTable, " DROP COLUMN n")}};
  }
  static Action vacuum() {
    return {.kind = "vacuum",
            .object = kTable,
            .steps = {{.sql = cat("VACUUM ", kTable),
                       .lock = LockMode::ShareUpdateExclusive,
                       .in_transaction = false}},
            .verify_sql = cat(
                "select coalesce(pg_stat_get_last_vacuum_time(to_regclass(", pg::literal(kTable),
                ")) >= current_setting('pgtend.action_started')::timestamptz, false)")};
  }

  std::string one(const std::string& sql) { return must(must(conn_->query(sql)).scalar()); }
  int64_t indexes() {
    return must(parse_int(one(cat(
        "select count(*) from pg_index where indrelid = ", pg::literal(kTable), "::regclass"))));
  }
  int64_t columns_named_n() {
    return must(
        parse_int(one(cat("select count(*) from pg_attribute where attname = 'n' and "
                          "not attisdropped and attrelid = ",
                          pg::literal(kTable), "::regclass"))));
  }
  std::string events() {
    std::vector<std::string> names;
    for (const auto& entry : must(audit_->latest(1000))) {
      names.emplace_back(store::name(entry.record.event));
    }
    return join(names, " ");
  }
  // Another session that has done `sql` in a transaction it keeps open.
  pg::Connection holder(const std::string& sql, const std::string& name = "holder") {
    pg::Options who = options();
    who.set("application_name", name);
    pg::Connection other = connect(who);
    must(other.exec(cat("BEGIN; ", sql)));
    return other;
  }

  std::atomic<bool> cancel_ = false;
};

TEST_P(GateActions, DryRunShowsStatementsAndChangesNothing) {
  for (const Action& action : {create_index(), add_column(), vacuum()}) {
    const Outcome outcome = must(Gate(setup(false)).run(action));

    EXPECT_FALSE(outcome.applied);
    EXPECT_EQ(outcome.refusal, "");
    ASSERT_EQ(outcome.statements.size(), action.steps.size());
    EXPECT_EQ(outcome.statements[0].sql, action.steps[0].sql);
    EXPECT_EQ(outcome.statements[0].tries, 0);
  }
  EXPECT_EQ(indexes(), 0);
  EXPECT_EQ(columns_named_n(), 0);
  EXPECT_EQ(one(cat("select count(*) from pg_stat_all_tables where last_vacuum is not null and "
                    "relid = ",
                    pg::literal(kTable), "::regclass")),
            "0");
  EXPECT_EQ(events(), "dry-run dry-run dry-run");
}

TEST_P(GateActions, AppliedActionsAreVerifiedAndAudited) {
  const Outcome index = must(Gate(setup(true)).run(create_index()));
  const Outcome column = must(Gate(setup(true)).run(add_column()));
  const Outcome vacuumed = must(Gate(setup(true)).run(vacuum()));

  EXPECT_TRUE(index.applied && column.applied && vacuumed.applied);
  EXPECT_EQ(indexes(), 1);
  EXPECT_EQ(columns_named_n(), 1);
  EXPECT_EQ(events(),
            "begin done verified begin done begin done begin done verified begin done verified");
  const auto entries = must(audit_->latest(1000));
  EXPECT_EQ(entries[0].record.sql, create_index().steps[0].sql);
  EXPECT_EQ(entries[0].record.role, "postgres");
  EXPECT_TRUE(entries[0].record.place.ends_with("/" + database())) << entries[0].record.place;
  EXPECT_EQ(entries[0].record.undo, create_index().undo[0]);
}

TEST_P(GateActions, FinishedActionIsNotRunAgain) {
  must(Gate(setup(true)).run(create_index()));

  const Outcome again = must(Gate(setup(true)).run(create_index()));

  EXPECT_TRUE(again.already);
  EXPECT_FALSE(again.applied);
}

TEST_P(GateActions, WithoutAuditNothingIsDone) {
  GateSetup blind = setup(true);
  blind.audit = nullptr;

  const auto outcome = Gate(blind).run(add_column());

  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, ErrorCode::Denied);
  EXPECT_EQ(columns_named_n(), 0);
}

TEST_P(GateActions, SchemaChangeRetreatsFromAReader) {
  pg::Connection reader = holder(cat("SELECT count(*) FROM ", kTable), "report");

  const auto outcome = Gate(setup(true)).run(add_column());

  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, ErrorCode::Conflict) << outcome.error().message;
  EXPECT_EQ(exit_code(outcome.error()), 6);
  EXPECT_NE(outcome.error().message.find(cat("pid ", reader.backend_pid(), " (report")),
            std::string::npos)
      << outcome.error().message;
  EXPECT_NE(outcome.error().message.find("3 tries"), std::string::npos) << outcome.error().message;
  EXPECT_EQ(columns_named_n(), 0);
}

TEST_P(GateActions, OthersHardlyWaitBehindATry) {
  pg::Connection reader = holder(cat("SELECT count(*) FROM ", kTable));
  GateSetup patient = setup(true);
  patient.policy.tries = 6;
  patient.policy.back_off = milliseconds(60);
  std::atomic<bool> over = false;
  std::thread change([&] {
    EXPECT_FALSE(Gate(patient).run(add_column()));
    over = true;
  });

  double worst_ms = 0;
  while (!over) {
    const SteadyTime start = system_clock().steady();
    must(conn_->query(cat("SELECT count(*) FROM ", kTable)));
    const std::chrono::duration<double, std::milli> took = system_clock().steady() - start;
    worst_ms = std::max(worst_ms, took.count());
  }
  change.join();

  EXPECT_LT(worst_ms, 500);
}

TEST_P(GateActions, SchemaChangeSucceedsOnceTheReaderIsGone) {
  std::optional<pg::Connection> reader = holder(cat("SELECT count(*) FROM ", kTable));
  GateSetup patient = setup(true);
  patient.policy.tries = 50;
  patient.on_moment = [&](const care::Moment& moment) {
    if (moment.what.starts_with("trying again")) reader.reset();
  };

  const Outcome outcome = must(Gate(patient).run(add_column()));

  EXPECT_TRUE(outcome.applied);
  EXPECT_EQ(columns_named_n(), 1);
}

TEST_P(GateActions, IndexBuildRetreatsFromAWriterWithoutARemnant) {
  pg::Connection writer = holder(cat("UPDATE ", kTable, " SET k = 0 WHERE id = 1"), "writer");

  const auto outcome = Gate(setup(true)).run(create_index());

  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, ErrorCode::Conflict) << outcome.error().message;
  EXPECT_NE(outcome.error().message.find("writer"), std::string::npos) << outcome.error().message;
  EXPECT_EQ(indexes(), 0);
}

TEST_P(GateActions, IndexBuildGivesUpOnAnOldSnapshotAndDropsItsIndex) {
  pg::Connection old =
      holder("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM pg_am", "snapshot");

  const auto outcome = Gate(setup(true)).run(create_index());

  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, ErrorCode::Conflict) << outcome.error().message;
  EXPECT_NE(outcome.error().message.find("snapshot"), std::string::npos) << outcome.error().message;
  EXPECT_EQ(indexes(), 0);
  EXPECT_NE(events().find("undone"), std::string::npos) << events();
}

TEST_P(GateActions, VacuumRetreatsFromAnotherMaintenance) {
  pg::Connection other =
      holder(cat("LOCK TABLE ", kTable, " IN SHARE UPDATE EXCLUSIVE MODE"), "other");

  const auto outcome = Gate(setup(true)).run(vacuum());

  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, ErrorCode::Conflict) << outcome.error().message;
  EXPECT_NE(outcome.error().message.find("other"), std::string::npos) << outcome.error().message;
}

TEST_P(GateActions, PreparedTransactionIsNamedAsHolder) {
  pg::Connection writer = holder(cat("UPDATE ", kTable, " SET k = 0 WHERE id = 1"));
  must(writer.exec("PREPARE TRANSACTION 'forgotten'"));

  const auto outcome = Gate(setup(true)).run(add_column());
  must(conn_->exec("ROLLBACK PREPARED 'forgotten'"));

  ASSERT_FALSE(outcome);
  EXPECT_NE(outcome.error().message.find("a prepared transaction"), std::string::npos)
      << outcome.error().message;
}

TEST_P(GateActions, InvalidLeftoverIsReplaced) {
  pg::Connection old =
      holder("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM pg_am");
  must(conn_->exec("SET statement_timeout = 300"));
  EXPECT_FALSE(conn_->exec(create_index().steps[0].sql));
  must(conn_->exec("RESET statement_timeout"));
  ASSERT_EQ(indexes(), 1);
  must(old.exec("ROLLBACK"));

  const Outcome outcome = must(Gate(setup(true)).run(create_index()));

  EXPECT_TRUE(outcome.applied);
  EXPECT_EQ(indexes(), 1);
}

TEST_P(GateActions, ForeignIndexOfTheSameNameIsNotTouched) {
  must(conn_->exec(cat("CREATE TABLE other (a int); CREATE INDEX \"i \"\"; drop\" ON other (a)")));
  Action action = create_index();
  action.verify_sql += cat(" and false");

  const auto outcome = Gate(setup(true)).run(action);

  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, ErrorCode::Invalid) << outcome.error().message;
  EXPECT_EQ(one(cat("select to_regclass(", pg::literal(kIndex), ") is not null")), "t");
  EXPECT_EQ(events(), "refused");
}

TEST_P(GateActions, CancelStopsTheStatementAndUndoes) {
  GateSetup cancelled = setup(true);
  cancelled.on_moment = [&](const care::Moment& moment) {
    if (moment.what == "waiting for a lock") cancel_ = true;
  };
  cancelled.policy.lock_timeout_patient = seconds(30);
  pg::Connection old =
      holder("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM pg_am");

  const auto outcome = Gate(cancelled).run(create_index());

  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, ErrorCode::Cancelled) << outcome.error().message;
  EXPECT_EQ(indexes(), 0);
}

TEST_P(GateActions, KilledBackendLeavesNoIndex) {
  GateSetup killed = setup(true);
  killed.policy.lock_timeout_patient = seconds(30);
  bool done = false;
  pg::Connection old =
      holder("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM pg_am");
  killed.on_moment = [&](const care::Moment& moment) {
    if (done || moment.what != "waiting for a lock") return;
    done = true;
    must(
        conn_->query("select pg_terminate_backend(pid) from pg_stat_activity "
                     "where application_name like 'pgtend/%' and query like 'CREATE INDEX%'"));
    must(old.exec("ROLLBACK"));
  };

  const auto outcome = Gate(killed).run(create_index());

  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, ErrorCode::Unavailable) << outcome.error().message;
  EXPECT_EQ(indexes(), 0);
}

TEST_P(GateActions, FailedCheckRollsTheTransactionBack) {
  Action action = add_column();
  action.steps[1].sql = cat("SELECT count(*) = 1 FROM ", kTable);

  const auto outcome = Gate(setup(true)).run(action);

  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, ErrorCode::Internal);
  EXPECT_EQ(columns_named_n(), 0);
  EXPECT_EQ(events(), "begin done begin failed undone failed");
}

TEST_P(GateActions, FailedVerificationIsUndone) {
  GateSetup quick = setup(true);
  quick.policy.verify_timeout = milliseconds(50);
  Action action = add_column();
  action.verify_sql = "select false";

  const auto outcome = Gate(quick).run(action);

  ASSERT_FALSE(outcome);
  EXPECT_EQ(columns_named_n(), 0);
}

TEST_P(GateActions, MissingRightIsDeniedBeforeAnythingRuns) {
  const pg::Options plain = create_role("plain");
  for (const Action& action : {vacuum(), add_column()}) {
    GateSetup poor = setup(true);
    poor.options = plain;

    const auto outcome = Gate(poor).run(action);

    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, ErrorCode::Denied) << outcome.error().message;
    EXPECT_EQ(exit_code(outcome.error()), 4);
    EXPECT_NE(outcome.error().hint.find("GRANT"), std::string::npos) << outcome.error().hint;
  }
  EXPECT_EQ(events(), "refused refused");
}

TEST_P(GateActions, MissingTableIsNotFound) {
  Action action = vacuum();
  action.object = "public.nowhere";

  const auto outcome = Gate(setup(true)).run(action);

  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, ErrorCode::NotFound);
}

TEST_P(GateActions, SkippedVacuumIsNotBelieved) {
  GateSetup quick = setup(true);
  quick.policy.verify_timeout = milliseconds(100);
  Action action = vacuum();
  action.steps[0].sql = cat("VACUUM (SKIP_LOCKED) ", kTable);
  pg::Connection other = holder(cat("LOCK TABLE ", kTable, " IN SHARE UPDATE EXCLUSIVE MODE"));

  const auto outcome = Gate(quick).run(action);

  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, ErrorCode::Conflict) << outcome.error().message;
}

PGTEND_ON_OLDEST_AND_NEWEST(GateActions);

}  // namespace
}  // namespace pgtend::e2e
