// Indexes of a partitioned table, built while it is used: on the table alone, CONCURRENTLY on each
// partition, then put together. The catalogs are all that is remembered: a run that was ended is
// gone on with by planning again.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "care/gate.h"
#include "pg/connection.h"

namespace pgtend::partition {

// What stands in CREATE INDEX, as SQL.
struct IndexWish {
  std::string table = {};  // as the user wrote it
  std::string name = {};   // bare; "" as the server would call it
  std::string method = "btree";
  std::string columns = {};  // "at, v DESC"
  std::string include = {};  // columns of INCLUDE
  std::string where = {};
  bool unique = false;
};

// One index that is to be whole.
struct IndexPlan {
  std::string table = {};       // qualified
  std::string index = {};       // qualified, the table's own
  std::string definition = {};  // "UNIQUE USING btree (at)", as the server writes it
  int kept = 0;                 // partitions whose part is there already, or an equal index
  int built = 0;                // partitions that get one
  std::vector<std::string> refusals = {};  // not empty: `action` has no steps
  care::Action action = {};
  // One a step: the index that a CONCURRENTLY form makes, and the table whose lock is asked for.
  std::vector<std::string> creates = {};
  std::vector<std::string> tables = {};
};

// The statements that are still missing for the index that is wished. The server reads the wish, on
// an empty temporary table that is like this one, in a transaction that is rolled back: no lock but
// AccessShare. Errors: Invalid (no partitioned table; not one CREATE INDEX; the server's own, as
// for a unique index without the partition key; another index has that name), NotFound, Denied (no
// temporary tables), and those of the connection.
Result<IndexPlan> plan_index(pg::Connection& conn, const IndexWish& wish);
// The same for each index of `table` that has no part in some partition. Errors: as above.
Result<std::vector<IndexPlan>> plan_missing_parts(pg::Connection& conn, const std::string& table);

// Runs it, or shows it. Writers of the table wait for a moment when its own index is made
// (ShareLock, nothing is built), afterwards for nothing. What is built stays, also after an error;
// an index that was being built is dropped. Errors: as Gate::run, Invalid with the refusals.
Result<care::Outcome> run_index(const care::GateSetup& gate, const IndexPlan& plan);

json::object to_json(const IndexPlan& plan);

}  // namespace pgtend::partition
