#include "demo/pool_process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

#include "base/text.h"
#include "pg/connection.h"

namespace pgtend::demo {

namespace {
constexpr int kPortTries = 5;
constexpr milliseconds kStartTime{10'000};
constexpr milliseconds kStopTime{5'000};
constexpr milliseconds kPollEvery{20};
constexpr size_t kLogEndBytes = 2000;

void pause(milliseconds time) { poll(nullptr, 0, static_cast<int>(time.count())); }

// A port that nobody listens on now. Somebody may take it before we do: callers try again.
Result<int> free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  const bool found =
      fd >= 0 && bind(fd, generic, length) == 0 && getsockname(fd, generic, &length) == 0;
  if (fd >= 0) close(fd);
  if (!found) return Error{ErrorCode::Limit, "no free port on 127.0.0.1"};
  return ntohs(address.sin_port);
}

// A value of a connection string in the [databases] section.
std::string in_single_quotes(std::string_view value) {
  std::string out = "'";
  for (const char c : value) out.append(c == '\'' ? 2 : 1, c);
  return out + '\'';
}

// A word of the userlist file.
std::string in_double_quotes(std::string_view value) {
  std::string out = "\"";
  for (const char c : value) out.append(c == '"' ? 2 : 1, c);
  return out + '"';
}

// Writes a file that only we can read.
Status write_private(const std::string& path, const std::string& text) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return Error{ErrorCode::Internal, cat("cannot create ", path)};
  const bool written = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  close(fd);
  if (!written) return Error{ErrorCode::Limit, cat("cannot write ", path, ": is the disk full?")};
  return ok();
}

std::string ini_text(const PoolOptions& options, const std::string& folder, int port) {
  const std::string database = options.server.get("dbname");
  return cat("[databases]\n", database, " = host=", in_single_quotes(options.server.get("host")),
             " port=", options.server.get("port"), " dbname=", in_single_quotes(database),
             "\n\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = ", port,
             "\nunix_socket_dir =\nauth_type = scram-sha-256\nauth_file = ", folder,
             "/userlist.txt\npool_mode = transaction\ndefault_pool_size = ", options.pool_size,
             "\nmax_client_conn = ", options.clients_max, "\nlogfile = ", folder, "/pool.log\n");
}

[[noreturn]] void become_pool(const std::string& program, const std::string& ini,
                              const std::string& log, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(127);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  setsid();  // Ctrl-C is for us; we end it when we are ready
  const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  const int nothing = open("/dev/null", O_RDONLY);
  dup2(nothing, STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  dup2(out, STDERR_FILENO);
  execl(program.c_str(), program.c_str(), ini.c_str(), nullptr);
  _exit(127);
}

bool wait_end(pid_t pid, milliseconds timeout) {
  const SteadyTime deadline = system_clock().steady() + timeout;
  while (waitpid(pid, nullptr, WNOHANG) == 0) {
    if (system_clock().steady() > deadline) return false;
    pause(kPollEvery);
  }
  return true;
}
}  // namespace

Result<PoolProcess> PoolProcess::start(const PoolOptions& options) {
  const auto account = pg::Account{.uid = getuid(), .gid = getgid(), .name = ""};
  const auto bases = pg::temp_bases(account);
  if (bases.empty())
    return Error{ErrorCode::Denied, "no folder for temporary files (TMPDIR, /tmp)"};
  pg::TempFolder folder = TRY(pg::TempFolder::create(bases.front(), account));
  pg::Options client = options.server;
  client.set("host", "127.0.0.1");
  PoolProcess process(std::move(folder), std::move(client));
  const std::string userlist = cat(in_double_quotes(options.server.get("user")), " ",
                                   in_double_quotes(options.server.get("password")), "\n");
  TRY(write_private(cat(process.folder_.path(), "/userlist.txt"), userlist));
  std::optional<Error> last;
  for (int attempt = 0; attempt < kPortTries; ++attempt) {
    const int port = TRY(free_port());
    TRY(process.launch(options, port));
    auto ready = process.wait_until_ready();
    if (ready) return process;
    last = std::move(ready).error();
    if (last->code != ErrorCode::Conflict) break;
  }
  return std::move(*last);
}

PoolProcess::PoolProcess(PoolProcess&& other) noexcept
    : folder_(std::move(other.folder_)),
      client_(std::move(other.client_)),
      pid_(std::exchange(other.pid_, -1)) {}

PoolProcess::~PoolProcess() {
  if (pid_ <= 0) return;
  kill(pid_, SIGTERM);
  if (wait_end(pid_, kStopTime)) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

Status PoolProcess::launch(const PoolOptions& options, int port) {
  client_.set("port", cat(port));
  const std::string ini = cat(folder_.path(), "/pool-", port, ".ini");
  TRY(write_private(ini, ini_text(options, folder_.path(), port)));
  const std::string log = cat(folder_.path(), "/pool.log");
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ < 0) return Error{ErrorCode::Limit, "cannot start another process"};
  if (pid_ == 0) become_pool(options.program, ini, log, parent);
  return ok();
}

// Conflict: it ended at once, perhaps because the port was taken meanwhile.
Status PoolProcess::wait_until_ready() {
  const SteadyTime deadline = system_clock().steady() + kStartTime;
  std::string last;
  while (system_clock().steady() < deadline) {
    auto conn = pg::Connection::open(client_, seconds(2));
    if (conn) return ok();
    last = conn.error().message;
    if (waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = -1;
      return Error{ErrorCode::Conflict, cat("pgtend-pool ended at its start: ", log_end())};
    }
    pause(kPollEvery);
  }
  return Error{ErrorCode::Internal,
               cat("pgtend-pool does not accept clients: ", last, "; its log: ", log_end())};
}

std::string PoolProcess::log_end() const {
  std::ifstream file(cat(folder_.path(), "/pool.log"));
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (text.size() > kLogEndBytes) text.erase(0, text.size() - kLogEndBytes);
  return std::string(trim(text));
}

Result<std::string> program_beside(const std::string& program, const std::string& name) {
  std::error_code failure;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", failure);
  std::vector<std::string> places;
  if (!failure) places.push_back(self.parent_path() / name);
  if (program.find('/') != std::string::npos) {
    places.push_back(std::filesystem::path(program).parent_path() / name);
  }
  const char* path = std::getenv("PATH");
  for (const std::string_view folder : split(path == nullptr ? "" : path, ':')) {
    if (!folder.empty()) places.push_back(cat(folder, "/", name));
  }
  for (const std::string& place : places) {
    if (access(place.c_str(), X_OK) == 0) return place;
  }
  return Error{ErrorCode::NotFound,
               cat(name, " is neither beside this program (", places.front(), ") nor in PATH")}
      .hinting("./run build makes both programs");
}

}  // namespace pgtend::demo
