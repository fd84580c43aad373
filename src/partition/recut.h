// Some partitions of a table are replaced by others of another width, while the table is used: they
// are merged or divided, and the rest of the table stays as it is.
#pragma once

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

struct RecutPlan {
  facts::Layout layout = {};
  std::vector<facts::Partition> sources = {};  // what is replaced, oldest first
  std::vector<Slice> slices = {};              // by what; together they cover the same
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
