// What `pg_dump -s` says, object by object, and what it says of tables that became partitioned.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pgtend::e2e {

// Statements by "TYPE schema name" of the object they make, with the tablespace they are for; other
// settings are left out.
using Dump = std::map<std::string, std::string>;
Dump read_dump(std::string_view text);

// Objects that are not the same, with both texts; "" for none.
std::string dump_difference(const Dump& before, const Dump& after);

// A table that was divided; names as SQL takes them.
struct Divided {
  std::string schema = {};  // only what names it is looked at
  std::string table = {};   // qualified
  std::string key = {};
  std::vector<std::string> partitions = {};  // qualified
  // Bare names of what partitions have, indexes and statistics, and those of the table's.
  std::vector<std::pair<std::string, std::string>> parts = {};
};

// What is wrong with `after` but for the division of `tables`; "" for nothing. A partition has to
// be in all as the table was; the table has to be as it was but for storage parameters, the place
// in which it is clustered, and keys, into which the partition key was taken: they are counted.
std::string division_difference(Dump before, Dump after, const std::vector<Divided>& tables,
                                int& widened);

}  // namespace pgtend::e2e
