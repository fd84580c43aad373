// A client connection: start-up, login, then its messages, which need a server link while a
// transaction runs.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/loop.h"
#include "pool/auth.h"
#include "pool/cancel.h"
#include "pool/channel.h"
#include "pool/console_session.h"
#include "pool/group.h"
#include "pool/list.h"
#include "pool/parameters.h"
#include "pool/prepared.h"
#include "pool/receiver.h"
#include "pool/replication.h"
#include "wire/frame.h"
#include "wire/startup.h"

namespace pgtend::pool {

class Bag;
class Pool;
class Server;
class Worker;

// Owned by its worker. Thread: one loop's.
class Client final : private net::Handler {
 public:
  enum class State : uint8_t {
    Startup,   // before and in the start packet
    Lookup,    // waits for auth_query to tell its secret
    Auth,      // proves who it is
    Greeting,  // waits for a server to learn the welcome from, or for its own to replicate
    Idle,
    Waiting,    // has sent a request and waits for a server
    Active,     // has a server
    Console,    // talks to the pool itself
    Canceling,  // a cancel request on its way
    Lingering,  // told why it is closed; waits until that is read
    Closed,
  };
  struct Identity {
    uint64_t id = 0;
    net::Address peer;
    int peer_pid = 0;  // of a unix socket's
    std::string user;
    std::string database;
    int32_t pid = 0;  // the cancel key, invented by us
    std::string secret;
    SteadyTime connected_at{};
    SteadyTime request_at{};  // when the oldest request without a server came
    SteadyTime idle_since{};  // when it was last served or greeted
  };

  Client(Worker& worker, uint64_t id, net::Accepted accepted);

  // Begins to listen to the client.
  void start();
  // The same for one of our own, which has proved who it is.
  void start_inside(const std::string& database, const std::string& user);
  // auth_query was answered.
  void on_secret(const Result<std::optional<std::string>>& secret);
  // The pool knows what servers tell: finish the login.
  void greet(const Welcome& welcome);
  // The link that was opened for it is leased to it: the same, and it keeps that.
  void begin_replication(Server& server, const Welcome& welcome);
  // The pool found a server: go on with what was kept.
  void on_server(Server& server);
  // Its parameters are set on the server: go on with what was kept.
  void on_parameters_applied();
  // The transaction is over and the server is gone back.
  void on_released();
  // The server is gone.
  void on_server_lost(std::string_view reason, bool told);
  // Sends bytes of the server.
  void deliver(std::string_view bytes);
  // The server took what was kept for it: read on.
  void server_has_room();
  // Somebody showed this client's key. True if `requester` has to wait for a cancel on its way.
  bool cancel(Requester requester);
  // Of its own cancel request: it was sent to where the query runs; it is over, with a `reason` if
  // it was given up.
  void cancel_sent() { cancel_sent_ = true; }
  void cancel_done(std::string_view reason);
  // To the console command that was asked last.
  void console_answer(const ConsoleAnswer& answer);

  // Whether it is in a state that another process can go on from.
  bool is_settled() const;
  bool is_over() const { return state_ == State::Closed; }
  bool is_flushed() const { return is_over() || channel_.unsent() == 0; }
  // Ends this object, not the connection, which goes on in another process. Returns its descriptor,
  // which no loop watches; `bag` gets the rest. Its server is given away before.
  int give_away(Bag& bag);
  // The other side: a client as give_away() left it, still unwatched. Errors: those of the bag.
  Status receive(Bag& bag, const StatementTails& tails);
  // After receive(), and after that of its server: begins to be served.
  void take_up();
  // Served again after the worker was suspended.
  void resume() { read_on(); }

  // FATAL with `reason`, then closed.
  void fail(std::string_view reason, std::string_view sqlstate = "08P01");
  // The same with a message a server sent.
  void fail_with(std::string_view message, std::string_view reason);
  // NOTICE that no server was free for a long time; once a wait.
  void tell_of_wait();
  // Closed without a word.
  void close(std::string_view reason);

  State state() const { return state_; }
  std::string_view state_name() const;
  const Identity& identity() const { return identity_; }
  // Its cancel key, once it is greeted.
  wire::CancelKey key() const { return {identity_.pid, identity_.secret}; }
  Pool* pool() { return pool_; }
  Server* server() { return server_; }
  void set_server(Server* server) { server_ = server; }
  Channel& channel() { return channel_; }
  const Inbound& inbound() const { return inbound_; }
  Parameters& parameters() { return parameters_; }
  // Null when it does not replicate.
  Replicating* replicating() { return replicating_.get(); }
  Replication replication() const {
    return replicating_ == nullptr ? Replication::None : replicating_->kind;
  }
  // What its lines in the log begin with.
  std::string name_in_log() const;
  // One of our own: it is not shown or logged, and no limit counts it.
  bool is_inside() const { return inside_; }
  // Of the console, with the process's own account behind it.
  bool is_owner() const { return console_ != nullptr && is_console_owner(); }
  bool parameters_proven() const { return parameters_proven_; }
  // The statements it has prepared whose names are replaced; null as long as there were none.
  ClientStatements* statements() const { return statements_.get(); }
  // It has deallocated all of them.
  void forget_statements();
  // Between two messages, with nothing kept or unsent.
  bool is_quiet() const;
  // Has passed the login of a real database.
  bool is_logged_in() const;
  // Sends no more, but may still read: leaves when its answers are through.
  bool is_half_closed() const { return half_closed_; }
  void finish_half_closed();

