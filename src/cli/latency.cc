#include "cli/latency.h"

#include <algorithm>
#include <memory>

#include "base/text.h"
#include "cli/pool_console.h"
#include "cli/pool_rates.h"
#include "pg/connection.h"

namespace pgtend::cli {
namespace {

constexpr int kProbePatience = 10;  // times the limit
constexpr int64_t kQueriesMin = 20;

class Probe {
 public:
  Probe(pg::Options options, std::string sql, milliseconds limit)
      : options_(std::move(options)), sql_(std::move(sql)), patience_(limit * kProbePatience) {
    options_.set("application_name", "pgtend/probe");
  }

  Status open() {
    pg::Connection conn = TRY(pg::Connection::open(options_));
    TRY(conn.exec(cat("SET default_transaction_read_only = on; SET statement_timeout = ",
                      patience_.count())));
    conn_ = std::move(conn);
    return ok();
  }

  // A probe that was cancelled for its length has lasted that long.
  Result<milliseconds> ask() {
    const SteadyTime start = system_clock().steady();
    const auto rows = conn_->query(sql_);
    const auto spent = system_clock().steady() - start;
    if (!rows && rows.error().code != ErrorCode::Timeout) return rows.error();
    return std::chrono::duration_cast<milliseconds>(spent);
  }

  std::optional<milliseconds> operator()() {
    if ((!conn_ || !conn_->alive()) && !open()) return {};
    const auto latency = ask();
    return latency ? std::optional(*latency) : std::nullopt;
  }

 private:
  pg::Options options_;
  std::string sql_;
  milliseconds patience_;
  std::optional<pg::Connection> conn_;
};

class PoolTimes {
 public:
  explicit PoolTimes(pg::Options options) : options_(std::move(options)) {}

  Status open() {
    console_ = TRY(PoolConsole::open(options_));
    last_.reset();
    return ok();
  }

  // Errors: those of the console, which is then left.
  Result<milliseconds> ask() {
    auto reading = console_->read();
    if (!reading) {
      console_.reset();
      return reading.error();
    }
    const PoolRates rates = rates_between(last_ ? &*last_ : nullptr, *reading);
    last_ = std::move(reading).take();
    int64_t worst_us = 0;
    for (const PoolRow& pool : rates.pools) {
      if (pool.query && pool.query->count >= kQueriesMin) {
        worst_us = std::max(worst_us, pool.query->p99_us);
      }
    }
    return std::chrono::duration_cast<milliseconds>(microseconds(worst_us));
  }

  std::optional<milliseconds> operator()() {
    if (!console_ && !open()) return {};
    const auto latency = ask();
    return latency ? std::optional(*latency) : std::nullopt;
  }

 private:
  pg::Options options_;
  std::optional<PoolConsole> console_;
  std::optional<PoolReading> last_;
};

}  // namespace

Result<LatencyFn> latency_source(const Args& args, milliseconds limit) {
  if (args.has("--probe")) {
    auto probe = std::make_shared<Probe>(args.connection, args.get("--probe"), limit);
    TRY_DURING(probe->open(), "connecting for --probe");
    TRY_DURING(probe->ask(), "trying --probe");
    return LatencyFn([probe] { return (*probe)(); });
  }
  if (args.has("--pool")) {
    const pg::Options options = TRY(pg::Options::parse(args.get("--pool")));
    auto times = std::make_shared<PoolTimes>(options);
    TRY_DURING(times->open(), "connecting for --pool");
    TRY_DURING(times->ask(), "reading the times of --pool");
    return LatencyFn([times] { return (*times)(); });
  }
  return LatencyFn();
}

}  // namespace pgtend::cli
