// What a SQLSTATE asks of the caller, and how a person gets on from there.
#pragma once

#include <string_view>

#include "base/result.h"

namespace pgtend::pg {

// The code for what PostgreSQL answered: by the whole SQLSTATE, else by its class (first two
// characters), else Internal. 57014 gives Timeout; who knows better (the statement was cancelled by
// somebody) says Cancelled. Thread: any. Cost: O(rows of the table).
ErrorCode code_of(std::string_view sqlstate);

// The next step for a person, "" when the server's own text says it all. Thread: any.
std::string_view hint_of(std::string_view sqlstate);

// The SQLSTATE inside a message that libpq wrote with verbosity "verbose", where it stands between
// the severity and the text ("FATAL:  28P01: password …"); of several the last; "" if there is
// none.
std::string_view sqlstate_in(std::string_view message);

}  // namespace pgtend::pg
