// Compaction of a partitioned table: each partition that is worth it, one after the other.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "vacuum/compact.h"

namespace pgtend::vacuum {

struct CompactPart {
  CompactReport report = {};  // as planned, and then as carried out
  bool begun = false;
  std::optional<Error> error = {};
};

struct CompactPartsReport {
  std::string table = {};
  std::vector<CompactPart> parts = {};  // those that give back most first
  std::string stopped = {};             // why the rest was not begun; "" if all was
};

// The partitions of `setup.table` that store rows, of all levels; nullopt: it is not partitioned.
// Errors: NotFound, those of the connection.
Result<std::optional<std::vector<std::string>>> load_parts(const CompactSetup& setup);

// Plans all `parts`, and with the gate's apply compacts them, most won first. One that fails does
// not end the others; a cancel, and the end of the time of care::ThrottleLimits::over, do. What a
// stopped run has not done is found by the next one. `on_event` gets a line when a partition
// begins, ends or fails; may be empty.
CompactPartsReport compact_parts(const CompactSetup& setup, const std::vector<std::string>& parts,
                                 const std::function<void(const std::string&)>& on_event);

json::object to_json(const CompactPartsReport& report);

}  // namespace pgtend::vacuum
