// Which index, if any, would serve a wasteful scan: columns from the parse tree, method by cost and
// size. Pure.
#pragma once

#include <string>
#include <vector>

#include "base/units.h"
#include "explain/scans.h"

namespace pgtend::explain {

// An index that could be built.
struct Candidate {
  std::string method = {};  // "btree" or "brin"
  std::vector<std::string> columns = {};
  int pages_per_range = 0;  // of a BRIN index
  Bytes size = {};          // predicted
  // Predicted reads of the scan through it: with the wanted rows side by side, and as far apart as
  // the physical order that pg_stats tells (or does not) allows.
  double query_pages = 0;
  double query_pages_max = 0;
  double build_seconds = 0;
  std::string reason = {};  // why it is first, or why it is not
};

struct Advice {
  std::vector<Candidate> candidates = {};  // best first
  // A condition that no index can serve as it is written, and what to write instead; "" if none.
  std::string blocked = {};
  std::string existing = {};  // a valid index that already serves the conditions; then no candidate
  std::string broken = {};    // an INVALID index of the same columns; then no candidate
  std::vector<std::string> notes = {};  // what is not known, what else to weigh
  bool time_window = false;             // a range over time: rule A2 rather than A1
};

// Thread: any.
Advice advise(const WastefulScan& scan, const Examination& examination);

}  // namespace pgtend::explain
