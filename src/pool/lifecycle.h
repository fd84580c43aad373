// What an administrator does to databases while they are served: pause, resume, kill, disable,
// reconnect. Each acts on all workers; `done` is called on worker `origin`, at once or later.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"

namespace pgtend::pool {

class Workers;

using Done = std::function<void(const Status&)>;

// Where a command acts. An empty `database` means all.
struct Scope {
  Workers& workers;
  size_t origin;
  std::string database;
};

// New requests wait; done when every link is closed and its backend known to be gone. Errors:
// Conflict when all databases are paused already, or resumed before that; NotFound, as all below,
// for an unknown database.
void pause(const Scope& scope, const Done& done);
// The end of pause() and kill(), and of suspend() of takeover.h. Errors: Conflict when nothing is
// paused.
void resume(const Scope& scope, const Done& done);
// Closes clients and links at once and leaves the database paused.
void kill(const Scope& scope, const Done& done);
// New logins are refused, or taken again.
void set_disabled(const Scope& scope, bool disabled, const Done& done);
// Every link is replaced as soon as no client has it.
void reconnect(const Scope& scope, const Done& done);
// Done when the links that reconnect() or a reload wants replaced are gone.
void wait_close(const Scope& scope, const Done& done);
// Closes the client with this id. Errors: NotFound.
void kill_client(const Scope& scope, uint64_t id, const Done& done);

}  // namespace pgtend::pool
