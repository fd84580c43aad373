// One function a kind of access: what it is at a node of the plan, if it is one.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "explain/access.h"

namespace pgtend::explain {

// The access at node `id`; nullopt when there is none of the kind, or it cannot be judged, which is
// said in `warnings` when it matters.
using AccessSignal = std::optional<Access> (*)(const Examination& in, int id,
                                               std::vector<std::string>& warnings);

// All of them, the more special first: a node belongs to the first that takes it.
std::span<const AccessSignal> access_signals();

}  // namespace pgtend::explain
