// The loop's promises on real sockets.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "base/clock.h"
#include "e2e/support/database.h"
#include "net/acceptor.h"
#include "net/loop.h"
#include "net/socket.h"

namespace pgtend::net {
namespace {

struct Recorder final : Handler {
  void on_ready(Ready ready) override { action(ready); }
  std::function<void(Ready)> action = [](Ready) {};
};

class NetLoop : public testing::Test {
 protected:
  NetLoop() : loop_(e2e::must(make_epoll_loop(system_clock()))) {
    limit_ = std::make_unique<Timer>(loop_->timers(), [this] {
      ADD_FAILURE() << "the loop was not stopped within ten seconds";
      loop_->stop();
    });
  }
  void run() {
    limit_->arm(system_clock().steady() + seconds(10));
    loop_->run();
    limit_->cancel();
  }
  Address any_port() { return e2e::must(Address::ip("127.0.0.1", 0)); }

  std::unique_ptr<Loop> loop_;
  std::unique_ptr<Timer> limit_;
};

TEST_F(NetLoop, ConnectedPeersExchangeBytesAndSeeTheEnd) {
  Socket accepted;
  Recorder server;
  std::string received;
  server.action = [&](Ready) {
    std::array<char, 100> piece;
    while (true) {
      const Io io = accepted.receive(piece);
      if (io.kind == Io::Kind::Done) received.append(piece.data(), io.bytes);
      if (io.kind == Io::Kind::Closed) return loop_->stop();
      if (io.kind != Io::Kind::Done) return;
    }
  };
  const auto acceptor = e2e::must(Acceptor::open(*loop_, any_port(), 16, [&](Accepted connection) {
    accepted = Socket(*loop_, connection.descriptor);
    e2e::must(accepted.watch(server));
  }));
  Socket client(*loop_, e2e::must(loop_->connect(acceptor->address(), {})));
  Recorder sender;
  sender.action = [&](Ready ready) {
    if (!ready.writable || !received.empty()) return;
    EXPECT_EQ(loop_->connect_result(client.descriptor()), 0);
    client.send("hello ");
    client.send("loop");
    client.shutdown_send();
  };
  e2e::must(client.watch(sender));

  run();

  EXPECT_EQ(received, "hello loop");
}

TEST_F(NetLoop, RefusedConnectionTellsItsCause) {
  Address address;
  {
    const auto acceptor = e2e::must(Acceptor::open(*loop_, any_port(), 16, [](Accepted) {}));
    address = acceptor->address();
  }
  Socket client(*loop_, e2e::must(loop_->connect(address, {})));
  Recorder handler;
  int result = 0;
  handler.action = [&](Ready) {
    result = loop_->connect_result(client.descriptor());
    loop_->stop();
  };
  e2e::must(client.watch(handler));

  run();

  EXPECT_EQ(result, ECONNREFUSED);
}

TEST_F(NetLoop, ClosedDescriptorIsNeverHeardOfAgain) {
  int calls = 0;
  Recorder handler;
  handler.action = [&](Ready) { ++calls; };
  std::vector<Socket> accepted;
  const auto acceptor = e2e::must(Acceptor::open(*loop_, any_port(), 16, [&](Accepted connection) {
    accepted.emplace_back(*loop_, connection.descriptor);
    loop_->stop();
  }));
  Socket client(*loop_, e2e::must(loop_->connect(acceptor->address(), {})));
  run();
  e2e::must(client.watch(handler));
  client.resume_later();
  client.close();

  loop_->defer([this] { loop_->stop(); });
  run();

  EXPECT_EQ(calls, 0);
}

TEST_F(NetLoop, ResumedHandlerRunsInTheNextTurn) {
  Recorder handler;
  const auto acceptor = e2e::must(Acceptor::open(*loop_, any_port(), 16, [](Accepted) {}));
  Socket client(*loop_, e2e::must(loop_->connect(acceptor->address(), {})));
  int resumed = 0;
  handler.action = [&](Ready ready) {
    if (ready.writable) return client.resume_later();
    if (++resumed < 3) return client.resume_later();
    loop_->stop();
  };
  e2e::must(client.watch(handler));

  run();

  EXPECT_EQ(resumed, 3);
}

TEST_F(NetLoop, PostedTasksOfOtherThreadsWakeTheLoop) {
  std::atomic<int> done = 0;
  std::thread other([&] {
    for (int i = 0; i < 1000; ++i) {
      loop_->post([&] {
        if (++done == 1000) loop_->stop();
      });
    }
  });

  run();
  other.join();

  EXPECT_EQ(done, 1000);
}

TEST_F(NetLoop, TimersFireThoughNothingElseHappens) {
  bool fired = false;
  Timer timer(loop_->timers(), [&] {
    fired = true;
    loop_->stop();
  });
  timer.arm(system_clock().steady() + milliseconds(20));

  run();

  EXPECT_TRUE(fired);
}

TEST_F(NetLoop, LivingUnixSocketIsNotReplacedButAStaleOneIs) {
  const e2e::Scratch scratch;
  const auto address = e2e::must(Address::unix_path(scratch.path() + "/s"));
  {
    const auto living = e2e::must(Acceptor::open(*loop_, address, 16, [](Accepted) {}));
    EXPECT_FALSE(Acceptor::open(*loop_, address, 16, [](Accepted) {}));
  }
  scratch.write("s", "");

  EXPECT_TRUE(Acceptor::open(*loop_, address, 16, [](Accepted) {}));
}

TEST_F(NetLoop, DescriptorMovesToAnotherLoopWithWhatIsUnread) {
  const auto other = e2e::must(make_epoll_loop(system_clock()));
  Socket accepted;
  Recorder silent;
  const auto acceptor = e2e::must(Acceptor::open(*loop_, any_port(), 16, [&](Accepted connection) {
    accepted = Socket(*loop_, connection.descriptor);
    e2e::must(accepted.watch(silent));
    loop_->stop();
  }));
  Socket client(*loop_, e2e::must(loop_->connect(acceptor->address(), {})));
  run();
  client.send("late");
  const int moved = accepted.release();
  EXPECT_FALSE(accepted.is_open());

  Socket there(*other, moved);
  Recorder reader;
  std::string received;
  reader.action = [&](Ready) {
    std::array<char, 100> piece;
    const Io io = there.receive(piece);
    if (io.kind == Io::Kind::Done) received.append(piece.data(), io.bytes);
    if (!received.empty()) other->stop();
  };
  e2e::must(there.watch(reader));
  other->run();

  EXPECT_EQ(received, "late");
}

TEST_F(NetLoop, StopBeforeTheFirstTurnCounts) {
  loop_->stop();

  run();
}

}  // namespace
}  // namespace pgtend::net
