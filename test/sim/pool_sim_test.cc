// The real pool in a simulated world, by seeds. A failure prints its seed; PGTEND_SIM_SEED runs
// that one alone, PGTEND_SIM_OPS sets the length, PGTEND_SIM_RUNS the number of seeds.
#include "sim/pool_sim.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "base/log.h"
#include "base/text.h"

namespace pgtend::sim {
namespace {

int64_t from_environment(const char* name, int64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : parse_int(text).take();
}

// Seeds `first` and so on, each with 1, 2 and 4 workers.
void run_seeds(Scenario scenario, uint64_t first, int64_t runs) {
  if (std::getenv("PGTEND_SIM_LOG") == nullptr) log::set_level(log::Level::Off);
  scenario.operations = from_environment("PGTEND_SIM_OPS", scenario.operations);
  runs = from_environment("PGTEND_SIM_RUNS", runs);
  if (std::getenv("PGTEND_SIM_SEED") != nullptr) {
    first = static_cast<uint64_t>(from_environment("PGTEND_SIM_SEED", 0));
    runs = 1;
  }
  for (int64_t i = 0; i < runs * 3; ++i) {
    scenario.seed = first + static_cast<uint64_t>(i / 3);
    scenario.workers = size_t{1} << (i % 3);
    const std::string replay =
        cat("PGTEND_SIM_SEED=", scenario.seed, " PGTEND_SIM_OPS=", scenario.operations, ", ",
            scenario.workers, " workers");
    // Told before, because a sanitizer ends the program without a word of ours.
    std::printf("%s\n", replay.c_str());
    std::fflush(stdout);
    PoolSim sim(scenario);
    const std::string violation = sim.run();
    ASSERT_TRUE(violation.empty()) << violation << "replay with " << replay;
    const std::string told =
        cat(sim.client_totals().clients, " clients, ", sim.client_totals().queries, " queries, ",
            sim.client_totals().errors, " dropped, ", sim.server_totals().cancels, " cancelled, ",
            sim.server_totals().sessions, " backends, ", sim.replacements(), " takeovers, ",
            sim.changes(), " reloads, ", sim.simulated().count(), " s");
    std::printf("  %s\n", told.c_str());
  }
}

constexpr Scenario kTransaction{
    .operations = 3000, .clients = 20, .mode = pool::PoolMode::Transaction};
constexpr Scenario kSession{.operations = 3000, .clients = 20, .mode = pool::PoolMode::Session};
// Its links come and go, which takes longer.
constexpr Scenario kReplication{
    .operations = 1000, .clients = 20, .mode = pool::PoolMode::Transaction, .replicating = true};
constexpr Scenario kStatement{.operations = 3000, .clients = 20, .mode = pool::PoolMode::Statement};

Scenario stormy(Scenario scenario) {
  scenario.stormy = true;
  return scenario;
}

TEST(PoolSim, TransactionPoolingServesEveryClientExactly) { run_seeds(kTransaction, 100, 1); }

TEST(PoolSim, SessionPoolingServesEveryClientExactly) { run_seeds(kSession, 200, 1); }

TEST(PoolSim, TransactionPoolingSurvivesFaultsOnAllSides) {
  run_seeds(stormy(kTransaction), 300, 1);
}

TEST(PoolSim, StatementPoolingSurvivesFaultsOnAllSides) { run_seeds(stormy(kStatement), 800, 1); }

TEST(PoolSim, CancelsHitNobodyElse) {
  Scenario scenario = stormy(kTransaction);
  scenario.cancelling = true;
  run_seeds(scenario, 700, 1);
}

TEST(PoolSim, AdministratorsFailNoTransaction) {
  Scenario scenario = kTransaction;
  scenario.administered = true;
  run_seeds(scenario, 500, 1);
}

TEST(PoolSim, AdministratorsAndFaultsLeaveNothingBehind) {
  Scenario scenario = stormy(kTransaction);
  scenario.administered = true;
  run_seeds(scenario, 600, 1);
}

Scenario replaced(Scenario scenario) {
  scenario.replaced = true;
  scenario.operations = 1000;
  return scenario;
}

TEST(PoolSim, TakeoversFailNoTransaction) { run_seeds(replaced(kTransaction), 900, 1); }

TEST(PoolSim, TakeoversInSessionPoolingFailNobody) { run_seeds(replaced(kSession), 1000, 1); }

TEST(PoolSim, TakeoversCancelsAndFaultsLeaveNothingBehind) {
  Scenario scenario = replaced(stormy(kTransaction));
  scenario.cancelling = true;
  scenario.replicating = true;
  run_seeds(scenario, 1100, 1);
}

TEST(PoolSim, ReplicationLeavesNobodyBehind) { run_seeds(kReplication, 1200, 2); }

TEST(PoolSim, ReplicationSurvivesFaultsAndAdministrators) {
  Scenario scenario = stormy(kReplication);
  scenario.administered = true;
  run_seeds(scenario, 1300, 1);
}

Scenario restless(Scenario scenario) {
  scenario.restless = true;
  return scenario;
}

TEST(PoolSim, LinksThatAlwaysMoveServeEveryClientExactly) {
  run_seeds(restless(kTransaction), 1400, 1);
}

TEST(PoolSim, LinksThatAlwaysMoveServeSessionsExactly) { run_seeds(restless(kSession), 1500, 1); }

TEST(PoolSim, LinksThatAlwaysMoveSurviveFaultsAndAdministrators) {
  Scenario scenario = restless(stormy(kTransaction));
  scenario.administered = true;
  scenario.replicating = true;
  run_seeds(scenario, 1600, 1);
}

TEST(PoolSim, ReloadsFailNoTransaction) {
  Scenario scenario = kTransaction;
  scenario.reloading = true;
  run_seeds(scenario, 1700, 2);
}

TEST(PoolSim, ReloadsInSessionPoolingFailNobody) {
  Scenario scenario = kSession;
  scenario.reloading = true;
  run_seeds(scenario, 1800, 1);
}

TEST(PoolSim, ReloadsFaultsAndAdministratorsLeaveNothingBehind) {
  Scenario scenario = stormy(kTransaction);
  scenario.reloading = true;
  scenario.administered = true;
  run_seeds(scenario, 1900, 2);
}

Scenario holding(Scenario scenario) {
  scenario.holding = true;
  scenario.operations = std::min<int64_t>(scenario.operations, 600);
  return scenario;
}

TEST(PoolSim, HeldTablesWaitAndNothingElseDoes) { run_seeds(holding(kTransaction), 2000, 1); }

TEST(PoolSim, HeldTablesInSessionPoolingWait) { run_seeds(holding(kSession), 2100, 1); }

TEST(PoolSim, HoldsFaultsAndAdministratorsLeaveNothingBehind) {
  Scenario scenario = holding(stormy(kTransaction));
  scenario.administered = true;
  scenario.cancelling = true;
  run_seeds(scenario, 2200, 1);
}

TEST(PoolSim, HoldsEndWithATakeover) { run_seeds(holding(replaced(kTransaction)), 2300, 1); }

TEST(PoolSim, SessionPoolingSurvivesFaultsOnAllSides) { run_seeds(stormy(kSession), 400, 1); }

}  // namespace
}  // namespace pgtend::sim
