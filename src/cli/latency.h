// How long clients wait right now: what makes maintenance make room.
#pragma once

#include <functional>
#include <optional>

#include "base/clock.h"
#include "cli/command.h"

namespace pgtend::cli {

// Asked again and again by one thread. nullopt: it could not be told this time.
using LatencyFn = std::function<std::optional<milliseconds>()>;

// From --probe SQL (the time of the statement, by a read-only session of its own) or --pool DSN
// (the worst p99 of all pools' queries since the last call, of at least 20 queries; 0 for fewer).
// Empty without either; the probe counts when both are given. Lost connections are opened again.
// `limit` bounds how long a probe is waited for: ten times that. Errors: those of the first
// connection.
Result<LatencyFn> latency_source(const Args& args, milliseconds limit);

}  // namespace pgtend::cli
