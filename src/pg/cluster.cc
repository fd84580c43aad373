#include "pg/cluster.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <random>

#include "base/text.h"
#include "pg/account.h"
#include "pg/binaries.h"
#include "pg/connection.h"
#include "pg/data_template.h"
#include "pg/process.h"
#include "pg/quote.h"
#include "pg/supervisor.h"
#include "pg/temp_folder.h"

namespace pgtend::pg {
namespace {

namespace fs = std::filesystem;

constexpr int kPortFirst = 20'000;  // below the range the kernel hands out to clients
constexpr int kPortLast = 32'000;
constexpr int kPortTries = 20;
constexpr size_t kSocketPathMax = 107;
constexpr std::string_view kSocketName = "/socket/.s.PGSQL.65535.lock";
constexpr seconds kStartPatience(60);
constexpr seconds kStopPatience(60);
constexpr size_t kLogShown = 2'000;

bool can_bind(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const int reuse = 1;  // as PostgreSQL does: a port in TIME_WAIT is free
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof reuse);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool bound = bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                     listen(fd, 1) == 0;
  close(fd);
  return bound;
}

Result<int> free_port() {
  std::random_device random;
  std::uniform_int_distribution<int> pick(kPortFirst, kPortLast);
  for (int tries = 0; tries < 1'000; ++tries) {
    const int port = pick(random);
    if (can_bind(port)) return port;
  }
  return Error{ErrorCode::Limit, cat("no free port between ", kPortFirst, " and ", kPortLast)};
}

bool is_setting_name(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.';
  });
}

Result<std::string> setting_line(const std::string& name, const std::string& value) {
  if (!is_setting_name(name)) {
    return Error{ErrorCode::Invalid, cat("not a setting's name: \"", printable(name), "\"")};
  }
  std::string line = name + " = '";
  for (const char c : value) {
    if (c == '\n' || c == '\0') {
      return Error{ErrorCode::Invalid, cat("setting ", name, ": a line break or NUL byte")};
    }
    if (c == '\'' || c == '\\') line += c;
    line += c;
  }
  return line + "'\n";
}

// libpq and the server read commas, spaces and the like in a socket folder's name in their own
// ways.
bool is_socket_base(const std::string& base) {
  const bool plain = std::ranges::all_of(base, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-' || c == '/';
  });
  const size_t folder = base.size() + std::string_view("/pgtend-kept-XXXXXX").size();
  return plain && folder + kSocketName.size() <= kSocketPathMax;
}

Status append(const std::string& path, const std::string& text) {
  const int fd = open(path.c_str(), O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return Error{ErrorCode::Internal, cat("opening ", path, ": ", std::strerror(errno))};
  const bool written = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int failure = errno;
  close(fd);
  if (written) return ok();
  return Error{ErrorCode::Internal, cat("writing ", path, ": ", std::strerror(failure))};
}

// The end of the server's log from byte `from` on, for messages.
std::string log_end(const std::string& path, size_t from) {
  std::ifstream file(path, std::ios::binary);
  file.seekg(static_cast<std::streamoff>(from));
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (text.size() > kLogShown) text.erase(0, text.size() - kLogShown);
  return printable(trim(text), true);
}

}  // namespace

struct Cluster::State {
  ClusterOptions wanted = {};
  Account account = {};
  std::optional<TempFolder> home = {};     // log, and data unless ClusterOptions::folder is given
  std::optional<TempFolder> sockets = {};  // when home's name is no good for a socket
  Binaries binaries = {};
  std::string data = {};
  std::string password = {};
  int port = 0;
  std::optional<Supervisor> supervisor = {};
  int last_postmaster = 0;

  ~State();
  std::string socket_folder() const { return (sockets ? *sockets : *home).path() + "/socket"; }
  std::string log_file() const { return home->path() + "/log"; }
  Options options(const std::string& dbname) const;
  Status make_home();
  Result<std::string> configuration() const;
  Status launch();
  Status launch_on(int chosen_port);
  Status await_ready(size_t log_from);
  Status end(Supervisor::Stop how);
};

Cluster::State::~State() {
  static_cast<void>(end(wanted.keep ? Supervisor::Stop::Fast : Supervisor::Stop::Immediate));
  if (wanted.keep || wanted.folder.empty() || data.empty()) return;
  std::error_code failure;
  fs::remove_all(data, failure);
}

