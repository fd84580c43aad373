#include "pool/client.h"

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "pool/console.h"
#include "pool/logging.h"
#include "pool/pools.h"
#include "pool/shape.h"
#include "pool/texts.h"
#include "pool/worker.h"
#include "wire/backend.h"
#include "wire/frontend.h"

namespace pgtend::pool {
namespace {

namespace be = wire::backend;
namespace fe = wire::frontend;

// A named Parse is held whole; a longer one closes its client.
constexpr size_t kCollectedMax = size_t{16} << 20;
// Requests without an answer, at most; beyond it the client is not read until answers come.
constexpr uint32_t kOutstandingMax = 1 << 20;
// What a client that has waited keeps for its next wait, in bytes.
constexpr size_t kHeldKept = 1024;
// How long a client may take to read why it is closed.
constexpr seconds kLingerLimit{5};
constexpr std::string_view kCanceledText = "canceling statement due to user request";
constexpr std::string_view kCanceledState = "57014";
constexpr std::string_view kQueuedText =
    "No server connection available in postgres backend, client being queued";

// Why a message of `type` was not taken; `refused`: simple queries are not.
std::string_view reason_against(char type, bool refused) {
  if (type == fe::kQuery && refused) return "PQexec disallowed";
  return fe::name_of(type).empty() ? "unknown pkt" : "bad packet header";
}

bool is_copy_message(char type) {
  return type == fe::kCopyData || type == fe::kCopyDone || type == fe::kCopyFail;
}

}  // namespace

Client::Client(Worker& worker, uint64_t id, net::Accepted accepted)
    : worker_(worker),
      channel_(net::Socket(worker.loop(), accepted.descriptor), worker.chunks()),
      parameters_(worker.tracked()),
      login_(std::make_unique<Login>()),
      timer_(worker.loop().timers(), [this] { on_timer(); }) {
  identity_.id = id;
  identity_.peer = accepted.peer;
  if (accepted.peer.is_unix()) identity_.peer_pid = net::identity_of(accepted.descriptor).pid;
  identity_.connected_at = identity_.request_at = worker.now();
}

void Client::start() {
  const auto limit = worker_.config().settings.time.client_login;
  if (limit.count() > 0) timer_.arm(worker_.now() + limit);
  if (!channel_.socket().watch(*this)) close("out of file descriptors");
}

std::string_view Client::state_name() const {
  switch (state_) {
    case State::Startup:
    case State::Lookup:
    case State::Auth:
      return "login";
    case State::Greeting:
    case State::Waiting:
      return "waiting";
    case State::Idle:
      return "idle";
    case State::Active:
      return is_held_back() ? "waiting" : "active";
    case State::Console:
      return "active";
    case State::Canceling:
      return cancel_sent_ ? "active_cancel_req" : "waiting_cancel_req";
    case State::Lingering:
    case State::Closed:
      return "closed";
  }
  std::abort();
}

bool Client::is_quiet() const {
  return inbound_.at_boundary() && held_.empty() && channel_.unsent() == 0;
}

bool Client::is_logged_in() const {
  return state_ == State::Idle || state_ == State::Waiting || state_ == State::Active;
}

void Client::on_timer() {
  if (state_ == State::Lingering) return close("");
  fail(state_ == State::Greeting ? "client_login_timeout (server down)" : "client_login_timeout");
}

// --- reading

void Client::on_ready(net::Ready ready) {
  channel_.note(ready);
  if (channel_.unsent() > 0 && (ready.writable || ready.broken)) {
    if (!channel_.flush()) return on_vanished();
    if (channel_.unsent() == 0) {
      if (state_ == State::Lingering) channel_.socket().shutdown_send();
      if (server_ != nullptr) server_->client_has_room();
    }
  }
  if (is_held_up()) {
    // Not read while it waits: what the loop tells is all there is to know.
    if (channel_.broken()) return on_vanished();
    // Nobody says goodbye and still wants to log in.
    if (channel_.peer_closed()) return is_logged_in() ? probe() : on_vanished();
    return;
  }
  pump();
  // Nobody is there to read answers any more, and nothing more can be read.
  const bool serving = state_ == State::Idle || state_ == State::Active;
  if (channel_.broken() && serving && !may_read()) on_vanished();
}

// Waits for something else than its own bytes.
bool Client::is_held_up() const {
  return state_ == State::Lookup || state_ == State::Greeting || state_ == State::Waiting ||
         !held_.empty();
}

bool Client::may_read() const {
  if (state_ == State::Closed || !channel_.readable() || half_closed_) return false;
  if (console_ != nullptr && console_->is_busy()) return false;
  if (is_held_up()) return false;
  // A login that has not begun can wait, one that has must end.
  if (state_ == State::Startup && worker_.is_held()) return false;
  const bool serving = state_ == State::Idle || state_ == State::Active;
  if (serving && worker_.is_suspended() && !inside_) return false;
  if (server_ == nullptr) return true;
  return server_->channel()->unsent() == 0 &&
         server_->lease().expect().outstanding() < kOutstandingMax;
}

void Client::pump() {
  for (int reads = 0; worker_.may_read_on(reads); ++reads) {
    if (!may_read()) return;
    std::string_view bytes;
    const net::Io io = worker_.receiver().receive(channel_, inbound_, bytes);
    switch (io.kind) {
      case net::Io::Kind::Again:
        return;
      case net::Io::Kind::Closed:
        return on_peer_closed();
      case net::Io::Kind::Failed:
        return on_vanished();
      case net::Io::Kind::Done:
        break;
    }
    if (pool_ != nullptr) pool_->counters().bytes_received += io.bytes;
    switch (state_) {
      case State::Startup:
      case State::Auth:
        on_login_bytes(bytes);
        break;
      case State::Console:
        on_console_bytes(bytes);
        break;
      case State::Canceling:  // Go's driver sends Terminate here
      case State::Lingering:
        break;
      case State::Idle:
      case State::Active:
        on_bytes(bytes);
        break;
      case State::Lookup:
      case State::Greeting:
      case State::Waiting:
      case State::Closed:
        return;
    }
  }
  if (may_read()) read_on();
}

// The client sends no more. With a request under way it may still be reading (a half-closed
// connection), or it may be gone: a message to a gone one comes back as a broken connection.
void Client::on_peer_closed() {
  if (server_ == nullptr) return close(state_ == State::Lingering ? "" : "client unexpected eof");
  half_closed_ = true;
  const Expectations& expect = server_->lease().expect();
  if (channel_.broken() || inbound_.left > 0 || expect.is_clients_turn()) return on_vanished();
  // Without this a server keeps the answers to what is not synced.
  if (expect.needs_sync()) server_->flush_answers();
  if (server_ != nullptr) probe();
}

void Client::finish_half_closed() {
  if (channel_.unsent() > 0) return;
  leave_server(false);
  close("client close request");
}

// Something harmless to send to a peer that has closed its side.
void Client::probe() {
  if (probed_ || identity_.peer.is_unix() || state_ == State::Console) return;
  probed_ = true;
  // Only between two messages; when rows are streaming they are the probe.
  if (is_cut()) return;
  const auto& encoding = parameters_.get(0);
  std::string out;
  be::append_parameter_status(out, {worker_.tracked().name(0), encoding ? *encoding : "UTF8"});
  deliver(out);
}

// Its end may have been announced together with the bytes that it waits with now.
void Client::watch_end() {
  if (channel_.peer_closed() || channel_.broken()) channel_.socket().resume_later();
}

void Client::on_vanished() {
  if (state_ == State::Closed) return;
  if (server_ != nullptr) leave_server(true);
  close("client unexpected eof");
}

// Walks over the client's messages. Neighbours go to the server in one piece, and what is rewritten
// goes with them.
void Client::on_bytes(std::string_view bytes) {
  size_t passed = 0;  // everything before it is forwarded or swallowed
  size_t at = 0;
  const auto forward_until = [&](size_t end) {
    if (end > passed && server_ != nullptr) server_->forward(bytes.substr(passed, end - passed));
    passed = end;
  };
  while (at < bytes.size() && (state_ == State::Idle || state_ == State::Active)) {
    if (inbound_.left == 0) {
      wire::Head head;
      const Next next = next_message(bytes.substr(at), head);
      if (next == Next::More) {
        inbound_.rest = bytes.substr(at);
        break;
      }
      if (next == Next::Stop) {
        forward_until(at);
        return on_terminate();
      }
      if (next == Next::Bad) {
        forward_until(at);
        const bool refused = worker_.config().settings.session.simple_query_refused;
        return fail(reason_against(head.type, refused));
      }
      inbound_.passing = next == Next::Pass;
      if (next == Next::Pass && begin_collecting(head, bytes.substr(at))) {
        inbound_.passing = false;
      } else if (next == Next::Pass && worker_.table_holds().any() &&
                 !passes_holds(head, bytes.substr(at))) {
        if (stop_ != Stop::None) {
          forward_until(at);
          return hold_back(bytes.substr(at));
        }
        inbound_.passing = false;
      } else if (next == Next::Pass && server_ == nullptr && !need_server(bytes.substr(at))) {
        return;
      }
      if (!inbound_.passing) forward_until(at);
      inbound_.left = head.total();
      if (inbound_.passing) {
        const size_t mapped = pass_message(head, bytes, passed, at);
        if (state_ != State::Active) return;
        inbound_.left -= mapped;
        at += mapped;
        if (mapped > 0) passed = at;
      }
    }
    const auto piece = std::min<uint64_t>(inbound_.left, bytes.size() - at);
    if (collected_ && !collect(bytes.substr(at, static_cast<size_t>(piece)))) return;
    inbound_.left -= piece;
    at += static_cast<size_t>(piece);
    if (!inbound_.passing) passed = at;
    if (collected_ && inbound_.left == 0) return on_collected(bytes.substr(at));
  }
  if (state_ != State::Active) return;
  forward_until(at);
  if (server_ != nullptr && !server_->prelude().empty()) server_->forward({});
  // Stray copy data that ended after its transaction did: nothing else would notice.
  if (server_ != nullptr) server_->release_if_free();
}

// The message at `at` goes to the server. Returns how many of its bytes were replaced by others;
// then what stands before it has been queued.
size_t Client::pass_message(const wire::Head& head, std::string_view bytes, size_t passed,
                            size_t at) {
  const std::string_view message = bytes.substr(at);
  if (!begun_.empty()) send_begun();
  if (!is_mapped(head, message)) {
    note_message(head, message);
    return 0;
  }
  server_->prelude() += bytes.substr(passed, at - passed);
  const size_t mapped = map_message(head, message);
  if (mapped > 0 || state_ != State::Active) return mapped;
  note_message(head, message);
  // Nothing was replaced: what was queued must not be sent twice.
  server_->prelude() += message.substr(0, std::min<size_t>(head.total(), message.size()));
  return std::min<size_t>(head.total(), message.size());
}

bool Client::collect(std::string_view piece) {
  if (collected_->size() + piece.size() > kCollectedMax) {
    fail("the text of a prepared statement is too long");
    return false;
  }
  *collected_ += piece;
  return true;
}

// A long Parse is whole: as if it and what follows had come at once.
void Client::on_collected(std::string_view rest) {
  std::string whole = std::move(*collected_);
  collected_.reset();
  whole += rest;
  on_bytes(whole);
}

Client::Next Client::next_message(std::string_view bytes, wire::Head& head) {
  const auto bytes_max = worker_.config().settings.limit.packet_bytes;
  const auto length_max = static_cast<uint32_t>(std::min<int64_t>(bytes_max, wire::kLengthMax));
  switch (wire::read_head(bytes, head, length_max)) {
    case wire::HeadState::More:
      return Next::More;
    case wire::HeadState::Bad:
      head.type = bytes[0];
      return Next::Bad;
    case wire::HeadState::Whole:
      break;
  }
  // A password message has no place after the login.
  if (fe::name_of(head.type).empty() || head.type == fe::kPassword) return Next::Bad;
  if (head.type == fe::kTerminate) return Next::Stop;
  if (head.type == fe::kQuery && worker_.config().settings.session.simple_query_refused) {
    return Next::Bad;
  }
  if (skipping_) return skip_canceled(head.type);
  // The name of a Parse decides whether the link may be changed before the Bind, and the beginning
  // of a text what is counted.
  const bool has_text = head.type == fe::kParse || head.type == fe::kQuery;
  const size_t wanted = std::min<size_t>(head.total(), wire::kHeadBytes + kShapeBytes);
  if (has_text && bytes.size() < wanted) return Next::More;
  const bool needs_nothing = is_copy_message(head.type) || head.type == fe::kFlush;
  if (server_ == nullptr && needs_nothing) return Next::Skip;
  return check_names(head, bytes);
}

// After a cancel that met an extended query in the queue, everything up to its Sync is dropped, as
// the server would.
Client::Next Client::skip_canceled(char type) {
  if (type != fe::kSync) return Next::Skip;
  skipping_ = false;
  std::string out;
  be::append_ready_for_query(out, be::TransactionStatus::Idle);
  deliver(out);
  return Next::Skip;
}

// Which call the message at hand begins, or goes on with.
uint64_t Client::shape_at(const wire::Head& head, std::string_view body) {
  if (replicating_ != nullptr) return 0;
  Lease& lease = server_->lease();
  const auto begin = [&](std::string_view sql) {
    return worker_.queries().begin(pool_->owner(), worker_.queries().shape(sql), sql,
                                   worker_.now());
  };
  switch (head.type) {
    case fe::kQuery:
      return begin(body.substr(0, body.find('\0')));
    case fe::kParse: {
      const size_t name_end = body.find('\0');
      const std::string_view rest = body.substr(std::min(body.size(), name_end + 1));
      const std::string_view text = rest.substr(0, rest.find('\0'));
      const uint64_t shape = begin(text);
      if (name_end == 0) {
        lease.unnamed_shape = shape;
      } else {
        watch_parse(body.substr(0, name_end), text);
      }
      return shape;
    }
    case fe::kBind:
      return lease.portal_shape = shape_of_bind(body);
    case fe::kClose:
      watch_close(body);
      return 0;
    case fe::kExecute:
      return lease.portal_shape;
    default:
      return 0;
  }
}

void Client::note_message(const wire::Head& head, std::string_view bytes) {
  Lease& lease = server_->lease();
  const std::string_view body = bytes.substr(wire::kHeadBytes);
  server_->expect(head.type, {.shape = shape_at(head, body.substr(0, head.body_bytes))});
  if (head.type == fe::kParse) {
    ++pool_->counters().client_parse_count;
    ++pool_->counters().server_parse_count;
    const bool unnamed = head.body_bytes > 0 && bytes[wire::kHeadBytes] == '\0';
    if (unnamed) lease.unnamed_parsed();
  } else if (head.type == fe::kBind) {
    ++pool_->counters().bind_count;
    lease.unnamed_used();
  } else if (head.type == fe::kQuery) {
    lease.unnamed_used();
  }
}

// True when a server is at hand; else `rest` is kept until there is one.
bool Client::need_server(std::string_view rest) {
  identity_.request_at = worker_.now();
  Server* server = pool_->acquire(*this);
  if (server == nullptr) {
    state_ = State::Waiting;
    told_of_wait_ = false;
    held_ = rest;
    watch_end();
    return false;
  }
  // Lost in this moment: this client was told.
  if (server->state() != Server::State::Active) return false;
  server_ = server;
  state_ = State::Active;
  if (server->is_applying() && !parameters_proven_) {
    held_ = rest;
    watch_end();
    return false;
  }
  return true;
}

void Client::on_server(Server& server) {
  server_ = &server;
  state_ = State::Active;
  if (server.is_applying() && !parameters_proven_) return;
  resume_held();
}

void Client::on_parameters_applied() {
  if (std::exchange(parameters_proven_, true)) return;
  resume_held();
}

void Client::resume_held() {
  std::string held;
  held.swap(held_);
  parameters_proven_ = true;
  on_bytes(held);
  if (held_.empty() && held.capacity() <= kHeldKept) {
    held.clear();
    held_.swap(held);  // the memory serves the next wait
  }
  // One read filled the buffer; what has come since was announced then.
  read_on();
}

void Client::tell_of_wait() {
  if (std::exchange(told_of_wait_, true)) return;
  std::string out;
  be::append_notice(out, {.severity = "NOTICE", .sqlstate = "00000", .message = kQueuedText});
  deliver(out);
}

void Client::deliver(std::string_view bytes) {
  if (state_ == State::Closed || state_ == State::Lingering) return;
  // A failed send means a gone client; its own turn finds out, this one is the server's.
  if (!channel_.send(bytes))
    worker_.loop().defer([this_id = identity_.id, &worker = worker_] {
      if (Client* client = worker.client(this_id)) client->on_vanished();
    });
}

// Within a message nothing can be said: the client would take it for a part of that.
bool Client::is_cut() const { return server_ != nullptr && server_->is_delivering(); }

void Client::server_has_room() { read_on(); }

// What came while nobody read was announced once and is not announced again. Callers may have
// handled messages before, so the client may be closed by now.
void Client::read_on() {
  if (state_ != State::Closed && channel_.readable()) channel_.socket().resume_later();
}

void Client::on_released() {
  server_ = nullptr;
  state_ = State::Idle;
  begun_only_ = false;
  identity_.idle_since = worker_.now();
  if (half_closed_) return close("client close request");
  if (worker_.service() == Service::WaitForServers) return fail("pooler is shutting down");
  read_on();
}

void Client::on_server_lost(std::string_view reason, bool told) {
  if (state_ == State::Closed || state_ == State::Lingering) return;
  const bool cut = is_cut();
  server_ = nullptr;
  held_.clear();
  if (told || cut) return linger(reason);
  fail(reason);
}

// --- cancel

bool Client::cancel(Requester requester) {
  if (state_ == State::Waiting || is_held_back()) {
    answer_canceled();
    return false;
  }
  if (server_ == nullptr || server_->is_applying()) return false;
  if (server_->lease().expect().outstanding() == 0) return false;
  return worker_.cancels().start(*server_, requester);
}

void Client::cancel_done(std::string_view reason) { close(reason); }

// The request at the front of what is kept never reaches a server: answered here as a server would.
void Client::answer_canceled() {
  // A transaction that has failed would have to be told of at each request that follows.
  const bool is_in_transaction =
      server_ != nullptr && server_->lease().status() != be::TransactionStatus::Idle;
  if (!begun_.empty() || is_in_transaction) return fail(kCanceledText, kCanceledState);
  pool_->leave(*this);
  pool_->clients.push_back(*this);
  state_ = server_ == nullptr ? State::Idle : State::Active;
  stop_ = Stop::None;
  held_by_ = 0;
  const std::string held = std::exchange(held_, {});
  wire::Head head;
  CHECK(wire::read_head(held, head) == wire::HeadState::Whole);
  std::string out = error_message(kCanceledText, kCanceledState);
  const bool simple = head.type == fe::kQuery || head.type == fe::kFunctionCall;
  if (simple) {
    be::append_ready_for_query(out, be::TransactionStatus::Idle);
    inbound_.left = head.total();
    inbound_.passing = false;
  } else {
    skipping_ = true;
  }
  deliver(out);
  on_bytes(held);
  read_on();
}

// --- the end

void Client::on_terminate() {
  if (server_ != nullptr) leave_server(false);
  close("client close request");
}

void Client::leave_server(bool cancel) {
  Server* server = std::exchange(server_, nullptr);
  const bool mid_message = inbound_.left > 0 && inbound_.passing;
  if (replicating_ != nullptr) return server->end_replication(mid_message, cancel);
  server->leave(mid_message, cancel);
}

void Client::fail(std::string_view reason, std::string_view sqlstate) {
  fail_with(fatal_message(reason, sqlstate), reason);
}

void Client::fail_with(std::string_view message, std::string_view reason) {
  if (state_ == State::Closed || state_ == State::Lingering) return;
  if (worker_.config().settings.log.pooler_errors) {
    log::warn(cat(name_in_log(), "pooler error: ", reason));
  }
  if (!is_cut() && !channel_.send(message)) {
    if (server_ != nullptr) leave_server(true);
    return close(reason);
  }
  linger(reason);
}

// Closing with unread input would send a reset, which may overtake the error message: so the client
// is given time to read it.
void Client::linger(std::string_view reason) {
  if (server_ != nullptr) leave_server(true);
  log_close(reason);
  detach();
  state_ = State::Lingering;
  stop_ = Stop::None;
  held_.clear();
  inbound_ = {};
  half_closed_ = false;
  if (channel_.unsent() == 0) channel_.socket().shutdown_send();
  timer_.arm(worker_.now() + kLingerLimit);
  channel_.socket().resume_later();
}

// Leaves everything that knows of it.
void Client::detach() {
  if (pool_ != nullptr) pool_->leave(*this);
  if (user_clients_ != nullptr) {
    std::exchange(user_clients_, nullptr)->give();
    pool_->group().clients().give();
    pool_->group().present().fetch_sub(1);
  }
  if (console_ != nullptr) worker_.on_console_left(identity_.id);
  if (identity_.pid != 0) worker_.cancels().remove_key(*this);
  identity_.pid = 0;
  if (std::exchange(admitted_, false)) worker_.discharge();
  // It may be forgotten before this client is gone.
  pool_ = nullptr;
}

void Client::log_close(std::string_view reason) {
  if (!worker_.config().settings.log.disconnections || reason.empty() || inside_) return;
  const auto age =
      std::chrono::duration_cast<seconds>(worker_.now() - identity_.connected_at).count();
  log::info(cat(name_in_log(), "closing because: ", reason, " (age=", age, "s)"));
}

std::string Client::name_in_log() const {
  return text_of({.kind = 'C',
                  .id = identity_.id,
                  .database = identity_.database,
                  .user = identity_.user,
                  .peer = identity_.peer,
                  .pid = identity_.peer_pid,
                  .port = worker_.config().settings.listen.port});
}

void Client::close(std::string_view reason) {
  if (state_ == State::Closed) return;
  if (server_ != nullptr) leave_server(true);
  log_close(reason);
  detach();
  state_ = State::Closed;
  timer_.cancel();
  channel_.socket().close();
  worker_.remove(*this);
}

// --- console

void Client::on_console_bytes(std::string_view bytes) {
  std::string_view input = bytes;
  while (state_ == State::Console && !console_->is_busy()) {
    auto frame = wire::next_frame(input, kRestMax - 1);
    if (!frame) return fail("bad packet header");
    if (!*frame) break;
    if ((*frame)->type == fe::kTerminate) return close("client close request");
    std::string out;
    auto command = console_->take((*frame)->type, (*frame)->body, out);
    if (!command) return fail(command.error().message);
    if (!channel_.send(out)) return on_vanished();
    if (*command) run_console(worker_, *this, **command);
  }
  if (state_ != State::Console) return;
  if (console_->is_busy()) {
    held_ = input;
  } else {
    inbound_.rest = input;
  }
}

void Client::console_answer(const ConsoleAnswer& answer) {
  if (state_ != State::Console) return;
  std::string out;
  console_->answer(answer, out);
  if (!channel_.send(out)) return on_vanished();
  if (answer.ends) return close("");
  if (!held_.empty()) on_console_bytes(std::exchange(held_, {}));
  read_on();
}

}  // namespace pgtend::pool
