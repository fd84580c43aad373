// pgtend explain --worst, --query: the statements that cost most, as the server or a pool counts
// them, each explained.
#pragma once

#include "base/result.h"
#include "cli/command.h"
#include "cli/output.h"
#include "explain/explain.h"
#include "facts/statements.h"

namespace pgtend::cli {

// Statements come from pg_stat_statements, or from SHOW QUERIES of the console that --pool names.
// Their constants are parameters, so that generic plans are made. A statement that cannot be
// explained is listed with the reason. Errors: NotFound when the counter is not there or does not
// know the query, those of the connections.
Result<int> run_explain_worst(const Args& args, const explain::Request& request, Output& output);

// The shapes that the console of --pool counts, over all its pools, by total time. Errors: NotFound
// (no pgtend-pool), those of the connection.
Result<std::vector<facts::StatementFacts>> pool_statements(const Args& args);

}  // namespace pgtend::cli
