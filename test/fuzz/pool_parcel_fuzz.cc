// What a process that hands over says of its clients and links, and what the next one does with it.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/json.h"
#include "pool/bag.h"
#include "pool/lease.h"
#include "pool/parameters.h"
#include "pool/prepared.h"
#include "wire/backend.h"
#include "wire/frontend.h"

using namespace pgtend;

namespace {

// Answers and requests that go on from any state.
void go_on(pool::Lease& lease) {
  namespace be = wire::backend;
  namespace fe = wire::frontend;
  pool::Counters counters;
  pool::PoolTimes times;
  for (int i = 0; i < 3; ++i) {
    for (const char type : {fe::kParse, fe::kBind, fe::kExecute, fe::kCopyData, fe::kSync}) {
      lease.sent(type, pool::Route::Forward, SteadyTime(seconds(9)));
    }
    for (const char type : {be::kParseComplete, be::kCopyInResponse, be::kErrorResponse,
                            be::kCommandComplete, be::kReadyForQuery}) {
      const pool::Route route = lease.received(type);
      if (type == be::kReadyForQuery) {
        lease.ready(pool::Lease::Status::Idle, route, counters, times, SteadyTime(seconds(10)));
      }
    }
    lease.take_skipped();
  }
  lease.end();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto value = parse_json(text, {.bytes_max = 1 << 20, .depth_max = 32});
  if (!value || !value->is_object()) return 0;
  pool::Bag bag(value->get_object());
  const pool::TrackedNames names({"search_path"});
  pool::Statements all;
  const pool::StatementTails tails = {{1, std::string("select 1\0\0\0", 11)},
                                      {2, std::string("\0", 1)}};
  pool::Lease lease;
  pool::Parameters parameters(names);
  pool::LinkStatements link;
  pool::ClientStatements client(all);
  net::Address address;
  SteadyTime time{};
  bag.field("peer", address);
  bag.field("request_at", time);
  bag.part("lease", [&](pool::Bag& inner) { lease.carry(inner, nullptr); });
  bag.part("parameters", [&](pool::Bag& inner) { parameters.carry(inner, names); });
  // The same member in a client and in a link.
  bag.part("statements", [&](pool::Bag& inner) { client.carry(inner, tails); });
  bag.part("statements", [&](pool::Bag& inner) { link.carry(inner); });
  static_cast<void>(address.text());
  go_on(lease);
  for (uint32_t serial = 0; serial < 8; ++serial) client.undo(serial);
  client.clear();
  if (all.size() != 0) __builtin_trap();
  while (link.size() > 0) link.remove(link.oldest());
  return 0;
}
