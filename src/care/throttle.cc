#include "care/throttle.h"

#include <algorithm>

#include "base/text.h"
#include "care/room.h"

namespace pgtend::care {
namespace {

constexpr milliseconds kThrottleLook{100};
constexpr seconds kStandbyPatience{600};  // without anything being replayed
constexpr int64_t kCostLimitMost = 10'000;
constexpr int64_t kBudgetDelayMs = 20;

Result<int64_t> wal_position(pg::Connection& conn) {
  const pg::Rows rows = TRY(conn.query("select (pg_current_wal_insert_lsn() - '0/0')::int8"));
  return rows[0].get<int64_t>(0);
}

milliseconds time_since(const Clock& clock, SteadyTime start) {
  return std::chrono::duration_cast<milliseconds>(clock.steady() - start);
}

}  // namespace

void WalBudget::wrote(int64_t bytes, SteadyTime start) {
  const double seconds_paid = static_cast<double>(bytes) / static_cast<double>(second_.count);
  paid_until_ = std::max(paid_until_, start) + std::chrono::duration_cast<SteadyTime::duration>(
                                                   std::chrono::duration<double>(seconds_paid));
}

microseconds WalBudget::wait(SteadyTime now) const {
  return std::max(microseconds(0), std::chrono::duration_cast<microseconds>(paid_until_ - now));
}

std::vector<std::string> vacuum_budget(Bytes second, int block_size) {
  const double pages = static_cast<double>(second.count) / block_size * kBudgetDelayMs / 1'000;
  // The finest cost of a page with which the limit can be expressed.
  int64_t cost = kCostLimitMost;
  while (cost > 1 && pages * static_cast<double>(cost) > kCostLimitMost) cost /= 10;
  const auto limit = std::clamp<int64_t>(static_cast<int64_t>(pages * static_cast<double>(cost)), 1,
                                         kCostLimitMost);
  return {cat("SET vacuum_cost_delay = '", kBudgetDelayMs, "ms'"), "SET vacuum_cost_page_hit = 0",
          "SET vacuum_cost_page_miss = 0", cat("SET vacuum_cost_page_dirty = ", cost),
          cat("SET vacuum_cost_limit = ", limit)};
}

Throttle::Throttle(ThrottleLimits limits) : limits_(std::move(limits)) {
  if (limits_.wal_second.count > 0) budget_.emplace(limits_.wal_second);
  if (limits_.latency) {
    pressure_.emplace(PressureWatch::Setup{
        .latency = limits_.latency, .limit = limits_.latency_max, .every = limits_.latency_every});
  }
}

Status Throttle::begin() {
  if (!budget_) return ok();
  began_ = rounds_->clock().steady();
  position_ = TRY(wal_position(rounds_->connection()));
  return ok();
}

Status Throttle::end() {
  if (!budget_) return ok();
  const int64_t now = TRY(wal_position(rounds_->connection()));
  budget_->wrote(now - position_, began_);
  return ok();
}

Status Throttle::rest(microseconds rest) {
  held_ = false;
  const microseconds owed = budget_ ? budget_->wait(rounds_->clock().steady()) : microseconds(0);
  if (owed > rest) {
    sums_.wal += std::chrono::ceil<milliseconds>(owed - rest);
    if (owed > kThrottleLook)
      rounds_->tell(cat("waiting for the WAL budget of ", human(limits_.wal_second), " a second"));
  }
  TRY(rounds_->pause(std::max(rest, owed)));
  TRY(make_room());
  TRY(look_around());
  std::string reason = over();
  if (reason.empty()) return ok();
  return Error{ErrorCode::Cancelled, std::move(reason)}.hinting(
      "what is done stays, and the next run goes on from there");
}

// Waits until clients do not feel anything any more.
Status Throttle::make_room() {
  if (!pressure_ || !pressure_->high()) return ok();
  const SteadyTime start = rounds_->clock().steady();
  sums_.clients = pressure_->describe();
  while (pressure_->high() && over().empty()) {
    rounds_->tell(cat("making room: ", pressure_->describe()));
    const Status paused = rounds_->pause(kThrottleLook);
    if (!paused) sums_.latency += time_since(rounds_->clock(), start);
    if (!paused) return paused;
  }
  sums_.latency += time_since(rounds_->clock(), start);
  return ok();
}

// Looks at the standbys; true when one has to be waited for.
bool Throttle::far_behind() {
  looked_ = rounds_->clock().steady();
  const auto rows = rounds_->look(kStandbysSql);
  if (!rows) return false;
  const auto standbys = read_standbys(*rows);
  if (!standbys) return false;
  sums_.lag_unknown = sums_.lag_unknown || standbys->hidden;
  lag_.at(standbys->position, looked_);
  milliseconds most{0};
  for (const Standby& standby : standbys->list) {
    const milliseconds behind = lag_.behind(standby, looked_);
    if (behind <= limits_.lag_max || behind <= most) continue;
    most = behind;
    sums_.standby = cat(printable(standby.name), " is ", human(behind), " behind");
  }
  return most.count() > 0;
}

Status Throttle::find_room(uint32_t oid, Bytes more) {
  if (limits_.room_min.count <= 0) return ok();
  folders_ = TRY(folders_here(rounds_->connection(), oid));
  return has_room_for(more);
}

Status Throttle::has_room_for(Bytes more) const {
  const auto room = room_in(folders_);
  if (!room || room->count >= limits_.room_min.count + more.count) return ok();
  return Error{ErrorCode::Limit, cat("the server's disk has ", human(*room), " left; ",
                                     more.count > 0 ? cat(human(more), " are needed and ") : "",
                                     human(limits_.room_min), " are to stay free")}
      .hinting("what is done stays; make room, or give another --min-free");
}

// Once in a while.
Status Throttle::look_around() {
  const SteadyTime now = rounds_->clock().steady();
  if (now - looked_ < limits_.lag_every) return ok();
  looked_ = now;
  TRY(has_room_for(Bytes{}));
  return limits_.lag_max.count() > 0 ? follow_standbys() : ok();
}

Status Throttle::follow_standbys() {
  const SteadyTime start = rounds_->clock().steady();
  if (!far_behind()) return ok();
  do {
    rounds_->tell(cat("waiting for a standby: ", sums_.standby));
    const SteadyTime now = rounds_->clock().steady();
    const Status paused = rounds_->pause(kThrottleLook);
    sums_.lag += time_since(rounds_->clock(), now);
    TRY(paused);
    if (rounds_->clock().steady() - start >= kStandbyPatience) {
      return Error{ErrorCode::Timeout, cat("standby ", sums_.standby)}.hinting(
          "what is done stays; --max-lag 0 does not look at standbys");
    }
  } while (over().empty() && far_behind());
  return ok();
}

std::string Throttle::stopped() {
  std::string reason = over();
  if (!reason.empty()) return reason;
  if (!pressure_ || !pressure_->high()) return "";
  held_ = true;
  sums_.clients = pressure_->describe();
  return cat("clients wait too long: ", sums_.clients);
}

json::object to_json(const HeldBack& held) {
  return {{"latency_ms", held.latency.count()},
          {"wal_ms", held.wal.count()},
          {"lag_ms", held.lag.count()},
          {"clients", held.clients},
          {"standby", held.standby},
          {"lag_unknown", held.lag_unknown}};
}

std::string held_text(const HeldBack& held) {
  std::vector<std::string> parts;
  if (held.latency.count() > 0) {
    parts.push_back(cat(human(held.latency), " for clients (", held.clients, ")"));
  }
  if (held.wal.count() > 0) parts.push_back(cat(human(held.wal), " for the WAL budget"));
  if (held.lag.count() > 0) {
    parts.push_back(cat(human(held.lag), " for standbys (", held.standby, ")"));
  }
  return join(parts, ", ");
}

}  // namespace pgtend::care
