// Standbys that replay what this server writes, and how far behind they are.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "pg/connection.h"

namespace pgtend::care {

struct Standby {
  std::string name = {};                   // application_name, as it is; "" when hidden
  std::optional<int64_t> replayed = {};    // position in the WAL; nullopt: it may not be seen
  std::optional<milliseconds> delay = {};  // of what was replayed last, by the server
};

struct Standbys {
  int64_t position = 0;  // the end of the WAL, in bytes since the first one ever
  std::vector<Standby> list = {};
  bool hidden = false;  // of some the role sees nothing but that they are there
};

// Physical standbys only: what pg_basebackup and pg_receivewal fetch is never replayed, and logical
// readers take no locks here.
extern const char* const kStandbysSql;
// Reads the rows of kStandbysSql. Errors: Corrupt.
Result<Standbys> read_standbys(const pg::Rows& rows);
// Both. Errors: those of the connection.
Result<Standbys> load_standbys(pg::Connection& conn);

// How far behind a standby is in time, from positions that were seen before. The server's own
// replay_lag stays as it was while nothing is replayed. Pure. Thread: one at a time.
class ReplayLag {
 public:
  // The WAL ended at `position` at `now`.
  void at(int64_t position, SteadyTime now);
  // At least so far; 0 for one that has replayed all that was seen.
  milliseconds behind(const Standby& standby, SteadyTime now) const;

 private:
  struct Seen {
    int64_t position = 0;
    SteadyTime at{};
  };
  std::deque<Seen> seen_ = {};
};

}  // namespace pgtend::care
