// Conditions that hide the key, written so that partitions can be left out and the same rows come
// back. Pure; bounds that only a server can compute are expressions, with what proves them equal.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "partition/shapes.h"
#include "sql/places.h"

namespace pgtend::partition {

// One condition of a statement, written anew.
struct Change {
  sql::Place place = {};      // of the old condition in the statement
  std::string original = {};  // its text
  // Equal whatever the values are: the old condition with bounds that follow from it; filled()
  // puts them in. "" if there is none.
  std::string kept = {};
  // Without the old condition; "" if there is none. Equal when `exact`, or as `check` finds.
  std::string clean = {};
  std::vector<std::string> bounds = {};  // SQL expressions
  bool exact = false;
  bool by_midnights = false;  // exact where no local midnight comes twice
  // Bounds and conditions hold literals and functions of the server only: they may be evaluated.
  bool computable = false;
  bool clock = false;    // holds now(): literals are right for one moment
  std::string key = {};  // the key as the condition writes it: "d.ts"
  std::string alias = {};
  std::string column = {};
};

// All changes of `sql` that help, in the order of the text, none inside another; empty when there
// is nothing to change. Errors: as predict().
Result<std::vector<Change>> changes(const KeyTable& table, std::string_view sql);

// SQL of one boolean: whether `clean` and the old condition agree on the key in steps of ten
// minutes around each bound. For a search path of pg_catalog alone.
std::string check_sql(const KeyTable& table, const Change& change);

// `text` ("kept" or "clean") with its bounds put in.
std::string filled(const std::string& text, const std::vector<std::string>& bounds);
// `sql` with each change's text in its place.
std::string replaced(std::string_view sql, const std::vector<Change>& changes,
                     const std::vector<std::string>& texts);

}  // namespace pgtend::partition
