// A fake PostgreSQL on the simulated network: one session a connection, answers by Engine, and
// faults by the seed. It also judges what the pool sends.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "net/acceptor.h"
#include "net/loop.h"
#include "sim/fake_engine.h"
#include "sim/journal.h"
#include "wire/frame.h"

namespace pgtend::sim {

// Of a thousand.
struct BackendFaults {
  uint64_t crash = 0;       // messages in whose answer the session dies without a word
  uint64_t fatal = 0;       // messages answered by FATAL and a close
  uint64_t refuse = 0;      // logins refused
  uint64_t slow_login = 0;  // logins that outlast the pool's patience
  uint64_t idle_end = 0;    // sessions that an administrator ends while they are idle
  uint64_t chatter = 20;    // messages around which notices and reports come
  uint64_t slow_end = 100;  // sessions that take their time to end
};

class FakeServer;

// One backend. Thread: the loop's.
class FakeSession final : private net::Handler {
 public:
  FakeSession(FakeServer& server, uint64_t id, net::Accepted accepted);
  void start();

  // Serves, and has not been told to end.
  bool serves(const std::string& database) const {
    return state_ == State::Ready && (database.empty() || database == account_.first);
  }

  // A cancel request with this session's key has come.
  void cancel();
  bool holds(int32_t pid, std::string_view secret) const {
    return state_ == State::Ready && pid == pid_ && secret == secret_;
  }

 private:
  enum class State : uint8_t { Startup, LoggingIn, Ready, Ending, Closed };

  void on_ready(net::Ready ready) override;
  void on_timer();
  void read();
  void on_input();
  bool on_startup();
  void finish_login();
  void on_message(char type, std::string_view body);
  void judge(char type, std::string_view body);
  void answer(char type, const std::string& body, int cancel_at);
  void count(char type, const wire::Frame& answer);
  void chatter(std::string& out);
  void say(std::string_view bytes);
  void flush();
  void fatal(std::string_view sqlstate, std::string_view text);
  void end();
  void close();
  bool may_work() const { return !blocked_ && out_.empty(); }
  void wait(milliseconds time);

  FakeServer& server_;
  net::Socket socket_;
  State state_ = State::Startup;
  Engine engine_;
  std::string input_;
  std::string held_;  // answers a server keeps until it is asked to flush
  std::string out_;
  int64_t id_;
  int32_t pid_ = 0;
  std::string secret_;
  std::pair<std::string, std::string> account_;  // database, user
  bool replicates_ = false;                      // its calls are not counted
  bool in_simple_ = false;                       // within a simple query of a client
  int owner_ = -1;                               // the client whose transaction runs
  bool fresh_ = true;                            // which has only begun, or not even that
  bool blocked_ = false;                         // a slow message is at work
  char slow_type_ = 0;
  std::string slow_body_;
  bool terminated_ = false;
  bool eof_ = false;
  net::Timer timer_;
};

// The server: limits, and totals of what its sessions saw. Thread: the loop's.
class FakeServer {
 public:
  using Account = std::pair<std::string, std::string>;
  // At most so many backends; 0: no limit.
  struct Limits {
    int pool = 0;
    std::map<std::string, int> database;
    std::map<std::string, int> user;
  };
  struct Totals {
    uint64_t queries = 0;       // ReadyForQuery that a client asked for
    uint64_t transactions = 0;  // of them, with the status idle
    uint64_t calls = 0;         // simple queries and executions of clients, also failed ones
    uint64_t rows = 0;          // by their command tags
    uint64_t sessions = 0;
    uint64_t cut_messages = 0;  // sessions ended in the middle of a message
    uint64_t cancels = 0;       // requests that met a session
  };

  FakeServer(net::Loop& loop, Dice& dice, Journal& journal, BackendFaults faults, Limits limits);
  Status listen(const net::Address& address);
  // No more faults from now on.
  void calm() { faults_ = {}; }

  int alive() const { return alive_; }
  int alive(const Account& account) const;
  int alive_in(const std::string& database) const;
  // The number of the newest session, and whether older ones of a database ("": any) still serve.
  int64_t last_session() const { return next_id_ - 1; }
  bool has_older(const std::string& database, int64_t than) const;
  const Totals& totals() const { return totals_; }
  // From `since`, which is now, to `until` no transaction in `database` ("": any) may begin with a
  // statement of the held table that was asked for after this. allow() ends it.
  void forbid(const std::string& database, SteadyTime since, SteadyTime until);
  void allow() { forbidden_.reset(); }
  uint64_t looked_at() const { return looked_at_; }

 private:
  friend class FakeSession;

  void begin(const Account& account);
  void finish(const Account& account);
  void cancel(int32_t pid, std::string_view secret);
  void remove(int64_t id);
  // `body` begins a transaction in `database`.
  void judge_held(const std::string& database, std::string_view body);

  struct Forbidden {
    std::string database;
    SteadyTime since;
    SteadyTime until;
  };
  net::Loop& loop_;
  Dice& dice_;
  Journal& journal_;
  BackendFaults faults_;
  Limits limits_;
  Totals totals_;
  std::unique_ptr<net::Acceptor> acceptor_;
  std::map<int64_t, std::unique_ptr<FakeSession>> sessions_;
  std::map<Account, int> accounts_;
  std::map<std::string, int> databases_;
  std::map<std::string, int> users_;
  std::optional<Forbidden> forbidden_;
  uint64_t looked_at_ = 0;  // statements of the held table that came while nothing was held
  int alive_ = 0;
  int64_t next_id_ = 1;
};

}  // namespace pgtend::sim
