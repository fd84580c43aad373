// A pgtend-pool of our own in front of a private server: started, waited for, ended with us.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "pg/options.h"
#include "pg/temp_folder.h"

namespace pgtend::demo {

struct PoolOptions {
  std::string program = {};  // path of pgtend-pool
  pg::Options server = {};   // host (or socket folder), port, user, password, dbname behind it
  int pool_size = 20;
  int clients_max = 2000;
};

// A running pooler that listens on 127.0.0.1 at a free port, SCRAM on both sides. It is killed by
// the kernel when the thread that started it ends, and its folder is swept by the next start.
// Thread: one at a time, that of start() until destroyed.
class PoolProcess {
 public:
  // Returns when a client can log in. Errors: NotFound (no program there), Internal with the end of
  // its log when it does not come up within 10 s, Cancelled never.
  static Result<PoolProcess> start(const PoolOptions& options);
  PoolProcess(PoolProcess&& other) noexcept;
  PoolProcess& operator=(PoolProcess&&) = delete;
  // SIGTERM, and SIGKILL after 5 s; removes its folder.
  ~PoolProcess();

  // How a client connects to the database behind it.
  const pg::Options& options() const { return client_; }
  pid_t pid() const { return pid_; }

 private:
  PoolProcess(pg::TempFolder folder, pg::Options client)
      : folder_(std::move(folder)), client_(std::move(client)) {}
  Status launch(const PoolOptions& options, int port);
  Status wait_until_ready();
  std::string log_end() const;

  pg::TempFolder folder_;
  pg::Options client_;
  pid_t pid_ = -1;
};

// The path of the program `name` beside `program` (argv[0] of ours), else as found in PATH.
// Errors: NotFound, saying where it was looked for.
Result<std::string> program_beside(const std::string& program, const std::string& name);

}  // namespace pgtend::demo
