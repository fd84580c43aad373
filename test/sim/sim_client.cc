#include "sim/sim_client.h"

#include "base/text.h"
#include "wire/backend.h"
#include "wire/frame.h"
#include "wire/frontend.h"
#include "wire/startup.h"

namespace pgtend::sim {
namespace {

namespace be = wire::backend;
namespace fe = wire::frontend;

constexpr int64_t kOperationsMax = 12;  // of one client
constexpr int64_t kDoomMaxMs = 600;
// Longer than any queue for a server in a run: by then the pool must have closed.
constexpr milliseconds kHalfCloseMax{300'000};

}  // namespace

SimClient::SimClient(SimClients& owner, int id)
    : owner_(owner),
      dice_(owner.dice_),
      id_(id),
      replicates_(owner.world_.habits.replicate > 0 && dice_.chance(owner.world_.habits.replicate)),
      writer_(owner.dice_, id, owner.world_.names || replicates_,
              owner.world_.blocks || replicates_, owner.world_.held),
      operations_(dice_.between(0, kOperationsMax)),
      act_timer_(owner.loop_.timers(), [this] { act(); }),
      doom_timer_(owner.loop_.timers(), [this] { sudden_end(); }),
      send_timer_(owner.loop_.timers(), [this] { flush(); }),
      read_timer_(owner.loop_.timers(), [this] {
        reading_ = true;
        read();
      }) {
  const ClientWorld& world = owner.world_;
  address_ = world.pools[dice_.below(world.pools.size())];
  startup_["user"] = world.users[dice_.below(world.users.size())];
  startup_["database"] = world.databases[dice_.below(world.databases.size())];
  if (dice_.chance(500)) startup_["application_name"] = cat("app", id % 7);
  if (dice_.chance(200)) startup_["DateStyle"] = "ISO";
  if (replicates_) startup_["replication"] = "database";
}

SteadyTime SimClient::in(milliseconds time) const { return owner_.loop_.now() + time; }

void SimClient::start() {
  auto descriptor = owner_.loop_.connect(address_, {});
  if (!descriptor) return close();
  socket_ = net::Socket(owner_.loop_, *descriptor);
  socket_.watch(*this).take();
}

void SimClient::fail(std::string_view what) {
  owner_.journal_.fail(cat("client ", id_, ": ", what));
}

std::string SimClient::state() const {
  static constexpr std::string_view kStates[] = {"connecting", "login", "working", "leaving",
                                                 "closed"};
  return cat("client ", id_, " of ", startup_.at("database"), '/', startup_.at("user"), ' ',
             kStates[static_cast<size_t>(state_)], half_closed_ ? " half-closed" : "", ", unsent ",
             out_.size(), ", ", mirror_.caught_up() ? "all answered" : mirror_.state());
}

void SimClient::on_ready(net::Ready ready) {
  if (state_ == State::Connecting) {
    if (ready.broken) return close();
    if (ready.writable) connected();
    return;
  }
  if (ready.writable && !send_timer_.armed()) flush();
  if (state_ != State::Closed) read();
}

void SimClient::connected() {
  state_ = State::Login;
  if (dice_.chance(owner_.world_.habits.sudden))
    doom_timer_.arm(in(milliseconds(dice_.skewed(kDoomMaxMs))));
  wire::StartupParameters parameters;
  for (const auto& [name, value] : startup_) parameters.emplace_back(name, value);
  wire::append_startup(out_, wire::kProtocol30, parameters);
  flush();
}

// --- reading

void SimClient::read() {
  char piece[4096];
  while (reading_ && state_ != State::Closed) {
    const net::Io io = socket_.receive(piece);
    if (io.kind == net::Io::Kind::Again) return;
    if (io.kind != net::Io::Kind::Done) return on_end();
    input_.append(piece, io.bytes);
    while (state_ != State::Closed) {
      std::string_view rest = input_;
      const auto frame = wire::next_frame(rest);
      if (!frame) return fail(frame.error().message);
      if (!*frame) break;
      const char type = (*frame)->type;
      const std::string body((*frame)->body);
      input_.erase(0, input_.size() - rest.size());
      on_message(type, body);
    }
    if (!dice_.chance(owner_.world_.habits.slow_read)) continue;
    reading_ = false;
    read_timer_.arm(in(milliseconds(dice_.between(1, 200))));
  }
}

void SimClient::on_message(char type, std::string_view body) {
  if (state_ == State::Login) return on_login_message(type, body);
  const uint64_t queries = mirror_.queries();
  const uint64_t transactions = mirror_.transactions();
  const std::string wrong = mirror_.received(type, body);
  owner_.totals_.queries += mirror_.queries() - queries;
  owner_.totals_.transactions += mirror_.transactions() - transactions;
  if (!wrong.empty()) return fail(wrong);
  const bool free = mirror_.caught_up() && out_.empty();
  if (state_ == State::Working && free && !half_closed_ && !act_timer_.armed()) {
    act_later(milliseconds(dice_.chance(300) ? dice_.skewed(300) : 0));
  }
}

void SimClient::on_login_message(char type, std::string_view body) {
  if (type == be::kParameterStatus) {
    const auto status = be::read_parameter_status(body).take();
    mirror_.engine().set_parameter(std::string(status.name), status.value);
  } else if (type == be::kBackendKeyData) {
    const auto key = be::read_backend_key_data(body).take();
    pid_ = key.pid;
    secret_ = key.secret;
  } else if (type == be::kErrorResponse) {
    mirror_.received(type, body);
  } else if (type == be::kReadyForQuery) {
    state_ = State::Working;
    act_later(milliseconds(0));
  } else if (type != be::kAuthentication && type != be::kNoticeResponse) {
    fail(cat("unexpected ", std::string(1, type), " at login"));
  }
}

// The pool sends no more: right only when the client has sent its goodbye, or was told why.
void SimClient::on_end() {
  const bool expected = state_ == State::Leaving || (half_closed_ && mirror_.caught_up());
  if (!expected) {
    ++owner_.totals_.errors;
    owner_.journal_.note("client dropped", id_, mirror_.told() ? 1 : 0);
    if (!owner_.world_.habits.errors_allowed) fail(cat("closed by the pool, ", state()));
  }
  close();
}

// --- acting

void SimClient::act_later(milliseconds time) { act_timer_.arm(in(time)); }

void SimClient::act() {
  if (state_ != State::Working || half_closed_) return;
  if (!mirror_.caught_up() || !out_.empty()) return;
  while (true) {
    if (steps_.empty()) {
      if (operations_-- <= 0 || !owner_.take_operation()) return leave();
      steps_ = writer_.operation();
    }
    const Step step = std::move(steps_.front());
    steps_.pop_front();
    mirror_.sent(step.bytes);
    for (const auto& [type, body] : Mirror::split_frames(step.bytes)) {
      owner_.journal_.note("client asks", id_, type);
    }
    send(step.bytes);
    if (state_ != State::Working) return;
    if (step.wait || steps_.empty()) break;
  }
  maybe_cancel();
  // Nothing to wait for: a Flush, or data of a COPY.
  if (mirror_.caught_up() && out_.empty()) act_later(milliseconds(0));
}

void SimClient::maybe_cancel() {
  if (!dice_.chance(owner_.world_.habits.cancel)) return;
  mirror_.allow_cancel();
  owner_.journal_.note("client cancels", id_);
  owner_.cancel(address_, pid_, secret_);
}

void SimClient::send(std::string_view messages) {
  out_ += messages;
  if (!send_timer_.armed()) flush();
}

void SimClient::flush() {
  while (!out_.empty() && state_ != State::Closed) {
    std::string_view piece = out_;
    const bool cut = dice_.chance(owner_.world_.habits.trickle);
    if (cut) piece = piece.substr(0, 1 + dice_.below(piece.size()));
    const net::Io io = socket_.send(piece);
    if (io.kind == net::Io::Kind::Again) return;
    if (io.kind != net::Io::Kind::Done) return on_end();
    out_.erase(0, io.bytes);
    if (cut && !out_.empty()) return send_timer_.arm(in(milliseconds(dice_.between(1, 20))));
  }
  if (state_ == State::Leaving) return close();
  const bool free = state_ == State::Working && mirror_.caught_up() && !half_closed_;
  if (free && !act_timer_.armed()) act_later(milliseconds(0));
}

void SimClient::leave() {
  state_ = State::Leaving;
  std::string out;
  fe::append_terminate(out);
  send(out);
}

// What programs do when they are killed, lose patience, or are written badly.
void SimClient::sudden_end() {
  owner_.journal_.note("client ends suddenly", id_);
  if (half_closed_) return fail(cat("half-closed and never let go, ", state()));
  switch (dice_.below(4)) {
    case 0:
      return close();
    case 1:
      owner_.network_.reset_on_close(socket_.descriptor());
      return close();
    case 2:
      // A message that is sent in part stays so.
      half_closed_ = true;
      socket_.shutdown_send();
      act_timer_.cancel();
      send_timer_.cancel();
      out_.clear();
      return doom_timer_.arm(in(kHalfCloseMax));
    default:
      // With requests outstanding, but not within a message.
      if (state_ == State::Working && out_.empty()) return leave();
      return close();
  }
}

void SimClient::close() {
  if (state_ == State::Closed) return;
  state_ = State::Closed;
  for (net::Timer* timer : {&act_timer_, &doom_timer_, &send_timer_, &read_timer_}) timer->cancel();
  socket_.close();
  owner_.remove(id_);
}

// --- all clients

// Carries one cancel request, then waits for the pool to close.
class SimClients::CancelLink final : private net::Handler {
 public:
  CancelLink(SimClients& owner, int id) : owner_(owner), id_(id) {}

