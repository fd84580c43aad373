#include "demo/load_client.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/text.h"
#include "demo/generator_random.h"
#include "wire/backend.h"
#include "wire/frontend.h"

namespace pgtend::demo {

namespace {

constexpr int kReceivesPerTurn = 16;
constexpr milliseconds kPauseMin{50};
constexpr int kPauseDoublings = 5;
constexpr size_t kErrorKindsMax = 100;
constexpr size_t kRefusalTextMax = 300;

int64_t us_between(SteadyTime from, SteadyTime to) {
  return std::chrono::duration_cast<microseconds>(to - from).count();
}

void count_error(LoadResult& result, std::string sqlstate) {
  if (sqlstate.size() != 5) sqlstate = "?????";
  const bool full = result.errors.size() >= kErrorKindsMax && !result.errors.contains(sqlstate);
  ++result.errors[full ? "other" : printable(sqlstate)];
}

// Nobody can log in with these: the role, the password or the database is wrong.
bool is_hopeless(std::string_view sqlstate) {
  return sqlstate.starts_with("28") || sqlstate == "3D000" || sqlstate == "42501";
}

}  // namespace

LoadClient::LoadClient(LoadRun& run, int id)
    : run_(run), id_(id), timer_(run.loop.timers(), [this] { on_timer(); }) {}

void LoadClient::start() {
  state_ = State::Waiting;
  run_.queue.push_back(this);
  if (run_.logging_in < kLoginsInFlightMax) {
    run_.queue.front()->connect();
  }
}

void LoadClient::connect() {
  run_.queue.pop_front();
  ++run_.logging_in;
  ++run_.result.attempts;
  state_ = State::Connecting;
  told_ = false;
  since_ = run_.options.clock->steady();
  timer_.arm(since_ + run_.options.connect_timeout);
  auto descriptor = run_.loop.connect(run_.target.address, {});
  if (!descriptor) return refused("08001", descriptor.error().message);
  socket_ = net::Socket(run_.loop, *descriptor);
  if (auto watched = socket_.watch(*this); !watched) refused("08001", watched.error().message);
}

void LoadClient::on_connected() {
  if (const int error = run_.loop.connect_result(socket_.descriptor()); error != 0) {
    return refused("08001",
                   cat("connect to ", run_.target.address.text(), ": ", std::strerror(error)));
  }
  state_ = State::LoggingIn;
  login_.emplace(run_.target);
  out_ = login_->start();
  sent_ = 0;
  send();
}

void LoadClient::on_timer() {
  switch (state_) {
    case State::Waiting:
      return start();
    case State::Connecting:
    case State::LoggingIn:
      return refused("57014", "the login took too long");
    case State::Thinking:
      return begin_request();
    case State::Running:
    case State::Done:
      return;
  }
}

void LoadClient::on_ready(net::Ready ready) {
  if (state_ == State::Connecting) {
    if (ready.writable || ready.broken) on_connected();
    if (state_ != State::LoggingIn) return;
  }
  if (socket_.is_open() && sent_ < out_.size()) send();
  if (socket_.is_open()) receive();
}

void LoadClient::receive() {
  for (int turn = 0; turn < kReceivesPerTurn; ++turn) {
    const net::Io io = socket_.receive(run_.buffer);
    if (io.kind == net::Io::Kind::Again) return;
    if (io.kind != net::Io::Kind::Done) return on_closed();
    scanner_.add({run_.buffer.data(), io.bytes});
    while (true) {
      auto frame = scanner_.next();
      if (!frame) return on_broken(frame.error());
      if (!*frame) break;
      on_message(**frame);
      if (!socket_.is_open()) return;
    }
  }
  socket_.resume_later();
}

void LoadClient::on_message(const wire::Frame& frame) {
  switch (frame.type) {
    case wire::backend::kDataRow:
      ++run_.result.rows;
      return;
    case wire::backend::kErrorResponse:
      return on_error_response(frame.body);
    case wire::backend::kReadyForQuery:
      return on_ready_for_query();
    case wire::backend::kAuthentication: {
      if (state_ != State::LoggingIn) {
        return on_broken({ErrorCode::Corrupt, "authentication after the login"});
      }
      auto answered = login_->on_authentication(frame.body, out_);
      if (!answered) return on_broken(answered.error());
      return send();
    }
    case wire::backend::kCopyInResponse:
    case wire::backend::kCopyBothResponse:
      return on_broken({ErrorCode::Corrupt, "the server wants COPY data that nobody offered"});
    default:
      if (wire::backend::name_of(frame.type).empty()) {
        on_broken({ErrorCode::Corrupt, "the server sent a message of unknown type"});
      }
      return;
  }
}

void LoadClient::on_error_response(std::string_view body) {
  const auto report = wire::backend::read_report(body);
  if (!report) return on_broken(report.error());
  const std::string sqlstate(report->sqlstate.value_or("?????"));
  if (state_ == State::LoggingIn) return refused(sqlstate, report->message.value_or(""));
  count_error(run_.result, sqlstate);
  failed_ = true;
  const std::string_view severity = report->severity.value_or("");
  told_ = severity == "FATAL" || severity == "PANIC";
}

void LoadClient::on_ready_for_query() {
  if (state_ == State::Running) {
    ++run_.result.statements;
    if (!failed_ && ++call_ < request_.calls.size()) return send_call();
    return end_request();
  }
  if (state_ != State::LoggingIn || !login_->accepted()) {
    return on_broken({ErrorCode::Corrupt, "the server is ready at the wrong time"});
  }
  run_.result.login_us.record(us_between(since_, run_.options.clock->steady()));
  if (!served_) ++run_.result.clients_served;
  served_ = true;
  attempts_ = 0;
  leave_login();
  begin_request();
}

void LoadClient::begin_request() {
  const bool enough = run_.options.requests_each > 0 && number_ >= run_.options.requests_each;
  if (run_.ending || enough) return done();
  request_ = run_.workload.request(id_, number_++);
  call_ = 0;
  failed_ = false;
  state_ = State::Running;
  since_ = run_.options.clock->steady();
  send_call();
}

void LoadClient::send_call() {
  const Call& call = request_.calls[call_];
  out_.clear();
  sent_ = 0;
  if (run_.options.protocol == Protocol::Simple) {
    wire::frontend::append_query(out_, with_literals(call));
  } else {
    wire::frontend::append_parse(out_, {.statement = "", .sql = call.sql});
    wire::frontend::Bind bind{.portal = "", .statement = ""};
    for (const std::string& parameter : call.parameters) bind.parameters.emplace_back(parameter);
    wire::frontend::append_bind(out_, bind);
    wire::frontend::append_describe(out_, {.kind = 'P', .name = ""});
    wire::frontend::append_execute(out_, {.portal = ""});
    wire::frontend::append_sync(out_);
  }
  send();
}

void LoadClient::end_request() {
  if (failed_) {
    ++run_.result.failed;
  } else {
    const int64_t took_us = us_between(since_, run_.options.clock->steady());
    KindResult& kind = run_.result.kinds[static_cast<size_t>(request_.kind)];
    ++kind.transactions;
    kind.latency_us.record(took_us);
    ++run_.result.transactions;
    run_.result.latency_us.record(took_us);
  }
  state_ = State::Thinking;
  if (run_.ending || run_.options.think.count() == 0) return begin_request();
  const double share =
      -std::log(1 - unit(draw(run_.options.seed, Stream::ThinkTime, static_cast<uint64_t>(id_),
                              static_cast<uint64_t>(number_))));
  const auto pause = std::chrono::duration_cast<nanoseconds>(run_.options.think) * share;
  timer_.arm(run_.loop.now() + std::chrono::duration_cast<nanoseconds>(pause));
}

void LoadClient::send() {
  while (sent_ < out_.size()) {
    const net::Io io = socket_.send(std::string_view(out_).substr(sent_));
    if (io.kind == net::Io::Kind::Again) return;
    if (io.kind != net::Io::Kind::Done) return on_closed();
    sent_ += io.bytes;
  }
  out_.clear();
  sent_ = 0;
}

// The other side has gone.
void LoadClient::on_closed() {
  if (state_ == State::Connecting || state_ == State::LoggingIn) {
    return refused("08006", "the server closed the connection during the login");
  }
  if (state_ == State::Running) ++run_.result.failed;
  ++run_.result.lost;
  if (!told_) count_error(run_.result, "08006");
  disconnect();
  if (run_.ending) return done();
  state_ = State::Waiting;
  timer_.arm(run_.loop.now() + kPauseMin);
}

// The other side does not keep to the protocol, or we cannot log in to it at all.
void LoadClient::on_broken(const Error& error) {
  if (state_ == State::Connecting || state_ == State::LoggingIn) {
    if (error.code == ErrorCode::Denied && run_.result.clients_served == 0) run_.fatal = error;
    return refused("08P01", error.message);
  }
  count_error(run_.result, "08P01");
  told_ = true;
  on_closed();
}

void LoadClient::refused(const std::string& sqlstate, std::string_view message) {
  ++run_.result.refused;
  count_error(run_.result, sqlstate);
  const std::string words = printable(message.substr(0, kRefusalTextMax));
  if (run_.result.first_refusal.empty()) run_.result.first_refusal = words;
  if (is_hopeless(sqlstate) && run_.result.clients_served == 0 && !run_.fatal) {
    run_.fatal = Error{ErrorCode::Denied, words, sqlstate};
  }
  disconnect();
  state_ = State::Waiting;
  leave_login();
  if (run_.fatal) return done();
  if (run_.ending || run_.options.on_refusal == OnRefusal::GiveUp) return done();
  // The exact pause differs from client to client, so that they do not come back all at once.
  const int doublings = std::min(attempts_++, kPauseDoublings);
  const double jitter =
      0.5 + unit(draw(run_.options.seed, Stream::RetryPause, static_cast<uint64_t>(id_),
                      static_cast<uint64_t>(run_.result.attempts)));
  const auto pause = nanoseconds(kPauseMin) * (1 << doublings) * jitter;
  timer_.arm(run_.loop.now() + std::chrono::duration_cast<nanoseconds>(pause));
}

// Gives the turn to the next in the queue, once the handler that is running has returned.
void LoadClient::leave_login() {
  timer_.cancel();
  login_.reset();
  --run_.logging_in;
  LoadRun& run = run_;
  run.loop.defer([&run] {
    if (!run.queue.empty() && run.logging_in < kLoginsInFlightMax) run.queue.front()->connect();
  });
}

void LoadClient::disconnect() {
  socket_.close();
  scanner_.reset();
  out_.clear();
  sent_ = 0;
}

void LoadClient::finish() {
  switch (state_) {
    case State::Connecting:
    case State::LoggingIn:
      --run_.result.attempts;  // neither served nor refused
      leave_login();
      return done();
    case State::Waiting:
    case State::Thinking:
      return done();
    case State::Running:
    case State::Done:
      return;
  }
}

void LoadClient::abandon() {
  if (state_ == State::Running) {
    ++run_.result.failed;
    count_error(run_.result, "57014");
  }
  if (state_ != State::Done) done();
}

void LoadClient::done() {
  if (state_ == State::Waiting) std::erase(run_.queue, this);
  if (socket_.is_open()) {
    out_.clear();
    wire::frontend::append_terminate(out_);
    static_cast<void>(socket_.send(out_));  // a courtesy: closing says the same
  }
  disconnect();
  timer_.cancel();
  state_ = State::Done;
  if (--run_.alive == 0) run_.loop.stop();
}

}  // namespace pgtend::demo
