// The load driver against real servers.
#include "demo/load.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "demo/generator.h"
#include "demo/pool_process.h"
#include "e2e/support/database.h"

namespace pgtend::e2e {
namespace {

using demo::LoadOptions;

std::string scalar(pg::Connection& conn, std::string_view sql) {
  return must(must(conn.query(sql)).scalar());
}

class DemoLoad : public DatabaseTest {
 protected:
  // Generates a small data set, indexed so that all queries are quick, and returns load options
  // for it.
  LoadOptions prepare() {
    demo::GenerateOptions wanted;
    wanted.scale = {.customers = 40, .meters = 60, .days = 3};
    wanted.faults = demo::kNoFaults;
    const auto made = must(demo::generate(options(), wanted));
    auto conn = connect();
    must(conn.exec("CREATE INDEX ON t_dlpdata (meter_id, reading_timestamp)"));
    LoadOptions load;
    load.holdings = {.seed = wanted.seed, .scale = wanted.scale, .calendar = made.calendar};
    load.duration = seconds(60);  // the requests end the run
    return load;
  }

  int64_t count(std::string_view sql) {
    auto conn = connect();
    return std::stoll(scalar(conn, sql));
  }
};

TEST_F(DemoLoad, EveryRequestOfEveryKindSucceeds) {
  LoadOptions load = prepare();
  load.clients = 5;
  load.requests_each = 100;
  for (const auto protocol : {demo::Protocol::Simple, demo::Protocol::Extended}) {
    load.protocol = protocol;
    const auto result = must(demo::run_load(options(), load));

    EXPECT_EQ(result.transactions, 500);
    EXPECT_EQ(result.failed, 0);
    EXPECT_TRUE(result.errors.empty()) << to_text(demo::to_json(result));
    EXPECT_EQ(result.clients_served, 5);
    EXPECT_EQ(result.attempts, 5);
    EXPECT_EQ(result.latency_us.count(), 500U);
    for (const demo::KindRow& row : demo::kKinds) {
      EXPECT_GT(result.kinds[static_cast<size_t>(row.kind)].transactions, 0) << row.name;
    }
  }
}

TEST_F(DemoLoad, BothProtocolsReadTheSameRows) {
  LoadOptions load = prepare();
  load.clients = 3;
  load.requests_each = 60;
  load.mix = demo::Mix::ReadOnly;
  const auto simple = must(demo::run_load(options(), load));
  load.protocol = demo::Protocol::Extended;
  const auto extended = must(demo::run_load(options(), load));

  EXPECT_GT(simple.rows, 0);
  EXPECT_EQ(simple.rows, extended.rows);
  EXPECT_EQ(simple.statements, extended.statements);
}

TEST_F(DemoLoad, TheServerCountsTheSameTransactions) {
  LoadOptions load = prepare();
  load.clients = 4;
  load.requests_each = 50;
  load.mix = demo::Mix::ReadOnly;
  const std::string committed =
      "SELECT xact_commit FROM pg_stat_database WHERE datname = '" + database() + "'";
  auto watcher = connect(pg::Options(options()).set("dbname", "postgres"));
  // Sessions report when they end; the ones of the preparation must have done so.
  const auto quiet = [&] {
    return scalar(watcher, "SELECT count(*) FROM pg_stat_activity WHERE datname = '" + database() +
                               "' AND backend_type <> 'autovacuum worker'") == "0";
  };
  ASSERT_TRUE(wait_until(quiet));
  const int64_t before = std::stoll(scalar(watcher, committed));
  const auto result = must(demo::run_load(options(), load));
  ASSERT_TRUE(wait_until(quiet));

  // Each login adds a transaction or two, an autovacuum worker some.
  const int64_t counted = std::stoll(scalar(watcher, committed)) - before;
  EXPECT_GE(counted, result.statements);
  EXPECT_LE(counted, result.statements + 40);
}

TEST_F(DemoLoad, InsertsAndCorrectionsArriveAsRows) {
  LoadOptions load = prepare();
  load.clients = 3;
  load.requests_each = 100;
  const int64_t before = count("SELECT count(*) FROM t_dlpdata");
  const auto result = must(demo::run_load(options(), load));
  const auto batches = result.kinds[static_cast<size_t>(demo::Kind::BatchInsert)].transactions;
  const auto corrections =
      result.kinds[static_cast<size_t>(demo::Kind::CorrectReading)].transactions;

  const int64_t added = count("SELECT count(*) FROM t_dlpdata") - before;
  EXPECT_GE(added, batches * demo::kBatchRows);
  // A correction inserts only where the reading was missing.
  EXPECT_LE(added, batches * demo::kBatchRows + corrections / 2);
  EXPECT_EQ(count("SELECT count(*) FROM (SELECT FROM t_dlpdata"
                  " GROUP BY meter_id, reading_timestamp HAVING count(*) > 1) AS twice"),
            0);
}

TEST_F(DemoLoad, PartitionedTablesTakeTheSameLoad) {
  LoadOptions load = prepare();
  auto conn = connect();
  must(
      conn.exec("ALTER TABLE t_dlpdata RENAME TO plain;"
                "CREATE TABLE t_dlpdata (reading_id bigint NOT NULL DEFAULT "
                "nextval('t_dlpdata_reading_id_seq'),"
                " meter_id int NOT NULL, reading_timestamp timestamptz NOT NULL,"
                " kwh_reading numeric(10,4) NOT NULL, PRIMARY KEY (reading_id, reading_timestamp))"
                " PARTITION BY RANGE (reading_timestamp);"
                "CREATE TABLE t_rest PARTITION OF t_dlpdata DEFAULT;"
                "INSERT INTO t_dlpdata SELECT * FROM plain;"
                "CREATE INDEX ON t_dlpdata (meter_id, reading_timestamp)"));
  load.clients = 3;
  load.requests_each = 100;
  const auto result = must(demo::run_load(options(), load));

  EXPECT_EQ(result.transactions, 300);
  EXPECT_TRUE(result.errors.empty()) << to_text(demo::to_json(result));
}

TEST_F(DemoLoad, FailuresAreCountedBySqlstate) {
  LoadOptions load = prepare();
  auto conn = connect();
  must(conn.exec("DROP TABLE t_dlpdata"));
  load.clients = 2;
  load.requests_each = 100;
  const auto result = must(demo::run_load(options(), load));

  EXPECT_GT(result.failed, 100);
  EXPECT_EQ(result.errors.at("42P01"), result.failed);
  EXPECT_EQ(result.transactions + result.failed, 200);
  EXPECT_EQ(result.lost, 0);
}

TEST_F(DemoLoad, TheSameSeedReadsTheSameRows) {
  LoadOptions load = prepare();
  load.clients = 2;
  load.requests_each = 40;
  load.mix = demo::Mix::ReadOnly;
  const auto once = must(demo::run_load(options(), load));
  const auto again = must(demo::run_load(options(), load));
  load.seed = 2;
  const auto other = must(demo::run_load(options(), load));

  EXPECT_EQ(once.rows, again.rows);
  EXPECT_NE(once.rows, other.rows);
}

TEST_F(DemoLoad, TheRunEndsWhenItsTimeIsOver) {
  LoadOptions load = prepare();
  load.clients = 3;
  load.duration = milliseconds(300);
  load.think = milliseconds(5);
  const auto result = must(demo::run_load(options(), load));

  EXPECT_GT(result.transactions, 0);
  EXPECT_GE(result.elapsed, milliseconds(295));
  EXPECT_LT(result.elapsed, seconds(5));
  EXPECT_EQ(result.failed, 0);
}

TEST_F(DemoLoad, AStopEndsTheRunWithinASecond) {
  LoadOptions load = prepare();
  std::stop_source source;
  load.stop = source.get_token();
  SteadyTime asked{};
  const auto result = demo::run_load(options(), load, [&](const Progress& state) {
    if (state.done == 0 || source.stop_requested()) return;
    asked = system_clock().steady();
    source.request_stop();
  });

  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::Cancelled);
  EXPECT_LT(system_clock().steady() - asked, seconds(1));
}

TEST_F(DemoLoad, ScramLogsInBySocketAndByTcp) {
  LoadOptions load = prepare();
  load.clients = 20;
  load.requests_each = 2;
  load.mix = demo::Mix::Light;
  const pg::Options role = create_role("reader");
  auto conn = connect();
  must(conn.exec("GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC"));
  auto by_tcp = role;
  by_tcp.set("host", "127.0.0.1");
  for (const pg::Options& target : {role, by_tcp}) {
    const auto result = must(demo::run_load(target, load));
    EXPECT_EQ(result.transactions, 40) << to_text(demo::to_json(result));
    EXPECT_EQ(result.login_us.count(), 20U);
  }
}

TEST_F(DemoLoad, AWrongPasswordIsAnErrorNotAResult) {
  LoadOptions load = prepare();
  auto wrong = create_role("reader");
  wrong.set("password", "not it");
  const auto result = demo::run_load(wrong, load);

  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::Denied);
  EXPECT_EQ(result.error().sqlstate, "28P01");
}