Options Cluster::State::options(const std::string& dbname) const {
  Options out;
  out.set("host", socket_folder()).set("port", cat(port)).set("user", kSuperuser);
  out.set("password", password).set("dbname", dbname).set("sslmode", "disable");
  return out;
}

Status Cluster::State::make_home() {
  const auto bases = temp_bases(account);
  if (bases.empty()) {
    return Error{ErrorCode::Denied,
                 cat("no temp folder that ", account.name, " may enter"),
                 {},
                 "set TMPDIR to a folder that everybody may enter"};
  }
  for (const std::string& base : bases) sweep_dead(base);
  const auto life = wanted.keep ? TempFolder::Life::Kept : TempFolder::Life::Swept;
  home.emplace(TRY(TempFolder::create(bases.front(), account, life)));
  const auto base = std::ranges::find_if(bases, is_socket_base);
  if (base == bases.end()) {
    return Error{ErrorCode::Invalid,
                 cat("the name of ", bases.front(), " is too long for a socket"),
                 {},
                 "set TMPDIR to a shorter path"};
  }
  if (base != bases.begin()) sockets.emplace(TRY(TempFolder::create(*base, account, life)));
  const std::string folder = socket_folder();
  if (mkdir(folder.c_str(), 0700) != 0 ||
      (account.uid != geteuid() && chown(folder.c_str(), account.uid, account.gid) != 0)) {
    return Error{ErrorCode::Internal, cat("creating ", folder, ": ", std::strerror(errno))};
  }
  std::string cache = home->path();
  if (wanted.cached) cache = cache_folder(bases.front(), cache);
  binaries = TRY(find_binaries(wanted.version, wanted.binaries, account, cache));
  const std::string place =
      wanted.folder.empty() ? home->path() + "/data" : fs::absolute(wanted.folder).string();
  if (fs::exists(place)) {
    return Error{ErrorCode::Invalid,
                 cat(printable(place), " exists already"),
                 {},
                 "name a folder that does not exist yet"};
  }
  data = place;
  const DataPlan plan{.cache = wanted.cached ? cache : "", .data = data, .durable = wanted.durable};
  password = TRY_DURING(make_data(binaries, account, plan), "preparing a private PostgreSQL");
  return ok();
}

// What is added to postgresql.conf.
Result<std::string> Cluster::State::configuration() const {
  std::string text = "\n# set for this private server\n";
  text += "password_encryption = 'scram-sha-256'\nlogging_collector = off\n";
  if (!wanted.durable) {
    text += "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n";
  }
  for (const auto& [setting, value] : wanted.settings) text += TRY(setting_line(setting, value));
  return text;
}

