// Tables of every shape that a conversion has to keep: what makes one, how its rows are made and
// changed, and what it is refused for, if so. Each stands in a schema of its own, called like it.
#pragma once

#include <string>
#include <vector>

namespace pgtend::e2e {

// In its texts $n is a number, and $role a role that is there and owns nothing.
struct PartitionShape {
  std::string name = {};
  std::string ddl = {};  // run with the schema in front of the search path
  // Rows: columns, and a select list over n (an int that no other row has) and moment.
  std::string into = "id, at, v";
  std::string values = "n, moment, n % 100";
  std::string table = "t";           // as SQL takes it
  std::string key = "at";            // bare; what is divided by
  std::string where = "id = $n";     // one row
  std::string change = "v = v + 1";  // of an update
  std::string rename = "id = $n";    // to another number; "" for none
  bool widen = false;                // UNIQUE constraints without the key
  bool path = false;                 // needs its schema in the search path of everybody
  std::string zone = "UTC";          // of all sessions, and what divides
  bool role = false;                 // $role makes the table and converts it
  int rows = 200;
  std::string shadow = {};   // word of the refusal, "" for none
  std::string instant = {};  // the same of the other mode
  int since = 13;
};

std::vector<PartitionShape> partition_shapes();

}  // namespace pgtend::e2e
