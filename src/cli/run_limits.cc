#include "cli/run_limits.h"

#include <ctime>
#include <thread>

#include "base/text.h"

namespace pgtend::cli {
namespace {

constexpr int64_t kMinutesMax = 60 * 24 * 7;
constexpr int64_t kLatencyDefaultMs = 100;
constexpr int64_t kLatencyMaxMs = 600'000;
constexpr int64_t kWalMax = 100'000;  // MB/s
constexpr int64_t kLagDefault = 10;   // seconds
constexpr int64_t kLagMax = 3'600;
constexpr int64_t kFreeMax = 1'000'000;  // GB

// Minutes after midnight of "HH:MM" at `text`.
std::optional<int> minute_of(std::string_view text) {
  if (text.size() != 5 || text[2] != ':') return {};
  const auto hours = parse_int(text.substr(0, 2));
  const auto minutes = parse_int(text.substr(3));
  if (!hours || !minutes || *hours < 0 || *hours > 23 || *minutes < 0 || *minutes > 59) return {};
  return static_cast<int>(*hours * 60 + *minutes);
}

Result<care::Window> window_of(const std::string& text) {
  const size_t dash = text.find('-');
  if (dash != std::string::npos) {
    const auto from = minute_of(std::string_view(text).substr(0, dash));
    const auto to = minute_of(std::string_view(text).substr(dash + 1));
    if (from && to) return care::Window{*from, *to};
  }
  return Error{ErrorCode::Invalid, cat("--window ", printable(text), " is no time of the day")}
      .hinting("write it as 22:30-05:00");
}

int minute_now() {
  const std::time_t now = std::chrono::system_clock::to_time_t(system_clock().wall());
  std::tm local{};
  localtime_r(&now, &local);
  return local.tm_hour * 60 + local.tm_min;
}

}  // namespace

std::string RunLimits::closed() const {
  std::string over = time_over();
  if (over.empty() && !quiet()) return "the quiet times are over";
  return over;
}

bool RunLimits::quiet() const { return !window || window->contains(minute_now()); }

std::string RunLimits::time_over() const {
  return end && system_clock().steady() >= *end ? "its time is over" : "";
}

Result<RunLimits> run_limits(const Args& args, bool by_pool) {
  RunLimits out;
  out.means.jobs = TRY(args.number("--jobs", 1, 1, 16));
  out.means.io_mb_s = TRY(args.number("--io", out.means.io_mb_s, 0, 100'000));
  out.means.quiet = args.has("--window");
  if (args.has("--window")) out.window = TRY(window_of(args.get("--window")));
  if (args.has("--minutes")) {
    const int64_t minutes = TRY(args.number("--minutes", 0, 1, kMinutesMax));
    out.end = system_clock().steady() + std::chrono::minutes(minutes);
  }
  out.latency_max =
      milliseconds(TRY(args.number("--latency", kLatencyDefaultMs, 1, kLatencyMaxMs)));
  if (by_pool || args.has("--latency") || args.has("--probe")) {
    out.latency = TRY(latency_source(args, out.latency_max));
  }
  if (args.has("--latency") && !out.latency) {
    return Error{ErrorCode::Invalid, "--latency needs a source"}.hinting(
        "give --probe SQL, or --pool with the console of pgtend-pool");
  }
  return out;
}

Result<care::ThrottleLimits> throttle_limits(const Args& args, const RunLimits& limits) {
  care::ThrottleLimits out{.latency = limits.latency, .latency_max = limits.latency_max};
  out.wal_second = Bytes{1'000'000 * TRY(args.number("--wal", 0, 0, kWalMax))};
  out.lag_max = seconds(TRY(args.number("--max-lag", kLagDefault, 0, kLagMax)));
  out.room_min = Bytes{1'000'000'000 * TRY(args.number("--min-free", 1, 0, kFreeMax))};
  out.over = [limits] { return limits.time_over(); };
  return out;
}

Status wait_for_window(const Args& args, Output& output, const RunLimits& limits) {
  while (limits.window && !limits.window->contains(minute_now())) {
    output.progress(cat("waiting for the quiet times ", args.get("--window")));
    if (args.stop.stop_requested()) return Error{ErrorCode::Cancelled, "cancelled"};
    std::this_thread::sleep_for(milliseconds(200));
  }
  return ok();
}

}  // namespace pgtend::cli