Status Cluster::State::launch_on(int chosen_port) {
  const int log =
      open(log_file().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (log < 0) {
    return Error{ErrorCode::Internal, cat("opening ", log_file(), ": ", std::strerror(errno))};
  }
  const auto log_from = static_cast<size_t>(lseek(log, 0, SEEK_END));
  SupervisorPlan plan{
      .argv = {binaries.folder + "/postgres", "-D", data, "-p", cat(chosen_port), "-c",
               "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=" + socket_folder()},
      .account = account,
      .log = log};
  plan.locks.push_back(home->lock());
  if (sockets) plan.locks.push_back(sockets->lock());
  if (!wanted.keep) {
    plan.folders.push_back(home->path());
    if (sockets) plan.folders.push_back(sockets->path());
    if (!wanted.folder.empty()) plan.folders.push_back(data);
  }
  auto started = Supervisor::start(std::move(plan));
  close(log);
  if (!started) return std::move(started).error();
  supervisor.emplace(std::move(started).take());
  last_postmaster = supervisor->postmaster();
  port = chosen_port;
  return await_ready(log_from);
}

Status Cluster::State::await_ready(size_t log_from) {
  const SteadyTime deadline = system_clock().steady() + kStartPatience;
  while (supervisor->running()) {
    auto conn = Connection::open(options("postgres"), seconds(10));
    if (conn) return ok();
    const ErrorCode code = conn.error().code;
    if (code != ErrorCode::Unavailable || system_clock().steady() >= deadline) {
      return Error(conn.error()).during("starting a private PostgreSQL");
    }
    // The supervisor's message is the only thing worth waiting for meanwhile.
    const auto ended = supervisor->wait_end(milliseconds(15));
    if (ended) break;
  }
  const std::string text = log_end(log_file(), log_from);
  const bool taken = text.find("could not bind") != std::string::npos ||
                     text.find("could not create any TCP/IP sockets") != std::string::npos;
  return Error{taken ? ErrorCode::Conflict : ErrorCode::Internal,
               cat("the private PostgreSQL did not start: ", text)};
}

Status Cluster::State::launch() {
  Status started = ok();
  for (int tries = 0; tries < kPortTries; ++tries) {
    const bool same = tries == 0 && port != 0;
    started = launch_on(same ? port : TRY(free_port()));
    if (started) return started;
    supervisor.reset();
    if (started.error().code != ErrorCode::Conflict) break;
  }
  return started;
}

Status Cluster::State::end(Supervisor::Stop how) {
  if (!supervisor || !supervisor->running()) {
    supervisor.reset();
    return ok();
  }
  supervisor->ask(how);
  auto status = supervisor->wait_end(kStopPatience);
  if (!status) {
    supervisor->ask(Supervisor::Stop::Immediate);
    static_cast<void>(supervisor->wait_end(kStopPatience));
  }
  supervisor.reset();
  if (!status) return std::move(status).error().during("stopping the private PostgreSQL");
  if (how == Supervisor::Stop::Fast && *status != 0) {
    return Error{ErrorCode::Internal, cat("the private PostgreSQL ended with status ", *status,
                                          ": ", log_end(log_file(), 0))};
  }
  return ok();
}

Result<Cluster> Cluster::start(const ClusterOptions& options) {
  auto state = std::make_unique<State>();
  state->wanted = options;
  state->account = TRY(server_account());
  const std::string configuration = TRY(state->configuration());
  TRY(state->make_home());
  TRY(append(state->data + "/postgresql.conf", configuration));
  TRY(state->launch());
  // The template's password served to get in; from here on only this process knows the password.
  auto conn = TRY(Connection::open(state->options("postgres")));
  const std::string password = TRY(random_password());
  const std::string verifier = TRY(conn.password_verifier(kSuperuser, password));
  TRY(conn.exec(cat("ALTER ROLE ", ident(kSuperuser), " PASSWORD ", literal(verifier))));
  state->password = password;
  if (options.keep) {
    const Account self{geteuid(), getegid(), {}};
    TRY(write_secret(state->home->path() + "/password", password + "\n", self));
    state->home->keep();
  }
  if (options.keep && state->sockets) state->sockets->keep();
  return Cluster(std::move(state));
}

Cluster::Cluster(std::unique_ptr<State> state) : state_(std::move(state)) {}
Cluster::Cluster(Cluster&&) noexcept = default;
Cluster& Cluster::operator=(Cluster&&) noexcept = default;

Cluster::~Cluster() = default;

Options Cluster::options(const std::string& dbname) const { return state_->options(dbname); }
int Cluster::port() const { return state_->port; }
std::string Cluster::version() const { return state_->binaries.version; }
int Cluster::major() const { return state_->binaries.major; }
std::string Cluster::binaries() const { return state_->binaries.folder; }
std::string Cluster::socket_folder() const { return state_->socket_folder(); }
std::string Cluster::data_folder() const { return state_->data; }
std::string Cluster::log_file() const { return state_->log_file(); }
int Cluster::postmaster() const { return state_->last_postmaster; }

Status Cluster::set(const std::vector<std::pair<std::string, std::string>>& settings) {
  std::string text;
  for (const auto& [name, value] : settings) text += TRY(setting_line(name, value));
  return append(state_->data + "/postgresql.conf", text);
}

Status Cluster::stop() { return state_->end(Supervisor::Stop::Fast); }
Status Cluster::crash() { return state_->end(Supervisor::Stop::Immediate); }

Status Cluster::restart() {
  TRY(stop());
  return state_->launch();
}

bool Cluster::running() { return state_->supervisor && state_->supervisor->running(); }

}  // namespace pgtend::pg
