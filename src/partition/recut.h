// Some partitions of a table are replaced by others while the table is used: they are merged or
// divided, or a DEFAULT partition is drained. The rest of the table stays as it is.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "partition/grid.h"
#include "partition/partition.h"
#include "reshape/job.h"

namespace pgtend::partition {

struct RecutRequest {
  std::string table = {};  // as the user wrote it; partitioned by ranges of one date or time
  Width every = {};        // how wide partitions shall be
  std::string from = {};   // local times of the zone: only partitions that lie between; "" all
  std::string to = {};
  std::string anchor = {};  // a local time at which a partition begins; "" the usual one
  std::string time_zone = "UTC";
};

// Rows of a DEFAULT partition get partitions of their own.
struct DrainRequest {
  std::string table = {};
  std::optional<Width> every = {};  // nullopt: as wide as the newest partitions
  std::string from = {};            // as in RecutRequest: only rows between; "" all
  std::string to = {};
  std::string anchor = {};
  std::string time_zone = "UTC";
  int create_max = 100;  // more new partitions at once are refused
};

struct RecutPlan {
  facts::Layout layout = {};
  std::vector<facts::Partition> sources = {};  // what is replaced, oldest first
  std::vector<Slice> slices = {};              // by what; together they cover the same
  std::string rest = {};  // bare name of the new DEFAULT partition, of rows that no slice takes
  std::vector<std::string> warnings = {};
  // Why it cannot be done, each with the next step. Not empty: the job is empty.
  std::vector<std::string> refusals = {};
  reshape::Job job = {};     // for run_job()
  care::Action action = {};  // what a dry run shows
};

// Partitions that are as wanted already stay, and so do those without a lower or an upper bound.
// Reads only. Errors: NotFound, Invalid (no such key, unknown zone, a job has begun, there is
// nothing to do), Limit, those of the connection.
Result<RecutPlan> plan_recut(pg::Connection& conn, const RecutRequest& request,
                             const Policy& policy = {});

// A partition for each interval of the grid of which the DEFAULT partition has rows, as far as no
// partition takes it, and a new DEFAULT partition for what is left (also keys that are null or
// infinite). All rows can be seen all the time. Reads the DEFAULT partition once. Errors: as
// plan_recut(), Limit (create_max).
Result<RecutPlan> plan_drain(pg::Connection& conn, const DrainRequest& request,
                             const Policy& policy = {});
// The refusals, job and action of a plan whose sources, slices and rest are chosen.
Status complete_recut(pg::Connection& conn, const Policy& policy, RecutPlan& plan);

json::object to_json(const RecutPlan& plan);

// What takes the place of what: each source that is wholly covered by one slice of its own bounds
// is left out, and slices are cut to where sources are. `bounds` are epochs in microseconds. Pure.
struct Cut {
  size_t slice = 0;  // of those given
  Stretch piece = {};
};
struct Cuts {
  std::vector<size_t> sources = {};  // those that change
  std::vector<Cut> slices = {};
};
Cuts cut(const std::vector<Stretch>& sources, const std::vector<Stretch>& slices);

}  // namespace pgtend::partition
