// The query cases in e2e/plans. A file holds cases:
//
//   --- name >=15 parallel
//   SET LOCAL enable_seqscan = off;
//   EXPLAIN SELECT …
//
// What stands before EXPLAIN is run first, in the same transaction, which is rolled back. Words
// after the name: ">=15" needs that version, "noanalyze" must not be run, "varies" gives other
// rows, costs or memory in each run, "parallel", "single" and "jit" set what makes plans so,
// "split" makes several plans, "oddjson" gets JSON from the server that is none.
#pragma once

#include <string>
#include <vector>

namespace pgtend::e2e::plans {

struct Case {
  std::string name;
  std::vector<std::string> words;
  std::string setup;      // statements, each with its semicolon
  std::string statement;  // without EXPLAIN

  bool is(const std::string& word) const;
  bool runs_on(int version) const;
};

// All cases of the folder e2e/`folder`, in the order of the files' names.
std::vector<Case> all(const std::string& folder = "plans");

// The statements that make the tables.
std::string schema(const std::string& folder = "plans");

}  // namespace pgtend::e2e::plans
