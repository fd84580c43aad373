// A table that is written anew while others use it: what to make, where its rows go, how the two
// change places. Plain data, kept in the database beside the table (ledger.h), so that any later
// run can go on with it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "care/finding.h"

namespace pgtend::reshape {

// For a transaction: the catalogs write what names and times mean, whatever the session prefers.
inline constexpr std::string_view kPlainTexts =
    "SET LOCAL search_path = ''; SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO'; "
    "SET LOCAL intervalstyle = 'postgres'";
// And back, for statements that clients could have written.
inline constexpr std::string_view kTextsAsEver =
    "SET LOCAL search_path TO DEFAULT; SET LOCAL timezone TO DEFAULT; SET LOCAL datestyle TO "
    "DEFAULT; SET LOCAL intervalstyle TO DEFAULT";

// A statement on tables that nobody uses yet, or that is fit to be run again.
struct Make {
  std::string sql = {};
  care::LockMode lock = care::LockMode::None;  // on tables that others use
  bool alone = false;                          // VACUUM: not within a transaction
  std::string done_sql = {};  // one boolean: whether it has been done before; "" runs it always
  std::string creates = {};   // the index that a CONCURRENTLY form makes
};

// One of several relations whose rows change places together, each in a place of its own.
struct Part {
  std::string table = {};      // qualified
  uint32_t oid = 0;            // 0: not made yet
  std::string condition = {};  // SQL: what its place says of each of its rows
};

// All names are as SQL takes them (quoted, qualified) unless they are said to be bare. Statements
// are run with an empty search path.
struct Job {
  uint32_t oid = 0;         // of the table as it was at the beginning
  std::string schema = {};  // bare
  std::string name = {};    // bare
  std::string shadow = {};  // bare: the new table until the swap, in the same schema
  std::string old = {};     // bare: the old table afterwards
  // Parts of the table that are written anew, while the rest of it stays: afterwards they lie in
  // `old`, which is then the name of the shadow. Empty: the table itself is written anew.
  std::vector<Part> sources = {};
  std::vector<Part> results = {};         // the new ones: in the shadow, then in the table
  std::vector<std::string> key = {};      // bare columns: never null, and unique together
  std::vector<std::string> columns = {};  // bare: those that are copied; generated ones are not
  // How the new table is divided; empty for one that is not. A row belongs to the last leaf whose
  // bound is not above its divider.
  std::string divider = {};                  // bare column, never null
  std::string divider_type = {};             // as format_type() writes it
  std::vector<std::string> bounds = {};      // lowest first; one for each leaf
  std::vector<std::string> leaves = {};      // the relations that rows are stored in
  std::vector<std::string> create = {};      // one transaction
  std::vector<Make> build = {};              // once the rows are there
  std::vector<std::string> lock_first = {};  // what must be locked before the tables
  std::vector<std::string> swap = {};        // under ACCESS EXCLUSIVE on the old table
  std::vector<Make> after = {};              // once the new table is in use
  std::vector<std::string> back = {};        // takes the swap back, under ACCESS EXCLUSIVE on both
  std::vector<Make> after_back = {};         // once the old table is in use again
  std::string unchanged_sql = {};            // one boolean: the table is as it was planned for
  // Rows of one text: why the table can no longer be replaced (a view on it was made, say).
  std::string refusals_sql = "SELECT '' WHERE false";
  // Before the swap, when a run ends without it: takes away what would turn clients away. The job
  // is then at its beginning again.
  std::vector<std::string> release = {};
  std::string equal_sql = {};  // one boolean: both have the same columns, after the swap
  // False: no row is copied, because the table itself becomes a part of the new one; key, columns
  // and leaves are then not used, and what `back` brings over is its own affair.
  bool copies = true;
  std::vector<std::string> abort = {};  // before the swap: takes away what `build` did to the table
  std::vector<Make> before_back = {};
  std::vector<std::string> finish = {};  // after the swap, once the way back is given up
  int version = 0;                       // of the server
  int block_size = 8192;

  std::string table() const;      // qualified
  std::string new_table() const;  // the shadow, before the swap
  std::string old_table() const;  // after the swap
  bool in_parts() const { return !sources.empty(); }
  // Qualified names of what belongs to the job alone: `what` is "ledger", "log", "capture" …
  std::string own(std::string_view what) const;
  std::string own_bare(std::string_view what) const;
};

json::object to_json(const Job& job);
// Errors: Invalid naming the member.
Result<Job> job_from_json(const json::value& value);

}  // namespace pgtend::reshape
