// The small process between us and a postmaster: it outlives us just long enough to end the server
// and remove its folders.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "pg/account.h"

namespace pgtend::pg {

// What to run and what to leave behind.
struct SupervisorPlan {
  std::vector<std::string> argv = {};     // the postmaster; argv[0] is a path
  Account account = {};                   // whom it runs as
  int log = -1;                           // its stdout and stderr; ours to keep open until started
  std::vector<int> locks = {};            // descriptors it inherits, so that they stay locked
  std::vector<std::string> folders = {};  // removed when we die; empty: end the server gently
};

// A running postmaster. Between us and it stands a single-threaded child of ours, which holds one
// end of a socket: when our end closes, for whatever reason, it stops the server (immediately, or
// gently when nothing is to be removed) and removes the folders. If the child itself is killed, the
// kernel sends the postmaster SIGQUIT. Thread: one at a time.
class Supervisor {
 public:
  enum class Stop : char { Fast = 'f', Immediate = 'i' };

  // Errors: Limit (fork), Internal.
  static Result<Supervisor> start(SupervisorPlan plan);
  Supervisor(Supervisor&& other) noexcept;
  Supervisor& operator=(Supervisor&& other) noexcept;
  // Closes our end and waits until the child is gone.
  ~Supervisor();

  pid_t postmaster() const { return postmaster_; }
  // Whether the postmaster still runs. Does not wait.
  bool running();
  void ask(Stop how);
  // Waits for the postmaster's end: its wait status; Timeout when it still runs.
  Result<int> wait_end(milliseconds timeout);

 private:
  Supervisor(int control, pid_t child, int slot) : control_(control), child_(child), slot_(slot) {}
  // Reads the child's next message if there is one by `deadline`.
  Result<bool> hear(SteadyTime deadline);
  void close();

  int control_ = -1;
  pid_t child_ = -1;
  int slot_ = -1;
  pid_t postmaster_ = -1;
  bool ended_ = false;
  int status_ = 0;
};

// Ends every private server of this process and removes its folders, waiting for that at most
// `patience`. For a signal handler or the exit path: only async-signal-safe calls; the process must
// end afterwards (its Cluster objects are of no use any more).
void end_all_servers(milliseconds patience);

}  // namespace pgtend::pg
