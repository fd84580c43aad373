// What the gate looks at before it acts: does the table exist, may we, who is in the way.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "care/finding.h"
#include "facts/activity.h"
#include "pg/connection.h"

namespace pgtend::care {

// The state of the index named in Action::creates.
enum class Leftover : uint8_t { None, Invalid, Valid };

struct Preflight {
  uint32_t oid = 0;                   // the table whose locks matter; 0 when the action names none
  std::optional<Error> refusal = {};  // why a real run must not start
  LockMode strongest = LockMode::None;       // of all steps, waits of CONCURRENTLY forms included
  std::vector<facts::Session> holders = {};  // of locks that conflict with `strongest`
  Leftover leftover = Leftover::None;
};

// Reads only. Errors: those of the connection.
Result<Preflight> inspect(pg::Connection& conn, const Action& action);

// The mode others' locks are compared with: the step's own, but ShareLock for a concurrent index
// build, which waits for every writer that is at work.
LockMode waits_for(const Action& action, const Step& step);

// The state of the index `qualified` right now.
Result<Leftover> leftover_of(pg::Connection& conn, const std::string& qualified);
// Conflict, naming the session, when somebody is building it: it is not valid then either, but no
// leftover.
Result<std::optional<Error>> being_built(pg::Connection& conn, const std::string& qualified);

}  // namespace pgtend::care
