// How far a running VACUUM, ANALYZE or CREATE INDEX is, and how long its phase will still take.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "pg/connection.h"

namespace pgtend::facts {

// A moment of one running command. The command has several phases; done/total are of this one, so
// 100 % is the end of the phase, not of the command.
struct Progress {
  std::string command = {};  // "VACUUM", "ANALYZE", "CREATE INDEX"
  std::string phase = {};    // the server's word: "scanning heap"
  int64_t done = 0;
  int64_t total = 0;      // 0 when the server cannot say
  std::string unit = {};  // "pages", "indexes", "rows", "transactions", "tables"
  std::string note = {};  // "index pass 2", "waiting for pid 4711"
};

// What the backend `pid` reports; nullopt when it runs none of the three (or has not begun yet).
// Understands 13 to 18. Errors: those of the connection.
Result<std::optional<Progress>> load_progress(pg::Connection& conn, int pid);

// Turns moments into a rate and a remaining time. A new phase starts afresh.
// Thread: one at a time.
class Pace {
 public:
  struct Estimate {
    double per_second = 0;                       // of Progress::unit; 0 until known
    std::optional<milliseconds> remaining = {};  // of this phase; nullopt until known
    std::optional<double> share = {};            // done of total, 0..1
  };
  Estimate add(const Progress& progress, SteadyTime now);

 private:
  std::string phase_;
  SteadyTime since_{};
  int64_t first_ = 0;
};

}  // namespace pgtend::facts
