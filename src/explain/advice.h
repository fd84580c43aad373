// Which index, if any, would serve an access: columns from the parse tree, method by cost and
// size. Pure.
#pragma once

#include <string>
#include <vector>

#include "base/units.h"
#include "explain/access.h"

namespace pgtend::explain {

// One key of an index.
struct KeyPart {
  std::string column = {};      // unquoted; "" for an expression
  std::string expression = {};  // as SQL, without outer parentheses
  std::string opclass = {};     // as SQL, "" for the default
  bool descending = false;
  bool nulls_first = false;

  bool operator==(const KeyPart&) const = default;
};

// An index that could be built.
struct Candidate {
  std::string method = {};  // "btree", "brin", "gin", "gist"
  std::vector<KeyPart> keys = {};
  std::vector<std::string> include = {};
  std::string predicate = {};  // of a partial index, as SQL
  int pages_per_range = 0;     // of a BRIN index
  Bytes size = {};             // predicted; 0 when nothing predicts it
  // Predicted reads of the access through it: with the wanted rows side by side, and as far apart
  // as the physical order that pg_stats tells (or does not) allows. 0 when nothing predicts it.
  double query_pages = 0;
  double query_pages_max = 0;
  double build_seconds = 0;
  std::string reason = {};  // why it is first, or why it is not

  // HypoPG knows the method and its classes.
  bool hypothetical() const { return method == "btree" || method == "brin"; }
};

struct Advice {
  std::vector<Candidate> candidates = {};  // best first
  // A condition that no plain index can serve as it is written, and what to write instead; "" if
  // none. `blocked_id` is the rule that it belongs to: A12 to A15.
  std::string blocked = {};
  std::string blocked_id = {};
  std::string existing = {};  // a valid index that already serves the conditions; then no candidate
  std::string broken = {};    // an INVALID index of the same columns; then no candidate
  std::string unusable = {};  // an index of the column that cannot serve, and why
  std::vector<std::string> notes = {};  // what is not known, what else to weigh
  bool time_window = false;             // a range over time: rule A2 rather than A1
  bool partial = false;                 // the first candidate is a partial index: rule A17
};

// Thread: any.
Advice advise(const Access& access, const Examination& examination);

}  // namespace pgtend::explain
