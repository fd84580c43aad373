// The rows of a detached partition in a file, which is read again and compared before anything is
// dropped.
#pragma once

#include <cstdint>
#include <string>

#include "care/rounds.h"
#include "partition/upkeep.h"

namespace pgtend::partition {

// Rows as a multiset: how many, and two sums of 64-bit hashes that no order changes.
struct Digest {
  int64_t rows = 0;
  std::string sum0 = {};
  std::string sum1 = {};

  friend bool operator==(const Digest&, const Digest&) = default;
};

struct Archived {
  std::string file = {};     // rows, as COPY writes them
  std::string restore = {};  // a script for psql that brings them back
  Digest digest = {};
};

// Writes, reads back, compares; then, under a lock and if the table has not changed since, drops it
// and forgets it in the ledger. Nothing is dropped after an error. Errors: Internal (the file does
// not hold what the table holds), Denied (the folder), Conflict (the table changed meanwhile),
// those of the gate.
Result<care::Outcome> archive_and_drop(const care::GateSetup& gate, const SetPlan& plan,
                                       const Departure& departure, Archived& archived);

// "a/b c" as a file name: what is no letter, digit, '_', '-' or '.' as %XX, and never hidden.
std::string file_name_of(const std::string& schema, const std::string& table);

}  // namespace pgtend::partition
