// pgtend-pool: the connection pool. `pgtend-pool file.ini` serves until it is told to stop.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "net/resolver.h"
#include "net/signals.h"
#include "pool/config.h"
#include "pool/console.h"
#include "pool/lifecycle.h"
#include "pool/workers.h"

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
    "signals: HUP reads the file again; USR1 pauses, USR2 resumes; INT ends when running\n"
    "transactions have; TERM ends when present clients have left; QUIT, or a second INT or TERM,\n"
    "ends at once.\n";

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

Done report(std::string_view what) {
  return [what](const Status& status) {
    if (!status) log::error(cat(what, " failed"), {log::kv("cause", status.error().message)});
  };
}

// On the first worker's loop.
void on_signal(Workers& workers, int signal) {
  const bool again = workers.first().service() != Service::Running;
  switch (signal) {
    case SIGHUP:
      log::info("got SIGHUP, re-reading config");
      return workers.reload(workers.first().index(), report("reload"));
    case SIGUSR1:
      log::info("got SIGUSR1, pausing all activity");
      return pause({workers, workers.first().index(), ""}, report("pause"));
    case SIGUSR2:
      if (again) return log::info("got SIGUSR2 while shutting down, ignoring");
      log::info("got SIGUSR2, continuing from PAUSE");
      return resume({workers, workers.first().index(), ""}, report("resume"));
    case SIGINT:
      log::info("got SIGINT, shutting down");
      return again ? workers.stop() : workers.shut_down(Service::WaitForServers);
    case SIGTERM:
      log::info("got SIGTERM, shutting down");
      return again ? workers.stop() : workers.shut_down(Service::WaitForClients);
    default:
      return workers.stop();
  }
}

size_t worker_count(const Config& config) {
  const int asked = config.settings.listen.workers;
  const size_t wanted =
      asked > 0 ? static_cast<size_t>(asked) : std::thread::hardware_concurrency();
  return std::clamp<size_t>(wanted, 1, kWorkersMax);
}

Status serve(const Arguments& arguments) {
  auto config = TRY(load_config(arguments.file));
  const LogSettings& logging = config->settings.log;
  log::set_level(logging.verbose > 0 ? log::Level::Debug : arguments.level);
  if (!logging.file.empty()) TRY(log::to_file(logging.file));
  for (const std::string& warning : config->warnings) log::warn(warning);
  raise_descriptor_limit();
  const auto pidfile = TRY(Pidfile::write(logging.pidfile));
  auto resolver = TRY(net::make_resolver(config->settings.dns.resolv_conf));
  std::vector<std::unique_ptr<net::Loop>> loops;
  std::vector<net::Loop*> borrowed;
  for (size_t i = 0; i < worker_count(*config); ++i) {
    loops.push_back(TRY(net::make_epoll_loop(system_clock())));
    borrowed.push_back(loops.back().get());
  }
  Workers workers(borrowed, system_clock(), config, std::move(resolver));
  // Before the threads start, so that none of them gets the signals.
  const auto signals =
      TRY(net::Signals::open(*loops[0], {SIGHUP, SIGINT, SIGTERM, SIGQUIT, SIGUSR1, SIGUSR2},
                             [&workers](int signal) { on_signal(workers, signal); }));
  TRY(workers.listen());
  log::info("process up", {log::kv("version", version_text()), log::kv("config", config->path),
                           log::kv("workers", loops.size())});
  std::vector<std::jthread> threads;
  for (size_t i = 1; i < loops.size(); ++i) {
    threads.emplace_back([&loop = *loops[i]]() noexcept { loop.run(); });
  }
  loops[0]->run();
  threads.clear();  // joins them
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
