// The log as readers of PgBouncer's expect it: where it goes, and how its lines name a connection.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/address.h"
#include "pool/config.h"

namespace pgtend::pool {

// Sends the log where the settings say, from the level they say. Errors: those of log::direct().
// Thread: any.
Status apply(const LogSettings& settings);

// What a line about one connection is about.
struct LogName {
  char kind = 'C';  // or 'S', a server
  uint64_t id = 0;
  std::string_view database = {};
  std::string_view user = {};
  const net::Address& peer;
  int pid = 0;      // of a unix socket's other end; 0 if unknown
  int port = 0;     // that the unix socket is named after
  int peer_id = 0;  // instead of database and user: of another process of ours
};
// Its beginning: "C-0x1a: db/user@10.0.0.1:5432 ". Empty names are "(nodb)" and "(nouser)", a
// server not found yet is at "(nohost)", another process is "S-0x1a: peer-2@10.0.0.1:6432 ".
std::string text_of(const LogName& name);

// How a line names a place where the pool listens: "127.0.0.1:6432", "unix:/tmp/.s.PGSQL.6432".
std::string listener_text(const net::Address& address);

}  // namespace pgtend::pool
