// A link to PostgreSQL: connect, login, service of one client at a time, cleaning, and the end,
// which is reached only when the backend is known to be gone.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "net/loop.h"
#include "pool/auth.h"
#include "pool/channel.h"
#include "pool/lease.h"
#include "pool/list.h"
#include "pool/names.h"
#include "pool/parameters.h"
#include "pool/prepared.h"
#include "pool/receiver.h"
#include "pool/replication.h"
#include "wire/frame.h"
#include "wire/startup.h"

namespace pgtend::pool {

class Bag;
class Pool;
class Worker;

// What an idle link takes along when it moves to another worker.
struct Luggage;

// Owned by its worker; in one of its pool's lists. Thread: one loop's.
class Server final : private net::Handler {
 public:
  enum class State : uint8_t {
    Connecting,
    Login,
    Idle,
    Active,         // leased to a client
    Cleaning,       // finishing what a client left, rolling back, resetting
    BeingCanceled,  // free, but a cancel request is still on its way to it
    Settling,       // free, but half of a message is in hand
    Draining,       // closed by us; waiting for the backend to be gone
    Gone,
  };
  // Who the backend is and since when.
  struct Identity {
    uint64_t id = 0;
    net::Address address;
    std::string host;  // whose address that is; "" when the file has the address itself
    int32_t pid = 0;
    std::string secret;
    SteadyTime connected_at{};
    SteadyTime used_at{};
    uint32_t epoch = 0;  // of the pool's group when the link was begun
  };

  Server(Worker& worker, Pool& pool, uint64_t id);
  // From another worker; unpack() follows.
  Server(Worker& worker, Pool& pool, Luggage luggage);
  ~Server();

  // Begins to connect. Failure is told to the pool, perhaps at once.
  void start();
  // The same for one that replicates: the link will serve `client` alone.
  void start_for(Client& client);
  // That client waits for it no more: ends the login.
  void forsake();
  void lease_to(Client& client);
  // A message of the client begins; call before its bytes are sent.
  void expect(char type, StatementTag tag = {});
  // Makes the link have `statement`, if need be by a Parse in front of what is forwarded next.
  void ensure(const Statement& statement);
  // A call of `statement` begins: what Queries::begin() returns.
  uint64_t begin_query(const Statement& statement);
  // The client's own Parse of `statement`: sent, or answered by the pool if the link has it.
  void parse(const Statement& statement, uint32_t serial);
  // The client's Close, which no server needs to see.
  void close_statement(uint32_t serial);
  // Bytes that go out with what is forwarded next.
  std::string& prelude() { return prelude_; }
  const LinkStatements& statements() const { return statements_; }
  // Sends bytes of the client, behind the pool's own statements that wait for them.
  void forward(std::string_view bytes);
  // Asks for the answers to what is not synced.
  void flush_answers();
  // The client has room again: read on, or let the link go.
  void client_has_room();
  // Gives the link back if the transaction is over and nothing is buffered on either side.
  void release_if_free();
  // Its client waits for a HOLD TABLE and needs no link for that: true if this one goes back.
  bool let_go();
  // The client leaves: the link goes back at once if it is free, else it is abandoned.
  // `mid_message`: the client sent only a part of a message. `cancel`: stop its query.
  void leave(bool mid_message, bool cancel);
  // The same for a client that replicates: the link ends.
  void end_replication(bool mid_message, bool cancel);
  // Ends the link politely; the slot is freed when the backend is gone.
  void close(std::string_view reason);
  // Whether the backend is logged in, so that it can be given away.
  bool is_settled() const {
    return state_ != State::Connecting && state_ != State::Login && state_ != State::Gone;
  }
  bool is_over() const { return state_ == State::Gone; }
  bool is_flushed() const { return channel_ == nullptr || channel_->unsent() == 0; }
  // Ends this object, not the link, which goes on in another process. Returns its descriptor, which
  // no loop watches; `bag` gets the rest.
  int give_away(Bag& bag);
  // The other side: a link as give_away() left it, still unwatched; it serves `client`, if any.
  // `is_wanted`: it leads to where the pool's database is. Errors: those of the bag.
  Status receive(Bag& bag, int descriptor, Client* client, bool is_wanted);
  // After receive(): begins to be served.
  void take_up();
  // Served again after the worker was suspended.
  void resume();
  // Ends this object, not the link, which goes on elsewhere. Only while idle and not walking.
  Luggage pack();
  // The link begins to be served here; it goes to the pool, which may send it on.
  void unpack();
  // The same as close() as soon as no client has it.
  void close_when_free();
  // With server_fast_close: the same as soon as its client's transaction is over.
  void close_if_outdated();
  // The same if its host has this address no more.
  void close_if_moved(const std::string& host, const std::vector<net::Address>& addresses);
  // Idle: sees whether the server still answers, then goes back to the pool or is closed.
  void check();
  // It is closed because there are more than are kept: counted by Slots::leave().
  void mark_surplus() { surplus_ = true; }
  bool is_surplus() const { return surplus_; }
  // On this worker.
  bool has_served() const { return served_; }
  // True once after check() began.
  bool end_check() { return std::exchange(checking_, false); }

  // A cancel request is on its way: the link is not reused before it has arrived.
  void cancel_started() { ++cancels_; }
  void cancel_ended();

