// A plan as EXPLAIN's TEXT: what the server would print, byte for byte for plans read from TEXT.
#pragma once

#include <string>

#include "base/result.h"
#include "explain/tree.h"

namespace pgtend::explain {

// The lines of `plan`, each with its newline. What only the server knew (counters that were rounded
// to zero, quotes around words that not every version reserves) may differ for plans of other
// formats. Errors: Limit beyond `bytes_max`: the indent of deep plans grows with their depth.
// Thread: any. Cost: O(size of the text).
Result<std::string> render_text(const Plan& plan, size_t bytes_max = size_t{64} << 20);

}  // namespace pgtend::explain
