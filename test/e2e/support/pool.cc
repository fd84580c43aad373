#include "e2e/support/pool.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "base/text.h"
#include "wire/frame.h"
#include "wire/frontend.h"

namespace pgtend::e2e {
namespace {

constexpr int kReadLimitMs = 10'000;
constexpr std::string_view kListening = "listening on 127.0.0.1:";

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// In the process that is about to become the pool.
void supervise(const Supervision& supervision) {
  for (const auto& [name, value] : supervision.environment) setenv(name.c_str(), value.c_str(), 1);
  if (supervision.sockets.empty()) return;
  constexpr int kFirst = 3;
  constexpr int kOutOfTheWay = 500;
  std::vector<int> copies;
  for (const int socket : supervision.sockets) {
    copies.push_back(fcntl(socket, F_DUPFD_CLOEXEC, kOutOfTheWay));
  }
  for (size_t i = 0; i < copies.size(); ++i) dup2(copies[i], kFirst + static_cast<int>(i));
  setenv("LISTEN_FDS", cat(copies.size()).c_str(), 1);
  setenv("LISTEN_PID", cat(getpid()).c_str(), 1);
}

}  // namespace

PoolProcess::PoolProcess(const std::string& ini, const std::string& logfile, int port,
                         Supervision supervision)
    : logfile_(logfile.empty() ? scratch_.path() + "/log" : logfile),
      wanted_port_(port),
      supervision_(std::move(supervision)) {
  file_ = scratch_.write("pool.ini", file_text(ini));
  pid_ = start({file_});
  if (pid_ < 0) ADD_FAILURE() << "pgtend-pool does not come up:\n" << log();
  CHECK(pid_ > 0);
  const std::string text = log();
  const size_t at = text.find(kListening) + kListening.size();
  port_ = std::stoi(text.substr(at));
}

pid_t PoolProcess::start(const std::vector<std::string>& arguments) {
  const std::string program = PGTEND_BINARY_DIR "/pgtend-pool";
  const std::string out = scratch_.path() + "/log";
  std::remove(logfile_.c_str());
  const pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int log = open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(log, 1);
    dup2(log, 2);
    supervise(supervision_);
    std::vector<char*> words = {const_cast<char*>(program.c_str())};
    for (const std::string& word : arguments) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    execv(program.c_str(), words.data());
    _exit(127);
  }
  bool ended = false;
  const bool up = wait_until([&] {
    ended = waitpid(pid, nullptr, WNOHANG) == pid;
    return ended || log().find("process up") != std::string::npos;
  });
  if (up && !ended) return pid;
  if (!ended) {
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
  }
  return -1;
}

void PoolProcess::replace(const std::string& ini) {
  scratch_.write("pool.ini", file_text(ini));
  const std::string before = log();
  const pid_t old = pid_;
  const pid_t fresh = start({"-R", file_});
  ASSERT_GT(fresh, 0) << log() << "before:\n" << before;
  EXPECT_EQ(wait_for_end(), 0) << before;
  pid_ = fresh;
  EXPECT_NE(old, fresh);
}

std::string PoolProcess::try_to_replace(const std::string& ini) {
  const std::string file = scratch_.write("next.ini", cat(file_text(""), ini));
  const Outcome outcome = run({PGTEND_BINARY_DIR "/pgtend-pool", "-R", file});
  EXPECT_EQ(outcome.exit_code, 1);
  return outcome.err;
}

PoolProcess::~PoolProcess() {
  if (pid_ <= 0) return;
  kill(pid_, SIGQUIT);
  const int code = wait_for_end();
  EXPECT_EQ(code, 0) << log();
}

std::string PoolProcess::file_text(const std::string& ini) const {
  return cat(ini, "\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = ", wanted_port_,
             "\nunix_socket_dir = ", scratch_.path(), "\n");
}

std::string PoolProcess::log() const { return read_file(logfile_); }

void PoolProcess::reload(const std::string& ini) {
  scratch_.write("pool.ini", file_text(ini));
  signal(SIGHUP);
}

void PoolProcess::signal(int number) const { kill(pid_, number); }

int PoolProcess::wait_for_end() {
  int status = 0;
  const bool ended = wait_until([&] { return waitpid(pid_, &status, WNOHANG) == pid_; });
  if (!ended) {
    kill(pid_, SIGKILL);
    waitpid(pid_, &status, 0);
  }
  pid_ = -1;
  return ended && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

RawClient::RawClient(int port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  CHECK(::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
}

RawClient::~RawClient() { ::close(socket_); }

void RawClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) return;  // the reader of the answer sees what happened
    bytes.remove_prefix(static_cast<size_t>(count));
  }
}

void RawClient::shutdown_send() { ::shutdown(socket_, SHUT_WR); }

bool RawClient::fill() {
  pollfd wait{socket_, POLLIN, 0};
  if (poll(&wait, 1, kReadLimitMs) != 1) {
    ADD_FAILURE() << "no answer within ten seconds";
    return false;
  }
  char piece[65536];
  const ssize_t count = ::recv(socket_, piece, sizeof piece, 0);
  if (count <= 0) return false;
  input_.append(piece, static_cast<size_t>(count));
  return true;
}

