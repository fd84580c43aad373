// What the rules need to know about the relations a plan scans: plain data, loaded for one plan.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "explain/tree.h"
#include "facts/columns.h"
#include "facts/indexes.h"
#include "facts/tables.h"
#include "pg/connection.h"
#include "sql/columns.h"

namespace pgtend::explain {

// One table of a partitioned table's tree, in the order of pg_partition_tree (parents first).
struct PartitionMember {
  uint32_t oid = 0;
  std::string schema = {};
  std::string name = {};
  char kind = 'r';     // pg_class.relkind
  int parent = kNone;  // in PartitionTree::members
  std::vector<facts::IndexFacts> indexes = {};
  std::optional<facts::TableFacts> table = {};
};

// A partitioned table with all its partitions; members[0] is the table itself.
struct PartitionTree {
  std::vector<PartitionMember> members = {};
  std::string why_not = {};           // set when the members could not be read in full
  std::vector<std::string> key = {};  // columns of the first level's key; "" for an expression
  std::string strategy = {};          // "range", "list", "hash"
  double rows() const;                // of all leaves, 0 when unknown
  double pages() const;
};

// CREATE STATISTICS on several columns or on expressions.
struct ExtendedStatistics {
  std::string name = {};
  std::vector<std::string> columns = {};
  std::string kinds = {};       // letters of pg_statistic_ext.stxkind: d ndistinct, f dependencies,
                                // m most common values, e expressions
  std::string definition = {};  // pg_get_statisticsobjdef
};

struct RelationFacts {
  std::string schema = {};  // as the plan names it: "" without VERBOSE
  std::string name = {};
  std::optional<facts::TableFacts> table = {};
  std::string why_not = {};  // why `table` is unknown
  std::vector<facts::IndexFacts> indexes = {};
  std::vector<facts::ColumnFacts> columns = {};  // those that the plan's conditions and keys name
  std::vector<ExtendedStatistics> statistics = {};
  double row_width = 0;  // bytes of a row's values, by pg_stats; 0 when a column has no statistics
  // Names of relations and indexes in the table's schema that could clash with a new index's.
  std::vector<std::string> names_taken = {};
  int tree = kNone;  // in Facts::trees, when it is a partition

  const facts::ColumnFacts* column(std::string_view column_name) const;
  bool temporary() const;
};

// A foreign key that a plan's trigger checks.
struct ForeignKey {
  std::string name = {};
  std::string schema = {};  // of the referencing table
  std::string table = {};
  std::vector<std::string> columns = {};
  std::string referenced = {};  // qualified, quoted
  bool indexed = false;         // a valid index leads with the columns
  double rows = 0;              // of the referencing table, 0 when unknown
  double pages = 0;
  std::vector<std::string> names_taken = {};  // in its schema
};

struct Facts {
  std::vector<RelationFacts> relations = {};
  std::vector<PartitionTree> trees = {};
  std::map<std::string, sql::Volatility> functions = {};  // the worst of all of that name
  std::vector<ForeignKey> foreign_keys = {};
  int version = 0;            // 150020 for 15.20; 0 when no server was asked
  std::string trigrams = {};  // the schema of extension pg_trgm, "" when it is not there
  std::vector<std::string> warnings = {};

  // nullptr when nothing is known about the relation.
  const RelationFacts* find(std::string_view schema, std::string_view name) const;
  sql::Volatility volatility(std::string_view function) const;
};

// Facts about every table that `plan` scans, at most 100 beside the partitions of one table. A
// table that cannot be read is there with its reason. Errors: those of the connection only.
Result<Facts> load_facts(pg::Connection& conn, const Plan& plan);

// The worst volatility of all functions of each name in `names` (schema-qualified if written so);
// names that do not exist are left out. Errors: those of the connection.
Result<std::map<std::string, sql::Volatility>> load_volatility(
    pg::Connection& conn, const std::vector<std::string>& names);

// Facts from JSON, as golden tests write them: {"version": …, "relations": [{"table": …, "indexes":
// […], "columns": […]}]}. Errors: Invalid naming the member.
Result<Facts> facts_from_json(const json::value& value);

}  // namespace pgtend::explain
