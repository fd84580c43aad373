#include "pool/workers.h"

#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "pool/logging.h"

namespace pgtend::pool {
namespace {

Error reload_conflict() { return {ErrorCode::Conflict, "another reload is under way", {}}; }

}  // namespace

Workers::Workers(const std::vector<net::Loop*>& loops, const Clock& clock,
                 std::shared_ptr<const Config> config, std::unique_ptr<net::Resolver> resolver)
    : clock_(clock),
      groups_(loops.size()),
      seats_(std::make_unique<Seat[]>(loops.size())),
      resolver_(std::move(resolver)),
      names_({.resolver = resolver_.get(),
              .now = [this] { return first().now(); },
              .settings = [this]() -> const DnsSettings& { return first().config().settings.dns; },
              .post = [this](Names::Task task) { first().loop().post(std::move(task)); },
              .changed =
                  [this](const std::string& host, const std::vector<net::Address>& addresses) {
                    drop_moved(host, addresses);
                  }}),
      peers_(*this, *loops.front()) {
  CHECK(!loops.empty() && loops.size() <= kWorkersMax);
  for (size_t i = 0; i < loops.size(); ++i) {
    workers_.push_back(std::make_unique<Worker>(*this, i, *loops[i], clock_, config));
  }
}

// The resolver ends first: it answers what is still asked.
Workers::~Workers() { resolver_.reset(); }

Status Workers::listen() { return first().listen(); }

Status Workers::listen_with(const std::vector<HandedSocket>& sockets) {
  listens_with_handed_ = true;
  return first().listen_with(sockets);
}

void Workers::post(size_t index, Task task) {
  Worker& worker = *workers_[index];
  worker.loop().post([&worker, task = std::move(task)] { task(worker); });
}

void Workers::post_to_others(size_t self, const Task& task) {
  for (size_t i = 0; i < workers_.size(); ++i) {
    if (i != self) post(i, task);
  }
}

void Workers::visit_all(size_t origin, Task visit, Task done) {
  if (workers_.size() == 1) {
    visit(first());
    return done(first());
  }
  struct Round {
    Task visit;
    Task done;
    std::atomic<size_t> left;
  };
  const std::shared_ptr<Round> round(new Round{std::move(visit), std::move(done), workers_.size()});
  for (size_t i = 0; i < workers_.size(); ++i) {
    post(i, [this, round, origin](Worker& worker) {
      round->visit(worker);
      if (round->left.fetch_sub(1) == 1) post(origin, [round](Worker& home) { round->done(home); });
    });
  }
}

void Workers::snapshot(size_t origin, Part part,
                       std::function<void(Worker&, const Snapshot&)> done) {
  auto parts = std::make_shared<std::vector<Snapshot>>(workers_.size());
  visit_all(
      origin,
      [parts, part](Worker& worker) { (*parts)[worker.index()] = take_snapshot(worker, part); },
      [parts, done = std::move(done)](Worker& home) {
        Snapshot whole = std::move((*parts)[0]);
        for (size_t i = 1; i < parts->size(); ++i) whole.merge(std::move((*parts)[i]));
        done(home, whole);
      });
}

size_t Workers::for_next_client() {
  size_t best = 0;
  for (size_t i = 1; i < workers_.size(); ++i) {
    if (seats_[i].clients.load() < seats_[best].clients.load()) best = i;
  }
  client_came(best);
  return best;
}

void Workers::slot_freed(size_t self) {
  for (size_t i = 0; i < workers_.size(); ++i) {
    if (i == self || seats_[i].starving.load() == 0) continue;
    post(i, [](Worker& there) { there.pools().slot_freed(); });
  }
}

void Workers::evict_elsewhere(Group& group, size_t self) {
  if (workers_.size() > 1) evict_next(group, self, (self + 1) % workers_.size());
}

void Workers::evict_next(Group& group, size_t self, size_t asked) {
  post(asked, [this, &group, self, asked](Worker& there) {
    if (there.pools().evict_for(group)) return;
    const size_t next = (asked + 1) % workers_.size();
    if (next != self) evict_next(group, self, next);
  });
}

// --- host names

void Workers::find_addresses(size_t origin, const std::string& host,
                             std::function<void(Worker&, const Names::Addresses&)> answer) {
  const auto ask = [this, origin, host, answer = std::move(answer)](Worker& owner) {
    names_.find(host, [this, origin, &owner, answer](const Names::Addresses& addresses) {
      if (origin == owner.index()) return answer(owner, addresses);
      post(origin, [answer, addresses](Worker& home) { answer(home, addresses); });
    });
  };
  origin == 0 ? ask(first()) : post(0, ask);
}

void Workers::drop_moved(const std::string& host, const std::vector<net::Address>& addresses) {
  const auto drop = [host, addresses](Worker& worker) {
    worker.pools().each([&](Pool& pool) { pool.drop_moved(host, addresses); });
  };
  visit_all(0, drop, [](Worker&) {});
}

// --- reload

void Workers::reload(size_t origin, std::function<void(Status)> done) {
  load(
      origin, [path = workers_[origin]->config().file_to_reload()] { return load_config(path); },
      std::move(done));
}

void Workers::set(size_t origin, const std::string& key, const std::string& value,
                  std::function<void(Status)> done) {
  load(
      origin,
      [config = workers_[origin]->config_snapshot(), key, value] {
        return config->with(key, value);
      },
      std::move(done));
}

void Workers::load(size_t origin, std::function<Result<std::shared_ptr<const Config>>()> make,
                   std::function<void(Status)> done) {
  if (holder_ != 0) {
    return done(Error{ErrorCode::Conflict, "suspended, or about to hand over"});
  }
  if (reloading_.exchange(true)) return done(reload_conflict());
  loader_ = std::jthread(
      [this, origin, make = std::move(make), done = std::move(done)]() mutable noexcept {
        auto loaded = std::make_shared<Result<std::shared_ptr<const Config>>>(make());
        post(origin, [this, origin, loaded, done = std::move(done)](Worker&) mutable {
          const Status loading = on_loaded(origin, std::move(*loaded), done);
          if (loading) return;
          reloading_ = false;
          done(loading);
        });
      });
}

// Errors: nothing has changed.
Status Workers::on_loaded(size_t origin, Result<std::shared_ptr<const Config>> loaded,
                          std::function<void(Status)> done) {
  auto fresh = std::make_shared<Config>(*TRY(std::move(loaded)));
  fresh->keep_start_values(workers_[origin]->config());
  TRY(apply(fresh->settings.log));
  for (const std::string& warning : fresh->warnings) log::warn(warning);
  take_effect(origin, std::move(fresh), std::move(done));
  return ok();
}

void Workers::adopt(size_t origin, Config config, std::function<void(Status)> done) {
  if (reloading_.exchange(true)) return done(reload_conflict());
  config.keep_start_values(workers_[origin]->config());
  take_effect(origin, std::make_shared<const Config>(std::move(config)), std::move(done));
}

void Workers::take_effect(size_t origin, std::shared_ptr<const Config> fresh,
                          std::function<void(Status)> done) {
  const Config& before = workers_[origin]->config();
  std::vector<Group*> changed;
  groups_.each([&](Group& group) {
    const auto was = before.database(group.key().first);
    const auto is = fresh->database(group.key().first);
    if (!is || !was || !is->same_server(*was)) changed.push_back(&group);
  });
  // The epoch moves on when no worker opens links for the old servers any more.
  const auto drop_old_links = [this, origin, done = std::move(done),
                               changed = std::move(changed)](Worker&) {
    for (Group* group : changed) group->next_epoch();
    post(0, [this](Worker&) { names_.forget_expired(); });
    visit_all(
        origin, [](Worker& worker) { worker.pools().drop_unwanted(); },
        [this, done](Worker&) {
          reloading_ = false;
          done(ok());
        });
  };
  visit_all(
      origin, [config = std::move(fresh)](Worker& worker) { worker.reconfigure(config); },
      drop_old_links);
}

// --- the end

void Workers::shut_down(Service how) {
  visit_all(
      0, [how](Worker& worker) { worker.shut_down(how); }, [](Worker&) {});
}

void Workers::worker_done() {
  if (done_.fetch_add(1) + 1 == workers_.size()) stop();
}

void Workers::stop() {
  for (auto& worker : workers_) worker->loop().stop();
}

}  // namespace pgtend::pool
