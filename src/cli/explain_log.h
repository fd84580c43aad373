// pgtend explain --log: what server logs of any size say about queries and their plans.
#pragma once

#include "base/result.h"
#include "cli/command.h"
#include "cli/output.h"

namespace pgtend::cli {

// Reads the files of --log as a stream and reports the queries that cost most. A server is asked
// for facts about tables only when the command line names one: the log may be of another.
Result<int> run_explain_log(const Args& args, Output& output);

// Whether the command line itself, not the environment, tells a server.
bool names_a_server(const Args& args);

}  // namespace pgtend::cli
