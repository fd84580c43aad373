// The proposal for a table whose definition has been read.
#pragma once

#include "partition/partition.h"

namespace pgtend::partition {

// As propose(). Thread: that of the connection.
Result<Proposal> propose_for(pg::Connection& conn, const Definition& table, const Request& request,
                             const Policy& policy);
// The part of it that is no range: what it says of numbers of partitions is left to propose_for().
Result<Proposal> propose_hash(pg::Connection& conn, const Definition& table, const Request& request,
                              const Policy& policy);

}  // namespace pgtend::partition
