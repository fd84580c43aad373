#include "pool/lifecycle.h"

#include <algorithm>
#include <atomic>
#include <memory>

#include "base/text.h"
#include "pool/takeover.h"
#include "pool/workers.h"

namespace pgtend::pool {
namespace {

// Between two looks at what a command waits for.
constexpr milliseconds kLook{20};

bool concerns(const Scope& scope, const std::string& database) {
  return scope.database.empty() || scope.database == database;
}

// False, and `done` is told, when the database of `scope` does not exist.
bool is_known(const Scope& scope, const Done& done) {
  const Config& config = scope.workers.worker(scope.origin).config();
  if (scope.database.empty() || config.database(scope.database)) return true;
  done(Error{ErrorCode::NotFound, cat("no such database: ", scope.database)});
  return false;
}

// Lets every worker act on its pools of `scope`, then calls `done`.
void visit_pools(const Scope& scope, void (Pool::*act)(), const Done& done) {
  scope.workers.visit_all(
      scope.origin,
      [scope, act](Worker& worker) {
        worker.pools().each([&](Pool& pool) {
          if (concerns(scope, pool.database().name)) (pool.*act)();
        });
      },
      [done](Worker&) { done(ok()); });
}

bool all_links_are_gone(const Scope& scope) {
  bool gone = true;
  scope.workers.groups().each([&](Group& group) {
    if (concerns(scope, group.key().first)) gone = gone && group.slots().own.used() == 0;
  });
  return gone;
}

void when_links_are_gone(const Scope& scope, const Done& done) {
  if (!scope.workers.groups().is_paused(scope.database)) {
    return done(Error{ErrorCode::Conflict, "resumed before all was paused"});
  }
  if (all_links_are_gone(scope)) return done(ok());
  scope.workers.worker(scope.origin).later(kLook, [scope, done] {
    when_links_are_gone(scope, done);
  });
}

void when_let_go(const Scope& scope, const Done& done) {
  if (scope.workers.holder() == 0) return done(ok());
  scope.workers.worker(scope.origin).later(kLook, [scope, done] { when_let_go(scope, done); });
}

void set_paused(const Scope& scope, bool paused) {
  Groups& groups = scope.workers.groups();
  if (!scope.database.empty()) {
    groups.switches(scope.database).paused = paused;
    return;
  }
  groups.all_paused() = paused;
  if (!paused) groups.each_switches([](auto&, Switches& switches) { switches.paused = false; });
}

}  // namespace

void pause(const Scope& scope, const Done& done) {
  if (!is_known(scope, done)) return;
  if (scope.workers.groups().all_paused() || scope.workers.holder() != 0) {
    return done(Error{ErrorCode::Conflict, "already suspended/paused"});
  }
  set_paused(scope, true);
  visit_pools(scope, &Pool::drop_unwanted,
              [scope, done](const Status&) { when_links_are_gone(scope, done); });
}

void resume(const Scope& scope, const Done& done) {
  if (!is_known(scope, done)) return;
  Groups& groups = scope.workers.groups();
  if (const uint64_t holder = scope.workers.holder(); holder != 0 && scope.database.empty()) {
    let_go_of(scope.workers, Holder::from(holder));
    return when_let_go(scope, done);
  }
  if (!scope.database.empty() && !groups.switches(scope.database).paused) {
    return done(Error{ErrorCode::Conflict, cat("database ", scope.database, " is not paused")});
  }
  if (!groups.is_any_paused())
    return done(Error{ErrorCode::Conflict, "pooler is not paused/suspended"});
  set_paused(scope, false);
  visit_pools(scope, &Pool::drop_unwanted, done);
}

void kill(const Scope& scope, const Done& done) {
  if (!is_known(scope, done)) return;
  set_paused(scope, true);
  visit_pools(scope, &Pool::kill, done);
}

void set_disabled(const Scope& scope, bool disabled, const Done& done) {
  if (!is_known(scope, done)) return;
  scope.workers.groups().switches(scope.database).disabled = disabled;
  done(ok());
}

void reconnect(const Scope& scope, const Done& done) {
  if (!is_known(scope, done)) return;
  scope.workers.groups().each([&](Group& group) {
    if (concerns(scope, group.key().first)) group.next_epoch();
  });
  visit_pools(scope, &Pool::drop_unwanted, done);
}

void wait_close(const Scope& scope, const Done& done) {
  if (!is_known(scope, done)) return;
  // One that set off before its worker dropped the old ones is dropped where it arrives.
  bool moving = false;
  scope.workers.groups().each([&](Group& group) {
    if (concerns(scope, group.key().first)) moving = moving || group.is_moving();
  });
  if (moving) {
    return scope.workers.worker(scope.origin).later(kLook, [scope, done] {
      wait_close(scope, done);
    });
  }
  scope.workers.snapshot(
      scope.origin, Part::Servers, [scope, done](Worker& home, const Snapshot& snapshot) {
        const bool old_ones = std::ranges::any_of(snapshot.servers, [&](const auto& server) {
          return server.close_wanted && concerns(scope, server.database);
        });
        if (!old_ones) return done(ok());
        home.later(kLook, [scope, done] { wait_close(scope, done); });
      });
}

void kill_client(const Scope& scope, uint64_t id, const Done& done) {
  auto found = std::make_shared<std::atomic<bool>>(false);
  scope.workers.visit_all(
      scope.origin,
      [id, found](Worker& worker) {
        Client* client = worker.client(id);
        const bool is_there = client != nullptr && client->state() != Client::State::Lingering &&
                              client->state() != Client::State::Closed;
        if (!is_there) return;
        *found = true;
        client->fail("admin forced disconnect");
      },
      [done, found](Worker&) {
        if (*found) return done(ok());
        done(Error{ErrorCode::NotFound, "client not found"});
      });
}

}  // namespace pgtend::pool
