#include "pool/takeover.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <memory>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/text.h"
#include "base/version.h"
#include "pool/bag.h"
#include "pool/workers.h"

namespace pgtend::pool {
namespace {

// Between two looks at what is waited for.
constexpr milliseconds kGlance{2};
// Of what parcels say. A process reads those of its own version and of older ones.
constexpr int kParcelVersion = 1;

// As Workers::holder(), when the holder is gone and the workers are about to be let go.
constexpr uint64_t kLettingGo = std::numeric_limits<uint64_t>::max();

// The wait for workers that have been held to come to rest.
struct Rest {
  Workers& workers;
  size_t origin;
  Holder holder;
  SteadyTime deadline;
  bool flushed;  // with nothing unsent
};

bool is_at_rest(const Rest& rest, const Worker& worker) {
  return worker.is_settled() && (!rest.flushed || worker.is_flushed());
}

// What all workers have in common.
Parcel about_process(Workers& workers) {
  Bag bag;
  int version = kParcelVersion;
  std::string program(kVersion);
  uint64_t next_id = workers.next_id();
  uint64_t next_statement = Statements::next_id();
  std::vector<std::string> disabled;
  workers.groups().each_switches([&](const std::string& database, Switches& switches) {
    if (switches.disabled) disabled.push_back(database);
  });
  bag.field("version", version);
  bag.field("program", program);
  bag.field("next_id", next_id);
  bag.field("next_statement", next_statement);
  bag.list("disabled", disabled,
           [](Bag& inner, std::string& database) { inner.field("database", database); });
  return {"process", bag.take()};
}

// --- receiving

// The parcels of one worker, those of clients before those of their links.
struct Load {
  std::vector<Parcel> clients;
  std::vector<Parcel> servers;
  std::shared_ptr<const StatementTails> tails;  // of all
};

Status receive_process(Workers& workers, Bag& bag) {
  int version = 0;
  uint64_t next_id = 0;
  uint64_t next_statement = 0;
  std::vector<std::string> disabled;
  bag.field("version", version);
  bag.field("next_id", next_id);
  bag.field("next_statement", next_statement);
  bag.list("disabled", disabled,
           [](Bag& inner, std::string& database) { inner.field("database", database); });
  if (version < 1 || version > kParcelVersion) {
    return Error{ErrorCode::Conflict,
                 cat("the running process hands over in version ", version, ", this one knows ",
                     kParcelVersion, ": restart it instead")};
  }
  workers.raise_next_id(next_id);
  Statements::raise_next_id(next_statement);
  for (const std::string& database : disabled) {
    workers.groups().switches(database).disabled = true;
  }
  return bag.status();
}

Status receive_pool(Workers& workers, Bag& bag) {
  Group::Key key;
  Welcome welcome;
  bag.field("database", key.first);
  bag.field("user", key.second);
  bag.field("welcome", welcome);
  Group& group = workers.groups().find_or_add(key);
  group.publish({.welcome = std::make_shared<const Welcome>(std::move(welcome))}, group.epoch());
  return bag.status();
}

Status receive_listener(Workers& workers, Bag& bag, int descriptor) {
  net::Address address;
  bag.field("address", address);
  if (descriptor < 0) bag.refuse("descriptor");
  if (bag.status()) workers.first().inherit_listener(address, descriptor);
  return bag.status();
}

Status receive_client(Worker& worker, Parcel& parcel, const StatementTails& tails) {
  Bag bag(parcel.state);
  uint64_t id = 0;
  net::Address peer;
  bag.field("id", id);
  bag.field("peer", peer);
  if (id == 0 || worker.client(id) != nullptr) bag.refuse("id");
  if (!bag.status()) return bag.status();
  worker.workers().client_came(worker.index());
  return worker.add_client(id, {parcel.descriptor, peer}).receive(bag, tails);
}

Status receive_server(Worker& worker, Parcel& parcel) {
  Bag bag(parcel.state);
  uint64_t id = 0;
  uint64_t client_id = 0;
  std::string name;
  std::string user;
  std::string server_user;
  std::string target;
  bag.field("id", id);
  bag.field("client", client_id);
  bag.field("database", name);
  bag.field("user", user);
  bag.field("server_user", server_user);
  bag.field("target", target);
  Client* client = client_id == 0 ? nullptr : worker.client(client_id);
  if (client_id != 0 && (client == nullptr || client->server() != nullptr)) bag.refuse("client");
  if (id == 0 || worker.server(id) != nullptr) bag.refuse("id");
  if (!bag.status()) return bag.status();
  const auto database = worker.config().database(name);
  // Its client will be told.
  if (!database || (client != nullptr && client->pool() == nullptr)) {
    worker.loop().close(parcel.descriptor);
    return ok();
  }
  Pool& pool = client != nullptr ? *client->pool() : worker.pools().find_or_add(database, user);
  const bool wanted = pool.database().target() == target && pool.server_user() == server_user;
  return worker.add_server(pool, id).receive(bag, parcel.descriptor, client, wanted);
}

Status receive_load(Worker& worker, Load& load) {
  for (Parcel& parcel : load.clients) TRY(receive_client(worker, parcel, *load.tails));
  for (Parcel& parcel : load.servers) TRY(receive_server(worker, parcel));
  return ok();
}

void take_up_load(Worker& worker) {
  worker.hold(Hold::Nothing);
  // Those that are closed meanwhile live to the end of the turn.
  std::vector<Client*> clients;
  std::vector<Server*> servers;
  worker.each_client([&](Client& client) { clients.push_back(&client); });
  worker.each_server([&](Server& server) { servers.push_back(&server); });
  for (Client* client : clients) client->take_up();
  for (Server* server : servers) server->take_up();
  worker.pools().slot_freed();
}

// Deals the parcels out: a client to the worker of its cancel key, a link to its client's.
Result<std::vector<Load>> deal(Workers& workers, std::vector<Parcel> parcels) {
  std::vector<Load> loads(workers.size());
  std::unordered_map<uint64_t, size_t> seats;  // of clients
  std::vector<std::pair<SteadyTime, Parcel>> clients;
  const auto tails = std::make_shared<StatementTails>();
  size_t turn = 0;
  bool told = false;
  for (Parcel& parcel : parcels) {
    Bag bag(parcel.state);
    if (parcel.task == "process") {
      told = true;
      TRY(receive_process(workers, bag));
    } else if (parcel.task == "pool") {
      TRY(receive_pool(workers, bag));
    } else if (parcel.task == "listener") {
      TRY(receive_listener(workers, bag, parcel.descriptor));
    } else if (parcel.task == "statement") {
      uint64_t id = 0;
      bag.field("id", id);
      bag.field("tail", (*tails)[id]);
      TRY(bag.status());
    } else if (parcel.descriptor < 0) {
      return Error{ErrorCode::Corrupt, cat("a ", printable(parcel.task), " came without socket")};
    } else if (parcel.task == "client") {
      SteadyTime since{};
      bag.field("request_at", since);
      clients.emplace_back(since, std::move(parcel));
    }
  }
  if (!told) return Error{ErrorCode::Corrupt, "the running process did not say what it is"};
  // Who has waited longest is first in line again.
  std::ranges::stable_sort(clients, {}, &std::pair<SteadyTime, Parcel>::first);
  for (auto& [since, parcel] : clients) {
    Bag bag(parcel.state);
    uint64_t id = 0;
    int32_t pid = 0;
    bag.field("id", id);
    bag.field("pid", pid);
    seats[id] = pid != 0 ? workers.of_key({pid, ""}) : turn++ % workers.size();
    loads[seats[id]].clients.push_back(std::move(parcel));
  }
  for (Parcel& parcel : parcels) {
    if (parcel.task != "server") continue;
    Bag bag(parcel.state);
    uint64_t client = 0;
    bag.field("client", client);
    const auto seat = seats.find(client);
    const size_t to = seat == seats.end() ? turn++ % workers.size() : seat->second;
    loads[to].servers.push_back(std::move(parcel));
  }
  for (Load& load : loads) load.tails = tails;
  return loads;
}

// Everything goes on where it was, in this process.
void take_back(Workers& workers) {
  auto dealt = deal(workers, std::exchange(workers.given_away(), {}));
  CHECK(dealt);
  auto loads = std::make_shared<std::vector<Load>>(std::move(dealt).take());
  const auto take_up = [](Worker& first) {
    const Status status = first.listen();
    first.close_inherited();
    if (!status) log::error("not listening any more", {log::kv("cause", status.error().message)});
    first.workers().visit_all(0, take_up_load, [](Worker& home) { home.workers().holder() = 0; });
  };
  // All slots are taken before one worker opens a link.
  workers.visit_all(
      0,
      [loads](Worker& worker) {
        const Status status = receive_load(worker, (*loads)[worker.index()]);
        CHECK(status);
      },
      take_up);
}

// Ends what hold_all() began; on the holder's worker.
void let_go(Worker& home) {
  Workers& workers = home.workers();
  if (!workers.given_away().empty()) return take_back(workers);
  workers.visit_all(
      home.index(), [](Worker& worker) { worker.hold(Hold::Nothing); },
      [](Worker& there) { there.workers().holder() = 0; });
}

// True if the workers were let go before `rest` had been reached; then `done` is told.
bool was_let_go(const Rest& rest, const Done& done) {
  if (rest.workers.holder() == rest.holder.code()) return false;
  rest.workers.holding() = false;
  let_go(rest.workers.worker(rest.origin));
  done(Error{ErrorCode::Conflict, "resumed before all was suspended"});
  return true;
}

using Then = std::function<void(const Rest&)>;

// Calls `then` when all workers are at rest, `done` if that cannot be.
void await_rest(const Rest& rest, const Done& done, const Then& then) {
  auto moving = std::make_shared<std::atomic<bool>>(false);
  const auto look = [rest, moving](Worker& worker) {
    if (!is_at_rest(rest, worker)) *moving = true;
  };
  const auto drop = [rest](Worker& worker) {
    worker.drop_unsettled();
    if (rest.flushed) worker.drop_unflushed();
  };
  rest.workers.visit_all(rest.origin, look, [rest, moving, drop, done, then](Worker& home) {
    if (was_let_go(rest, done)) return;
    if (!*moving) return then(rest);
    if (home.now() < rest.deadline) {
      return home.later(kGlance, [rest, done, then] { await_rest(rest, done, then); });
    }
    rest.workers.visit_all(rest.origin, drop, [rest, done, then](Worker&) {
      if (!was_let_go(rest, done)) then(rest);
    });
  });
}

void hold_all(const Scope& scope, const Holder& holder, Hold hold, const Done& done,
              const Then& then) {
  Workers& workers = scope.workers;
  Worker& home = workers.worker(scope.origin);
  const auto refuse = [&](std::string_view why) {
    done(Error{ErrorCode::Conflict, std::string(why)});
  };
  if (workers.groups().is_any_paused()) return refuse("cannot suspend with paused databases");
  if (home.service() != Service::Running) return refuse("pooler is shutting down");
  if (workers.is_reloading()) return refuse("a reload is under way");
  uint64_t nobody = 0;
  if (!workers.holder().compare_exchange_strong(nobody, holder.code())) {
    return refuse("already suspended/paused");
  }
  workers.holding() = true;
  const Rest rest{workers, scope.origin, holder, home.now() + home.config().settings.time.suspend,
                  hold == Hold::Service};
  workers.visit_all(
      scope.origin, [hold](Worker& worker) { worker.hold(hold); },
      [rest, done, then](Worker&) { await_rest(rest, done, then); });
}

}  // namespace

void suspend(const Scope& scope, const Holder& holder, const Done& done) {
  hold_all(scope, holder, Hold::Service, done, [done](const Rest& rest) {
    rest.workers.holding() = false;
    done(ok());
  });
}

void hand_over(const Scope& scope, const Holder& holder, const Done& done) {
  if (scope.workers.listens_with_handed()) {
    return done(Error{ErrorCode::Conflict,
                      "its listening sockets are the service manager's: restart the service"});
  }
  hold_all(scope, holder, Hold::Changes, done, [done](const Rest& rest) {
    auto parcels = std::make_shared<std::vector<std::vector<Parcel>>>(rest.workers.size());
    rest.workers.visit_all(
        rest.origin,
        [parcels, rest](Worker& worker) {
          worker.give_away((*parcels)[worker.index()], rest.holder.client);
        },
        [parcels, rest, done](Worker&) {
          std::vector<Parcel>& all = rest.workers.given_away();
          all.push_back(about_process(rest.workers));
          for (auto& part : *parcels) {
            all.insert(all.end(), std::make_move_iterator(part.begin()),
                       std::make_move_iterator(part.end()));
          }
          if (was_let_go(rest, done)) return;
          rest.workers.holding() = false;
          done(ok());
        });
  });
}

void let_go_of(Workers& workers, const Holder& holder) {
  uint64_t expected = holder.code();
  if (!workers.holder().compare_exchange_strong(expected, kLettingGo)) return;
  workers.post(holder.worker, [](Worker& home) {
    // Else who is under way sees it.
    if (!home.workers().holding()) let_go(home);
  });
}

Status receive(Workers& workers, std::vector<Parcel> parcels) {
  auto loads = TRY(deal(workers, std::move(parcels)));
  for (size_t i = 0; i < workers.size(); ++i) TRY(receive_load(workers.worker(i), loads[i]));
  return ok();
}

void take_up(Workers& workers) {
  workers.first().close_inherited();
  for (size_t i = 0; i < workers.size(); ++i) take_up_load(workers.worker(i));
}

}  // namespace pgtend::pool
