// One process takes the place of another, with all clients, links and listening sockets: the one
// that gives puts each into a Parcel, the one that receives has them go on where they were, also in
// the middle of a query or a message. The same two steps bring everything back when the other side
// fails before it has all.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "pool/lifecycle.h"
#include "pool/worker.h"
#include "pool/workers.h"

namespace pgtend::pool {

// The console client for whose sake all workers are held. Immutable value.
struct Holder {
  size_t worker;
  uint64_t client;

  // As Workers::holder() has it.
  uint64_t code() const { return client << kWorkerBits | worker; }
  static Holder from(uint64_t code) {
    return {static_cast<size_t>(code & (kWorkersMax - 1)), code >> kWorkerBits};
  }
};

// All workers stop reading from clients and servers until let_go_of(), which comes by itself at
// the end of the `holder`. Done when nothing is unsent; what could not be sent
// within suspend_timeout is closed. Errors: Conflict.
void suspend(const Scope& scope, const Holder& holder, const Done& done);
// All workers give everything away, into Workers::given_away(). Service goes on while logins, new
// links and cancel requests that are under way come to an end, for suspend_timeout at most; then it
// stops until let_go_of(), which takes all back, or the end of the process. Errors: Conflict, also
// when a service manager has opened the listening sockets.
void hand_over(const Scope& scope, const Holder& holder, const Done& done);
// The end of both, if `holder` is the one.
void let_go_of(Workers& workers, const Holder& holder);

// Puts `parcels` in their places, without touching a socket: take_up() begins to serve them. Before
// the loops run. Errors: Corrupt, Conflict for what cannot be: then `workers` is of no more use.
Status receive(Workers& workers, std::vector<Parcel> parcels);
// Begins to serve what receive() has put in its place; after Workers::listen().
void take_up(Workers& workers);

}  // namespace pgtend::pool
