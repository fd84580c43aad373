// VACUUM and ANALYZE of one table as actions that care/gate can carry out and verify.
#pragma once

#include <cstdint>

#include "base/json.h"
#include "care/finding.h"
#include "facts/tables.h"

namespace pgtend::vacuum {

enum class Job : uint8_t { Vacuum, Analyze, VacuumAnalyze };
std::string_view name(Job job);  // "vacuum", "analyze", "vacuum-analyze"

// The statement is VERBOSE, because only its notices tell what could not be removed. `version` is
// the server's (180000: ANALYZE of a partitioned table then leaves its partitions alone).
care::Action action(const facts::TableFacts& table, Job job, int version);

}  // namespace pgtend::vacuum
