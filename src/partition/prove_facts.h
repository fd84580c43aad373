// What the proof of pruning asks the catalogs, and what it makes of it in words.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "partition/prove.h"

namespace pgtend::partition {

// Names of functions in the statements that parse, each once.
std::vector<std::string> names_called(const std::vector<facts::StatementFacts>& statements);

struct NameFacts {
  bool bare_name = true;                       // the table is what its name without schema means
  std::map<std::string, char> functions = {};  // volatility of those that are not the server's
};
Result<NameFacts> load_name_facts(pg::Connection& conn, uint32_t oid, const KeyTable& key,
                                  const std::vector<std::string>& functions);

// The leaves of a partitioned table, its key and its indexes. Errors: Invalid (no range of one time
// key), those of the connection.
Result<PartitionSet> load_partition_set(pg::Connection& conn, const facts::Layout& layout,
                                        const std::vector<std::string>& functions);
// The temporary ones of this session.
Result<std::set<std::pair<std::string, std::string>>> temporary_leaves(pg::Connection& conn,
                                                                       const Proposal& proposal);

// How the rows lie in the table as it is.
struct Ordering {
  std::optional<double> correlation = {};  // of the key with the place in the table; -1 to 1
  bool indexed = false;                    // an index begins with the key
};
Result<Ordering> load_ordering(pg::Connection& conn, const Definition& table, const KeyTable& key);

// What partitions bring, honestly. Pure.
std::vector<std::string> verdict_of(const Proofs& proofs, const Proposal& proposal,
                                    const Ordering& ordering);
// What to know of one statement beside its class. Pure.
std::vector<std::string> notes_for(const KeyTable& key, const Proof& proof);

}  // namespace pgtend::partition
