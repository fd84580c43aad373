// Load on a server or pooler: many clients on one thread, over the wire protocol, measured.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <stop_token>
#include <string>

#include "base/clock.h"
#include "base/histogram.h"
#include "base/json.h"
#include "base/progress.h"
#include "base/result.h"
#include "demo/load_mix.h"
#include "pg/options.h"

namespace pgtend::demo {

enum class Protocol : uint8_t { Simple, Extended };
enum class OnRefusal : uint8_t {
  GiveUp,  // the client is out
  Retry,   // after a pause that doubles from 50 ms to 1.6 s, until the time is over
};

struct LoadOptions {
  Holdings holdings = {};  // what was generated
  int clients = 10;
  milliseconds duration = seconds(10);  // from the first connection attempt on
  int64_t requests_each = 0;            // a client is done after so many; 0 = until time is over
  milliseconds think{0};                // pause between two requests, on average
  Mix mix = Mix::All;
  Protocol protocol = Protocol::Simple;
  OnRefusal on_refusal = OnRefusal::Retry;
  milliseconds connect_timeout = seconds(10);  // from connect to ready
  uint64_t seed = 1;
  std::stop_token stop = {};  // honoured within a second
  const Clock* clock = &system_clock();
};

inline constexpr int kClientsMax = 15'000;

struct KindResult {
  int64_t transactions = 0;
  Histogram latency_us = {};  // from the first byte sent to ReadyForQuery of the last call
};

// What happened. A transaction is one request, of one statement or (N+1) of several.
struct LoadResult {
  int clients = 0;
  int clients_served = 0;  // logged in at least once
  int64_t transactions = 0;
  int64_t statements = 0;
  int64_t rows = 0;      // received
  int64_t failed = 0;    // transactions that ended in an error
  int64_t attempts = 0;  // connections tried
  int64_t refused = 0;   // of them, those that did not become ready
  int64_t lost = 0;      // connections that ended while they were in use
  // By SQLSTATE: of failed statements, refused and lost connections. Without an answer from the
  // server: 08001 (no connection), 08006 (connection lost), 57014 for a login that took too long.
  std::map<std::string, int64_t> errors = {};
  std::string first_refusal = {};  // the server's words
  std::array<KindResult, kKindCount> kinds = {};
  Histogram latency_us = {};
  Histogram login_us = {};
  nanoseconds elapsed{0};

  double tps() const;
};

json::object to_json(const LoadResult& result);

// Runs the load on this thread and returns when the time is over, every client is done, or none is
// left. Reads host, port, user, password, dbname and application_name of `target`, else PGHOST and
// friends, else the defaults; host names are looked up once. Plain connections only, with trust,
// password, md5 or SCRAM-SHA-256.
// Refused and failed requests are results. Errors: Invalid for impossible options; Denied when the
// login itself is wrong (password, role, database), because all others would fail likewise;
// Unavailable when the host has no address; Cancelled after a stop.
// Memory: about 1 kB a client. Thread: any; one at a time each.
Result<LoadResult> run_load(const pg::Options& target, const LoadOptions& options,
                            const ProgressFn& progress = {});

}  // namespace pgtend::demo
