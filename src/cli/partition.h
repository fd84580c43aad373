// pgtend partition.
#pragma once

#include <span>

#include "cli/command.h"
#include "pg/connection.h"

namespace pgtend::cli {

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

}  // namespace pgtend::cli
