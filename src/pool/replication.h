// Clients that replicate: what the start parameter asks for, and what is kept until their link is
// there. Such a link is opened for its client, serves nobody else and ends with it.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace pgtend::pool {

class Server;

enum class Replication : uint8_t { None, Physical, Logical };

// As the console and the log show it.
std::string_view name_of(Replication kind);
// What asks a server for it in a start packet.
std::string_view value_of(Replication kind);
// The other way, as liberal as PostgreSQL: "database", or a boolean in any of its spellings.
// Errors: Invalid with PostgreSQL's words. Thread: any.
Result<Replication> read_replication(std::string_view value);

// Of one client.
struct Replicating {
  Replication kind = Replication::None;
  // Of its start packet and for the server's, `options` among them. The tracked ones are in its
  // Parameters.
  std::vector<std::pair<std::string, std::string>> parameters = {};
  Server* link = nullptr;  // on its way

  // Whether one of `options` sets `name`.
  bool sets(std::string_view name) const;
};

}  // namespace pgtend::pool
