// pgtend-pool: the connection pool. `pgtend-pool file.ini` serves until it is told to stop.
#include <getopt.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <memory>
#include <optional>
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
#include "pool/logging.h"
#include "pool/predecessor.h"
#include "pool/process.h"
#include "pool/service_manager.h"
#include "pool/takeover.h"
#include "pool/workers.h"

namespace pgtend::pool {
namespace {

constexpr std::string_view kUsage =
    "usage: pgtend-pool [options] FILE.ini\n"
    "\n"
    "Pools PostgreSQL connections: many clients, few servers. The file has PgBouncer's grammar.\n"
    "\n"
    "  -d, --daemon     run in the background; needs pidfile, and logfile or syslog\n"
    "  -R, --reboot     take the place of the process that runs on the same unix socket: no "
    "client\n"
    "                   or query of its is lost\n"
    "  -u, --user NAME  run as this account, as setting \"user\" does\n"
    "  -q, --quiet      nothing on standard error when there is a logfile or syslog\n"
    "  -v, --verbose    also debug events\n"
    "  -V, --version    the version\n"
    "  -h, --help       this text\n"
    "\n"
    "signals: HUP reads the file again; USR1 pauses, USR2 resumes; INT ends when running\n"
    "transactions have; TERM ends when present clients have left; QUIT, or a second INT or TERM,\n"
    "ends at once.\n";

struct Arguments {
  std::string file;
  std::string account;
  bool help = false;
  bool version = false;
  bool daemon = false;
  bool quiet = false;
  bool reboot = false;
  int verbose = 0;
};

Result<Arguments> parse_arguments(int count, char** words) {
  static constexpr option kOptions[] = {
      {"daemon", no_argument, nullptr, 'd'},     {"help", no_argument, nullptr, 'h'},
      {"quiet", no_argument, nullptr, 'q'},      {"reboot", no_argument, nullptr, 'R'},
      {"user", required_argument, nullptr, 'u'}, {"verbose", no_argument, nullptr, 'v'},
      {"version", no_argument, nullptr, 'V'},    {nullptr, 0, nullptr, 0}};
  Arguments arguments;
  opterr = 0;
  for (int letter = 0;
       (letter = getopt_long(count, words, ":dhqRu:vV", kOptions, nullptr)) != -1;) {
    switch (letter) {
      case 'd':
        arguments.daemon = true;
        break;
      case 'h':
        arguments.help = true;
        break;
      case 'q':
        arguments.quiet = true;
        break;
      case 'R':
        arguments.reboot = true;
        break;
      case 'u':
        arguments.account = optarg;
        break;
      case 'v':
        ++arguments.verbose;
        break;
      case 'V':
        arguments.version = true;
        break;
      case ':':
        return Error{ErrorCode::Invalid,
                     cat("an argument is missing: ", printable(words[optind - 1]))};
      default:
        return Error{ErrorCode::Invalid, cat("unknown option ", printable(words[optind - 1]))};
    }
  }
  if (count - optind > 1) return Error{ErrorCode::Invalid, "more than one configuration file"};
  if (optind < count) arguments.file = words[optind];
  if (arguments.file.empty() && !arguments.help && !arguments.version) {
    return Error{ErrorCode::Invalid, "no configuration file given"};
  }
  return arguments;
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  log::info(cat("kernel file descriptor limit: ", limit.rlim_cur, " (hard: ", limit.rlim_max, ")"));
}

Done report(std::string_view what) {
  return [what](const Status& status) {
    if (!status) log::error(cat(what, " failed"), {log::kv("cause", status.error().message)});
  };
}

// What the service manager shows of a process that serves.
std::string status_of(const Worker& first) {
  std::string places;
  for (const net::Address& address : first.listening()) {
    places += cat(places.empty() ? "" : ", ", listener_text(address));
  }
  return cat("listening on ", places);
}

void reload(Workers& workers) {
  log::info("got SIGHUP, re-reading config");
  tell_reloading(system_clock().steady());
  Worker& first = workers.first();
  workers.reload(first.index(), [&first](const Status& status) {
    report("reload")(status);
    if (first.service() != Service::Running) return;  // its last word was that it stops
    tell_ready(status
                   ? status_of(first)
                   : cat("reload failed, the settings before it hold: ", status.error().message));
  });
}

// On the first worker's loop.
void on_signal(Workers& workers, int signal) {
  const bool again = workers.first().service() != Service::Running;
  if (signal == SIGINT || signal == SIGTERM || signal == SIGQUIT) tell_stopping();
  switch (signal) {
    case SIGHUP:
      return reload(workers);
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

// For tests of the pool with real servers. An environment variable, because a file is copied and a
// command line is kept in units: this should go with the shell that it was set in.
Result<bool> links_keep_moving() {
  constexpr const char* kName = "PGTEND_POOL_KEEP_LINKS_MOVING";
  const char* value = std::getenv(kName);
  if (value == nullptr) return false;
  if (std::string_view(value) != "1") {
    return Error{ErrorCode::Invalid,
                 cat(kName, " is ", printable(value), ": it is a test aid, 1 or not set")};
  }
  log::warn(cat(kName,
                " is set: servers move to another worker after each use, for tests; unset "
                "it to serve at full speed"));
  return true;
}

// The file's settings and those of the command line.
Result<std::shared_ptr<const Config>> settings_of(const Arguments& arguments) {
  auto config = std::make_shared<Config>(*TRY(load_config(arguments.file)));
  LogSettings& logging = config->settings.log;
  logging.more_verbose = arguments.verbose;
  logging.quiet = arguments.quiet || arguments.daemon;
  if (!arguments.account.empty()) config->settings.listen.account = arguments.account;
  const bool logs = !logging.file.empty() || logging.syslog;
  if (arguments.daemon && (logging.pidfile.empty() || !logs)) {
    return Error{ErrorCode::Invalid,
                 "-d needs the settings pidfile, and logfile or syslog: without them nobody "
                 "would find the process or hear of it"};
  }
  return std::shared_ptr<const Config>(std::move(config));
}

// Where the running process is asked to hand over.
Result<Predecessor> predecessor_of(const ListenSettings& listen, bool supervised) {
  if (supervised) {
    return Error{ErrorCode::Conflict,
                 "-R under a service manager: it would take the end of the old process for the end "
                 "of the service; restart the service instead"};
  }
  if (listen.unix_dir.empty() || listen.unix_dir.starts_with('@')) {
    return Error{ErrorCode::Invalid, "-R needs a unix_socket_dir that is a folder"};
  }
  return Predecessor::ask(listen.unix_socket());
}

// The pidfile, once the process that this one follows has removed its own.
std::unique_ptr<Pidfile> follow_pidfile(const std::string& path) {
  constexpr milliseconds kLook{5};
  constexpr int kLooks = 2000;
  for (int i = 0;; ++i) {
    auto file = Pidfile::write(path);
    if (file) return std::move(file).take();
    if (i == kLooks || file.error().code != ErrorCode::Conflict) {
      // Clients are here already: they are served without it.
      log::error("no pidfile", {log::kv("cause", file.error().message)});
      return nullptr;
    }
    std::this_thread::sleep_for(kLook);
  }
}

// Has all that the running process has, or what `predecessor` is not: then it just listens.
Status open_for_business(Workers& workers, std::optional<Predecessor>& predecessor,
                         const std::vector<HandedSocket>& sockets) {
  if (!sockets.empty()) return workers.listen_with(sockets);
  if (!predecessor) return workers.listen();
  TRY(receive(workers, std::move(predecessor->parcels())));
  auto ready = workers.listen();
  // From here on the other process cannot go on.
  if (ready) ready = predecessor->end();
  if (ready) {
    take_up(workers);
    log::info("taken over from the process before");
  } else {
    workers.first().forsake_listeners();
  }
  return ready;
}

Status serve(const Arguments& arguments) {
  const auto config = TRY(settings_of(arguments));
  const LogSettings& logging = config->settings.log;
  const auto sockets = TRY(handed_sockets());
  const bool supervised = is_supervised() || !sockets.empty();
  const std::string& account = config->settings.listen.account;
  if (!account.empty()) TRY(become_account(account));
  std::optional<Daemon> daemon;
  if (arguments.daemon) daemon = TRY(Daemon::start());
  TRY(apply(logging));
  if (geteuid() == 0) log::warn("running as root: set \"user\" to an account without its rights");
  for (const std::string& warning : config->warnings) log::warn(warning);
  raise_descriptor_limit();
  std::optional<Predecessor> predecessor;
  if (arguments.reboot) {
    predecessor.emplace(TRY(predecessor_of(config->settings.listen, supervised)));
  }
  std::unique_ptr<Pidfile> pidfile;
  if (!predecessor) pidfile = TRY(Pidfile::write(logging.pidfile));
  auto resolver = TRY(net::make_resolver(config->settings.dns.resolv_conf));
  std::vector<std::unique_ptr<net::Loop>> loops;
  std::vector<net::Loop*> borrowed;
  for (size_t i = 0; i < worker_count(*config); ++i) {
    loops.push_back(TRY(net::make_epoll_loop(system_clock())));
    borrowed.push_back(loops.back().get());
  }
  Workers workers(borrowed, system_clock(), config, std::move(resolver));
  if (TRY(links_keep_moving())) workers.keep_links_moving();
  // Before the threads start, so that none of them gets the signals.
  const auto signals =
      TRY(net::Signals::open(*loops[0], {SIGHUP, SIGINT, SIGTERM, SIGQUIT, SIGUSR1, SIGUSR2},
                             [&workers](int signal) { on_signal(workers, signal); }));
  TRY(open_for_business(workers, predecessor, sockets));
  if (predecessor) pidfile = follow_pidfile(logging.pidfile);
  log::info(cat("process up: ", version_text(), ", workers: ", loops.size()));
  tell_ready(status_of(workers.first()));
  if (daemon) daemon->up();
  std::vector<std::jthread> threads;
  for (size_t i = 1; i < loops.size(); ++i) {
    threads.emplace_back([&loop = *loops[i]]() noexcept { loop.run(); });
  }
  loops[0]->run();
  tell_stopping();
  threads.clear();  // joins them
  log::info("process down");
  return ok();
}

int run(int count, char** words) {
  log::set_style(log::Style::Pgbouncer);
  auto arguments = parse_arguments(count, words);
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

int main(int argc, char** argv) { return pgtend::pool::run(argc, argv); }
