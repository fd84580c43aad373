// Partition care: the layout of a table, a proposal for one that has none, the conversion of a
// table that may be locked meanwhile, and partitions ahead. The proof of pruning is in prove.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "care/finding.h"
#include "care/gate.h"
#include "facts/partitions.h"
#include "partition/choose.h"
#include "partition/definition.h"
#include "partition/words.h"
#include "pg/connection.h"

namespace pgtend::partition {

// How rows are told apart: by ranges of time or of whole numbers, by values of a column, or by the
// hash of columns.
enum class Method : uint8_t { Range, List, Hash };
std::string_view name(Method method);  // "range" …, as facts::Layout::strategy

// One partition to be: bounds are texts of the key's type, with offset where it has one.
struct Slice {
  std::string name = {};   // bare; in the table's schema
  std::string from = {};   // "" MINVALUE
  std::string to = {};     // exclusive; "" MAXVALUE
  std::string bound = {};  // of what is no range, instead of both: "FOR VALUES IN (…)"
};

struct Request {
  std::string table = {};  // as the user wrote it
  Method method = Method::Range;
  std::vector<std::string> columns = {};  // of List and Hash: the key
  int partitions = 0;                     // of Hash
  std::vector<ValueGroup> groups = {};    // of List; none: a partition for each value that is there
  bool add_default = false;               // of List: a partition for all other values
  // All below is of Range.
  std::string column = {};  // "" chooses the only date or time column that cannot be null
  int64_t step = 0;         // of a column of whole numbers: how many a partition takes
  std::optional<Interval> interval = {};  // nullopt chooses by rows and planner cost
  std::string time_zone = "UTC";          // whose midnights divide; the server's name for it
  std::string from = {};  // cover at least from here: a time in that zone, or a number; "" the data
  int ahead = 3;  // partitions after the present (or the newest row, if later), or the largest
};

struct Proposal {
  std::string schema = {};
  std::string table = {};
  Method method = Method::Range;
  std::string column = {};             // of the key; the first one
  std::vector<std::string> more = {};  // further columns of a hashed key
  std::string type = {};               // of the first
  std::string time_zone = {};
  Interval interval = Interval::Month;
  int64_t step = 0;                // of whole numbers, which have no interval; else 0
  std::string reason = {};         // of the interval
  std::vector<Slice> slices = {};  // without gap or overlap, oldest first
  std::string data_from = {};      // smallest and largest key, "" if the table is empty
  std::string data_to = {};
  double planning_ms = 0;  // about, of a query that does not name the key
  std::vector<std::string> warnings = {};

  std::vector<std::string> key() const;  // all its columns
};

// The layout of `table`, times in `time_zone`. Errors: as facts::load_layout.
Result<facts::Layout> show(pg::Connection& conn, const std::string& table,
                           const std::string& time_zone = "UTC");

// Divides a plain table, or a partition: by its parent's key it is tiled from bound to bound. The
// server computes all bounds. Of ranges it reads the smallest and the largest key, of lists all
// values, which is a full scan if no index helps. Errors: NotFound, Invalid (no such column or
// zone, more than one candidate, infinite values, a type that cannot be a key, a value that is in
// no group), Limit (more partitions than the policy's most).
Result<Proposal> propose(pg::Connection& conn, const Request& request, const Policy& policy = {});

struct ConvertOptions {
  bool drop_old = false;      // else the old table stays as <table>_old, and undo is possible
  bool widen_unique = false;  // also of UNIQUE constraints, which then promise less
};

// A conversion that is ready to be shown or run.
struct Conversion {
  Definition definition = {};
  Proposal proposal = {};
  // Why it cannot be done, each with the next step. Not empty: `action` has no steps.
  std::vector<std::string> refusals = {};
  std::vector<std::string> changes = {};  // what will not be as before: the widened primary key …
  std::string old_table = {};             // qualified name of the old table afterwards
  care::Action action = {};
};

// The conversion of a table under ACCESS EXCLUSIVE, in one transaction: everything is as before or
// everything is done. Pure. `taken` are names in use in the schema.
Conversion plan_conversion(const Definition& definition, const Proposal& proposal,
                           const ConvertOptions& options = {},
                           const std::vector<std::string>& taken = {}, const Policy& policy = {});

// Reads, proposes and plans. Errors: as propose() and load_definition().
Result<Conversion> plan(pg::Connection& conn, const Request& request,
                        const ConvertOptions& options = {}, const Policy& policy = {});

struct ConvertReport {
  care::Outcome outcome = {};
  std::vector<std::string> warnings = {};
};

// Runs the conversion through the gate, then VACUUM (FREEZE, ANALYZE) of the new table, whose
// failure is a warning only. Errors: Invalid with the refusals; those of Gate::run.
Result<ConvertReport> convert(const care::GateSetup& gate, const Conversion& conversion);

// The action that makes the partition for `value` (a text of the key's type) of a range-partitioned
// table, as wide as its neighbours; nullopt if there is one. The parent is locked so that readers
// and writers go on; with a DEFAULT partition see birth_of(). Errors: Invalid (no single time key,
// mixed widths, in the middle of a gap that is no whole interval), NotFound.
Result<std::optional<care::Action>> ensure_partition(pg::Connection& conn, const std::string& table,
                                                     const std::string& value,
                                                     const std::string& time_zone = "UTC");

json::object to_json(const Proposal& proposal);
Result<Proposal> proposal_from_json(const json::value& value);
json::object to_json(const Conversion& conversion);
json::object to_json(const ConvertReport& report);

}  // namespace pgtend::partition