  State state() const { return state_; }
  std::string_view state_name() const;
  Pool& pool() { return pool_; }
  Lease& lease() { return lease_; }
  Channel* channel() { return channel_.get(); }
  const Inbound& inbound() const { return inbound_; }
  const Parameters& parameters() const { return parameters_; }
  const Identity& identity() const { return identity_; }
  bool close_wanted() const { return close_wanted_; }
  Replication replication() const { return replication_; }
  bool replicates() const { return replication_ != Replication::None; }
  // Whom start_for() named, if it still waits; from now on nobody.
  Client* take_claimant() { return std::exchange(claimant_, nullptr); }
  // The client's parameters are being set: there is no query of the client to cancel yet.
  bool is_applying() const { return applying_; }
  // Bytes that were received are being looked at.
  bool is_walking() const { return walking_; }
  // In the middle of a message to the client.
  bool is_delivering() const { return inbound_.left > 0 && inbound_.passing; }

  ListHook<Server> pool_hook;

 private:
  // What is needed until the first ReadyForQuery only.
  struct Login {
    Login(ServerAuth made) : auth(std::move(made)) {}
    ServerAuth auth;
    size_t turn = 0;  // the host that is tried first, and its address that is
    size_t hosts_tried = 0;
    std::vector<net::Address> addresses;  // of the host at hand, still to be tried
    size_t question = 0;                  // hosts_tried when its name was asked about, while it is
    std::vector<std::pair<std::string, std::string>> welcome;
    bool authenticated = false;
    bool connect_query_sent = false;
  };
  // What Cleaning is doing.
  enum class Phase : uint8_t { Settle, Rollback, Reset, Check };

  void on_ready(net::Ready ready) override;
  void on_timer();

  // How long a backend may take to end, or to come to rest after its client left.
  static constexpr seconds kEndLimit{60};

  // server_login.cc
  void connect_next(std::string_view failure);
  void note_attempt(std::string_view cause);
  bool connect(std::string& cause);
  void look_up(const std::string& host);
  void on_addresses(size_t question, const Names::Addresses& addresses);
  void on_connected();
  void on_login_message(char type, std::string_view body);
  void on_login_error(std::string_view body);
  void on_login_ready();
  enum class LoginEnd : uint8_t { Refused, Lost, GivenUp };
  void login_failed(std::string_view text, std::string_view sqlstate,
                    LoginEnd end = LoginEnd::Refused);
  void drain();

  // server_replication.cc
  wire::StartupParameters start_parameters() const;
  // The client has the link until it leaves.
  bool stays_with_client() const;
  bool counts_answers() const { return lease_.client() != nullptr && !replicates(); }

  // server.cc
  void pump();
  bool may_read() const;
  void on_bytes(std::string_view bytes);
  size_t begin_message(std::string_view bytes);
  bool needs_body(char type) const;
  Route on_message(const wire::Head& head, std::string_view body);
  void count_answer(const wire::Head& head, std::string_view body,
                    const Expectations::Front& about);
  void on_parameter(std::string_view body, Route route);
  void on_ready_message(std::string_view body, Route route);
  void nudge();
  void on_idle_message(char type);
  void apply_parameters(Client& client);
  void prepare(const Statement& statement, Route route, uint32_t serial);
  void close_on_server(uint64_t id);
  bool wants_peek(const wire::Head& head) const;
  void on_tag(std::string_view body);
  void trim_statements();
  void settle_fakes();
  void undo_skipped();
  void on_error(std::string_view body, StatementTag about);
  void parameters_applied();
  bool is_free() const;
  void release();
  void abandon(bool mid_message, bool cancel);
  void append_undo(std::string& out);
  void clean_on();
  void settle();
  void end(std::string_view reason, bool polite);
  void ask(std::string_view sql);
  void refuse_block();
  void on_lost(std::string_view reason);
  void note_failure(std::string_view what);
  void log_close(std::string_view reason) const;
  std::string name_in_log() const;
  void gone();
  void wait(microseconds limit);
  void leave_pool();
  void carry(Bag& bag);

  Worker& worker_;
  Pool& pool_;
  Identity identity_;
  State state_ = State::Connecting;
  Phase phase_ = Phase::Settle;
  std::unique_ptr<Channel> channel_;
  Inbound inbound_;
  Lease lease_;
  Parameters parameters_;
  LinkStatements statements_;
  std::string prelude_;  // goes out before the client's next bytes
  std::string failure_;  // the error message with which the server refused a prelude
  std::unique_ptr<Login> login_;
  net::Timer timer_;
  int cancels_ = 0;
  Replication replication_ = Replication::None;
  Client* claimant_ = nullptr;  // waits for the login
  bool applying_ = false;
  bool walking_ = false;
  bool close_wanted_ = false;
  bool checking_ = false;
  bool served_ = false;
  bool surplus_ = false;
  bool block_seen_ = false;  // a transaction block in statement mode
  bool reset_wanted_ = false;
  bool received_ = false;  // take_up() is to come
  bool told_ = false;      // the last message was an error that went to the client
};

// Thread: one at a time. The descriptor is no loop's meanwhile.
struct Luggage {
  Server::Identity identity;
  int descriptor = -1;
  Lease lease;
  Parameters parameters;
  LinkStatements statements;
};

}  // namespace pgtend::pool