TEST_F(DemoLoad, AMissingDatabaseIsNamed) {
  LoadOptions load = prepare();
  const auto result = demo::run_load(pg::Options(options()).set("dbname", "no such db"), load);

  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().sqlstate, "3D000");
  EXPECT_NE(result.error().message.find("no such db"), std::string::npos);
}

TEST_F(DemoLoad, NobodyListeningIsCountedAsRefused) {
  LoadOptions load = prepare();
  load.clients = 7;
  load.on_refusal = demo::OnRefusal::GiveUp;
  const auto result =
      must(demo::run_load(pg::Options(options()).set("host", "/nonexistent"), load));

  EXPECT_EQ(result.refused, 7);
  EXPECT_EQ(result.errors.at("08001"), 7);
  EXPECT_EQ(result.clients_served, 0);
  EXPECT_FALSE(result.first_refusal.empty());
}

TEST_F(DemoLoad, LostConnectionsAreCountedAndMadeAgain) {
  LoadOptions load = prepare();
  load.clients = 4;
  load.requests_each = 2000;
  load.think = milliseconds(1);
  auto killer = connect(pg::Options(options()).set("dbname", "postgres"));
  int killed = 0;
  const auto result = must(demo::run_load(options(), load, [&](const Progress&) {
    if (killed > 0) return;
    killed = std::stoi(scalar(killer,
                              "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid))"
                              " FROM pg_stat_activity WHERE application_name = 'pgtend load'"
                              " AND datname = '" +
                                  database() + "'"));
  }));

  EXPECT_GT(killed, 0);
  EXPECT_EQ(result.lost, killed);
  // A query that crosses the server's last word on its way makes the kernel drop that word.
  const auto count_of = [&](const char* state) {
    const auto found = result.errors.find(state);
    return found == result.errors.end() ? 0 : found->second;
  };
  EXPECT_EQ(count_of("57P01") + count_of("08006"), killed);
  EXPECT_EQ(result.attempts, 4 + killed);
  EXPECT_EQ(result.transactions + result.failed, 8000);
}

