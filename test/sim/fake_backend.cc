#include "sim/fake_backend.h"

#include "base/text.h"
#include "pool/queries.h"
#include "wire/backend.h"
#include "wire/frame.h"
#include "wire/frontend.h"
#include "wire/startup.h"

namespace pgtend::sim {
namespace {

namespace be = wire::backend;
namespace fe = wire::frontend;

constexpr size_t kHeldMax = 8192;
constexpr milliseconds kOutlasts{4000};  // longer than the pool's server_connect_timeout

bool flushes(char type) {
  return type == be::kReadyForQuery || type == be::kErrorResponse || type == be::kNoticeResponse ||
         type == be::kCopyInResponse;
}

}  // namespace

// --- the server

FakeServer::FakeServer(net::Loop& loop, Dice& dice, Journal& journal, BackendFaults faults,
                       Limits limits)
    : loop_(loop), dice_(dice), journal_(journal), faults_(faults), limits_(std::move(limits)) {}

Status FakeServer::listen(const net::Address& address) {
  acceptor_ = TRY(net::Acceptor::open(loop_, address, 128, [this](net::Accepted accepted) {
    const int64_t id = next_id_++;
    sessions_[id] = std::make_unique<FakeSession>(*this, id, std::move(accepted));
    sessions_[id]->start();
  }));
  return ok();
}

int FakeServer::alive(const Account& account) const {
  const auto found = accounts_.find(account);
  return found == accounts_.end() ? 0 : found->second;
}

int FakeServer::alive_in(const std::string& database) const {
  const auto found = databases_.find(database);
  return found == databases_.end() ? 0 : found->second;
}

bool FakeServer::has_older(const std::string& database, int64_t than) const {
  for (const auto& [id, session] : sessions_) {
    if (id <= than && session->serves(database)) return true;
  }
  return false;
}

void FakeServer::begin(const Account& account) {
  ++alive_;
  ++totals_.sessions;
  const auto check = [this](int alive, int limit, const std::string& whose) {
    if (limit == 0 || alive <= limit) return;
    journal_.fail(cat(alive, " backends of ", whose, ", the limit is ", limit));
  };
  check(++accounts_[account], limits_.pool, cat("pool ", account.first, '/', account.second));
  check(++databases_[account.first], limits_.database[account.first], account.first);
  check(++users_[account.second], limits_.user[account.second], account.second);
}

void FakeServer::finish(const Account& account) {
  --alive_;
  --accounts_[account];
  --databases_[account.first];
  --users_[account.second];
}

void FakeServer::cancel(int32_t pid, std::string_view secret) {
  for (auto& [id, session] : sessions_) {
    if (!session->holds(pid, secret)) continue;
    ++totals_.cancels;
    return session->cancel();
  }
}

void FakeServer::forbid(const std::string& database, SteadyTime since, SteadyTime until) {
  forbidden_ = {database, since, until};
}

void FakeServer::judge_held(const std::string& database, std::string_view body) {
  constexpr std::string_view kMark = "held at=";
  const size_t mark = body.find(kMark);
  if (mark == std::string_view::npos) return;
  const size_t begin = mark + kMark.size();
  const size_t end = body.find_first_not_of("0123456789", begin);
  const SteadyTime asked{microseconds(parse_int(body.substr(begin, end - begin)).take())};
  const bool judged = forbidden_ && loop_.now() < forbidden_->until &&
                      (forbidden_->database.empty() || forbidden_->database == database);
  if (!judged) {
    ++looked_at_;
  } else if (asked > forbidden_->since) {
    journal_.fail("a statement of a held table has reached a server");
  }
}

void FakeServer::remove(int64_t id) {
  loop_.defer([this, id] { sessions_.erase(id); });
}

// --- a session

FakeSession::FakeSession(FakeServer& server, uint64_t id, net::Accepted accepted)
    : server_(server),
      socket_(server.loop_, accepted.descriptor),
      id_(static_cast<int64_t>(id)),
      timer_(server.loop_.timers(), [this] { on_timer(); }) {}

void FakeSession::start() { socket_.watch(*this).take(); }

void FakeSession::wait(milliseconds time) { timer_.arm(server_.loop_.now() + time); }

void FakeSession::on_ready(net::Ready ready) {
  if (ready.writable || ready.broken) flush();
  if (state_ != State::Closed) on_input();
}

void FakeSession::read() {
  char piece[4096];
  while (true) {
    const net::Io io = socket_.receive(piece);
    if (io.kind == net::Io::Kind::Again) return;
    if (io.kind != net::Io::Kind::Done) {
      eof_ = true;
      return;
    }
    if (terminated_) server_.journal_.fail(cat("bytes after Terminate, session ", id_));
    input_.append(piece, io.bytes);
  }
}

// As a real backend, it reads nothing while a statement runs or an answer does not get through.
void FakeSession::on_input() {
  if (state_ == State::Ending) return read();
  if (!may_work()) return;
  if (!eof_) read();
  while (may_work() && state_ != State::Closed && state_ != State::Ending) {
    if (state_ == State::Startup) {
      if (!on_startup()) break;
      continue;
    }
    if (state_ == State::LoggingIn) break;
    std::string_view rest = input_;
    auto frame = wire::next_frame(rest);
    if (!frame || (!rest.empty() && fe::name_of(input_[0]).empty())) {
      return server_.journal_.fail(cat("session ", id_, " got something that is no message"));
    }
    if (!*frame) break;
    const char type = (*frame)->type;
    const std::string body((*frame)->body);
    input_.erase(0, input_.size() - rest.size());
    on_message(type, body);
  }
  if (state_ == State::Closed || state_ == State::Ending || !may_work() || !eof_) return;
  if (!input_.empty()) {
    ++server_.totals_.cut_messages;
    server_.journal_.note("backend finds a message cut", id_, input_[0]);
  }
  close();
}

// False when more is needed.
bool FakeSession::on_startup() {
  std::string_view rest = input_;
  auto packet = wire::next_startup(rest);
  if (!packet) {
    server_.journal_.fail(cat("bad start packet: ", packet.error().message));
    return false;
  }
  if (!*packet) return false;
  if ((*packet)->kind == wire::StartupPacket::Kind::Cancel) {
    server_.cancel((*packet)->cancel.pid, (*packet)->cancel.secret);
    close();
    return true;
  }
  for (const auto& [name, value] : (*packet)->parameters) {
    if (name == "database") account_.first = value;
    if (name == "user") account_.second = value;
    if (name == "replication") replicates_ = true;
  }
  input_.erase(0, input_.size() - rest.size());
  server_.begin(account_);
  server_.journal_.note("backend begins", id_, server_.alive_);
  state_ = State::LoggingIn;
  blocked_ = true;
  if (server_.dice_.chance(server_.faults_.slow_login)) {
    wait(kOutlasts);
  } else {
    wait(milliseconds(server_.dice_.below(20)));
  }
  return true;
}

void FakeSession::finish_login() {
  blocked_ = false;
  if (server_.dice_.chance(server_.faults_.refuse)) {
    switch (server_.dice_.below(3)) {
      case 0:
        return fatal("57P03", "the database system is starting up");
      case 1:
        return fatal("53300", "sorry, too many clients already");
      default:
        return fatal("28000", "no pg_hba.conf entry");
    }
  }
  state_ = State::Ready;
  pid_ = static_cast<int32_t>(id_);
  secret_ = cat("s", 100 + id_ % 900);
  std::string out;
  be::append_authentication(out, {be::AuthKind::Ok, {}});
  for (const auto& [name, value] : engine_.parameters()) {
    be::append_parameter_status(out, {name, value});
  }
  be::append_backend_key_data(out, {pid_, secret_});
  be::append_ready_for_query(out, be::TransactionStatus::Idle);
  say(out);
  flush();
  if (state_ != State::Closed) on_input();
}

void FakeSession::on_timer() {
  switch (state_) {
    case State::LoggingIn:
      return finish_login();
    case State::Ready: {
      blocked_ = false;
      const std::string body = std::exchange(slow_body_, {});
      answer(slow_type_, body, Engine::kNoCancel);
      if (state_ != State::Closed) on_input();
      return;
    }
    case State::Ending:
      read();
      return close();
    case State::Startup:
    case State::Closed:
      return;
  }
}

void FakeSession::on_message(char type, std::string_view body) {
  server_.journal_.note("backend takes", id_, type);
  if (type == fe::kTerminate) {
    terminated_ = true;
    if (!input_.empty()) server_.journal_.fail(cat("bytes after Terminate, session ", id_));
    return end();
  }
  judge(type, body);
  if (server_.dice_.chance(server_.faults_.idle_end) && engine_.at_rest()) {
    return fatal("57P01", "terminating connection due to administrator command");
  }
  const int64_t slow = engine_.slow_ms(type, body);
  if (slow == 0) return answer(type, std::string(body), Engine::kNoCancel);
  blocked_ = true;
  slow_type_ = type;
  slow_body_ = body;
  wait(milliseconds(slow));
}

// Two clients in one transaction would be the worst that a pool can do.
void FakeSession::judge(char type, std::string_view body) {
  if (engine_.at_rest()) {
    owner_ = -1;
    fresh_ = true;
  }
  const bool tells =
      type == fe::kQuery || type == fe::kParse || type == fe::kBind || type == fe::kCopyData;
  if (!tells) return;
  const int client = tagged_client(body);
  // Its own words may end or clean up what a client began, nothing else.
  if (client < 0) return;
  if (fresh_ && (type == fe::kQuery || type == fe::kParse)) {
    server_.judge_held(account_.first, body);
    const auto says = [body](const char* verb) { return body.find(verb) != body.npos; };
    fresh_ = says("BEGIN") || says("SET ") || says("SHOW ");
  }
  if (owner_ >= 0 && owner_ != client && !engine_.at_rest()) {
    server_.journal_.fail(cat("session ", id_, " mixes clients ", owner_, " and ", client));
  }
  if (owner_ != client) server_.journal_.note("backend serves", id_, client);
  owner_ = client;
}

void FakeSession::cancel() {
  server_.journal_.note("backend cancelled", id_, blocked_ ? 1 : 0);
  if (!blocked_) return;
  blocked_ = false;
  timer_.cancel();
  const std::string body = std::exchange(slow_body_, {});
  answer(slow_type_, body, engine_.slow_at(slow_type_, body));
  if (state_ != State::Closed) on_input();
}

// What the pool must count of the answer to a message of `type`.
void FakeSession::count(char type, const wire::Frame& answer) {
  FakeServer::Totals& totals = server_.totals_;
  if (replicates_) return;
  switch (answer.type) {
    case be::kCommandComplete:
      totals.rows += pool::rows_of_tag(answer.body.substr(0, answer.body.find('\0')));
      [[fallthrough]];
    case be::kEmptyQueryResponse:
    case be::kPortalSuspended:
      if (!in_simple_) ++totals.calls;
      break;
    case be::kErrorResponse:
      if (!in_simple_ && type != fe::kSync) ++totals.calls;
      break;
    case be::kReadyForQuery:
      if (std::exchange(in_simple_, false)) ++totals.calls;
      break;
    default:
      break;
  }
}

void FakeSession::answer(char type, const std::string& body, int cancel_at) {
  std::string out;
  if (server_.dice_.chance(server_.faults_.chatter)) chatter(out);
  const size_t begin = out.size();
  engine_.take(type, body, out, cancel_at);
  const bool by_client = type != fe::kQuery || tagged_client(body) >= 0;
  std::string_view rest = std::string_view(out).substr(begin);
  bool flush_now = type == fe::kFlush;
  in_simple_ = in_simple_ || (type == fe::kQuery && by_client);
  while (!rest.empty()) {
    const auto frame = wire::next_frame(rest).take();
    flush_now = flush_now || flushes(frame->type);
    if (by_client) count(type, *frame);
    if (frame->type != be::kReadyForQuery || !by_client) continue;
    ++server_.totals_.queries;
    if (engine_.status() == Engine::Status::Idle) ++server_.totals_.transactions;
  }
  held_ += out;
  if (server_.dice_.chance(server_.faults_.fatal)) {
    return fatal("57P01", "terminating connection due to administrator command");
  }
  if (server_.dice_.chance(server_.faults_.crash)) {
    say(std::string_view(held_).substr(0, server_.dice_.below(held_.size() + 1)));
    flush();
    server_.journal_.note("backend crashes", id_);
    return close();
  }
  if (flush_now || held_.size() > kHeldMax) say(std::exchange(held_, {}));
  flush();
  if (engine_.ended() && state_ != State::Closed) end();
}

// What a server may say at any time between two messages.
void FakeSession::chatter(std::string& out) {
  if (server_.dice_.chance(500)) {
    be::append_notice(out, {.severity = "NOTICE", .sqlstate = "00000", .message = "async"});
  } else {
    be::append_parameter_status(out, {"in_hot_standby", "off"});
  }
}

void FakeSession::say(std::string_view bytes) { out_ += bytes; }

void FakeSession::flush() {
  while (!out_.empty() && socket_.is_open()) {
    const net::Io io = socket_.send(out_);
    if (io.kind == net::Io::Kind::Again) return;
    if (io.kind != net::Io::Kind::Done) {
      out_.clear();
      return close();
    }
    out_.erase(0, io.bytes);
  }
}

void FakeSession::fatal(std::string_view sqlstate, std::string_view text) {
  server_.journal_.note("backend says FATAL", id_);
  std::string out = std::exchange(held_, {});
  be::append_error(out, {.severity = "FATAL", .sqlstate = sqlstate, .message = text});
  say(out);
  flush();
  if (state_ != State::Closed) close();
}

void FakeSession::end() {
  state_ = State::Ending;
  wait(milliseconds(server_.dice_.chance(server_.faults_.slow_end) ? server_.dice_.below(300) : 0));
}

void FakeSession::close() {
  if (state_ == State::Closed) return;
  const bool counted = state_ != State::Startup;
  server_.journal_.note("backend ends", id_, server_.alive_);
  state_ = State::Closed;
  timer_.cancel();
  socket_.close();
  if (counted) server_.finish(account_);
  server_.remove(id_);
}

}  // namespace pgtend::sim
