#include "demo/generator_rows.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "base/text.h"
#include "demo/generator_encode.h"

namespace pgtend::demo {

namespace {

constexpr milliseconds kTick{100};
constexpr std::string_view kCopyWithId =
    "COPY t_dlpdata (reading_id, meter_id, reading_timestamp, kwh_reading) FROM STDIN"
    " (FORMAT binary)";
constexpr std::string_view kCopyWithoutId =
    "COPY t_dlpdata (meter_id, reading_timestamp, kwh_reading) FROM STDIN (FORMAT binary)";

Error stopped() { return {ErrorCode::Cancelled, "stopped on request"}; }

// What the threads of one load share. Chunks are handed out by an atomic counter.
struct Shared {
  const Model& model;
  const RowOrder& order;
  Ids ids;
  std::stop_token stop;
  std::atomic<bool> failed{false};
  std::atomic<int64_t> chunk_next{0};
  std::atomic<int64_t> rows{0};
  std::atomic<int64_t> kwh_units{0};
  std::atomic<int64_t> superseded{0};
  std::mutex mutex{};
  std::condition_variable finished{};
  size_t threads_left = 0;       // under mutex
  std::optional<Error> error{};  // under mutex: the first that is not a consequence
};

// The sending side of one connection. Thread: its own.
class Sender {
 public:
  Sender(pg::Connection conn, Shared& shared) : conn_(std::move(conn)), shared_(shared) {}

  pg::Canceller canceller() const { return conn_.canceller(); }

  void run() noexcept {
    auto copied = conn_.copy_in(shared_.ids == Ids::Computed ? kCopyWithId : kCopyWithoutId,
                                [this](std::string& buffer) { return fill(buffer); });
    const std::lock_guard lock(shared_.mutex);
    if (!copied) {
      const bool consequence = shared_.failed.exchange(true) || shared_.stop.stop_requested();
      if (!consequence || !shared_.error) shared_.error = std::move(copied).error();
    }
    --shared_.threads_left;
    shared_.finished.notify_one();
  }

 private:
  // The next chunk's rows; leaves the buffer empty when there are no more.
  Status fill(std::string& buffer) {
    if (ended_) return ok();
    CopyEncoder out(buffer);
    if (!begun_) out.begin();
    begun_ = true;
    const size_t empty = buffer.size();
    while (buffer.size() == empty) {
      if (shared_.stop.stop_requested() || shared_.failed.load()) return stopped();
      const int64_t chunk = shared_.chunk_next.fetch_add(1);
      if (chunk >= shared_.order.chunks()) {
        out.end();
        ended_ = true;
        return ok();
      }
      encode(chunk, out);
    }
    return ok();
  }

  void encode(int64_t chunk, CopyEncoder& out) {
    shared_.order.fill(chunk, places_);
    Sent sent;
    const int64_t first = shared_.model.calendar().first;
    for (const Place& place : places_) {
      if (!shared_.model.present(place.meter, place.slot)) continue;
      const int64_t units = place.version == Version::Corrected
                                ? shared_.model.corrected_kwh(place.meter, place.slot)
                                : shared_.model.kwh(place.meter, place.slot);
      const int64_t time_s = (first + place.slot) * kQuarterSeconds;
      if (shared_.ids == Ids::Computed) {
        out.reading(shared_.order.reading_id(place), place.meter + 1, time_s, units);
      } else {
        out.reading(place.meter + 1, time_s, units);
      }
      const bool superseded = place.version == Version::Superseded;
      sent.superseded += superseded ? 1 : 0;
      sent.rows += superseded ? 0 : 1;
      sent.kwh_units += superseded ? 0 : units;
    }
    shared_.rows += sent.rows;
    shared_.kwh_units += sent.kwh_units;
    shared_.superseded += sent.superseded;
  }

  pg::Connection conn_;
  Shared& shared_;
  std::vector<Place> places_;
  bool begun_ = false;
  bool ended_ = false;
};

// Waits for the threads, reporting and passing a stop on to the server.
void wait_for(Shared& shared, const std::vector<pg::Canceller>& cancellers, int64_t rows_total,
              const GenerateContext& context) {
  const SteadyTime began = context.clock.steady();
  bool cancelled = false;
  std::unique_lock lock(shared.mutex);
  while (shared.threads_left > 0) {
    shared.finished.wait_for(lock, kTick);
    lock.unlock();
    context.report(
        {"readings", "rows", shared.rows.load(), rows_total, context.clock.steady() - began});
    if ((shared.stop.stop_requested() || shared.failed.load()) && !std::exchange(cancelled, true)) {
      // A thread may be stuck in a send; an undelivered request only means a longer wait.
      for (const pg::Canceller& canceller : cancellers) static_cast<void>(canceller.cancel());
    }
    lock.lock();
  }
}

Result<std::vector<Sender>> open_senders(const GenerateContext& context, int connections,
                                         Shared& shared) {
  std::vector<Sender> senders;
  for (int i = 0; i < connections; ++i) {
    pg::Connection conn = TRY(pg::Connection::open(context.target));
    // The whole load is dropped after a crash in the middle: waiting for the disk buys nothing.
    TRY(conn.exec("SET synchronous_commit = off"));
    senders.emplace_back(std::move(conn), shared);
  }
  return senders;
}

}  // namespace

Result<pg::Rows> run_stoppable(pg::Connection& conn, std::string_view sql,
                               const GenerateContext& context, Progress state) {
  if (context.stop.stop_requested()) return stopped();
  TRY(conn.start(sql));
  const SteadyTime began = context.clock.steady();
  bool cancelled = false;
  while (true) {
    auto rows = conn.finish_within(kTick);
    if (!rows && context.stop.stop_requested()) return stopped();
    if (!rows) return std::move(rows).error();
    if (*rows) return std::move(**rows);
    state.elapsed = context.clock.steady() - began;
    context.report(state);
    if (context.stop.stop_requested() && !std::exchange(cancelled, true)) {
      static_cast<void>(conn.canceller().cancel());
    }
  }
}

Result<Sent> copy_readings(const Model& model, const RowOrder& order, Ids ids, int connections,
                           const GenerateContext& context) {
  Shared shared{.model = model, .order = order, .ids = ids, .stop = context.stop};
  std::vector<Sender> senders = TRY(open_senders(context, connections, shared));
  std::vector<pg::Canceller> cancellers;
  for (const Sender& sender : senders) cancellers.push_back(sender.canceller());
  shared.threads_left = senders.size();
  {
    std::vector<std::jthread> threads;
    for (Sender& sender : senders) threads.emplace_back([&sender] { sender.run(); });
    wait_for(shared, cancellers, model.rows(), context);
  }
  if (context.stop.stop_requested()) return stopped();
  if (shared.error) return std::move(*shared.error).during("copying readings");
  return Sent{shared.rows.load(), shared.kwh_units.load(), shared.superseded.load()};
}

Status delete_superseded(pg::Connection& conn, const RowOrder& order, int64_t count,
                         const GenerateContext& context) {
  const pg::Rows deleted =
      TRY(run_stoppable(conn, cat("DELETE FROM t_dlpdata WHERE reading_id > ", order.places()),
                        context, {.step = "corrections", .unit = "rows"}));
  if (deleted.affected() != count) {
    return Error{ErrorCode::Internal, cat(deleted.affected(), " superseded readings instead of ",
                                          count, ": the load is not complete")};
  }
  context.report({"corrections", "rows", count, count});
  return ok();
}

}  // namespace pgtend::demo
