// The job that replaces some partitions of a table by others.
#pragma once

#include "partition/mould.h"
#include "reshape/job.h"

namespace pgtend::partition {

// Thread: any. `mould` is like the newest of the sources.
struct RecutParts {
  const Mould& mould;
  const std::vector<facts::Partition>& sources;
  const std::vector<std::string>& conditions;  // what the place of each source says of its rows
  const std::vector<Slice>& slices;
  std::string rest = {};   // bare name of a new DEFAULT partition; "" none
  std::string above = {};  // what the table's own place says of its rows, "" if it is no partition
};

// Bare names that the job makes besides the slices.
std::vector<std::string> recut_names(const RecutParts& parts);
// Pure. `key` are columns that identify a row. Its block size is to be set.
reshape::Job recut_job(const RecutParts& parts, const std::vector<std::string>& key);

// SQL of one text that changes with any change of these tables: columns, constraints, indexes,
// triggers, rights, places, and how many depend on them. What jobs of ours have added does not
// count.
std::string print_of_all_sql(const std::vector<uint32_t>& oids);

}  // namespace pgtend::partition
