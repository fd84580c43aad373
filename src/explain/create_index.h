// The action that builds an advised index without stopping writers. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "care/finding.h"
#include "explain/advice.h"
#include "explain/relations.h"

namespace pgtend::explain {

// The table to index, as far as it is known: with a partition tree the action goes over all
// members.
struct IndexTarget {
  std::string schema = {};  // "" when the plan does not tell: the search path decides
  std::string table = {};
  const PartitionTree* tree = nullptr;
  std::vector<std::string> names_taken = {};
};

// A name as PostgreSQL would choose it (table_column_idx), at most 63 bytes, cut between
// characters, with the first number appended that makes it differ from `taken`.
std::string index_name(const std::string& table, const std::vector<std::string>& columns,
                       const std::string& suffix, const std::vector<std::string>& taken);

// "USING brin (reading_timestamp) WITH (…)": everything after the table's name.
std::string index_clause(const Candidate& candidate);

// CREATE INDEX CONCURRENTLY with verification and undo. On a partitioned table, where the server
// refuses CONCURRENTLY: the index on the parents alone, one build per leaf, then ATTACH (existing
// equal indexes of leaves are attached, not built again). nullopt when a leaf cannot be indexed
// (a foreign table) or the tree is not fully known.
std::optional<care::Action> create_index(const Candidate& candidate, const IndexTarget& target);

}  // namespace pgtend::explain
