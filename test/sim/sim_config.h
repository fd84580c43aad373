// The configuration of a simulated pool: drawn by the seed, changed while it is in use, and what it
// promises at every moment.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "net/timers.h"
#include "pool/workers.h"
#include "sim/journal.h"
#include "sim/sim_net.h"

namespace pgtend::sim {

struct ConfigOptions {
  pool::PoolMode mode = pool::PoolMode::Transaction;
  // Changes may also take clients their database or their patience.
  bool harsh = false;
  std::string server;
  std::string listen;
  int port = 0;
};

// Thread: one.
class SimConfig {
 public:
  // How many links there may be; 0: no limit.
  struct Limits {
    int size = 0;  // of a pool, without its reserve
    int pool = 0;
    int database = 0;
    int user = 0;
  };

  SimConfig(SimLoop& loop, Dice& dice, Journal& journal, ConfigOptions options);

  const std::shared_ptr<const pool::Config>& now() const { return config_; }
  const Limits& limits() const { return limits_; }
  // While a change is under way each worker keeps to the old or the new one: the larger of both.
  Limits upper_limits() const;
  bool is_changing() const { return before_.has_value(); }
  int changes() const { return changes_; }

  // An administrator changes it again and again, by RELOAD and by SET.
  void begin_changes(const std::unique_ptr<pool::Workers>& workers);
  // No further ones.
  void end_changes();

 private:
  void draw_databases();
  void draw(std::string_view key);
  pool::Config read() const;
  int number(const std::string& key) const;
  Limits read_limits() const;
  void change_later();
  void change();
  pool::Config change_one();
  pool::Config change_all();

  SimLoop& loop_;
  Dice& dice_;
  Journal& journal_;
  const ConfigOptions options_;
  std::map<std::string, std::string, std::less<>> settings_;
  std::map<std::string, std::string> databases_;
  bool is_forced_ = false;  // the user of "beta"
  std::string removed_;     // the database that is not in the file at present
  std::shared_ptr<const pool::Config> config_;
  Limits limits_;
  std::optional<Limits> before_;  // while a change is under way
  int changes_ = 0;
  const std::unique_ptr<pool::Workers>* workers_ = nullptr;
  net::Timer timer_;
};

}  // namespace pgtend::sim
