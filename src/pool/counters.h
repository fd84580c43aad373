// What the pool counts, listed once: sums, SHOW STATS and its relatives expand the list.
#pragma once

#include <cstdint>

// X(field, name in SHOW STATS behind total_): times in microseconds, sizes in bytes.
#define PGTEND_POOL_COUNTERS(X)                         \
  X(server_assignment_count, "server_assignment_count") \
  X(xact_count, "xact_count")                           \
  X(query_count, "query_count")                         \
  X(bytes_received, "received")                         \
  X(bytes_sent, "sent")                                 \
  X(xact_time, "xact_time")                             \
  X(query_time, "query_time")                           \
  X(wait_time, "wait_time")                             \
  X(client_parse_count, "client_parse_count")           \
  X(server_parse_count, "server_parse_count")           \
  X(bind_count, "bind_count")                           \
  X(client_login_count, "client_login_count")

namespace pgtend::pool {

// Of one pool or a sum of pools. Thread: one loop's.
struct Counters {
#define PGTEND_FIELD(field, name) uint64_t field = 0;
  PGTEND_POOL_COUNTERS(PGTEND_FIELD)
#undef PGTEND_FIELD

  void add(const Counters& other) {
#define PGTEND_ADD(field, name) field += other.field;
    PGTEND_POOL_COUNTERS(PGTEND_ADD)
#undef PGTEND_ADD
  }
};

}  // namespace pgtend::pool