char RawClient::read_byte() {
  if (input_.empty() && !fill()) return 0;
  const char byte = input_[0];
  input_.erase(0, 1);
  return byte;
}

RawClient::Message RawClient::read() {
  while (true) {
    std::string_view input = input_;
    const auto frame = must(wire::next_frame(input));
    if (frame) {
      Message message{frame->type, std::string(frame->body)};
      input_.erase(0, input_.size() - input.size());
      if (message.type == wire::backend::kErrorResponse) {
        const auto report = must(wire::backend::read_report(message.body));
        error_text_ = report.message.value_or("");
        error_state_ = report.sqlstate.value_or("");
      }
      return message;
    }
    if (!fill()) return {};
  }
}

std::string RawClient::read_until(char type) {
  std::string types;
  while (true) {
    const Message message = read();
    types.push_back(message.type == 0 ? '.' : message.type);
    if (message.type == type || message.type == 0) return types;
    if (message.type == wire::backend::kBackendKeyData) {
      const auto key = must(wire::backend::read_backend_key_data(message.body));
      pid_ = key.pid;
      secret_ = key.secret;
    }
  }
}

std::string RawClient::log_in(const std::string& user, const std::string& database,
                              int32_t version) {
  std::string out;
  wire::append_startup(out, version, {{"user", user}, {"database", database}});
  send(out);
  return read_until('Z');
}

std::string PoolTest::database_line(const std::string& name, const pg::Options& server) {
  return cat("[databases]\n", name, " = host=", server.get("host"), " port=", server.get("port"),
             " user=", server.get("user"), " password='", server.get("password"), "'\n");
}

std::string PoolTest::ini(const std::string& settings) const {
  return cat(database_line(database(), options()),
             "[pgbouncer]\nauth_type = trust\npool_mode = transaction\nadmin_users = "
             "app\nserver_login_retry = 0.1\n",
             settings);
}

pg::Options PoolTest::through(const PoolProcess& pool) const {
  pg::Options options;
  options.set("host", "127.0.0.1").set("port", cat(pool.port())).set("user", "app");
  options.set("dbname", database()).set("sslmode", "disable");
  return options;
}

int64_t PoolTest::backends(pg::Connection& direct) const {
  const auto rows = must(
      direct.query("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "
                   "pid <> pg_backend_pid() AND backend_type = 'client backend'"));
  return must(rows[0].get<int64_t>(0));
}

std::string PoolTest::query(std::string_view sql) {
  std::string out;
  wire::frontend::append_query(out, sql);
  return out;
}

std::unique_ptr<RawClient> PoolTest::client_of(const PoolProcess& pool,
                                               const std::string& user) const {
  auto client = std::make_unique<RawClient>(pool.port());
  client->log_in(user, database());
  return client;
}

std::string PoolTest::last_words(RawClient& client) {
  while (client.read().type != 0) {
  }
  return client.error_text();
}

void PoolTest::begin(RawClient& client) {
  client.send(query("begin"));
  client.read_until('Z');
}

void PoolTest::expect_served(RawClient& client) {
  client.send(query("select 1"));
  EXPECT_EQ(client.read_until('Z'), "TDCZ");
}

std::string PoolTest::ask(RawClient& client, std::string_view sql) {
  client.send(query(sql));
  std::string value;
  for (auto message = client.read(); message.type != 'Z' && message.type != 0;
       message = client.read()) {
    if (message.type != wire::backend::kDataRow) continue;
    const auto row = must(wire::backend::read_data_row(message.body));
    value = row[0].value_or("");
  }
  return value;
}

pg::Rows PoolTest::console(const PoolProcess& pool, const std::string& command) const {
  auto options = through(pool);
  options.set("dbname", "pgbouncer");
  auto conn = must(pg::Connection::open(options));
  return must(conn.query_simple(command));
}

std::string PoolTest::shown(const PoolProcess& pool, const std::string& command,
                            std::string_view name, std::string_view column) const {
  const pg::Rows rows = console(pool, command);
  for (int row = 0; row < rows.size(); ++row) {
    if (rows[row].text(0) != name) continue;
    for (int i = 0; i < rows.columns(); ++i) {
      if (rows.column_name(i) == column) return std::string(rows[row].text(i));
    }
  }
  return "none";
}

std::string PoolTest::pools(const PoolProcess& pool, const std::string& column) const {
  return shown(pool, "SHOW POOLS", database(), column);
}

Outcome PoolTest::python(const PoolProcess& pool, const std::string& script,
                         const std::string& input) const {
  const std::string head =
      cat("import psycopg, sys, time, threading, signal, subprocess\ndsn = 'host=127.0.0.1 port=",
          pool.port(), " user=app dbname=", database(),
          "'\ndef connect(**more):\n    return psycopg.connect(dsn, autocommit=True, "
          "prepare_threshold=None, **more)\n");
  return run({"/usr/bin/python3", "-c", head + script}, {}, input);
}

}  // namespace pgtend::e2e
