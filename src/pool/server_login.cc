// The first part of a link's life: connecting, authentication, and learning what the server tells.
#include <algorithm>
#include <cstring>

#include "base/log.h"
#include "base/text.h"
#include "pool/pools.h"
#include "pool/server.h"
#include "pool/texts.h"
#include "pool/worker.h"
#include "pool/workers.h"
#include "wire/backend.h"
#include "wire/frontend.h"

namespace pgtend::pool {
namespace {

namespace be = wire::backend;
namespace fe = wire::frontend;

// What to log in with: the forced user's password, or the secret of the user list or of auth_query.
std::string secret_for(Worker& worker, const Pool& pool) {
  const DatabaseConfig& database = pool.database();
  if (!database.password.empty()) return database.password;
  const std::string* secret = worker.config().secrets.secret(pool.server_user());
  if (secret == nullptr) secret = worker.auth_queries().secret(database.name, pool.server_user());
  return secret != nullptr ? *secret : std::string();
}

}  // namespace

void Server::start() {
  const bool forced = pool_.database().user.has_value() || !pool_.database().password.empty();
  login_ = std::make_unique<Login>(
      ServerAuth(pool_.server_user(), secret_for(worker_, pool_), forced, worker_.logins()));
  const bool turns = pool_.database().load_balance == LoadBalance::RoundRobin;
  login_->turn = turns ? pool_.group().next_turn() : 0;
  connect_next("");
}

// Tries the next address of the database: several hosts take turns, and so do the addresses of one.
// After the last one `failure` is the pool's.
void Server::connect_next(std::string_view failure) {
  channel_.reset();
  std::string cause(failure);
  if (!cause.empty()) note_attempt(cause);
  const std::vector<Host>& hosts = pool_.database().hosts;
  for (;;) {
    while (!login_->addresses.empty()) {
      identity_.address = login_->addresses.front();
      login_->addresses.erase(login_->addresses.begin());
      if (connect(cause)) return;
    }
    if (login_->hosts_tried >= hosts.size()) break;
    const Host& host = hosts[(login_->turn + login_->hosts_tried++) % hosts.size()];
    identity_.host = host.name;
    if (!host.name.empty()) return look_up(host.name);
    login_->addresses.push_back(host.address);
  }
  note_failure(cause);
  pool_.server_failed(*this, {.text = cause, .sqlstate = std::string(kPoolerState)});
  gone();
}

void Server::note_attempt(std::string_view cause) {
  if (!worker_.config().settings.log.pooler_errors) return;
  log::warn(cat(name_in_log(), "connect failed: ", cause));
}

// False with the `cause` when it fails at once.
bool Server::connect(std::string& cause) {
  auto descriptor = worker_.loop().connect(identity_.address, worker_.config().settings.socket);
  if (!descriptor) {
    cause = descriptor.error().message;
    note_attempt(cause);
    return false;
  }
  channel_ = std::make_unique<Channel>(net::Socket(worker_.loop(), *descriptor), worker_.chunks());
  wait(worker_.config().settings.time.server_connect);
  if (channel_->socket().watch(*this)) return true;
  cause = "out of file descriptors";
  note_attempt(cause);
  return false;
}

// Goes on with on_addresses(), unless the answer comes when nobody waits for it any more.
void Server::look_up(const std::string& host) {
  login_->question = login_->hosts_tried;
  identity_.address = {};
  wait(worker_.config().settings.time.server_connect);
  worker_.workers().find_addresses(worker_.index(), host,
                                   [id = identity_.id, question = login_->question](
                                       Worker& there, const Names::Addresses& addresses) {
                                     if (Server* server = there.server(id))
                                       server->on_addresses(question, addresses);
                                   });
}

void Server::on_addresses(size_t question, const Names::Addresses& addresses) {
  if (login_ == nullptr || login_->question != question) return;
  login_->question = 0;
  if (!addresses) return connect_next("server DNS lookup failed");
  const size_t count = addresses->size();
  const size_t first = login_->turn / pool_.database().hosts.size();
  for (size_t i = 0; i < count; ++i) {
    login_->addresses.push_back((*addresses)[(first + i) % count].with_port(pool_.database().port));
  }
  connect_next("");
}

void Server::close_if_moved(const std::string& host, const std::vector<net::Address>& addresses) {
  const bool stays = std::ranges::any_of(addresses, [this](const net::Address& address) {
    return address.host() == identity_.address.host();
  });
  if (identity_.host == host && !stays) close_when_free();
}

void Server::on_connected() {
  const int error = worker_.loop().connect_result(channel_->socket().descriptor());
  if (error != 0) {
    return connect_next(cat("connect to ", identity_.address.text(), ": ", strerror(error)));
  }
  state_ = State::Login;
  identity_.connected_at = identity_.used_at = worker_.now();
  std::string out;
  wire::append_startup(out, wire::kProtocol30, start_parameters());
  if (!channel_->send(out)) login_failed("server conn crashed?", kPoolerState, LoginEnd::Lost);
}

void Server::on_login_message(char type, std::string_view body) {
  switch (type) {
    case be::kAuthentication: {
      auto message = be::read_authentication(body);
      if (!message) return login_failed(message.error().message, kPoolerState);
      std::string out;
      auto satisfied = login_->auth.take(*message, out);
      if (!satisfied) {
        return login_failed(cat("server login failed: ", satisfied.error().message), kPoolerState);
      }
      login_->authenticated = *satisfied;
      if (!channel_->send(out)) login_failed("server conn crashed?", kPoolerState, LoginEnd::Lost);
      return;
    }
    case be::kParameterStatus: {
      auto status = be::read_parameter_status(body);
      if (!status) return login_failed(status.error().message, kPoolerState);
      login_->welcome.emplace_back(status->name, status->value);
      return on_parameter(body, Route::Swallow);
    }
    case be::kBackendKeyData: {
      auto key = be::read_backend_key_data(body);
      if (!key) return login_failed(key.error().message, kPoolerState);
      identity_.pid = key->pid;
      identity_.secret = key->secret;
      return;
    }
    case be::kErrorResponse:
      return on_login_error(body);
    case be::kReadyForQuery:
      if (login_->authenticated) return on_login_ready();
      return login_failed("the server skipped authentication", kPoolerState);
    default:
      // A connect_query may answer anything; before the login is through only notices are allowed.
      if (type == be::kNoticeResponse || login_->connect_query_sent) return;
      return login_failed(cat("unexpected message of type ", static_cast<int>(type), " at login"),
                          kPoolerState);
  }
}

void Server::on_login_error(std::string_view body) {
  auto report = be::read_report(body);
  if (!report) return login_failed("server login failed", kPoolerState);
  const std::string text(report->message.value_or("server login failed"));
  failure_.clear();
  wire::MessageWriter message(failure_, be::kErrorResponse);
  failure_ += body;
  message.finish();
  login_failed(text, report->sqlstate.value_or(kPoolerState));
}

void Server::on_login_ready() {
  const std::string& query = pool_.database().connect_query;
  // A session that replicates is its client's to set up, if it takes SQL at all.
  if (!query.empty() && !login_->connect_query_sent && !replicates()) {
    login_->connect_query_sent = true;
    std::string out;
    fe::append_query(out, query);
    if (!channel_->send(out)) login_failed("server conn crashed?", kPoolerState, LoginEnd::Lost);
    return;
  }
  timer_.cancel();
  if (worker_.config().settings.log.connections) {
    const net::Address local = net::local_of(channel_->socket().descriptor());
    const std::string from = local.is_unix() ? "" : cat(" (from ", local.text(), ")");
    log::info(cat(name_in_log(), "new connection to server", from));
  }
  worker_.parameter_sets().share(parameters_);
  state_ = State::Idle;
  const auto login = std::move(login_);
  pool_.server_ready(*this, std::move(login->welcome));
}

void Server::login_failed(std::string_view text, std::string_view sqlstate, LoginEnd end) {
  const bool forsaken = replicates() && claimant_ == nullptr;
  if (worker_.config().settings.log.pooler_errors && !forsaken) {
    const std::string_view severity = failure_.empty() ? "" : "FATAL ";
    log::warn(cat(name_in_log(), "server login failed: ", severity, text));
  }
  if (!forsaken) note_failure(text);
  Failure failure{.is_login = end == LoginEnd::Refused,
                  .message = std::move(failure_),
                  .text = std::string(text),
                  .sqlstate = std::string(sqlstate)};
  failure_.clear();
  const bool no_backend = end == LoginEnd::Lost || state_ == State::Connecting;
  state_ = State::Draining;
  pool_.server_failed(*this, std::move(failure));
  if (no_backend) return gone();
  drain();
}

}  // namespace pgtend::pool
