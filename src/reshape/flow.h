// The statements that bring rows from one table into another while both are in use. Pure texts.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "reshape/job.h"

namespace pgtend::reshape {

// A relation whose changes are noticed.
struct Source {
  std::string table = {};
  std::string condition = {};  // of its rows in the target; "": they are all of them
};

// One direction: before the swap from the old table into the new one, after it back, so that the
// swap can be undone. The tables of keys have columns k1 … kn (the key), p (the divider, if there
// is one); the log has `emptied` as well: the number of the source, from 1, that a TRUNCATE has
// emptied; null for a row that was touched.
struct Flow {
  std::string log = {};
  std::string function = {};              // that writes it
  std::string trigger = {};               // bare; its TRUNCATE twin has a t behind
  std::vector<Source> sources = {};       // rows are read from here
  std::string name = {};                  // what people call them
  std::string rows = {};                  // the same as a FROM item: "ONLY x" for a plain table
  std::string target = {};                // rows are inserted here
  std::vector<std::string> leaves = {};   // and deleted here
  std::string bounds = {};                // the leaves' lower bounds as an SQL array; "" for none
  std::vector<std::string> key = {};      // quoted
  std::vector<std::string> columns = {};  // quoted
  std::string divider = {};               // quoted; "" for none
};
Flow forward(const Job& job);
Flow backward(const Job& job);
// The same once the only source has been renamed `table`; several keep their names.
Flow renamed(Flow flow, const std::string& table);

// Takes away what default privileges have given others on a table of ours: what stands in it is
// run, or believed.
std::string ours_alone(const std::string& table);

// What notices changes of the source: log table, function, row and TRUNCATE triggers. `silent`
// makes a function that does nothing yet; see listen().
std::vector<std::string> capture(const Flow& flow, bool silent);
// The function, made anew so that it writes the log. Takes no lock on tables.
std::string listen(const Flow& flow);
// And so that it writes nothing any more.
std::string silence(const Flow& flow);
// Takes the triggers away: ACCESS EXCLUSIVE on the sources.
std::vector<std::string> uncapture(const Flow& flow);

// Where apply() keeps the keys at hand: a table of the session.
inline constexpr std::string_view kKeys = "pg_temp.pgtend_keys";
std::vector<std::string> make_keys(const Flow& flow);

// SQL: to which leaf, from 1, a row belongs whose divider is `value`.
std::string leaf_of(const Flow& flow, std::string_view value);

// Pages of one relation, `last` not included.
struct Pages {
  size_t source = 0;  // of the flow's
  int64_t first = 0;
  int64_t last = 0;
};
// INSERT of their rows that no change has touched yet.
std::string copy_pages(const Job& job, const Pages& pages);

// Moves the entries of at most `most` keys of the log (0: of all) to the keys; one row: how many,
// the numbers of the sources that were emptied, and of the leaves concerned, separated by spaces.
std::string take_keys(const Flow& flow, int64_t most);
// Empties the target of what came from source `number`, from 1.
std::string empty_target(const Flow& flow, size_t number);
std::string delete_keys(const Flow& flow, size_t leaf);
std::string insert_keys(const Flow& flow);
// One number: rows of the keys that are not the same on both sides.
std::string compare_keys(const Flow& flow, size_t leaf);

// One row for each leaf whose rows are not the same on both sides, those in the log left out:
// leaf, rows of the source, rows of the target; and one without a leaf: all rows of the source that
// were compared. One statement, so one snapshot.
std::string compare_all(const Flow& flow);
// Up to `most` keys of `leaf` that are on one side only, as texts, with the side.
std::string compare_leaf(const Flow& flow, int64_t leaf, int most);

}  // namespace pgtend::reshape
