// A transaction that is like those before it allocates nothing in the pool: counted on the pool's
// own thread.
#include <cstdlib>
#include <future>
#include <new>
#include <thread>

#include "base/log.h"
#include "e2e/support/pool.h"
#include "net/loop.h"
#include "pool/workers.h"
#include "wire/frontend.h"

namespace {

thread_local uint64_t allocations = 0;

}  // namespace

[[gnu::noinline]] void* operator new(size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace pgtend::e2e {
namespace {

namespace fe = wire::frontend;

// The pool in this process, on a thread of its own.
class PoolAllocations : public PoolTest {
 protected:
  PoolAllocations() { log::set_level(log::Level::Off); }
  ~PoolAllocations() override {
    if (loop_ == nullptr) return;
    loop_->stop();
    thread_.join();
  }

  // A client that is served by one worker.
  std::unique_ptr<RawClient> start() {
    loop_ = net::make_epoll_loop(system_clock()).take();
    const std::string text =
        cat(ini("listen_addr = 127.0.0.1\nlisten_port = 0\n"
                "unix_socket_dir =\nserver_check_query =\n"));
    auto config = pool::load_config(scratch_.write("pool.ini", text)).take();
    workers_ = std::make_unique<pool::Workers>(std::vector<net::Loop*>{loop_.get()}, system_clock(),
                                               std::move(config));
    must(workers_->listen());
    const int port = workers_->first().listening().front().port();
    thread_ = std::jthread([this]() noexcept { loop_->run(); });
    auto client = std::make_unique<RawClient>(port);
    client->log_in("app", database());
    return client;
  }

  // By the pool's thread, so far.
  uint64_t allocated() {
    std::promise<uint64_t> told;
    loop_->post([&told] { told.set_value(allocations); });
    return told.get_future().get();
  }

  // What a thousand of `transaction` allocate once there have been some.
  uint64_t allocated_by(RawClient& client, const std::string& transaction) {
    const auto serve = [&](int count) {
      for (int i = 0; i < count; ++i) {
        client.send(transaction);
        client.read_until('Z');
      }
    };
    serve(200);
    const uint64_t before = allocated();
    serve(1000);
    return allocated() - before;
  }

  static std::string bound(std::string_view statement) {
    std::string out;
    fe::append_bind(out, {.portal = "", .statement = statement});
    fe::append_execute(out, {"", 0});
    fe::append_sync(out);
    return out;
  }

  Scratch scratch_;
  std::unique_ptr<net::Loop> loop_;
  std::unique_ptr<pool::Workers> workers_;
  std::jthread thread_;
};

TEST_F(PoolAllocations, SimpleTransactionsAllocateNothing) {
  const auto client = start();

  EXPECT_EQ(allocated_by(*client, query("select 1")), 0U);
}

TEST_F(PoolAllocations, ExtendedTransactionsAllocateNothing) {
  const auto client = start();
  std::string parse;
  fe::append_parse(parse, {"", "select 1"});

  EXPECT_EQ(allocated_by(*client, parse + bound("")), 0U);
}

TEST_F(PoolAllocations, PreparedTransactionsAllocateNothing) {
  const auto client = start();
  std::string parse;
  fe::append_parse(parse, {"one", "select 1"});
  fe::append_sync(parse);
  client->send(parse);
  client->read_until('Z');

  EXPECT_EQ(allocated_by(*client, bound("one")), 0U);
}

// Or the counting would prove nothing.
TEST_F(PoolAllocations, NewTextsAreSeenToAllocate) {
  const auto client = start();
  const uint64_t before = allocated();
  for (int i = 0; i < 20; ++i) {
    client->send(query(cat("select 1 as column_", i)));
    client->read_until('Z');
  }

  EXPECT_GT(allocated() - before, 0U);
}

}  // namespace
}  // namespace pgtend::e2e
