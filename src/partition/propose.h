// The proposal for a table whose definition has been read.
#pragma once

#include "partition/partition.h"

namespace pgtend::partition {

// As propose(). Thread: that of the connection.
Result<Proposal> propose_for(pg::Connection& conn, const Definition& table, const Request& request,
                             const Policy& policy);
// The parts of it that are no ranges of time; what there is to say of any proposal is not theirs.
Result<Proposal> propose_hash(pg::Connection& conn, const Definition& table, const Request& request,
                              const Policy& policy);
Result<Proposal> propose_integers(pg::Connection& conn, const Definition& table,
                                  const Request& request, const Policy& policy);
Result<Proposal> propose_list(pg::Connection& conn, const Definition& table, const Request& request,
                              const Policy& policy);

}  // namespace pgtend::partition
