// How the pool gains from a second worker when nothing else is in the way: the clients and the
// server are in this process too, on the loops of the workers, so that a core runs a worker with
// its share of everything. `SELECT 1`, alternating rounds, medians. The gain in transactions needs
// two cores that nobody else uses; the CPU time of a transaction, what a second worker costs, tells
// more elsewhere. Prints a section of bench/RESULTS.md.
//
// workers_bench [rounds [seconds]]
#include <fmt/core.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/log.h"
#include "base/text.h"
#include "net/acceptor.h"
#include "net/loop.h"
#include "pool/config.h"
#include "pool/workers.h"
#include "wire/backend.h"
#include "wire/frame.h"
#include "wire/frontend.h"
#include "wire/startup.h"

namespace pgtend::pool {
namespace {

namespace be = wire::backend;
namespace fe = wire::frontend;

constexpr int kClients = 64;
constexpr size_t kReceiveBytes = 4096;

// One end of a connection that answers small messages with small messages.
class Peer : public net::Handler {
 public:
  Peer(net::Loop& loop, int descriptor) : loop_(&loop), descriptor_(descriptor) {}
  virtual ~Peer() = default;

  void watch() { CHECK(loop_->watch(descriptor_, *this)); }
  // From any thread, between two messages.
  void move_to(net::Loop& loop) {
    loop_->post([this, &loop] {
      loop_->unwatch(descriptor_);
      loop_ = &loop;
      loop.post([this] { watch(); });
    });
  }

 protected:
  // Appends to `out` what is to be sent after this message.
  virtual void on_message(const wire::Frame& frame, std::string& out) = 0;
  // The same before the first message; true when that has come whole.
  virtual bool on_start(std::string_view& input, std::string& out) = 0;

  void send(const std::string& out) {
    if (out.empty()) return;
    const iovec piece{const_cast<char*>(out.data()), out.size()};
    const net::Io io = loop_->send(descriptor_, {&piece, 1});
    // At the end of a round the other side goes first.
    CHECK(io.kind == net::Io::Kind::Failed || io.bytes == out.size());
  }

 private:
  void on_ready(net::Ready) override {
    char bytes[kReceiveBytes];
    while (true) {
      const net::Io io = loop_->receive(descriptor_, bytes);
      if (io.kind != net::Io::Kind::Done) return;
      rest_.append(bytes, io.bytes);
      std::string_view input = rest_;
      std::string out;
      if (!started_) started_ = on_start(input, out);
      while (started_) {
        auto frame = wire::next_frame(input);
        CHECK(frame);
        if (!*frame) break;
        on_message(**frame, out);
      }
      rest_.erase(0, rest_.size() - input.size());
      send(out);
      if (io.bytes < sizeof bytes) return;
    }
  }

  net::Loop* loop_;
  int descriptor_;
  bool started_ = false;
  std::string rest_;
};

class Backend final : public Peer {
 public:
  Backend(net::Loop& loop, int descriptor, int32_t pid) : Peer(loop, descriptor), pid_(pid) {}

 private:
  bool on_start(std::string_view& input, std::string& out) override {
    auto packet = wire::next_startup(input);
    CHECK(packet);
    if (!*packet) return false;
    be::append_authentication(out, {be::AuthKind::Ok, {}});
    for (const auto& [name, value] : {std::pair{"server_version", "15.0"},
                                      {"client_encoding", "UTF8"},
                                      {"DateStyle", "ISO, MDY"},
                                      {"TimeZone", "UTC"},
                                      {"standard_conforming_strings", "on"},
                                      {"application_name", ""}}) {
      be::append_parameter_status(out, {name, value});
    }
    be::append_backend_key_data(out, {pid_, "1234"});
    be::append_ready_for_query(out, be::TransactionStatus::Idle);
    return true;
  }

