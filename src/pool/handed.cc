// What clients and links take along to another process, and how they are found there: see
// takeover.h.
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "pool/bag.h"
#include "pool/client.h"
#include "pool/pools.h"
#include "pool/server.h"
#include "pool/worker.h"
#include "pool/workers.h"

namespace pgtend::pool {
namespace {

void carry_inbound(Bag& bag, Inbound& inbound) {
  bag.field("rest", inbound.rest);
  bag.field("left", inbound.left);
  bag.field("passing", inbound.passing);
  if (inbound.rest.size() > kRestMax) bag.refuse("rest");
}

void carry_unsent(Bag& bag, Channel& channel) {
  std::string unsent = bag.unpacks() ? "" : channel.unsent_text();
  bag.field("unsent", unsent);
  if (bag.unpacks()) channel.keep_unsent(unsent);
}

}  // namespace

// --- links

void Server::carry(Bag& bag) {
  bag.field("address", identity_.address);
  bag.field("host", identity_.host);
  bag.field("pid", identity_.pid);
  bag.field("secret", identity_.secret);
  bag.field("connected_at", identity_.connected_at);
  bag.field("used_at", identity_.used_at);
  bag.field("state", state_, State::Gone);
  bag.field("phase", phase_, Phase::Check);
  bag.field("close_wanted", close_wanted_);
  bag.field("applying", applying_);
  bag.field("block_seen", block_seen_);
  bag.field("replication", replication_, Replication::Logical);
  bag.field("reset_wanted", reset_wanted_);
  bag.field("told", told_);
  bag.field("prelude", prelude_);
  bag.field("failure", failure_);
  carry_inbound(bag, inbound_);
  carry_unsent(bag, *channel_);
  bag.part("parameters", [this](Bag& inner) { parameters_.carry(inner, worker_.tracked()); });
  bag.part("statements", [this](Bag& inner) { statements_.carry(inner); });
}

int Server::give_away(Bag& bag) {
  CHECK(is_settled() && !walking_);
  // A cancel that is still on its way to it must not meet another query.
  if (cancels_ > 0 || identity_.epoch != pool_.group().epoch()) close_wanted_ = true;
  if (state_ == State::BeingCanceled) state_ = State::Idle;
  std::string database = pool_.database().name;
  std::string user = pool_.user();
  std::string server_user = pool_.server_user();
  std::string target = pool_.database().target();
  uint64_t client = lease_.client() == nullptr ? 0 : lease_.client()->identity().id;
  bag.field("id", identity_.id);
  bag.field("database", database);
  bag.field("user", user);
  bag.field("server_user", server_user);
  bag.field("target", target);
  bag.field("client", client);
  carry(bag);
  bag.part("lease", [this](Bag& inner) { lease_.carry(inner, lease_.client()); });
  const int descriptor = channel_->socket().release();
  state_ = State::Gone;
  timer_.cancel();
  worker_.cancels().forget(*this);
  leave_pool();
  pool_.server_left(*this);
  return descriptor;
}

void Server::leave_pool() {
  pool_hook.leave();
  channel_.reset();
  worker_.remove(*this);
}

Status Server::receive(Bag& bag, int descriptor, Client* client, bool is_wanted) {
  channel_ = std::make_unique<Channel>(net::Socket(worker_.loop(), descriptor), worker_.chunks());
  carry(bag);
  bag.part("lease", [&](Bag& inner) { lease_.carry(inner, client); });
  const bool known = state_ == State::Idle || state_ == State::Active ||
                     state_ == State::Cleaning || state_ == State::Settling ||
                     state_ == State::Draining;
  if (!known || (state_ == State::Active) != (client != nullptr)) bag.refuse("state");
  if (state_ == State::Idle && !inbound_.at_boundary()) bag.refuse("rest");
  if (!is_wanted) close_wanted_ = true;
  if (!bag.status()) return bag.status();
  if (client != nullptr) client->set_server(this);
  received_ = true;
  pool_.receive(*this);
  return ok();
}

void Server::take_up() {
  if (!std::exchange(received_, false) || is_over()) return;
  if (!channel_->socket().watch(*this)) return on_lost("descriptors have run out");
  if (state_ == State::Idle) return pool_.give(*this);
  if (state_ == State::Draining) return drain();
  if (state_ != State::Active) wait(kEndLimit);
}

void Server::resume() {
  if (channel_ != nullptr && channel_->readable()) channel_->socket().resume_later();
}

// --- clients

bool Client::is_settled() const {
  if (inside_) return server_ == nullptr;
  return state_ != State::Auth && state_ != State::Canceling;
}

void Client::carry(Bag& bag, const StatementTails& tails) {
  bag.field("peer_pid", identity_.peer_pid);
  bag.field("user", identity_.user);
  bag.field("database", identity_.database);
  bag.field("pid", identity_.pid);
  bag.field("secret", identity_.secret);
  bag.field("connected_at", identity_.connected_at);
  bag.field("request_at", identity_.request_at);
  bag.field("idle_since", identity_.idle_since);
  bag.field("state", state_, State::Closed);
  bag.field("held", held_);
  bag.field("parameters_proven", parameters_proven_);
  bag.field("told_of_wait", told_of_wait_);
  bag.field("skipping", skipping_);
  bag.field("probed", probed_);
  bag.field("half_closed", half_closed_);
  carry_inbound(bag, inbound_);
  carry_unsent(bag, channel_);
  bag.part("parameters", [this](Bag& inner) { parameters_.carry(inner, worker_.tracked()); });
  const auto carry_statements = [&](std::string_view name, auto& statements) {
    if (!bag.unpacks() && statements == nullptr) return;
    bag.part(name, [&](Bag& inner) {
      if (inner.unpacks()) statements = std::make_unique<ClientStatements>(worker_.statements());
      statements->carry(inner, tails);
    });
  };
  carry_statements("statements", statements_);
  carry_statements("watched", watched_);
  if (bag.unpacks() || replicating_ != nullptr) {
    bag.part("replicating", [this](Bag& inner) {
      if (inner.unpacks()) replicating_ = std::make_unique<Replicating>();
      inner.field("kind", replicating_->kind, Replication::Logical);
      inner.field("parameters", replicating_->parameters);
    });
  }
  std::optional<std::string> begun;
  if (!begun_.empty()) begun = begun_;
  bag.field("begun", begun);
  if (bag.unpacks()) begun_ = begun.value_or("");
  std::optional<std::string> collected;
  if (collected_) collected = *collected_;
  bag.field("collected", collected);
  if (bag.unpacks() && collected) collected_ = std::make_unique<std::string>(*collected);
  if (login_ == nullptr) return;
  bag.field("version", login_->version);
  bag.field("encryption_requests", login_->encryption_requests);
}

int Client::give_away(Bag& bag) {
  bag.field("id", identity_.id);
  bag.field("peer", identity_.peer);
  carry(bag, {});
  server_ = nullptr;
  const int descriptor = channel_.socket().release();
  detach();
  state_ = State::Closed;
  timer_.cancel();
  worker_.remove(*this);
  return descriptor;
}

Status Client::receive(Bag& bag, const StatementTails& tails) {
  carry(bag, tails);
  const bool known = state_ == State::Startup || state_ == State::Lookup ||
                     state_ == State::Greeting || state_ == State::Idle ||
                     state_ == State::Waiting || state_ == State::Active;
  if (!known) bag.refuse("state");
  if (state_ == State::Waiting && held_.size() < wire::kHeadBytes) bag.refuse("held");
  if (!bag.status()) return bag.status();
  received_ = true;
  rejoin();
  return ok();
}

// Its place in the pool. A client whose database is not here any more has none: take_up() tells it.
void Client::rejoin() {
  if (state_ == State::Startup) return;
  worker_.workers().clients().take(0);
  admitted_ = true;
  if (state_ == State::Lookup) return;
  const auto database = worker_.config().database(identity_.database);
  const bool any = worker_.config().settings.auth.type == AuthType::Any;
  if (!database || (any && !database->user)) return;
  pool_ = &worker_.pools().find_or_add(database, identity_.user);
  pool_->group().clients().take(0);
  user_clients_ = &worker_.workers().groups().user_clients(identity_.user);
  user_clients_->take(0);
  pool_->group().present().fetch_add(1);
  if (state_ == State::Greeting) return;
  login_.reset();
  worker_.parameter_sets().share(parameters_);
  if (!worker_.cancels().adopt_key(*this)) identity_.pid = 0;
  pool_->receive(*this);
}

void Client::take_up() {
  if (!std::exchange(received_, false) || is_over()) return;
  if (!channel_.socket().watch(*this)) return close("out of file descriptors");
  const auto limit = worker_.config().settings.time.client_login;
  if (login_ != nullptr && limit.count() > 0) timer_.arm(worker_.now() + limit);
  const bool in_pool = state_ != State::Startup && state_ != State::Lookup;
  if (in_pool && pool_ == nullptr) return fail("database removed");
  if (in_pool && state_ == State::Active && server_ == nullptr) return fail("server conn crashed?");
  if (state_ == State::Lookup) return begin_auth();
  if (state_ == State::Greeting) return pool_->join(*this);
}

}  // namespace pgtend::pool
