// The job that makes a plain table, or a partition, a partitioned one by copying it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "partition/partition.h"
#include "pg/quote.h"
#include "reshape/job.h"

namespace pgtend::partition {

// Pure. Thread: one at a time. Build once.
class ShadowBuilder {
 public:
  // Both are borrowed.
  ShadowBuilder(const Definition& definition, const Proposal& proposal);

  // False when no columns identify a row.
  bool find_key();
  // Bare names that the job makes.
  std::vector<std::string> names_wanted() const;
  reshape::Job build();

 private:
  std::string in_schema(const std::string& name) const { return pg::qualified(d_.schema, name); }
  void add_partition_key();
  void rows();
  // One index: its bare name, on the parent alone, and how to make it on a leaf.
  struct Divided {
    std::string name = {};
    std::string on_parent = {};
    std::function<std::string(const std::string& leaf, const std::string& index)> on_leaf = {};
    const IndexTraits& traits;
  };
  void build_index(const Divided& index);
  void build_indexes();
  void swap_names();
  void swap_sequences();
  void swap_references();
  void back();
  void seat();
  std::vector<const Constraint*> references() const;

  const Definition& d_;
  const Proposal& p_;
  reshape::Job job_;
  std::string table_;
  std::string new_;
  std::string old_;
};

}  // namespace pgtend::partition
