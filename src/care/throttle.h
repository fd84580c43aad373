// What holds long work in rounds back: clients who wait, a budget of WAL, standbys that do not
// follow; and what ends it: its time, a disk that fills up. Whatever did is counted, for the
// report.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/units.h"
#include "care/pressure.h"
#include "care/rounds.h"
#include "care/standbys.h"

namespace pgtend::care {

struct ThrottleLimits {
  // How long clients wait now, asked each `latency_every` by another thread; empty: nobody asks.
  std::function<std::optional<milliseconds>()> latency = {};
  milliseconds latency_max{0};
  milliseconds latency_every{1'000};
  Bytes wal_second = {};         // that rounds and VACUUMs may write; 0: without a limit
  milliseconds lag_max{10'000};  // of each standby's replay; 0: nobody looks
  milliseconds lag_every{1'000};
  Bytes room_min = {};  // left on the server's disk, where it is this machine's; 0: nobody looks
  // Why the run has to end, "" while it may go on.
  std::function<std::string()> over = {};
};

// What a run was held back by.
struct HeldBack {
  milliseconds latency{0};
  milliseconds wal{0};
  milliseconds lag{0};
  std::string clients = {};  // "latency 87 ms, limit 50 ms" when it was last too high
  std::string standby = {};  // which one was last too far behind, and how far
  bool lag_unknown = false;  // there are standbys of which the role sees nothing
  bool any() const { return (latency + wal + lag).count() > 0; }
};

// A rate that is kept on average. Pure. Thread: one at a time.
class WalBudget {
 public:
  // `second` > 0.
  explicit WalBudget(Bytes second) : second_(second) {}
  // `bytes` were written from `start` on.
  void wrote(int64_t bytes, SteadyTime start);
  // How long nothing may be written now.
  microseconds wait(SteadyTime now) const;

 private:
  Bytes second_;
  SteadyTime paid_until_{};
};

// Settings of a session whose VACUUM writes not more than `second` bytes of WAL a second: each page
// that it makes dirty may be logged whole, once. Pure.
std::vector<std::string> vacuum_budget(Bytes second, int block_size);

// Thread: one at a time; stopped() as the gate calls it.
class Throttle {
 public:
  explicit Throttle(ThrottleLimits limits);
  // Must be called before all others but stopped(); `rounds` is borrowed.
  void use(Rounds& rounds) { rounds_ = &rounds; }

  // Looks for the disks on which table `oid` grows, and whether `more` can be written. Errors:
  // Limit, those of the connection.
  Status find_room(uint32_t oid, Bytes more);
  // Around what writes WAL. Errors: those of the connection.
  Status begin();
  Status end();
  // Rests for `rest` or longer, for as long as anything holds back. Errors: Cancelled, also with
  // the reason why the run is over; Timeout when standbys do not follow at all; Limit without room.
  Status rest(microseconds rest);
  // Why a statement that can be begun again must not go on, "" while it may.
  std::string stopped();
  // Whether stopped() was the reason of the last Cancelled, and not the end of the run: then
  // rest(), and begin it again.
  bool held() const { return held_; }
  const HeldBack& sums() const { return sums_; }

 private:
  std::string over() const { return limits_.over ? limits_.over() : std::string(); }
  bool far_behind();
  Status make_room();
  Status follow_standbys();
  Status look_around();
  Status has_room_for(Bytes more) const;

  ThrottleLimits limits_;
  Rounds* rounds_ = nullptr;
  std::optional<WalBudget> budget_;
  ReplayLag lag_;
  HeldBack sums_;
  SteadyTime began_{};
  SteadyTime looked_{};
  std::vector<std::string> folders_ = {};
  int64_t position_ = 0;
  bool held_ = false;
  std::optional<PressureWatch> pressure_;
};

json::object to_json(const HeldBack& held);
// "4.0 s for clients (latency 87 ms, limit 50 ms), 1.2 s for the WAL budget", "" for nothing.
std::string held_text(const HeldBack& held);

}  // namespace pgtend::care
