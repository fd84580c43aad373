// The writes of a trace as functions of time: what a replay asks for at any moment between samples.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "vacuum/trace.h"

namespace pgtend::vacuum {

// The writes to one table. Between samples that are far apart the sums grow evenly; between close
// ones they jump at the later one, as counters do that sessions send when a transaction ends.
// Immutable once filled; thread: any.
class WriteCurve {
 public:
  // `at` beyond the last point. A table whose last point is older than `quiet_until` was not
  // written to before that time. Then the sums jump, or grow evenly.
  void add(double at, const Writes& sums, double quiet_until, bool jump);
  Writes at(double time) const;
  // Dead rows alone, as at().
  double dead_at(double time) const;

 private:
  struct Point {
    double at = 0;
    Writes sums = {};
    bool jump = false;  // to this point
  };
  std::vector<Point> points_ = {{}};
};

// What happens to a table beside writes.
struct TableEvent {
  enum class Kind : uint8_t { Vacuum, Analyze, Reset };  // the first two by a person
  double at = 0;
  Kind kind = Kind::Vacuum;
};

struct TableWorkload {
  WriteCurve writes = {};
  std::vector<TableEvent> events = {};                 // ascending
  std::vector<std::pair<double, int64_t>> pages = {};  // of the heap, where it was looked up
};

// Transactions and who holds them, over time. Immutable once filled; thread: any.
class XidCurve {
 public:
  void add(double at, int64_t xid);
  // Somebody looked who holds the oldest transaction.
  void look(double at, int64_t xid, int64_t horizon);
  // The next transaction at `time`.
  double xid_at(double time) const;
  // A VACUUM that starts at `time` can remove what died before the time returned; negative when
  // that is before the trace began.
  double removable_until(double time) const;
  // The last time at which `xid` was not yet given out; negative when that is before the trace.
  double time_of(double xid) const;
  // Transactions a second over the whole trace.
  double rate() const;

 private:
  struct Point {
    double at = 0;
    double xid = 0;
    double horizon = 0;  // of looks
  };
  std::vector<Point> points_ = {};
  std::vector<Point> looks_ = {};
};

struct Workload {
  std::vector<TableWorkload> tables = {};  // as in the trace
  XidCurve xids = {};
};

// Pure. Reads no outcome.
Workload workload_of(const Trace& trace);

}  // namespace pgtend::vacuum
