#include "sim/sim_config.h"

#include <algorithm>
#include <iterator>

#include "base/text.h"

namespace pgtend::sim {
namespace {

constexpr milliseconds kConfigEvery{300};

std::string tenths(Dice& dice) { return cat("0.", dice.between(1, 9)); }
std::string maybe(Dice& dice, uint64_t chance, int64_t low, int64_t high) {
  return cat(dice.chance(chance) ? dice.between(low, high) : 0);
}

// What an administrator may change at any time.
struct Setting {
  std::string_view key;
  std::string (*draw)(Dice& dice);
};
constexpr Setting kSettings[] = {
    {"default_pool_size", [](Dice& dice) { return cat(dice.between(1, 4)); }},
    {"reserve_pool_size", [](Dice& dice) { return maybe(dice, 300, 1, 2); }},
    {"reserve_pool_timeout", tenths},
    {"min_pool_size", [](Dice& dice) { return maybe(dice, 300, 1, 3); }},
    {"max_db_connections", [](Dice& dice) { return maybe(dice, 500, 1, 5); }},
    {"max_user_connections", [](Dice& dice) { return maybe(dice, 500, 1, 5); }},
    {"server_check_delay", [](Dice& dice) { return dice.chance(300) ? "0" : tenths(dice); }},
    {"server_check_query",
     [](Dice& dice) { return std::string(dice.chance(500) ? "<empty>" : ""); }},
    {"server_idle_timeout", [](Dice& dice) { return cat(dice.between(1, 20)); }},
    {"server_lifetime", [](Dice& dice) { return cat(dice.between(1, 30)); }},
    {"query_wait_timeout", [](Dice& dice) { return std::string(dice.chance(300) ? "5" : "0"); }},
    {"max_prepared_statements",
     [](Dice& dice) { return cat(dice.chance(700) ? 1 + dice.below(12) : 200); }},
    {"sbuf_loopcnt", [](Dice& dice) { return cat(dice.below(9)); }},
    {"server_round_robin", [](Dice& dice) { return cat(dice.below(2)); }},
    {"server_reset_query_always", [](Dice& dice) { return cat(dice.chance(200) ? 1 : 0); }}};

int larger(int one, int other) { return one == 0 || other == 0 ? 0 : std::max(one, other); }

}  // namespace

SimConfig::SimConfig(SimLoop& loop, Dice& dice, Journal& journal, ConfigOptions options)
    : loop_(loop),
      dice_(dice),
      journal_(journal),
      options_(std::move(options)),
      timer_(loop.timers(), [this] { change(); }) {
  draw_databases();
  settings_ = {{"listen_addr", options_.listen},
               {"listen_port", cat(options_.port)},
               {"unix_socket_dir", "@sim"},
               {"auth_type", "trust"},
               {"max_client_conn", "1000"},
               {"pool_mode", std::string(pool::name_of(options_.mode))},
               // The mirrors know no notices of the pool.
               {"query_wait_notify", "0"},
               {"server_connect_timeout", "3"},
               {"suspend_timeout", "1"},
               {"server_login_retry", "0.3"},
               {"peer_id", dice_.chance(300) ? "5" : "0"},
               {"pkt_buf", dice_.chance(300) ? "256" : "65536"},
               {"statement_errors", dice_.chance(500) ? "postgres" : "pgbouncer"}};
  // Clients count on names, or do without.
  if (dice_.chance(50)) settings_["max_prepared_statements"] = "0";
  if (!options_.harsh) settings_["query_wait_timeout"] = "0";
  for (const Setting& setting : kSettings) draw(setting.key);
  config_ = std::make_shared<const pool::Config>(read());
  limits_ = read_limits();
}

void SimConfig::draw_databases() {
  const std::string host = cat("host=", options_.server);
  is_forced_ = dice_.chance(300);
  databases_ = {{"alpha", host}, {"beta", cat(host, is_forced_ ? " user=ann" : "")}};
}

// Anew, unless it must be what it is.
void SimConfig::draw(std::string_view key) {
  const auto found = settings_.find(key);
  const bool is_set = found != settings_.end();
  const bool fixed = (key == "query_wait_timeout" && !options_.harsh) ||
                     (key == "max_prepared_statements" && is_set && found->second == "0");
  if (fixed) return;
  const auto* setting = std::ranges::find(kSettings, key, &Setting::key);
  std::string value = setting->draw(dice_);
  // Links of a forced user would be kept for ever.
  if (key == "min_pool_size" && is_forced_) value = "0";
  settings_[std::string(key)] = std::move(value);
}

pool::Config SimConfig::read() const {
  std::vector<IniEntry> entries;
  for (const auto& [key, value] : settings_) entries.push_back({"pgbouncer", key, value, "", 0});
  for (const auto& [name, target] : databases_) {
    if (name != removed_) entries.push_back({"databases", name, target, "", 0});
  }
  return pool::config_from(entries).take();
}

int SimConfig::number(const std::string& key) const {
  return static_cast<int>(parse_int(settings_.at(key)).take());
}

SimConfig::Limits SimConfig::read_limits() const {
  const int size = number("default_pool_size");
  return {.size = size,
          .pool = size + number("reserve_pool_size"),
          .database = number("max_db_connections"),
          .user = number("max_user_connections")};
}

SimConfig::Limits SimConfig::upper_limits() const {
  const Limits& before = before_ ? *before_ : limits_;
  return {.size = larger(before.size, limits_.size),
          .pool = larger(before.pool, limits_.pool),
          .database = larger(before.database, limits_.database),
          .user = larger(before.user, limits_.user)};
}

void SimConfig::begin_changes(const std::unique_ptr<pool::Workers>& workers) {
  workers_ = &workers;
  change_later();
}

void SimConfig::change_later() {
  timer_.arm(loop_.now() + milliseconds(dice_.between(0, kConfigEvery.count())));
}

void SimConfig::end_changes() {
  timer_.cancel();
  workers_ = nullptr;
}

void SimConfig::change() {
  before_ = limits_;
  const bool one = removed_.empty() && dice_.chance(500);
  const pool::Config fresh = one ? change_one() : change_all();
  limits_ = read_limits();
  journal_.note(one ? "admin sets" : "admin reloads", ++changes_, limits_.pool);
  pool::Workers& workers = **workers_;
  workers.post(dice_.below(workers.size()), [this, &workers, fresh](pool::Worker& origin) {
    workers.adopt(origin.index(), fresh, [this](const Status& status) {
      if (!status) return journal_.fail(cat("RELOAD: ", status.error().message));
      journal_.note("admin has changed the configuration", changes_);
      before_.reset();
      if (workers_ != nullptr) change_later();
    });
  });
}

// SET.
pool::Config SimConfig::change_one() {
  const std::string key(kSettings[dice_.below(std::size(kSettings))].key);
  draw(key);
  config_ = config_->with(key, settings_.at(key)).take();
  return *config_;
}

// RELOAD; a database that was taken away comes back.
pool::Config SimConfig::change_all() {
  if (dice_.chance(300)) draw_databases();
  for (const Setting& setting : kSettings) draw(setting.key);
  const bool takes = removed_.empty() && options_.harsh && dice_.chance(300);
  removed_ = !takes ? "" : dice_.chance(500) ? "alpha" : "beta";
  config_ = std::make_shared<const pool::Config>(read());
  return *config_;
}

}  // namespace pgtend::sim
