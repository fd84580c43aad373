// One name for all statements of one shape, and their text without its literals.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pgtend::sql {

// The same for statements that differ only in literals, white space, comments and list lengths.
// Errors: Invalid when the text cannot be parsed. Thread: any.
Result<uint64_t> fingerprint(std::string_view sql);

// `sql` with every literal replaced by $1, $2, … as pg_stat_statements does. Errors: Invalid.
// Thread: any.
Result<std::string> normalise(std::string_view sql);

}  // namespace pgtend::sql
