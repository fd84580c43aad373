// A private PostgreSQL: for the demo, for trying things out, for tests. It belongs to this process
// and ends with it, however that ends.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "pg/options.h"

namespace pgtend::pg {

struct ClusterOptions {
  std::string version = "";   // major version, "15"; "" is any
  std::string binaries = "";  // folder with postgres and initdb; "" looks in PATH and /usr/lib
  std::vector<std::pair<std::string, std::string>> settings = {};  // as in postgresql.conf
  bool keep = false;        // leave the folders behind; the server still ends with this process.
                            // `password` beside the log then holds the superuser's (mode 0600)
  std::string folder = "";  // where the data go: must not exist; "" makes one in the temp folder
  bool durable = true;      // false switches fsync and friends off: for data that may be lost
  bool cached = true;       // keep a data folder as made by initdb in the temp folder, to copy
};

// A running private PostgreSQL: SCRAM with a random password, a socket folder of its own, a free
// port on 127.0.0.1, never as root (then the server runs as `postgres` or `nobody`).
// When the owner dies, also by kill -9, the server is ended and its folders are removed within
// seconds by the supervisor (pg/supervisor.h); if that is killed too, the server still ends, and
// the next start() sweeps the folders. Thread: one at a time.
class Cluster {
 public:
  // Takes about 0.3 s, 3 s more the first time (initdb). Errors: NotFound (no programs; no
  // account), Invalid (setting, folder), Denied, Limit, Internal with the end of the server's log.
  static Result<Cluster> start(const ClusterOptions& options = {});
  Cluster(Cluster&&) noexcept;
  Cluster& operator=(Cluster&&) noexcept;
  // Stops the server (at once: nobody wants the data) and removes the folders unless kept.
  ~Cluster();

  // How to connect as superuser, over the socket. For TCP set "host" to "127.0.0.1".
  Options options(const std::string& dbname = "postgres") const;
  int port() const;              // may change at restart when another took it meanwhile
  std::string version() const;   // "15.18 (Debian …)"
  int major() const;             // 15
  std::string binaries() const;  // the folder the server runs from
  std::string socket_folder() const;
  std::string data_folder() const;
  std::string log_file() const;
  int postmaster() const;  // process id; of the last one when not running

  // Adds or replaces settings; they count from the next start or reload. Errors: Invalid, Internal.
  Status set(const std::vector<std::pair<std::string, std::string>>& settings);

  // Ends all sessions and shuts down cleanly ("fast"). Nothing to do when not running. Errors:
  // Timeout after 60 s (then it has been stopped at once), Internal when the end was not clean.
  Status stop();
  // Ends all at once, as a crash does ("immediate"): the next start recovers.
  Status crash();
  // Stops if running, then starts on the same data.
  Status restart();
  bool running();

 private:
  struct State;
  explicit Cluster(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace pgtend::pg