class DemoLoadCrowd : public DemoLoad {
  Settings settings() const override { return {{"max_connections", "20"}}; }
};

TEST_F(DemoLoadCrowd, RefusedConnectionsAreCounted) {
  LoadOptions load = prepare();
  load.clients = 100;
  load.mix = demo::Mix::Light;
  load.think = milliseconds(50);
  load.duration = milliseconds(8000);  // all have tried once by then, on slow machines, too
  load.on_refusal = demo::OnRefusal::GiveUp;
  const auto result = must(demo::run_load(options(), load));

  EXPECT_EQ(result.attempts, 100);
  EXPECT_GE(result.refused, 80);
  EXPECT_LE(result.clients_served, 20);
  EXPECT_EQ(result.clients_served + result.refused, 100);
  EXPECT_EQ(result.errors.at("53300"), result.refused);
  EXPECT_NE(result.first_refusal.find("too many clients"), std::string::npos)
      << result.first_refusal;
  EXPECT_GT(result.transactions, 0);
}

TEST_F(DemoLoadCrowd, WithRetriesAllClientsGetTheirTurn) {
  LoadOptions load = prepare();
  load.clients = 40;
  load.requests_each = 3;
  load.mix = demo::Mix::Light;
  const auto result = must(demo::run_load(options(), load));

  EXPECT_EQ(result.clients_served, 40);
  EXPECT_EQ(result.transactions, 120);
  EXPECT_EQ(result.attempts, 40 + result.refused);
}

class DemoLoadThousand : public DemoLoad {
  Settings settings() const override { return {{"max_connections", "1010"}}; }
};

TEST_F(DemoLoadThousand, OneThreadServesAThousandClients) {
  LoadOptions load = prepare();
  load.clients = 1000;
  load.requests_each = 2;
  load.mix = demo::Mix::Light;
  load.connect_timeout = seconds(60);
  const auto result = must(demo::run_load(options(), load));

  EXPECT_EQ(result.clients_served, 1000);
  EXPECT_EQ(result.transactions, 2000);
  EXPECT_EQ(result.refused, 0) << result.first_refusal;
}

TEST_F(DemoLoadCrowd, ThePoolerServesAThousandClientsOverAFewConnections) {
  LoadOptions load = prepare();
  const pg::Options role = create_role("reader");
  auto conn = connect();
  must(conn.exec("GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC"));
  const auto pool = must(demo::PoolProcess::start({.program = PGTEND_BINARY_DIR "/pgtend-pool",
                                                   .server = role,
                                                   .pool_size = 10,
                                                   .clients_max = 1100}));
  load.clients = 1000;
  load.requests_each = 3;
  load.mix = demo::Mix::Light;
  load.connect_timeout = seconds(60);
  for (const auto protocol : {demo::Protocol::Simple, demo::Protocol::Extended}) {
    load.protocol = protocol;
    const auto result = must(demo::run_load(pool.options(), load));
    EXPECT_EQ(result.clients_served, 1000);
    EXPECT_EQ(result.transactions, 3000) << to_text(demo::to_json(result));
    EXPECT_EQ(result.refused, 0) << result.first_refusal;
  }
}

}  // namespace
}  // namespace pgtend::e2e
