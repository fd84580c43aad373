#include "demo/load.h"

#include <memory>
#include <vector>

#include "base/text.h"
#include "demo/load_client.h"
#include "demo/load_target.h"
#include "net/loop.h"

namespace pgtend::demo {

namespace {

constexpr milliseconds kLoadTick{100};
constexpr seconds kGrace{5};  // for requests that run when the time is over
constexpr size_t kCopyBufferBytes = 65'536;

Status check(const LoadOptions& options) {
  TRY(check(options.holdings.scale));
  if (options.holdings.calendar.slots < 1) {
    return Error{ErrorCode::Invalid, "the load needs the range of the readings: it is empty"};
  }
  if (options.clients < 1 || options.clients > kClientsMax) {
    return Error{ErrorCode::Invalid,
                 cat("clients must be 1 to ", kClientsMax, ", not ", options.clients)};
  }
  if (options.duration.count() < 1 || options.requests_each < 0 || options.think.count() < 0 ||
      options.connect_timeout.count() < 1) {
    return Error{ErrorCode::Invalid, "durations and counts of a load must not be negative"};
  }
  return ok();
}

// The clients of a run and the two timers above them.
class Driver {
 public:
  Driver(LoadRun& run, const ProgressFn& progress)
      : run_(run),
        progress_(progress),
        began_(run.options.clock->steady()),
        tick_(run.loop.timers(), [this] { on_tick(); }),
        limit_(run.loop.timers(), [this] { on_limit(); }) {}

  void run() {
    run_.alive = run_.options.clients;
    for (int i = 0; i < run_.options.clients; ++i) {
      clients_.push_back(std::make_unique<LoadClient>(run_, i));
    }
    limit_.arm(began_ + run_.options.duration);
    tick_.arm(began_ + kLoadTick);
    for (const auto& client : clients_) client->start();
    if (run_.alive > 0) run_.loop.run();
    run_.result.elapsed = run_.options.clock->steady() - began_;
    report();
  }

 private:
  void report() const {
    if (!progress_) return;
    progress_({"load", "transactions", run_.result.transactions, 0,
               run_.options.clock->steady() - began_});
  }

  void on_tick() {
    report();
    if (run_.options.stop.stop_requested() || run_.fatal) {
      run_.ending = true;
      for (const auto& client : clients_) client->abandon();
      return;
    }
    tick_.arm(run_.loop.now() + kLoadTick);
  }

  // First the end of the time, then the end of patience.
  void on_limit() {
    const bool grace_is_over = run_.ending;
    run_.ending = true;
    limit_.arm(run_.loop.now() + kGrace);
    for (const auto& client : clients_) {
      if (grace_is_over) {
        client->abandon();
      } else {
        client->finish();
      }
    }
  }

  LoadRun& run_;
  const ProgressFn& progress_;
  const SteadyTime began_;
  net::Timer tick_;
  net::Timer limit_;
  std::vector<std::unique_ptr<LoadClient>> clients_;
};

json::object latency_json(const Histogram& histogram) {
  const auto ms = [](int64_t us) { return static_cast<double>(us) / 1000; };
  return {{"p50_ms", ms(histogram.quantile(0.50))},
          {"p95_ms", ms(histogram.quantile(0.95))},
          {"p99_ms", ms(histogram.quantile(0.99))},
          {"max_ms", ms(histogram.max())},
          {"mean_ms", histogram.mean() / 1000}};
}

}  // namespace

double LoadResult::tps() const {
  const double spent = std::chrono::duration<double>(elapsed).count();
  return spent > 0 ? static_cast<double>(transactions) / spent : 0;
}

json::object to_json(const LoadResult& result) {
  json::object errors;
  for (const auto& [sqlstate, count] : result.errors) errors[sqlstate] = count;
  json::array kinds;
  for (const KindRow& row : kKinds) {
    const KindResult& kind = result.kinds[static_cast<size_t>(row.kind)];
    if (kind.transactions == 0) continue;
    kinds.push_back(json::object{{"kind", row.name},
                                 {"transactions", kind.transactions},
                                 {"latency", latency_json(kind.latency_us)}});
  }
  return {{"clients", result.clients},
          {"clients_served", result.clients_served},
          {"seconds", std::chrono::duration<double>(result.elapsed).count()},
          {"transactions", result.transactions},
          {"tps", result.tps()},
          {"statements", result.statements},
          {"rows", result.rows},
          {"failed", result.failed},
          {"connection_attempts", result.attempts},
          {"refused", result.refused},
          {"first_refusal", result.first_refusal},
          {"lost", result.lost},
          {"errors", std::move(errors)},
          {"latency", latency_json(result.latency_us)},
          {"login", latency_json(result.login_us)},
          {"kinds", std::move(kinds)}};
}

Result<LoadResult> run_load(const pg::Options& target, const LoadOptions& options,
                            const ProgressFn& progress) {
  TRY(check(options));
  LoadTarget where = TRY_DURING(load_target(target), "load");
  const Workload workload(options.holdings, options.mix, options.seed, options.clients);
  const auto loop = TRY(net::make_epoll_loop(*options.clock));
  std::vector<char> buffer(kCopyBufferBytes);
  LoadResult result;
  result.clients = options.clients;
  LoadRun run{.loop = *loop,
              .target = where,
              .workload = workload,
              .options = options,
              .result = result,
              .buffer = buffer};
  Driver(run, progress).run();
  if (run.fatal) {
    return std::move(*run.fatal)
        .during(cat("logging in to ", where.address.text(), " as ", where.user));
  }
  if (options.stop.stop_requested()) return Error{ErrorCode::Cancelled, "stopped on request"};
  return result;
}

}  // namespace pgtend::demo