  void on_message(const wire::Frame& frame, std::string& out) override {
    if (frame.type != fe::kQuery) return;
    // A row of one column "1", as a server sends it.
    static constexpr std::string_view kRow(
        "T\0\0\0\x21\0\x01?column?\0\0\0\0\0\0\0\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0"
        "D\0\0\0\x0b\0\x01\0\0\0\x01"
        "1C\0\0\0\x0dSELECT 1\0",
        34 + 12 + 14);
    out += kRow;
    be::append_ready_for_query(out, be::TransactionStatus::Idle);
  }

  const int32_t pid_;
};

class LoadClient final : public Peer {
 public:
  LoadClient(net::Loop& loop, int descriptor, std::atomic<uint64_t>& answers)
      : Peer(loop, descriptor), answers_(answers) {}

  void start() {
    std::string out;
    wire::append_startup(out, wire::kProtocol30, {{"user", "app"}, {"database", "meter"}});
    send(out);
    watch();
  }

 private:
  bool on_start(std::string_view&, std::string&) override { return true; }

  void on_message(const wire::Frame& frame, std::string& out) override {
    CHECK(frame.type != 'E');
    if (frame.type != 'Z') return;
    answers_.fetch_add(1, std::memory_order_relaxed);
    fe::append_query(out, "SELECT 1");
  }

  std::atomic<uint64_t>& answers_;
};

// A pool with so many workers, its clients and its server.
class House {
 public:
  House(const std::filesystem::path& folder, size_t workers) {
    const std::string ini = folder / "pool.ini";
    std::ofstream(ini) << "[databases]\nmeter = host=" << folder.string() << " port=1 user=app\n"
                       << "[pgbouncer]\nlisten_addr =\nlisten_port = 2\nunix_socket_dir = "
                       << folder.string()
                       << "\nauth_type = any\npool_mode = transaction\ndefault_pool_size = 20\n"
                          "log_connections = 0\nlog_disconnections = 0\n";
    for (size_t i = 0; i < workers; ++i) {
      auto loop = net::make_epoll_loop(system_clock());
      CHECK(loop);
      loops_.push_back(std::move(loop).take());
      borrowed_.push_back(loops_.back().get());
      counts_.push_back(std::make_unique<Count>());
    }
    auto config = load_config(ini);
    CHECK(config);
    workers_ = std::make_unique<Workers>(borrowed_, system_clock(), *config);
    CHECK(workers_->listen());
    listen_as_server(folder);
  }

  ~House() {
    for (auto& loop : loops_) loop->stop();
    threads_.clear();
    // What clients and backends hold ends with their loops.
  }

  // Clients come one after the other, so that each is on the loop of its worker.
  void start(const std::filesystem::path& folder) {
    const auto address = net::Address::unix_path((folder / ".s.PGSQL.2").string());
    for (int i = 0; i < kClients; ++i) {
      const size_t at = static_cast<size_t>(i) % loops_.size();
      auto descriptor = borrowed_[at]->connect(*address, {});
      CHECK(descriptor);
      clients_.push_back(
          std::make_unique<LoadClient>(*borrowed_[at], *descriptor, counts_[at]->answers));
    }
    for (auto& client : clients_) client->start();
    for (net::Loop* loop : borrowed_) {
      threads_.emplace_back([loop]() noexcept { loop->run(); });
    }
  }

  // Each backend goes to the loop of the worker that has its link.
  void bring_together() {
    for (size_t i = 0; i < borrowed_.size(); ++i) {
      workers_->post(i, [this, i](Worker& worker) {
        worker.each_server([&](Server& server) {
          const auto at = static_cast<size_t>(server.identity().pid - 1);
          backends_[at]->move_to(*borrowed_[i]);
        });
      });
    }
  }

  uint64_t answers() const {
    uint64_t sum = 0;
    for (const auto& count : counts_) sum += count->answers.load();
    return sum;
  }

 private:
  struct alignas(64) Count {
    std::atomic<uint64_t> answers{0};
  };