  // It waits for the end of a HOLD TABLE, perhaps with a link that its transaction has.
  bool is_held_back() const { return stop_ == Stop::Held; }
  // Of which one; 0 for none.
  uint64_t held_by() const { return held_by_; }
  // It waits to know whether its transaction is over, because a HOLD TABLE stands.
  bool is_unsettled() const { return stop_ == Stop::Unsettled; }
  // Goes on with what was kept, if holds allow.
  void go_on();
  // No HOLD TABLE looks at what it does any more.
  void forget_beginning() { begun_only_ = false; }

  ListHook<Client> pool_hook;

 private:
  struct Login {
    std::optional<ClientAuth> auth;
    std::optional<std::string> looked_up;  // the secret that auth_query told
    int32_t version = 0;
    int encryption_requests = 0;
  };

  // What to do with the message at hand.
  enum class Next : uint8_t { More, Bad, Stop, Skip, Pass };

  // Why it is not read, for a HOLD TABLE's sake.
  enum class Stop : uint8_t { None, Unsettled, Held };
  // A text that a message is about, if that is known.
  struct Spoken {
    std::string_view text = {};
    bool whole = false;
  };

  void on_ready(net::Ready ready) override;
  void on_timer();

  // client_login.cc
  void on_login_bytes(std::string_view bytes);
  void on_start_packet(const wire::StartupPacket& packet, bool more_follows);
  void on_startup(const wire::StartupPacket& packet);
  Status take_parameters(const wire::StartupPacket& packet, std::vector<std::string_view>& unknown);
  Status take_replication(std::string_view value);
  Status take_parameter(std::string_view name, std::string_view value);
  Status take_options(std::string_view options);
  void begin_auth();
  void demand_proof(const std::string* secret);
  void enter_pool(Pool& pool);
  void on_auth_message(std::string_view body);
  void on_auth_step(Result<ClientAuth::Step> step, const std::string& out);
  void on_authenticated();
  void note_host();
  bool admit_to(Pool& pool);
  bool is_console() const;
  bool is_console_owner() const;

  // client_prepared.cc
  bool maps_statements() const;
  Next check_names(const wire::Head& head, std::string_view bytes);
  bool begin_collecting(const wire::Head& head, std::string_view bytes);
  bool is_mapped(const wire::Head& head, std::string_view bytes) const;
  size_t map_message(const wire::Head& head, std::string_view bytes);
  size_t map_parse(const wire::Head& head, std::string_view body);
  size_t map_bind(const wire::Head& head, std::string_view bytes);
  size_t map_target(const wire::Head& head, std::string_view body);
  Statement* known_statement(std::string_view name);
  void watch_parse(std::string_view name, std::string_view text);
  void watch_close(std::string_view body);
  uint64_t shape_of_bind(std::string_view body);

  // client_hold.cc
  Spoken spoken(const wire::Head& head, std::string_view bytes) const;
  uint64_t held_in_batch(std::string_view bytes) const;
  bool passes_holds(const wire::Head& head, std::string_view bytes);
  void begin_here(std::string_view sql);
  void send_begun();
  void hold_back(std::string_view rest);

  // client.cc
  void pump();
  void read_on();
  bool is_held_up() const;
  bool may_read() const;
  void on_peer_closed();
  void on_vanished();
  void watch_end();
  void on_bytes(std::string_view bytes);
  size_t pass_message(const wire::Head& head, std::string_view bytes, size_t passed, size_t at);
  bool collect(std::string_view piece);
  void on_collected(std::string_view rest);
  Next next_message(std::string_view bytes, wire::Head& head);
  Next skip_canceled(char type);
  bool need_server(std::string_view rest);
  void note_message(const wire::Head& head, std::string_view bytes);
  uint64_t shape_at(const wire::Head& head, std::string_view body);
  void on_terminate();
  void resume_held();
  void probe();
  bool is_cut() const;
  void leave_server(bool cancel);
  void answer_canceled();
  void linger(std::string_view reason);
  void detach();
  void log_close(std::string_view reason);
  void on_console_bytes(std::string_view bytes);

  // handed.cc
  void carry(Bag& bag, const StatementTails& tails);
  void rejoin();

  Worker& worker_;
  Channel channel_;
  Identity identity_;
  State state_ = State::Startup;
  Inbound inbound_;
  std::string held_;   // bytes that wait for a server
  std::string begun_;  // a BEGIN that was answered here, and no server knows yet
  uint64_t held_by_ = 0;
  Pool* pool_ = nullptr;
  Server* server_ = nullptr;
  Parameters parameters_;
  std::unique_ptr<Replicating> replicating_;
  std::unique_ptr<ClientStatements> statements_;
  std::unique_ptr<ClientStatements> watched_;  // those that pass as they are; only to count by
  std::unique_ptr<std::string> collected_;     // a named Parse longer than a receive buffer
  std::unique_ptr<Login> login_;
  std::unique_ptr<ConsoleSession> console_;  // in state Console
  Slots* user_clients_ = nullptr;            // set: counts there and in its database
  net::Timer timer_;
  bool parameters_proven_ = false;
  bool inside_ = false;
  bool told_of_wait_ = false;
  bool admitted_ = false;  // counts against max_client_conn
  bool skipping_ = false;  // a canceled extended query: swallow up to its Sync
  bool probed_ = false;
  bool half_closed_ = false;
  bool received_ = false;  // take_up() is to come
  bool cancel_sent_ = false;
  bool begun_only_ = false;  // while a hold stands: its transaction has done nothing yet
  Stop stop_ = Stop::None;
};

}  // namespace pgtend::pool
