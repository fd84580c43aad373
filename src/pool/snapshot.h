// What the console shows of one worker, copied out so that it can be read elsewhere: no worker
// waits for another, and traffic goes on.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "net/address.h"
#include "pool/cancel.h"
#include "pool/config.h"
#include "pool/names.h"
#include "pool/peers.h"
#include "pool/queries.h"
#include "pool/replication.h"
#include "pool/statistics.h"

namespace pgtend::pool {

class Worker;

// The counts of one pool; add() sums those of the same pool on two workers.
struct PoolFigures {
  std::string database;
  std::string user;
  std::string server_user;
  PoolMode mode = PoolMode::Session;
  uint64_t clients = 0;  // logged in, waiting for nothing
  uint64_t waiting = 0;
  uint64_t active = 0;
  uint64_t being_canceled = 0;
  uint64_t idle = 0;
  uint64_t used = 0;
  uint64_t tested = 0;
  uint64_t login = 0;
  CancelCounts cancels = {};
  microseconds longest_wait{};

  void add(const PoolFigures& other);
  // Links in any state.
  uint64_t servers() const { return active + being_canceled + idle + used + tested + login; }
};

// A client or a server link.
struct SocketFigures {
  uint64_t id = 0;
  std::string user;
  std::string database;
  Replication replication = Replication::None;
  std::string state;
  net::Address peer = {};
  net::Address local = {};
  SteadyTime connected_at{};
  SteadyTime request_at{};
  microseconds wait{};
  bool close_wanted = false;
  std::optional<uint64_t> link = {};  // the id at the other side
  int32_t pid = 0;
  std::string application_name;
  size_t prepared_statements = 0;
  size_t kept = 0;            // bytes of a message that is not complete
  uint64_t message_left = 0;  // bytes to come of the message that streams
  size_t unsent = 0;
};

// An open socket, in PgBouncer's words for a takeover.
struct DescriptorFigures {
  int descriptor = -1;
  std::string_view task;  // "pooler" for a listener, "client", "server"
  std::string user = {};
  std::string database = {};
  net::Address address = {};  // the peer's, a listener's own
  uint64_t cancel = 0;        // the first 8 bytes of the key
  int link = 0;               // the descriptor at the other side; 0 for none
  // client_encoding, standard_conforming_strings, DateStyle, TimeZone; a listener has none
  std::vector<std::optional<std::string>> parameters = {};
};

// A HOLD TABLE; add() sums those of the same one on two workers.
struct HoldFigures {
  uint64_t id = 0;
  std::string database = {};
  std::string tables = {};
  uint64_t client = 0;
  SteadyTime since{};
  SteadyTime until{};
  uint64_t waiting = 0;
  uint64_t open = 0;  // open_before()

  void add(const HoldFigures& other) {
    waiting += other.waiting;
    open += other.open;
  }
};

// Objects of one kind: what SHOW MEM prints.
struct MemoryFigures {
  std::string_view name;
  size_t bytes = 0;  // of one, without what it points to
  uint64_t used = 0;
  uint64_t free = 0;  // kept for the next one
};

// Which parts are wanted; the others stay empty.
enum class Part : uint8_t {
  None,
  Pools,
  Clients,
  Servers,
  Sockets,
  Descriptors,
  Stats,
  Queries,
  Times,
  Events,
  Names,
  Peers,
  Memory,
  Holds
};

struct Snapshot {
  size_t console_clients = 0;
  size_t login_clients = 0;
  std::vector<PoolFigures> pools;  // by (database, user)
  std::vector<SocketFigures> clients;
  std::vector<SocketFigures> servers;
  std::vector<DescriptorFigures> descriptors;     // listeners, clients, servers
  std::map<std::string, Statistics::Sums> stats;  // by database
  std::map<std::tuple<std::string, std::string, uint64_t>, QueryFigures>
      queries;                                                     // by database, user, shape
  std::map<std::pair<std::string, std::string>, PoolTimes> times;  // by database, user
  std::vector<Event> events;                                       // by time
  std::vector<NameFigures> names;  // the first worker's, as the two below; by name
  std::vector<ZoneFigures> zones;  // by name
  size_t name_questions = 0;
  std::vector<PeerFigures> peers;         // the first worker's; by id
  std::map<uint64_t, HoldFigures> holds;  // by id
  std::vector<MemoryFigures> memory;      // the same kinds in the same order on every worker

  // Joins those of all workers: sums what is counted, puts sockets in the order of their ids.
  void merge(Snapshot other);
};

// Thread: the worker's.
Snapshot take_snapshot(Worker& worker, Part part);

}  // namespace pgtend::pool
