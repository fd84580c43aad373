// pgtend partition.
#pragma once

#include <span>

#include "cli/command.h"
#include "cli/run_limits.h"
#include "partition/online.h"
#include "pg/connection.h"

namespace pgtend::cli {

// Rows for the parameter tables of commands that run a job.
// clang-format off
#define PGTEND_JOB_LIMITS                                                                        \
    {"--wait", "SECONDS",                                                                        \
     "how long a lock is tried for while others are in the way, 600 by default"},                \
    {"--pool", "CONNINFO",                                                                       \
     "a pooler's console: while the tables change places, statements of them are held there; "   \
     "its p99 is what --latency looks at"},                                                      \
    PGTEND_LATENCY,                                                                              \
    PGTEND_WRITE_LIMITS
// clang-format on

// To read what is planned with. Waits behind no lock for long: under ACCESS EXCLUSIVE there is
// nothing to plan with. Errors: as pg::Connection::open().
Result<pg::Connection> planning_connection(const Args& args, Output& output);

std::span<const Parameter> partition_show_parameters();
std::span<const Parameter> partition_plan_parameters();
std::span<const Parameter> partition_convert_parameters();
std::span<const Parameter> partition_job_parameters();
Result<int> run_partition_show(const Args& args, Output& output);
Result<int> run_partition_plan(const Args& args, Output& output);
Result<int> run_partition_convert(const Args& args, Output& output);
Result<int> run_partition_resume(const Args& args, Output& output);
Result<int> run_partition_abort(const Args& args, Output& output);
Result<int> run_partition_undo(const Args& args, Output& output);
Result<int> run_partition_finish(const Args& args, Output& output);

// Runs one verb of a job, with what --wait, --pool and the limits of the command say.
Result<int> run_verb(const Args& args, Output& output, const reshape::Job& job,
                     partition::Verb verb);

}  // namespace pgtend::cli
