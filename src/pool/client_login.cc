// The first part of a client's life: encryption requests, the start packet, authentication and the
// welcome.
#include <unistd.h>

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "pool/client.h"
#include "pool/console.h"
#include "pool/pools.h"
#include "pool/texts.h"
#include "pool/worker.h"
#include "pool/workers.h"
#include "wire/backend.h"
#include "wire/frontend.h"

namespace pgtend::pool {
namespace {

namespace be = wire::backend;
namespace fe = wire::frontend;

constexpr std::string_view kConsoleDatabase = "pgbouncer";
constexpr std::string_view kProtocolOption = "_pq_.";
constexpr std::string_view kReplication = "replication";
// One of each kind, then a start packet must come.
constexpr int kEncryptionRequestsMax = 2;
constexpr size_t kSecretBytes30 = 4;
constexpr size_t kSecretBytes32 = 32;
constexpr size_t kNameBytesMax = 127;
constexpr size_t kWelcomeBytes = 512;  // a common one fits in

bool lists_word(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::any_of(names, [&](const auto& n) { return equal_ignoring_case(n, name); });
}

}  // namespace

void Client::on_login_bytes(std::string_view bytes) {
  std::string_view input = bytes;
  while (state_ == State::Startup) {
    auto packet = wire::next_startup(input);
    if (!packet) return fail(packet.error().message);
    if (!*packet) break;
    on_start_packet(**packet, !input.empty());
  }
  while (state_ == State::Auth) {
    auto frame = wire::next_frame(input, kRestMax - 1);
    if (!frame) return fail("bad packet header");
    if (!*frame) break;
    if ((*frame)->type == fe::kTerminate) return close("client close request");
    if ((*frame)->type != fe::kPassword) return fail("unknown pkt");
    on_auth_message((*frame)->body);
  }
  switch (state_) {
    case State::Startup:
    case State::Auth:
      inbound_.rest = input;
      return;
    case State::Lookup:
    case State::Greeting:
      held_ = input;  // sent before it was asked: unusual, but nothing forbids it
      return watch_end();
    case State::Idle:
      return on_bytes(std::string(input));
    case State::Console:
      return on_console_bytes(std::string(input));
    case State::Waiting:
    case State::Active:
    case State::Canceling:
    case State::Lingering:
    case State::Closed:
      return;
  }
}

void Client::on_start_packet(const wire::StartupPacket& packet, bool more_follows) {
  using Kind = wire::StartupPacket::Kind;
  switch (packet.kind) {
    case Kind::SslRequest:
    case Kind::GssRequest:
      // What came in clear behind the request could have been put there by anybody.
      if (more_follows) {
        return fail(packet.kind == Kind::SslRequest
                        ? "received unencrypted data after SSL request"
                        : "received unencrypted data after GSSAPI encryption request");
      }
      if (++login_->encryption_requests > kEncryptionRequestsMax) {
        return fail("too many encryption requests");
      }
      if (!channel_.send("N")) close("client unexpected eof");
      return;
    case Kind::Cancel:
      state_ = State::Canceling;
      return worker_.cancels().request(packet.cancel, *this);
    case Kind::Startup:
      return on_startup(packet);
  }
}

void Client::on_startup(const wire::StartupPacket& packet) {
  std::vector<std::string_view> unknown;
  login_->version = std::min(packet.version, wire::kProtocol32);
  auto taken = take_parameters(packet, unknown);
  if (packet.version > wire::kProtocol32 || !unknown.empty()) {
    std::string out;
    be::append_negotiate(out, {login_->version, unknown});
    if (!channel_.send(out)) return close("client unexpected eof");
  }
  if (!taken) {
    const Error& why = taken.error();
    const std::string_view state = why.sqlstate.empty() ? kPoolerState : why.sqlstate;
    return fail_with(fatal_message(why.message, state, why.hint), why.message);
  }
  note_host();
  if (!is_console()) {
    if (!worker_.admit()) return fail("no more connections allowed (max_client_conn)");
    admitted_ = true;
    if (worker_.service() != Service::Running) return fail("pooler is shutting down");
  }
  begin_auth();
}

Status Client::take_parameters(const wire::StartupPacket& packet,
                               std::vector<std::string_view>& unknown) {
  Status status = ok();
  // First, because it decides what becomes of the others.
  for (const auto& [name, value] : packet.parameters) {
    if (name == kReplication && status) status = take_replication(value);
  }
  for (const auto& [name, value] : packet.parameters) {
    if (name == kReplication) continue;
    if (name.starts_with(kProtocolOption)) {
      unknown.push_back(name);
    } else if (status) {
      status = take_parameter(name, value);
    }
  }
  if (!status) return status;
  if (identity_.user.empty()) return Error{ErrorCode::Invalid, "no username supplied"};
  if (identity_.database.empty()) identity_.database = identity_.user;
  if (identity_.user.size() > kNameBytesMax || identity_.database.size() > kNameBytesMax) {
    return Error{ErrorCode::Invalid, "user or database name is too long"};
  }
  return ok();
}

Status Client::take_replication(std::string_view value) {
  const Replication kind = TRY(read_replication(value));
  replicating_.reset();
  if (kind != Replication::None) {
    replicating_ = std::make_unique<Replicating>(Replicating{.kind = kind});
  }
  return ok();
}

Status Client::take_parameter(std::string_view name, std::string_view value) {
  if (name == "user") {
    identity_.user = value;
    return ok();
  }
  if (name == "database") {
    identity_.database = value;
    return ok();
  }
  // Its link is its own: the server hears of all that others cannot have.
  if (replicating_ != nullptr && !worker_.tracked().find(name)) {
    replicating_->parameters.emplace_back(name, value);
    return ok();
  }
  const auto& ignored = worker_.config().settings.session.ignored_parameters;
  if (name == "options" && !lists_word(ignored, name)) return take_options(value);
  if (const auto index = worker_.tracked().find(name)) {
    parameters_.set(*index, plain_text(value));
    return ok();
  }
  if (lists_word(ignored, name)) return ok();
  return Error{ErrorCode::Invalid, cat("unsupported startup parameter: ", name)};
}

Status Client::take_options(std::string_view options) {
  for (const auto& [name, value] : TRY(wire::parse_options(options))) {
    if (const auto index = worker_.tracked().find(name)) {
      parameters_.set(*index, plain_text(value));
    } else if (!lists_word(worker_.config().settings.session.ignored_parameters, name)) {
      return Error{ErrorCode::Invalid, cat("unsupported startup parameter in options: ", name)};
    }
  }
  return ok();
}

void Client::note_host() {
  if (!worker_.config().settings.session.host_in_application_name) return;
  const auto index = worker_.tracked().find("application_name");
  const std::string name = parameters_.get(*index).value_or("app");
  parameters_.set(*index, cat(name, " - ", identity_.peer.text()));
}

// Counts it among the clients of its database and of its user. False: refused, and told.
bool Client::admit_to(Pool& pool) {
  const Config& config = worker_.config();
  Slots& database = pool.group().clients();
  Slots& user = worker_.workers().groups().user_clients(identity_.user);
  if (!database.take(config.database_clients(pool.database()))) {
    fail("client connections exceeded (max_db_client_connections)");
    return false;
  }
  if (!user.take(config.user_clients(identity_.user))) {
    database.give();
    fail("client connections exceeded (max_user_client_connections)");
    return false;
  }
  user_clients_ = &user;
  pool.group().present().fetch_add(1);
  return true;
}

bool Client::is_console() const { return identity_.database == kConsoleDatabase; }

// The pooler's own operating system user is its administrator, over the unix socket.
bool Client::is_console_owner() const {
  if (!is_console() || identity_.user != kConsoleDatabase || !identity_.peer.is_unix())
    return false;
  const auto peer = net::identity_of(const_cast<Client*>(this)->channel_.socket().descriptor());
  return peer.uid >= 0 && static_cast<uid_t>(peer.uid) == geteuid();
}

void Client::begin_auth() {
  state_ = State::Auth;
  if (is_console_owner()) return on_authenticated();
  const auto& auth = worker_.config().settings.auth;
  const std::string* secret = worker_.config().secrets.secret(identity_.user);
  if (secret != nullptr || auth.type == AuthType::Any) return demand_proof(secret);
  if (const auto source = worker_.config().auth_source(identity_.database)) {
    state_ = State::Lookup;
    return worker_.auth_queries().ask(*this, *source);
  }
  // Without a user list there is nobody to compare with: trust then means everybody.
  static const std::string kAnybody;
  const bool anybody = auth.type == AuthType::Trust && auth.file.empty();
  demand_proof(anybody ? &kAnybody : nullptr);
}

void Client::on_secret(const Result<std::optional<std::string>>& secret) {
  if (state_ != State::Lookup) return;
  if (!secret) return fail(secret.error().message);
  state_ = State::Auth;
  login_->looked_up = *secret;
  demand_proof(login_->looked_up ? &*login_->looked_up : nullptr);
  if (state_ == State::Auth && !held_.empty()) on_login_bytes(std::exchange(held_, {}));
  read_on();
}

// `secret` is null for nobody known: that is not shown.
void Client::demand_proof(const std::string* secret) {
  const auto& auth = worker_.config().settings.auth;
  login_->auth.emplace(auth.type, identity_.user, secret, auth.scram_iterations, worker_.logins());
  std::string out;
  auto step = login_->auth->start(out);
  on_auth_step(std::move(step), out);
}

void Client::on_auth_message(std::string_view body) {
  std::string out;
  auto step = login_->auth->answer(body, out);
  on_auth_step(std::move(step), out);
}

void Client::on_auth_step(Result<ClientAuth::Step> step, const std::string& out) {
  if (!step) return fail(step.error().message);
  if (!channel_.send(out)) return close("client unexpected eof");
  if (*step == ClientAuth::Step::Passed) on_authenticated();
}

void Client::on_authenticated() {
  if (worker_.config().settings.log.connections) {
    log::info(cat(name_in_log(), "login attempt: db=", identity_.database, " user=", identity_.user,
                  " tls=no replication=", name_of(replication())));
  }
  if (login_->looked_up) worker_.auth_queries().remember(*this, *login_->looked_up);
  if (is_console()) {
    if (!is_console_owner() && !console_allows(worker_, identity_.user)) return fail("not allowed");
    if (replicating_ != nullptr) {
      return fail("replication connections are not allowed to the admin console");
    }
    std::string out;
    append_console_welcome(out);
    timer_.cancel();
    login_.reset();
    state_ = State::Console;
    console_ = std::make_unique<ConsoleSession>();
    ++worker_.statistics().console().client_login_count;
    if (!channel_.send(out)) close("client unexpected eof");
    return;
  }
  // Only now may a client learn which databases there are.
  auto database = worker_.config().database(identity_.database);
  if (!database) return fail(cat("no such database: ", identity_.database));
  const bool any = worker_.config().settings.auth.type == AuthType::Any;
  // Nobody has proved to be anybody.
  if (any && !database->user) return fail("bouncer config error");
  Pool& pool = worker_.pools().find_or_add(database, identity_.user);
  if (pool.group().is_disabled()) {
    return fail(cat("database \"", identity_.database, "\" is disabled"));
  }
  if (admit_to(pool)) enter_pool(pool);
}

void Client::start_inside(const std::string& database, const std::string& user) {
  inside_ = true;
  identity_.database = database;
  identity_.user = user;
  login_->version = wire::kProtocol30;
  start();
  if (state_ == State::Closed) return;
  const auto config = worker_.config().database(database);
  if (!config) return fail(cat("no such database: ", database));
  enter_pool(worker_.pools().find_or_add(config, user));
}

void Client::enter_pool(Pool& pool) {
  pool_ = &pool;
  state_ = State::Greeting;
  identity_.request_at = worker_.now();
  pool_->join(*this);
}

void Client::begin_replication(Server& server, const Welcome& welcome) {
  server_ = &server;
  parameters_ = server.parameters();  // what it made of those in the start packet
  parameters_proven_ = true;
  replicating_->parameters = {};
  greet(welcome);
}

void Client::greet(const Welcome& welcome) {
  std::string out;
  out.reserve(kWelcomeBytes);
  be::append_authentication(out, {be::AuthKind::Ok, {}});
  parameters_.fill_unset(worker_.tracked(), welcome);
  worker_.parameter_sets().share(parameters_);
  for (const auto& [name, value] : welcome) {
    const auto index = worker_.tracked().find(name);
    const auto& own = index ? parameters_.get(*index) : std::optional<std::string>();
    be::append_parameter_status(out, {name, own ? std::string_view(*own) : value});
  }
  const size_t secret_bytes =
      login_->version >= wire::kProtocol32 ? kSecretBytes32 : kSecretBytes30;
  OwnedKey key = worker_.cancels().add_key(*this, secret_bytes);
  identity_.pid = key.pid;
  identity_.secret = std::move(key.secret);
  be::append_backend_key_data(out, {identity_.pid, identity_.secret});
  const std::string& notice = worker_.config().settings.session.login_notice;
  if (!notice.empty()) {
    be::append_notice(out, {.severity = "NOTICE", .sqlstate = "00000", .message = notice});
  }
  be::append_ready_for_query(out, be::TransactionStatus::Idle);
  timer_.cancel();
  login_.reset();
  pool_->clients.push_back(*this);
  identity_.idle_since = worker_.now();
  if (!inside_) ++pool_->counters().client_login_count;
  state_ = server_ == nullptr ? State::Idle : State::Active;
  deliver(out);
  if (!held_.empty()) on_bytes(std::exchange(held_, {}));
  read_on();
}

}  // namespace pgtend::pool
