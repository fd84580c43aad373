// The addresses behind the host names of [databases]: asked when a link is opened, believed as long
// as the DNS says, and watched for changes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "net/address.h"
#include "net/resolver.h"
#include "pool/config.h"

namespace pgtend::pool {

// What SHOW DNS_HOSTS and SHOW DNS_ZONES print.
struct NameFigures {
  std::string name;
  seconds ttl{};
  std::vector<net::Address> addresses;
};
struct ZoneFigures {
  std::string name;
  std::optional<int64_t> serial;
  size_t names = 0;
};

// One cache for all workers, on the first one's loop. Thread: that loop's; other workers post.
class Names {
 public:
  // Port 0; an error is what the link's failure says.
  using Addresses = Result<std::vector<net::Address>>;
  using Task = std::function<void()>;
  using Answer = std::function<void(const Addresses&)>;

  // How the cache reaches its surroundings. All outlive it.
  struct Surroundings {
    net::Resolver* resolver = nullptr;  // null: no name is known
    std::function<SteadyTime()> now;
    std::function<const DnsSettings&()> settings;
    std::function<void(Task)> post;  // onto this loop; any thread calls it
    // `host` has other addresses than before.
    std::function<void(const std::string& host, const std::vector<net::Address>& addresses)>
        changed;
  };
  explicit Names(Surroundings surroundings) : around_(std::move(surroundings)) {}

  // `answer` is called at once when the addresses are known, else once the DNS has told. While
  // nobody answers there, the last known addresses stand in.
  void find(const std::string& host, Answer answer);
  // Asks for the serials of the zones when dns_zone_check_period has passed. Call about twice a
  // second.
  void look_after();
  // Forgets what nobody asks for any more. Call on reload.
  void forget_expired();

  std::vector<NameFigures> names() const;
  std::vector<ZoneFigures> zones() const;
  // Questions on their way.
  size_t pending() const { return pending_; }

 private:
  struct Name {
    std::optional<Addresses> known;
    SteadyTime until{};
    bool asking = false;
    std::vector<Answer> waiting;
  };

  void ask(const std::string& host, Name& name);
  void on_found(const std::string& host, Result<net::Found> found);
  void on_serial(const std::string& zone, const Result<int64_t>& serial);

  Surroundings around_;
  std::map<std::string, Name> names_;
  std::map<std::string, std::optional<int64_t>> serials_;  // by zone
  SteadyTime zones_checked_{};
  size_t pending_ = 0;
};

}  // namespace pgtend::pool
