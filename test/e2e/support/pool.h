// A pgtend-pool process of a test, in front of the test's own database, and a client that speaks
// the protocol byte by byte.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "e2e/support/database.h"
#include "wire/backend.h"
#include "wire/startup.h"

namespace pgtend::e2e {

// What a service manager gives a process.
struct Supervision {
  Environment environment = {};
  std::vector<int> sockets = {};  // to listen on (LISTEN_FDS); they stay the test's, too
};

// Runs build/pgtend-pool on a port of the system's choice until destroyed. Thread: one.
class PoolProcess {
 public:
  // `ini` is the whole file but for listen_addr, listen_port and unix_socket_dir. Ends the test
  // program when the pool does not come up: its log is in the message.
  // `logfile`: where it logs, if not to its standard error. `port`: 0 for one of the system's
  // choice.
  explicit PoolProcess(const std::string& ini, const std::string& logfile = "", int port = 0,
                       Supervision supervision = {});
  ~PoolProcess();
  PoolProcess(const PoolProcess&) = delete;
  PoolProcess& operator=(const PoolProcess&) = delete;

  int port() const { return port_; }
  // Named after the port of the file, which may be 0.
  std::string unix_socket() const { return cat(scratch_.path(), "/.s.PGSQL.", wanted_port_); }
  // The file that it read.
  const std::string& file() const { return file_; }
  pid_t pid() const { return pid_; }
  std::string log() const;
  // Replaces the file (the listening part is added again) and sends SIGHUP.
  void reload(const std::string& ini);
  void signal(int number) const;
  // A new process takes over (-R); `ini` as in reload(). The old one must have ended well.
  void replace(const std::string& ini);
  // The same when the new process does not come up: what it says. `ini` may change the listening
  // part.
  std::string try_to_replace(const std::string& ini);
  // Waits for the end; the exit code, or -1 when it does not come.
  int wait_for_end();

 private:
  std::string file_text(const std::string& ini) const;
  // Starts the program and waits until it is up or has ended.
  pid_t start(const std::vector<std::string>& arguments);

  Scratch scratch_;
  std::string file_;
  std::string logfile_;
  int wanted_port_;
  Supervision supervision_;
  pid_t pid_ = -1;
  int port_ = 0;
};

// A blocking client on a raw socket. Every read fails the test after ten seconds. Thread: one.
class RawClient {
 public:
  struct Message {
    char type = 0;
    std::string body;
  };

  explicit RawClient(int port);
  ~RawClient();
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  void send(std::string_view bytes);
  void shutdown_send();
  // The next byte outside of any message, as after an SSLRequest; 0 at the end.
  char read_byte();
  // The next message; type 0 at the end of the connection.
  Message read();
  // Reads up to and including a message of `type`; the types read, "." for the end.
  std::string read_until(char type);
  // Starts a session and reads to ReadyForQuery; the types read.
  std::string log_in(const std::string& user, const std::string& database,
                     int32_t version = wire::kProtocol30);
  const wire::CancelKey key() const { return {pid_, secret_}; }
  // The fields of the last ErrorResponse read.
  const std::string& error_text() const { return error_text_; }
  const std::string& error_state() const { return error_state_; }
  int descriptor() const { return socket_; }

 private:
  bool fill();

  int socket_ = -1;
  std::string input_;
  int32_t pid_ = 0;
  std::string secret_;
  std::string error_text_;
  std::string error_state_;
};

// Tests with a pool in front of their own database. The pool logs in as the cluster's superuser.
class PoolTest : public DatabaseTest {
 protected:
  // A line of [databases] for the superuser of `server`.
  static std::string database_line(const std::string& name, const pg::Options& server);
  // That of this test's database, and `settings` as lines of [pgbouncer].
  std::string ini(const std::string& settings) const;
  // Through `pool` to this test's database, as user "app".
  pg::Options through(const PoolProcess& pool) const;
  // Backends of this test's database that are not the asking one.
  int64_t backends(pg::Connection& direct) const;
  // A simple query message.
  static std::string query(std::string_view sql);
  // A client of this test's database that has logged in.
  std::unique_ptr<RawClient> client_of(const PoolProcess& pool,
                                       const std::string& user = "app") const;
  // What a client is told at its end.
  static std::string last_words(RawClient& client);
  static void begin(RawClient& client);
  // One query with one row.
  static void expect_served(RawClient& client);
  // The first column of the first row of `sql`.
  static std::string ask(RawClient& client, std::string_view sql);
  // The rows of a console command.
  pg::Rows console(const PoolProcess& pool, const std::string& command) const;
  // A column of the row that begins with `name`; "none" without such a row.
  std::string shown(const PoolProcess& pool, const std::string& command, std::string_view name,
                    std::string_view column) const;
  // One column of SHOW POOLS for this test's database.
  std::string pools(const PoolProcess& pool, const std::string& column) const;
  // Runs `script` in Python with psycopg; variable `dsn` leads through `pool`. Skips if there is
  // none. `input` is its standard input.
  Outcome python(const PoolProcess& pool, const std::string& script,
                 const std::string& input = "") const;
};

}  // namespace pgtend::e2e
