// VACUUM and ANALYZE of one table as actions that care/gate can carry out and verify.
#pragma once

#include "care/finding.h"
#include "facts/tables.h"
#include "vacuum/options.h"

namespace pgtend::vacuum {

// The statement is VERBOSE, because only its notices tell what could not be removed, and yields.
// `version` is the server's (180000: ANALYZE of a partitioned table leaves its partitions alone).
care::Action action(const facts::TableFacts& table, Job job, int version,
                    const Choice& choice = {});

}  // namespace pgtend::vacuum
