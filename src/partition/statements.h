// The statements that make a partitioned table like a plain one, whichever way the rows go into it.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "care/finding.h"
#include "facts/partitions.h"
#include "partition/partition.h"
#include "reshape/job.h"

namespace pgtend::partition {

// "a, \"B\""
std::string column_list(const std::vector<std::string>& names);
// Columns that are written: those that are not generated.
std::vector<std::string> stored_columns(const Definition& table);
bool contains(const std::vector<std::string>& names, std::string_view name);

// A statement that names a table once, between the two.
struct About {
  std::string head = {};
  std::string tail = {};

  std::string of(const std::string& table) const;
};
// `sql` names `table` between `before` and `after`.
About about_place(const std::string& sql, std::string_view before, const std::string& table,
                  std::string_view after);
void append(std::vector<std::string>& out, std::vector<std::string> more);
// One row of the rows of `from` as a multiset: how many (n), and two sums of 64-bit hashes that no
// order changes (h, i).
std::string digest_sql(const std::string& from);

// CREATE TABLE `made` (LIKE `source` …) PARTITION BY …
std::string create_like(const Definition& table, const Proposal& proposal, const std::string& made,
                        const std::string& source);
// What LIKE forgets about columns.
std::vector<std::string> alter_columns(const Definition& table, const std::string& made);
// Extended statistics as those of `table`, on `made`; `name` makes a name of theirs.
std::vector<std::string> create_statistics(
    const Definition& table, const std::string& made,
    const std::function<std::string(const Statistics&)>& name);
// The same on each partition, where the planner looks once it knows which one it reads.
std::vector<std::string> create_slice_statistics(const Definition& table, const Proposal& proposal);
// ALTER STATISTICS … RENAME TO, one for each: "x" + `from` becomes "x" + `to`.
std::vector<std::string> rename_statistics(const Definition& table, std::string_view from,
                                           std::string_view to);
// CREATE TRIGGER …, with comments and states, on whichever table has the name then.
std::vector<std::string> create_triggers(const Definition& table);
// ALTER TABLE … DISABLE TRIGGER …, of those that are not as triggers are made.
std::vector<std::string> state_triggers(const Definition& table);
// " WITH (…) TABLESPACE …" as far as the table has such.
std::string storage_clause(const Definition& table);
inline constexpr std::string_view kDefaultBound = "DEFAULT";
// "FOR VALUES FROM ('…') TO ('…')", or its bound.
std::string for_values(const Slice& slice);
std::string for_values(const facts::Partition& part);
// CREATE TABLE … PARTITION OF `made`, one for each slice, with row security if the table has some
// (policies are the table's: nobody else gets at the partitions' rows), and the replica identity of
// all.
std::vector<std::string> create_slices(const Definition& table, const Proposal& proposal,
                                       const std::string& made);
// All of these but triggers, and comment, rights (which are compared: an error when default
// privileges give more): `made` as `table` is, in one transaction. Sequences of identity columns
// and statistics get their name with _new behind.
std::vector<std::string> create_new(const Definition& table, const Proposal& proposal,
                                    const std::string& name, const std::string& made);
// Those of `key` that are not among `columns`.
std::vector<std::string> lacking(const std::vector<std::string>& columns,
                                 const std::vector<std::string>& key);
// "PRIMARY KEY (id, at) WITH (…)": a unique one takes the partition key in.
std::string constraint_definition(const Constraint& constraint,
                                  const std::vector<std::string>& key);
// CREATE UNIQUE INDEX CONCURRENTLY `name` ON `on` as the one behind a constraint, on `columns`.
std::string unique_index(const Constraint& constraint, const std::string& name,
                         const std::string& on, const std::vector<std::string>& columns);
// What an index of this (qualified) name and all parts of it get once they are there: statistics
// targets; as the table is, partitions are clustered on them and replicated by them.
std::vector<std::string> mark_index(const IndexTraits& traits, const std::string& index);
// COMMENT ON INDEX, if there is one to make.
std::vector<std::string> comment_index(const IndexTraits& traits, const std::string& index);
// CREATE INDEX `name` ON `on` (a table, or "ONLY parent") as `index` of `table` is.
std::string index_on(const Index& index, const std::string& table, const std::string& name,
                     const std::string& on);
// SQL of one boolean: the table is as it was read; what jobs of ours have added does not count.
std::string unchanged_sql(const Definition& table);
// SQL of one text: columns of `table`, in no order of theirs.
std::string columns_sql(const std::string& table);
// SQL of one boolean, once another table has its name: columns are those of `old`, and those who
// follow are as they were when `table` was read.
std::string returnable_sql(const Definition& table, const std::string& old);
// SQL of one boolean: `table` has a constraint of this bare name; `also` is a condition on it.
std::string constraint_sql(const std::string& table, const std::string& name,
                           std::string_view also = "");
// SQL of one boolean: both tables give everybody the same rights.
std::string same_rights(const std::string& one, const std::string& other);
// A statement that fails unless both give everybody the same rights.
std::string assert_same_rights(const std::string& one, const std::string& other);
// Columns that identify a row and cannot change their meaning with the search path: of the first
// key that has such; empty if none has.
std::vector<std::string> identifying_columns(const Definition& table);
// Names of indexes, those behind constraints included.
std::vector<std::string> index_names(const Definition& table);

// What every job on `table` begins with; `old` is put behind the old table's name.
reshape::Job begin_job(const Definition& table, std::string_view old);

// What cannot be done or will not be as before.
struct Examined {
  std::vector<std::string> refusals = {};
  std::vector<std::string> changes = {};
};
// `wanted` are the bare names that will be made, `taken` those in use.
Examined examine(const Definition& table, const Proposal& proposal, const ConvertOptions& options,
                 const Policy& policy);
// Refuses whoever is not the owner: CHECKs, indexes and triggers of a table are its owner's code,
// which must not run with more rights.
void examine_owner(const Definition& table, Examined& out);
// Refuses partitions: the only way that divides them is by copy.
void examine_whole(const Definition& table, Examined& out);
void examine_names(const Definition& table, std::vector<std::string> wanted,
                   const std::vector<std::string>& taken, Examined& out);

}  // namespace pgtend::partition