  void listen_as_server(const std::filesystem::path& folder) {
    const auto address = net::Address::unix_path((folder / ".s.PGSQL.1").string());
    auto acceptor =
        net::Acceptor::open(*borrowed_[0], *address, 128, [this](net::Accepted accepted) {
          backends_.push_back(std::make_unique<Backend>(
              *borrowed_[0], accepted.descriptor, static_cast<int32_t>(backends_.size()) + 1));
          backends_.back()->watch();
        });
    CHECK(acceptor);
    acceptor_ = std::move(acceptor).take();
  }

  std::vector<std::unique_ptr<net::Loop>> loops_;
  std::vector<net::Loop*> borrowed_;
  std::vector<std::unique_ptr<Count>> counts_;
  std::unique_ptr<Workers> workers_;
  std::unique_ptr<net::Acceptor> acceptor_;
  std::vector<std::unique_ptr<Backend>> backends_;
  std::vector<std::unique_ptr<LoadClient>> clients_;
  std::vector<std::jthread> threads_;
};

struct Figures {
  double rate = 0;    // transactions a second
  double cpu_us = 0;  // of all threads, a transaction
};

double cpu_us() {
  rusage usage;
  CHECK(::getrusage(RUSAGE_SELF, &usage) == 0);
  const auto us = [](const timeval& time) {
    return 1e6 * double(time.tv_sec) + double(time.tv_usec);
  };
  return us(usage.ru_utime) + us(usage.ru_stime);
}

Figures measure(size_t workers, double seconds) {
  std::string name = std::filesystem::temp_directory_path() / "workers_bench.XXXXXX";
  CHECK(::mkdtemp(name.data()) != nullptr);
  const std::filesystem::path folder = name;
  Figures figures;
  {
    House house(folder, workers);
    house.start(folder);
    const auto rest = std::chrono::duration<double>(seconds);
    std::this_thread::sleep_for(rest / 8);  // logins
    house.bring_together();
    std::this_thread::sleep_for(rest / 8);
    const uint64_t before = house.answers();
    const double cpu_before = cpu_us();
    const auto begun = std::chrono::steady_clock::now();
    std::this_thread::sleep_for(rest);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
    const double cpu = cpu_us() - cpu_before;
    const auto transactions = static_cast<double>(house.answers() - before);
    figures = {transactions / took.count(), cpu / transactions};
  }
  std::filesystem::remove_all(folder);
  return figures;
}

// "median (least – most)".
std::string spread(std::vector<double> values, int digits) {
  std::ranges::sort(values);
  return fmt::format("{:.{}f} ({:.{}f} – {:.{}f})", values[values.size() / 2], digits,
                     values.front(), digits, values.back(), digits);
}

void run(int rounds, double seconds) {
  log::set_level(log::Level::Error);
  std::vector<double> rates[2];
  std::vector<double> costs[2];
  std::vector<double> gains;
  std::vector<double> extras;
  for (int round = 0; round < rounds; ++round) {
    for (const size_t workers : {1, 2}) {
      const Figures figures = measure(workers, seconds);
      rates[workers - 1].push_back(figures.rate);
      costs[workers - 1].push_back(figures.cpu_us);
    }
    gains.push_back(rates[1].back() / rates[0].back());
    extras.push_back(costs[1].back() / costs[0].back());
  }
  fmt::print(
      "## Two workers against one\n\n`SELECT 1`, {} clients on 20 server connections; clients and "
      "server inside the process, on the workers' threads; {} alternating rounds of {} s.\n\n"
      "| workers | transactions/s | CPU µs a transaction |\n|---|---|---|\n| 1 | {} | {} |\n"
      "| 2 | {} | {} |\n| 2 / 1 | {} | {} |\n",
      kClients, rounds, seconds, spread(rates[0], 0), spread(costs[0], 1), spread(rates[1], 0),
      spread(costs[1], 1), spread(gains, 2), spread(extras, 2));
}

}  // namespace
}  // namespace pgtend::pool

int main(int count, char** arguments) {
  const int rounds = count > 1 ? std::max(1, std::atoi(arguments[1])) : 7;
  const double seconds = count > 2 ? std::max(0.1, std::atof(arguments[2])) : 2;
  pgtend::pool::run(rounds, seconds);
}
