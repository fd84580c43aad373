// The report on a plan in the stable schema of --json: an entry of `data.plans`.
#pragma once

#include "base/json_writer.h"
#include "explain/explain.h"

namespace pgtend::explain {

// Writes the entry as one object: `format`, `line`, `nodes` (their count), times, `root` (the tree:
// each node with its `children`), `findings`, `warnings`, … (docs/explain.md). Written piece by
// piece, because a plan may be deeper than a json::value can be. Thread: any. Cost: O(nodes ×
// depth).
void write_json(JsonWriter& out, const Report& report);

// The members of the entry before and after `root`. Thread: any.
json::object summary_json(const Report& report);
json::object findings_json(const Report& report);

}  // namespace pgtend::explain
