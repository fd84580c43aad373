#include "pool/server.h"

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "pool/client.h"
#include "pool/logging.h"
#include "pool/pools.h"
#include "pool/texts.h"
#include "pool/worker.h"
#include "wire/backend.h"
#include "wire/frontend.h"

namespace pgtend::pool {
namespace {

namespace be = wire::backend;
namespace fe = wire::frontend;

// How much of an error or a command tag is looked at.
constexpr size_t kPeekBytes = 256;
// The SQLSTATE field of that error.
constexpr std::string_view kPlanChanged("C0A000\0", 7);
// When both directions are full the server side is still read, or a client that writes a long
// pipeline before it reads would stop everything; up to this many unsent bytes.
constexpr size_t kUnsentMax = size_t{16} << 20;

void append_parse(std::string& out, const Statement& statement) {
  wire::MessageWriter message(out, fe::kParse);
  wire::put_cstring(out, statement.name);
  out += statement.tail;
  message.finish();
}

}  // namespace

Server::Server(Worker& worker, Pool& pool, uint64_t id)
    : worker_(worker),
      pool_(pool),
      parameters_(worker.tracked()),
      timer_(worker.loop().timers(), [this] { on_timer(); }) {
  identity_.id = id;
  identity_.epoch = pool.group().epoch();
}

Server::Server(Worker& worker, Pool& pool, Luggage luggage)
    : worker_(worker),
      pool_(pool),
      identity_(std::move(luggage.identity)),
      state_(State::Idle),
      channel_(std::make_unique<Channel>(net::Socket(worker.loop(), luggage.descriptor),
                                         worker.chunks())),
      lease_(std::move(luggage.lease)),
      parameters_(std::move(luggage.parameters)),
      statements_(std::move(luggage.statements)),
      timer_(worker.loop().timers(), [this] { on_timer(); }) {}

Luggage Server::pack() {
  CHECK(state_ == State::Idle && !walking_ && inbound_.at_boundary() && cancels_ == 0);
  Luggage luggage{.identity = std::move(identity_),
                  .descriptor = channel_->socket().release(),
                  .lease = std::move(lease_),
                  .parameters = std::move(parameters_),
                  .statements = std::move(statements_)};
  identity_.id = luggage.identity.id;
  state_ = State::Gone;
  timer_.cancel();
  leave_pool();
  return luggage;
}

void Server::unpack() {
  if (!channel_->socket().watch(*this)) return on_lost("descriptors have run out");
  pool_.give(*this);
}

Server::~Server() { worker_.cancels().forget(*this); }

std::string_view Server::state_name() const {
  switch (state_) {
    case State::Connecting:
    case State::Login:
      return "login";
    case State::Idle:
      return "idle";
    case State::Active:
      return "active";
    case State::Cleaning:
      return "tested";
    case State::BeingCanceled:
      return "being_canceled";
    case State::Settling:
    case State::Draining:
    case State::Gone:
      return "used";
  }
  std::abort();
}

void Server::wait(microseconds limit) {
  if (limit.count() > 0) {
    timer_.arm(worker_.now() + limit);
  } else {
    timer_.cancel();
  }
}

void Server::on_ready(net::Ready ready) {
  if (state_ == State::Connecting) {
    if (ready.writable || ready.broken) on_connected();
    return;
  }
  channel_->note(ready);
  if (channel_->unsent() > 0 && (ready.writable || ready.broken)) {
    if (!channel_->flush()) return on_lost("server conn crashed?");
    if (channel_->unsent() == 0) {
      if (state_ == State::Draining) channel_->socket().shutdown_send();
      if (Client* client = lease_.client()) client->server_has_room();
      release_if_free();
    }
  }
  pump();
}

void Server::on_timer() {
  switch (state_) {
    case State::Connecting:
      login_->question = 0;
      return connect_next("connect timeout");
    case State::Login:
      return login_failed("connect timeout", kPoolerState, LoginEnd::GivenUp);
    case State::Cleaning:
    case State::BeingCanceled:
    case State::Settling:
      return close("the backend did not come to rest");
    case State::Draining:
      log::warn(
          cat(name_in_log(), "backend ", identity_.pid, " does not end, its slot is given up"));
      return gone();
    case State::Idle:
    case State::Active:
    case State::Gone:
      return;
  }
}

// --- reading

bool Server::may_read() const {
  if (state_ == State::Gone || !channel_->readable()) return false;
  const Client* client = lease_.client();
  if (client == nullptr) return true;
  if (worker_.is_suspended()) return false;
  const size_t waiting = const_cast<Client*>(client)->channel().unsent();
  return waiting == 0 || (channel_->unsent() > 0 && waiting < kUnsentMax);
}

void Server::pump() {
  for (int reads = 0; worker_.may_read_on(reads); ++reads) {
    if (!may_read()) return;
    std::string_view bytes;
    const net::Io io = worker_.receiver().receive(*channel_, inbound_, bytes);
    switch (io.kind) {
      case net::Io::Kind::Again:
        return;
      case net::Io::Kind::Closed:
      case net::Io::Kind::Failed:
        return on_lost("server conn crashed?");
      case net::Io::Kind::Done:
        break;
    }
    pool_.counters().bytes_sent += io.bytes;
    if (state_ == State::Draining) continue;
    walking_ = true;
    on_bytes(bytes);
    walking_ = false;
    refuse_block();
    release_if_free();
    settle();
  }
  if (state_ != State::Gone) channel_->socket().resume_later();
}

// An idle link with half a message in hand can neither move nor serve before it has the rest.
void Server::settle() {
  if (state_ == State::Idle && !inbound_.at_boundary()) {
    state_ = State::Settling;
    pool_.retire(*this);
    wait(kEndLimit);
  } else if (state_ == State::Settling && inbound_.at_boundary()) {
    state_ = State::Idle;
    timer_.cancel();
    pool_.give(*this);
  }
}

// Walks over the messages in `bytes`. Neighbours that go to the client are delivered in one piece.
void Server::on_bytes(std::string_view bytes) {
  size_t passed = 0;  // everything before it is delivered or swallowed
  size_t at = 0;
  const auto deliver_until = [&](size_t end) {
    Client* client = lease_.client();
    if (client != nullptr && end > passed) client->deliver(bytes.substr(passed, end - passed));
    passed = end;
  };
  while (at < bytes.size() && state_ != State::Gone && state_ != State::Draining) {
    if (inbound_.left == 0) {
      const bool was_passing = inbound_.passing;
      // Parameters and the end of a prelude concern the client before what follows them.
      const size_t need = begin_message(bytes.substr(at));
      if (need == 0) {
        deliver_until(at);
        inbound_.rest = bytes.substr(at);
        return;
      }
      if (was_passing && !inbound_.passing) deliver_until(at);
      if (!was_passing && inbound_.passing) passed = at;
      if (!was_passing && !inbound_.passing) passed = at;
    }
    const auto piece = std::min<uint64_t>(inbound_.left, bytes.size() - at);
    inbound_.left -= piece;
    at += static_cast<size_t>(piece);
    if (!inbound_.passing) passed = at;
    if (inbound_.left == 0 && lease_.has_fake()) {
      if (inbound_.passing) deliver_until(at);
      settle_fakes();
    }
  }
  if (state_ != State::Gone && state_ != State::Draining) deliver_until(at);
}

// Looks at the message that begins `bytes`; 0 when more of it is needed first.
size_t Server::begin_message(std::string_view bytes) {
  wire::Head head;
  switch (wire::read_head(bytes, head)) {
    case wire::HeadState::More:
      return 0;
    case wire::HeadState::Bad:
      close("the server sent an impossible message length");
      return 1;
    case wire::HeadState::Whole:
      break;
  }
  std::string_view body;
  if (wants_peek(head)) {
    // Only the beginning of an error matters here, however long it is.
    const size_t wanted = std::min<size_t>(head.total(), kPeekBytes);
    if (bytes.size() < wanted) return 0;
    body = bytes.substr(wire::kHeadBytes,
                        std::min<size_t>(head.body_bytes, bytes.size() - wire::kHeadBytes));
  } else if (needs_body(head.type)) {
    if (head.total() > kRestMax) {
      close("the server sent too long a message");
      return 1;
    }
    if (bytes.size() < head.total()) return 0;
    body = bytes.substr(wire::kHeadBytes, head.body_bytes);
  }
  inbound_.left = head.total();
  inbound_.passing = on_message(head, body) == Route::Forward && lease_.client() != nullptr;
  return 1;
}

bool Server::needs_body(char type) const {
  if (type == be::kReadyForQuery || type == be::kParameterStatus) return true;
  return state_ == State::Login || (applying_ && type == be::kErrorResponse);
}

// Messages that tell what became of prepared statements, and how many rows there were.
bool Server::wants_peek(const wire::Head& head) const {
  const Client* client = lease_.client();
  const bool has_any =
      statements_.size() > 0 || (client != nullptr && client->statements() != nullptr);
  if (state_ == State::Login || applying_) return false;
  if (head.type == be::kErrorResponse) return has_any;
  return head.type == be::kCommandComplete && head.total() <= kPeekBytes;
}

Route Server::on_message(const wire::Head& head, std::string_view body) {
  const char type = head.type;
  told_ = false;
  if (state_ == State::Login) {
    on_login_message(type, body);
    return Route::Swallow;
  }
  if (state_ == State::Idle || state_ == State::Settling || state_ == State::BeingCanceled) {
    if (type == be::kParameterStatus) {
      on_parameter(body, Route::Swallow);
    } else {
      on_idle_message(type);
    }
    return Route::Swallow;
  }
  // Nobody waits for it: the link ends, and its client may go on with another one.
  if (type == be::kErrorResponse && !stays_with_client() && lease_.is_free()) {
    close_wanted_ = true;
    return Route::Swallow;
  }
  const Expectations::Front about = lease_.expect().front();
  const Route route = lease_.received(type);
  if (type == be::kErrorResponse) on_error(body, about.tag);
  if (type == be::kCommandComplete && !body.empty()) on_tag(body);
  if (route == Route::Forward && counts_answers()) count_answer(head, body, about);
  told_ = type == be::kErrorResponse && route == Route::Forward;
  if (type == be::kParameterStatus) on_parameter(body, route);
  if (type == be::kReadyForQuery) on_ready_message(body, route);
  if (type == be::kErrorResponse && route == Route::Swallow) {
    if (applying_) {
      failure_.clear();
      wire::MessageWriter message(failure_, be::kErrorResponse);
      failure_ += body;
      message.finish();
    }
    // A rollback or reset that fails leaves the session in a state nobody knows.
    if (state_ == State::Cleaning && phase_ != Phase::Settle) close_wanted_ = true;
  }
  if (state_ == State::Cleaning && type != be::kReadyForQuery) nudge();
  return route;
}

// Adds up the answer to a call, and ends the call when it is complete.
void Server::count_answer(const wire::Head& head, std::string_view body,
                          const Expectations::Front& about) {
  QueryEnd& answer = lease_.answer();
  answer.bytes += head.total();
  bool ends = false;
  switch (head.type) {
    case be::kDataRow:
      return;
    case be::kCommandComplete: {
      const std::string_view tag = body.substr(0, body.find('\0'));
      const uint64_t rows = rows_of_tag(tag);
      answer.rows += rows;
      if (Events::matters(tag, rows)) {
        worker_.events().note_command(pool_.owner(), tag, rows,
                                      worker_.queries().text(about.tag.shape), worker_.wall());
      }
      ends = about.is_execute;
      break;
    }
    case be::kEmptyQueryResponse:
    case be::kPortalSuspended:
      ends = about.is_execute;
      break;
    case be::kErrorResponse:
      answer.failed = true;
      ends = about.is_execute || (!about.is_query && about.tag.shape != 0);
      break;
    case be::kReadyForQuery:
      ends = about.is_query;
      break;
    default:
      break;
  }
  if (!ends) return;
  const SteadyTime now = worker_.now();
  worker_.queries().end(pool_.owner(), about.tag.shape, lease_.end_answer(now), now);
}

// What a client left may need one more message before the server comes to rest: a COPY that began
// only now waits for data, and after an error the rest may have been skipped up to a Sync that was
// never sent.
void Server::nudge() {
  const Expectations& expect = lease_.expect();
  const bool waits = expect.in_copy_in() || (expect.outstanding() == 0 && expect.needs_sync());
  if (waits || expect.lost()) clean_on();
}

void Server::on_idle_message(char type) {
  if (type == be::kNoticeResponse || type == be::kNotificationResponse) return;
  if (type == be::kErrorResponse) note_failure("server shutting down");
  close(type == be::kErrorResponse ? "server shutting down"
                                   : "unexpected data from an idle server");
}

void Server::on_parameter(std::string_view body, Route route) {
  auto status = be::read_parameter_status(body);
  if (!status) return close("the server sent a malformed parameter");
  const auto index = worker_.tracked().find(status->name);
  if (!index) return;
  parameters_.set(*index, status->value);
  if (Client* client = lease_.client(); client != nullptr && route == Route::Forward) {
    client->parameters().set(*index, status->value);
  }
}

void Server::on_ready_message(std::string_view body, Route route) {
  auto status = be::read_ready_for_query(body);
  if (!status) return close("the server sent a malformed ReadyForQuery");
  lease_.ready(*status, route, pool_.counters(), pool_.times(), worker_.now());
  if (pool_.mode() == PoolMode::Statement && lease_.client() != nullptr && !replicates()) {
    block_seen_ = block_seen_ || *status != be::TransactionStatus::Idle;
  }
  if (applying_ && route == Route::Swallow) return parameters_applied();
  if (state_ == State::Cleaning) clean_on();
}

// --- service

void Server::lease_to(Client& client) {
  DCHECK(state_ == State::Idle);
  state_ = State::Active;
  served_ = true;
  identity_.used_at = worker_.now();
  lease_.begin(client, !replicates());
  ++pool_.counters().server_assignment_count;
  if (!replicates()) apply_parameters(client);
  trim_statements();
}

// Brings the link's parameters to the client's. Values a server has accepted before travel glued
// before the client's own request; the client's start values are tried first, because a request
// must not run under the wrong ones.
void Server::apply_parameters(Client& client) {
  const std::string sql =
      Parameters::difference(worker_.tracked(), client.parameters(), parameters_);
  if (sql.empty()) return;
  fe::append_query(prelude_, sql);
  lease_.sent(fe::kQuery, Route::Swallow, worker_.now());
  applying_ = true;
  failure_.clear();
  if (!client.parameters_proven()) forward({});
}

void Server::parameters_applied() {
  applying_ = false;
  Client* client = lease_.client();
  if (client == nullptr) return;
  if (!failure_.empty()) {
    auto report = be::read_report(std::string_view(failure_).substr(wire::kHeadBytes));
    const std::string text = cat("the server refused a parameter of the client: ",
                                 report ? report->message.value_or("") : "");
    const std::string state(report ? report->sqlstate.value_or(kPoolerState) : kPoolerState);
    failure_.clear();
    return client->fail(text, state);
  }
  // What the server made of the values: the client is told, and asks for no more than that again.
  std::string out;
  for (size_t i = 0; i < worker_.tracked().size(); ++i) {
    const auto& have = parameters_.get(i);
    if (!have || client->parameters().get(i) == have) continue;
    client->parameters().set(i, *have);
    be::append_parameter_status(out, {worker_.tracked().name(i), *have});
  }
  if (!out.empty()) client->deliver(out);
  client->on_parameters_applied();
}

// --- prepared statements

void Server::ensure(const Statement& statement) {
  if (!statements_.use(statement.id)) prepare(statement, Route::Swallow, 0);
}

void Server::parse(const Statement& statement, uint32_t serial) {
  if (!statements_.use(statement.id)) return prepare(statement, Route::Forward, serial);
  lease_.sent(fe::kParse, Route::Fake, worker_.now(), {0, serial});
  settle_fakes();
}

uint64_t Server::begin_query(const Statement& statement) {
  return worker_.queries().begin(pool_.owner(), statement.shape, statement.text(), worker_.now());
}

void Server::prepare(const Statement& statement, Route route, uint32_t serial) {
  if (statements_.take_outdated(statement.id)) close_on_server(statement.id);
  statements_.add(statement.id);
  ++pool_.counters().server_parse_count;
  append_parse(prelude_, statement);
  const uint64_t shape = route == Route::Forward ? begin_query(statement) : 0;
  lease_.sent(fe::kParse, route, worker_.now(), {statement.id, serial, shape});
}

void Server::close_on_server(uint64_t id) {
  fe::append_close(prelude_, {'S', server_name_of(id)});
  lease_.sent(fe::kClose, Route::Swallow, worker_.now(), {id, 0});
}

void Server::close_statement(uint32_t serial) {
  lease_.sent(fe::kClose, Route::Fake, worker_.now(), {0, serial});
  settle_fakes();
}

// Answers what the pool answers itself, once it is its turn.
void Server::settle_fakes() {
  if (inbound_.left > 0) return;
  std::string out;
  StatementTag tag;
  Client* client = lease_.client();
  while (const char type = lease_.take_fake(tag)) {
    be::append_bare(out, type == fe::kClose ? be::kCloseComplete : be::kParseComplete);
    if (type == fe::kClose && client != nullptr) client->statements()->confirm(tag.serial);
  }
  if (client != nullptr && !out.empty()) client->deliver(out);
}

// Between transactions, because a closed statement takes its portals along.
void Server::trim_statements() {
  const auto most =
      static_cast<size_t>(std::max(0, worker_.config().settings.session.statements_max));
  while (statements_.size() > most) {
    const uint64_t id = statements_.oldest();
    statements_.remove(id);
    close_on_server(id);
  }
}

// The server skipped requests after an error: what the tables hold of them is not so. The last
// first, because one name may have been closed and prepared again.
void Server::undo_skipped() {
  auto skipped = lease_.take_skipped();
  Client* client = lease_.client();
  std::ranges::reverse(skipped);
  for (const SkippedRequest& request : skipped) {
    if (request.tag.statement != 0) {
      if (request.is_close) {
        statements_.add(request.tag.statement);
      } else {
        statements_.remove(request.tag.statement);
      }
    }
    if (request.tag.serial != 0 && client != nullptr)
      client->statements()->undo(request.tag.serial);
  }
}

void Server::on_error(std::string_view body, StatementTag about) {
  undo_skipped();
  // "cached plan must not change result type": the link's statement is from before a schema change.
  if (about.statement == 0 || !statements_.use(about.statement)) return;
  if (body.find(kPlanChanged) == std::string_view::npos) return;
  statements_.outdate(about.statement);
}

void Server::on_tag(std::string_view body) {
  const std::string_view tag = body.substr(0, body.find('\0'));
  if (tag != "DISCARD ALL" && tag != "DEALLOCATE ALL") return;
  statements_.clear();
  if (lease_.client() != nullptr) lease_.client()->forget_statements();
}

void Server::expect(char type, StatementTag tag) {
  lease_.sent(type, Route::Forward, worker_.now(), tag);
}

void Server::forward(std::string_view bytes) {
  const bool sent = channel_->send(prelude_, bytes);
  prelude_.clear();
  if (!sent) on_lost("server conn crashed?");
}

void Server::flush_answers() {
  std::string out;
  fe::append_flush(out);
  forward(out);
}

void Server::client_has_room() {
  release_if_free();
  if (state_ == State::Active && channel_->readable()) channel_->socket().resume_later();
}

bool Server::is_free() const {
  return lease_.is_free() && inbound_.at_boundary() && channel_->unsent() == 0;
}

void Server::release_if_free() {
  Client* client = lease_.client();
  if (state_ != State::Active || client == nullptr) return;
  if (client->is_half_closed() && lease_.expect().is_clients_turn()) {
    return client->finish_half_closed();
  }
  if (client->is_unsettled() && lease_.expect().outstanding() == 0) return client->go_on();
  if (stays_with_client()) return close_if_outdated();
  if (!is_free() || !client->is_quiet()) return;
  release();
  client->on_released();
}

void Server::leave(bool mid_message, bool cancel) {
  DCHECK(state_ == State::Active);
  if (is_free() && !mid_message) {
    release();
  } else {
    abandon(mid_message, cancel);
  }
}

void Server::release() {
  lease_.end();
  state_ = State::Cleaning;
  phase_ = Phase::Settle;
  const auto& session = worker_.config().settings.session;
  reset_wanted_ = pool_.mode() == PoolMode::Session || session.reset_always;
  clean_on();
}

void Server::abandon(bool mid_message, bool cancel) {
  applying_ = false;
  lease_.end();
  state_ = State::Cleaning;
  phase_ = Phase::Settle;
  reset_wanted_ = true;
  const bool busy = lease_.expect().outstanding() > 0;
  if (busy && cancel) worker_.cancels().start(*this, {});
  if (mid_message) return end("client left in the middle of a message", false);
  std::string out = std::move(prelude_);
  prelude_.clear();
  // With an unknown count of answers, or in a COPY, clean_on() knows what to do.
  const bool plain = !lease_.expect().in_copy_in() && !lease_.expect().lost();
  if (plain && lease_.expect().needs_sync()) append_undo(out);
  // A client that said goodbye with requests outstanding gets them done, but the link is not
  // reused.
  if (busy && !cancel) close_wanted_ = true;
  wait(kEndLimit);
  if (!channel_->send(out)) return on_lost("server conn crashed?");
  clean_on();
}

// Ends a pipeline that the client did not sync. Only a Sync would commit it; the server skips the
// ROLLBACK when an error came before it.
void Server::append_undo(std::string& out) {
  fe::append_query(out, "ROLLBACK");
  lease_.sent(fe::kQuery, Route::Swallow, worker_.now());
  fe::append_sync(out);
  lease_.sent(fe::kSync, Route::Swallow, worker_.now());
}

// One step of cleaning a time: everything answered, no transaction, session reset, then back.
void Server::clean_on() {
  if (state_ != State::Cleaning) return;
  if (lease_.expect().lost()) return close("unclean server");
  if (lease_.expect().in_copy_in()) {
    std::string out;
    fe::append_copy_fail(out, "client disconnected");
    lease_.sent(fe::kCopyFail, Route::Swallow, worker_.now());
    if (!channel_->send(out)) on_lost("server conn crashed?");
    return;
  }
  if (lease_.expect().outstanding() > 0) return;
  if (close_wanted_) return close("unclean server");
  if (lease_.expect().needs_sync()) {
    std::string out;
    append_undo(out);
    if (!channel_->send(out)) on_lost("server conn crashed?");
    return;
  }
  if (lease_.status() != be::TransactionStatus::Idle) {
    if (phase_ != Phase::Settle) return close("unclean server");
    phase_ = Phase::Rollback;
    return ask("ROLLBACK");
  }
  const std::string& reset = worker_.config().settings.session.reset_query;
  if (reset_wanted_ && !reset.empty()) {
    reset_wanted_ = false;
    phase_ = Phase::Reset;
    return ask(reset);
  }
  timer_.cancel();
  identity_.used_at = worker_.now();
  if (cancels_ > 0) {
    state_ = State::BeingCanceled;
    return wait(kEndLimit);
  }
  state_ = State::Idle;
  pool_.give(*this);
}

// A client that opened a transaction in statement mode may not go on in it.
void Server::refuse_block() {
  if (!std::exchange(block_seen_, false)) return;
  if (Client* client = lease_.client()) {
    client->fail("transaction blocks not allowed in statement pooling mode");
  }
}

void Server::check() {
  DCHECK(state_ == State::Idle);
  const Settings& settings = worker_.config().settings;
  state_ = State::Cleaning;
  phase_ = Phase::Check;
  checking_ = true;
  // Not answering is as not being reached.
  wait(settings.time.server_connect);
  ask(settings.session.check_query);
}

void Server::ask(std::string_view sql) {
  if (!timer_.armed()) wait(kEndLimit);
  std::string out;
  fe::append_query(out, sql);
  lease_.sent(fe::kQuery, Route::Swallow, worker_.now());
  if (!channel_->send(out)) on_lost("server conn crashed?");
}

void Server::cancel_ended() {
  --cancels_;
  if (cancels_ > 0 || state_ != State::BeingCanceled) return;
  state_ = State::Settling;
  settle();
}

// --- the end

void Server::close_when_free() {
  close_wanted_ = true;
  if (state_ == State::Idle) close("server no longer wanted");
}

void Server::close_if_outdated() {
  if (state_ != State::Active || !stays_with_client()) return;
  if (!worker_.config().settings.session.fast_close || !is_free()) return;
  if (identity_.epoch != pool_.group().epoch()) close("database configuration changed");
}

void Server::close(std::string_view reason) { end(reason, true); }

// `polite`: with a Terminate, which must not get into a message that is only half sent.
void Server::end(std::string_view reason, bool polite) {
  if (state_ == State::Draining || state_ == State::Gone) return;
  if (login_) return login_failed(reason, kPoolerState, LoginEnd::GivenUp);
  if (worker_.config().settings.log.disconnections) {
    log_close(reason);
  }
  Client* client = lease_.client();
  state_ = State::Draining;
  // Without a client the lease has ended before; a cancel on its way must still find its query.
  if (client != nullptr) lease_.end();
  if (client != nullptr) client->on_server_lost(reason, false);
  pool_.retire(*this);
  std::string out;
  if (polite) fe::append_terminate(out);
  prelude_.clear();
  if (!channel_->send(out)) return gone();
  drain();
}

// The backend counts until it has closed its side.
void Server::drain() {
  if (channel_->unsent() == 0) channel_->socket().shutdown_send();
  wait(kEndLimit);
  if (channel_->readable()) channel_->socket().resume_later();
}

void Server::on_lost(std::string_view reason) {
  if (state_ == State::Gone) return;
  if (state_ == State::Login) return login_failed(reason, kPoolerState, LoginEnd::Lost);
  const bool expected = state_ == State::Draining;
  if (!expected && worker_.config().settings.log.disconnections) {
    log_close(reason);
  }
  if (!expected) note_failure(reason);
  Client* client = lease_.client();
  lease_.end();
  const bool told = told_;
  gone();
  if (client != nullptr) client->on_server_lost(reason, told);
}

void Server::log_close(std::string_view reason) const {
  const auto age =
      std::chrono::duration_cast<seconds>(worker_.now() - identity_.connected_at).count();
  log::info(cat(name_in_log(), "closing because: ", reason, " (age=", age, "s)"));
}

std::string Server::name_in_log() const {
  return text_of({.kind = 'S',
                  .id = identity_.id,
                  .database = pool_.database().name,
                  .user = pool_.server_user(),
                  .peer = identity_.address,
                  .pid = identity_.pid,
                  .port = pool_.database().port});
}

void Server::note_failure(std::string_view what) {
  worker_.events().add({.at = worker_.wall(),
                        .kind = Event::Kind::Failure,
                        .database = pool_.database().name,
                        .user = pool_.server_user(),
                        .command = printable(what),
                        .target = identity_.address.text()});
}

void Server::gone() {
  if (state_ == State::Gone) return;
  state_ = State::Gone;
  timer_.cancel();
  worker_.cancels().forget(*this);
  pool_hook.leave();
  channel_.reset();
  pool_.server_gone(*this);
  worker_.remove(*this);
}

}  // namespace pgtend::pool