  bool open(const net::Address& address, int32_t pid, std::string_view secret) {
    wire::append_cancel(out_, {pid, secret});
    auto descriptor = owner_.loop_.connect(address, {});
    if (!descriptor) return false;
    socket_ = net::Socket(owner_.loop_, *descriptor);
    socket_.watch(*this).take();
    return true;
  }

 private:
  void on_ready(net::Ready ready) override {
    if (ready.writable && !out_.empty()) {
      const net::Io io = socket_.send(out_);
      if (io.kind == net::Io::Kind::Done) out_.erase(0, io.bytes);
    }
    char nothing[16];
    while (true) {
      const net::Io io = socket_.receive(nothing);
      if (io.kind == net::Io::Kind::Again && !ready.broken) return;
      if (io.kind != net::Io::Kind::Done) break;
    }
    socket_.close();
    owner_.cancel_done(id_);
  }

  SimClients& owner_;
  int id_;
  net::Socket socket_;
  std::string out_;
};

SimClients::SimClients(SimLoop& loop, SimNetwork& network, Dice& dice, Journal& journal,
                       ClientWorld world)
    : loop_(loop), network_(network), dice_(dice), journal_(journal), world_(std::move(world)) {}

SimClients::~SimClients() = default;

void SimClients::begin(int count, int64_t operations) {
  operations_left_ = operations;
  for (int i = 0; i < count; ++i) spawn();
}

void SimClients::spawn() {
  const int id = next_id_++;
  ++totals_.clients;
  clients_[id] = std::make_unique<SimClient>(*this, id);
  clients_[id]->start();
}

void SimClients::remove(int id) {
  loop_.defer([this, id] {
    clients_.erase(id);
    if (operations_left_ > 0) spawn();
  });
}

bool SimClients::take_operation() {
  if (operations_left_ <= 0) return false;
  --operations_left_;
  ++totals_.operations;
  return true;
}

void SimClients::cancel(const net::Address& address, int32_t pid, std::string_view secret) {
  const int id = next_id_++;
  auto link = std::make_unique<CancelLink>(*this, id);
  if (!link->open(address, pid, secret)) return;
  ++totals_.cancels;
  cancels_[id] = std::move(link);
}

void SimClients::cancel_done(int id) {
  loop_.defer([this, id] { cancels_.erase(id); });
}

std::string SimClients::state() const {
  std::string out;
  for (const auto& [id, client] : clients_) out += cat("  ", client->state(), '\n');
  return out;
}

}  // namespace pgtend::sim
