// The whole pool between clients and servers that say anything, over a network in memory.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "sim/small_world.h"
#include "wire/frame.h"

namespace {

using namespace pgtend;

constexpr size_t kClientsMax = 6;
constexpr size_t kServersMax = 40;

// Takes the input apart: a byte says what happens, another to whom and with how much.
class Play {
 public:
  explicit Play(std::string_view input)
      : input_(input), world_(byte(), {.split = 300, .buffer_min = 64, .buffer_max = 65536}) {
    static constexpr const char* kModes[] = {"transaction", "session", "statement"};
    const uint8_t options = byte();
    world_.start({{"pool_mode", kModes[options % 3]},
                  {"default_pool_size", options & 4 ? "2" : "1"},
                  {"max_prepared_statements", options & 8 ? "2" : "0"},
                  {"statement_errors", options & 16 ? "postgres" : "pgbouncer"},
                  {"server_check_delay", options & 32 ? "0" : "30"},
                  {"server_lifetime", options & 64 ? "0" : "3600"},
                  {"query_wait_timeout", "20"}});
    world_.client();
  }

  void run() {
    while (!input_.empty()) {
      act();
      world_.settle();
      welcome_new();
    }
    finish();
  }

 private:
  uint8_t byte() {
    if (input_.empty()) return 0;
    const auto value = static_cast<uint8_t>(input_[0]);
    input_.remove_prefix(1);
    return value;
  }
  std::string_view bytes() {
    const std::string_view piece = input_.substr(0, byte());
    input_.remove_prefix(std::min(input_.size(), piece.size()));
    return piece;
  }
  // The bytes as one message whose length is right.
  std::string message() {
    const std::string_view piece = bytes();
    std::string out(piece.substr(0, 1));
    wire::put_i32(out, static_cast<int32_t>(std::max<size_t>(1, piece.size()) + 3));
    return out.append(piece.substr(std::min<size_t>(1, piece.size())));
  }
  sim::Peer* pick(std::deque<std::unique_ptr<sim::Peer>>& peers) {
    if (peers.empty()) return nullptr;
    sim::Peer& peer = *peers[byte() % peers.size()];
    return peer.is_open() ? &peer : nullptr;
  }

  void act() {
    const uint8_t what = byte() % 8;
    if (what == 6) {
      if (world_.clients.size() < kClientsMax) world_.client();
      return;
    }
    if (what == 7) {
      world_.pass(milliseconds(byte() * 20));
      return;
    }
    sim::Peer* peer = pick(what % 2 == 0 ? world_.clients : world_.servers);
    if (peer == nullptr) return;
    if (what < 2) return peer->send(bytes());
    if (what < 4) return peer->send(message());
    if (byte() % 2 == 0) return peer->half_close();
    peer->close();
  }

  void welcome_new() {
    for (; greeted_ < world_.servers.size(); ++greeted_) {
      // Endless failing links make a slow input, not a better one.
      if (greeted_ >= kServersMax) input_ = {};
      if (world_.servers[greeted_]->is_open()) world_.welcome(*world_.servers[greeted_]);
    }
  }

  // With everybody gone nothing may be left.
  void finish() {
    for (auto& client : world_.clients) client->close();
    for (auto& server : world_.servers) server->close();
    for (int i = 0; i < 10; ++i) {
      world_.pass(seconds(30));
      for (auto& server : world_.servers) server->close();
    }
    world_.workers->groups().each([](pool::Group& group) {
      if (group.slots().own.used() != 0) std::abort();
    });
    if (world_.workers->clients().used() != 0) std::abort();
  }

  std::string_view input_;
  sim::SmallWorld world_;
  size_t greeted_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Play(std::string_view(reinterpret_cast<const char*>(data), size)).run();
  return 0;
}
