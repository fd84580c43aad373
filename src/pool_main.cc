// pgtend-pool: the connection pool. `pgtend-pool file.ini` serves until it is told to stop.
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "net/signals.h"
#include "pool/config.h"
#include "pool/console.h"
#include "pool/worker.h"

namespace pgtend::pool {
namespace {

constexpr std::string_view kUsage =
    "usage: pgtend-pool [options] FILE.ini\n"
    "\n"
    "Pools PostgreSQL connections: many clients, few servers. The file has PgBouncer's grammar.\n"
    "\n"
    "  -h, --help     this text\n"
    "  -V, --version  the version\n"
    "  -q, --quiet    only warnings and errors in the log\n"
    "  -v, --verbose  also debug events\n"
    "\n"
    "signals: HUP reads the file again; INT ends when running transactions have;\n"
    "TERM ends when present clients have left; QUIT, or a second INT or TERM, ends at once.\n";

struct Arguments {
  std::string file;
  bool help = false;
  bool version = false;
  log::Level level = log::Level::Info;
};

Result<Arguments> parse_arguments(std::span<char*> words) {
  Arguments arguments;
  for (const char* raw : words) {
    const std::string_view word = raw;
    if (word == "-h" || word == "--help") {
      arguments.help = true;
    } else if (word == "-V" || word == "--version") {
      arguments.version = true;
    } else if (word == "-q" || word == "--quiet") {
      arguments.level = log::Level::Warn;
    } else if (word == "-v" || word == "--verbose") {
      arguments.level = log::Level::Debug;
    } else if (word.starts_with('-')) {
      return Error{ErrorCode::Invalid, cat("unknown option ", printable(word))};
    } else if (!arguments.file.empty()) {
      return Error{ErrorCode::Invalid, "more than one configuration file"};
    } else {
      arguments.file = word;
    }
  }
  if (arguments.file.empty() && !arguments.help && !arguments.version) {
    return Error{ErrorCode::Invalid, "no configuration file given"};
  }
  return arguments;
}

// Removes the pidfile at the end.
class Pidfile {
 public:
  static Result<std::unique_ptr<Pidfile>> write(const std::string& path) {
    if (!path.empty()) {
      std::FILE* file = std::fopen(path.c_str(), "we");
      if (file == nullptr) {
        return Error{ErrorCode::Denied, cat("cannot write pidfile ", path, ": ", strerror(errno))};
      }
      std::fprintf(file, "%d\n", static_cast<int>(getpid()));
      std::fclose(file);
    }
    return std::unique_ptr<Pidfile>(new Pidfile(path));
  }
  ~Pidfile() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }

 private:
  explicit Pidfile(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  log::info("kernel file descriptor limit", {log::kv("limit", limit.rlim_cur)});
}

void on_signal(Worker& worker, int signal) {
  const bool again = worker.service() != Service::Running;
  switch (signal) {
    case SIGHUP: {
      log::info("got SIGHUP, re-reading config");
      auto status = worker.reload();
      if (!status) log::error("reload failed", {log::kv("cause", status.error().message)});
      return;
    }
    case SIGINT:
      log::info("got SIGINT, shutting down");
      return again ? worker.loop().stop() : worker.shut_down(Service::WaitForServers);
    case SIGTERM:
      log::info("got SIGTERM, shutting down");
      return again ? worker.loop().stop() : worker.shut_down(Service::WaitForClients);
    default:
      return worker.loop().stop();
  }
}

Status serve(const Arguments& arguments) {
  auto config = TRY(load_config(arguments.file));
  const LogSettings& logging = config->settings.log;
  log::set_level(logging.verbose > 0 ? log::Level::Debug : arguments.level);
  if (!logging.file.empty()) TRY(log::to_file(logging.file));
  for (const std::string& warning : config->warnings) log::warn(warning);
  raise_descriptor_limit();
  const auto pidfile = TRY(Pidfile::write(logging.pidfile));
  const auto loop = TRY(net::make_epoll_loop(system_clock()));
  Worker worker(*loop, system_clock(), config);
  const auto signals =
      TRY(net::Signals::open(*loop, {SIGHUP, SIGINT, SIGTERM, SIGQUIT},
                             [&worker](int signal) { on_signal(worker, signal); }));
  TRY(worker.listen());
  log::info("process up", {log::kv("version", version_text()), log::kv("config", config->path)});
  loop->run();
  log::info("process down");
  return ok();
}

int run(std::span<char*> words) {
  auto arguments = parse_arguments(words);
  if (!arguments) {
    std::fprintf(stderr, "pgtend-pool: %s\n%s", arguments.error().message.c_str(), kUsage.data());
    return 1;
  }
  if (arguments->help) {
    std::fputs(kUsage.data(), stdout);
    return 0;
  }
  if (arguments->version) {
    std::printf("%s\n", version_text().c_str());
    return 0;
  }
  auto status = serve(*arguments);
  if (status) return 0;
  std::fprintf(stderr, "pgtend-pool: %s\n", status.error().message.c_str());
  return 1;
}

}  // namespace
}  // namespace pgtend::pool

int main(int argc, char** argv) {
  return pgtend::pool::run({argv + 1, static_cast<size_t>(argc > 0 ? argc - 1 : 0)});
}
