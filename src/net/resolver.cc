#include "net/resolver.h"

#include <ares.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <thread>
#include <utility>

#include "base/ini.h"
#include "base/text.h"
#include "net/mailbox.h"

namespace pgtend::net {
namespace {

// Of one name; a longer answer is cut.
constexpr size_t kAddressesMax = 64;

Error failure(int status, std::string_view what) {
  const bool none = status == ARES_ENOTFOUND || status == ARES_ENODATA || status == ARES_EBADNAME;
  return Error{none ? ErrorCode::NotFound : ErrorCode::Unavailable,
               cat("cannot resolve \"", printable(what), "\": ", ares_strerror(status))};
}

Found found_in(const ares_addrinfo& list) {
  Found found;
  int ttl = INT32_MAX;
  for (const ares_addrinfo_node* node = list.nodes; node != nullptr; node = node->ai_next) {
    if (found.addresses.size() == kAddressesMax) break;
    sockaddr_storage storage{};
    if (node->ai_addrlen > sizeof storage) continue;
    std::memcpy(&storage, node->ai_addr, node->ai_addrlen);
    found.addresses.push_back(Address::from(storage, node->ai_addrlen));
    ttl = std::min(ttl, node->ai_ttl);
  }
  found.ttl = seconds(std::max(ttl, 0));
  return found;
}

// A channel of c-ares, which is for one thread, and that thread.
class AresResolver final : public Resolver {
 public:
  static Result<std::unique_ptr<Resolver>> make(const std::string& resolv_conf,
                                                const std::string& servers) {
    static const int ready = ares_library_init(ARES_LIB_INIT_ALL);
    std::unique_ptr<AresResolver> made(new AresResolver);
    ares_options options{};
    std::string file = resolv_conf;
    options.resolvconf_path = file.data();
    const int mask = file.empty() ? 0 : ARES_OPT_RESOLVCONF;
    const int status =
        ready != ARES_SUCCESS ? ready : ares_init_options(&made->channel_, &options, mask);
    if (status != ARES_SUCCESS) {
      made->channel_ = nullptr;
      return Error{ErrorCode::Unavailable, cat("no name resolver: ", ares_strerror(status))};
    }
    if (!servers.empty()) {
      const int taken = ares_set_servers_ports_csv(made->channel_, servers.c_str());
      if (taken != ARES_SUCCESS) {
        return Error{ErrorCode::Invalid,
                     cat("name servers ", printable(servers), ": ", ares_strerror(taken))};
      }
    }
    made->wake_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (made->wake_ < 0) return Error{ErrorCode::Limit, "no name resolver: no descriptor is left"};
    made->thread_ = std::jthread(
        [resolver = made.get()](const std::stop_token& stop) noexcept { resolver->serve(stop); });
    return std::unique_ptr<Resolver>(std::move(made));
  }

  ~AresResolver() override {
    if (thread_.joinable()) {
      thread_.request_stop();
      wake();
      thread_.join();
    }
    if (channel_ != nullptr) ares_destroy(channel_);
    if (wake_ >= 0) ::close(wake_);
  }

  void look_up(const std::string& host, std::function<void(Result<Found>)> done) override {
    submit([this, host, done = std::move(done)] {
      auto* question = new Question<Found>{host, done};
      const ares_addrinfo_hints hints{.ai_flags = 0,
                                      .ai_family = AF_UNSPEC,
                                      .ai_socktype = SOCK_STREAM,
                                      .ai_protocol = IPPROTO_TCP};
      ares_getaddrinfo(channel_, host.c_str(), nullptr, &hints, on_addresses, question);
    });
  }

  void read_serial(const std::string& zone, std::function<void(Result<int64_t>)> done) override {
    submit([this, zone, done = std::move(done)] {
      auto* question = new Question<int64_t>{zone, done};
      ares_query(channel_, zone.c_str(), kClassInternet, kTypeSoa, on_soa, question);
    });
  }

 private:
  static constexpr int kClassInternet = 1;
  static constexpr int kTypeSoa = 6;

  // Owned by c-ares until it answers.
  template <class Value>
  struct Question {
    std::string name;
    std::function<void(Result<Value>)> done;
  };

  static void on_addresses(void* argument, int status, int, ares_addrinfo* list) {
    const std::unique_ptr<Question<Found>> question(static_cast<Question<Found>*>(argument));
    const std::unique_ptr<ares_addrinfo, decltype(&ares_freeaddrinfo)> owner(list,
                                                                             ares_freeaddrinfo);
    if (status != ARES_SUCCESS) return question->done(failure(status, question->name));
    Found found = found_in(*list);
    if (found.addresses.empty()) return question->done(failure(ARES_ENODATA, question->name));
    question->done(std::move(found));
  }

  static void on_soa(void* argument, int status, int, unsigned char* bytes, int size) {
    const std::unique_ptr<Question<int64_t>> question(static_cast<Question<int64_t>*>(argument));
    ares_soa_reply* soa = nullptr;
    if (status == ARES_SUCCESS) status = ares_parse_soa_reply(bytes, size, &soa);
    if (status != ARES_SUCCESS) return question->done(failure(status, question->name));
    const int64_t serial = soa->serial;
    ares_free_data(soa);
    question->done(serial);
  }

  void submit(Mailbox::Task task) {
    if (mailbox_.put(std::move(task))) wake();
  }

  void wake() const {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(wake_, &one, sizeof one);
  }

  void serve(const std::stop_token& stop) {
    // The process's signals are for its loops.
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    while (!stop.stop_requested()) {
      mailbox_.run_all();
      wait();
    }
    mailbox_.run_all();
    ares_cancel(channel_);
  }

  // Until a name server answers, one is late, or somebody asks.
  void wait() {
    ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
    const auto wanted = static_cast<unsigned>(
        ares_getsock(channel_, static_cast<ares_socket_t*>(sockets), ARES_GETSOCK_MAXNUM));
    pollfd polled[ARES_GETSOCK_MAXNUM + 1];
    size_t count = 0;
    polled[count++] = {.fd = wake_, .events = POLLIN, .revents = 0};
    for (unsigned i = 0; i < ARES_GETSOCK_MAXNUM; ++i) {
      const bool read = ARES_GETSOCK_READABLE(wanted, i);
      const bool write = ARES_GETSOCK_WRITABLE(wanted, i);
      if (!read && !write) continue;
      const int events = (read ? POLLIN : 0) | (write ? POLLOUT : 0);
      polled[count++] = {.fd = sockets[i], .events = static_cast<int16_t>(events), .revents = 0};
    }
    timeval room{};
    const timeval* late = ares_timeout(channel_, nullptr, &room);
    const int64_t limit = late == nullptr ? -1 : late->tv_sec * 1000 + late->tv_usec / 1000 + 1;
    if (::poll(static_cast<pollfd*>(polled), count, static_cast<int>(limit)) < 0) return;
    uint64_t calls = 0;
    while (::read(wake_, &calls, sizeof calls) > 0) {
    }
    for (size_t i = 1; i < count; ++i) {
      const bool read = (polled[i].revents & (POLLIN | POLLERR | POLLHUP)) != 0;
      const bool write = (polled[i].revents & POLLOUT) != 0;
      if (!read && !write) continue;
      ares_process_fd(channel_, read ? polled[i].fd : ARES_SOCKET_BAD,
                      write ? polled[i].fd : ARES_SOCKET_BAD);
    }
    ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);  // those that are late
  }

  ares_channel channel_ = nullptr;
  int wake_ = -1;
  Mailbox mailbox_;
  std::jthread thread_;
};

}  // namespace

std::string servers_in(std::string_view resolv_conf) {
  std::string servers;
  for (const std::string_view line : split(resolv_conf, '\n')) {
    constexpr std::string_view kWord = "nameserver";
    const std::string_view rest = trim(line);
    if (!rest.starts_with(kWord) || rest.size() == kWord.size()) continue;
    const std::string_view server = trim(rest.substr(kWord.size()));
    servers += cat(servers.empty() ? "" : ",", server.substr(0, server.find_first_of(" \t,")));
  }
  return servers;
}

Result<std::unique_ptr<Resolver>> make_resolver(const std::string& resolv_conf) {
  if (resolv_conf.empty()) return AresResolver::make("", "");
  const std::string text = TRY_DURING(read_text_file(resolv_conf), "resolv_conf");
  return AresResolver::make(resolv_conf, servers_in(text));
}

}  // namespace pgtend::net
