// Where a statement lets the server leave partitions out, predicted from its parse tree: before a
// table is partitioned, and with the reason in plain words. What the server really does is in
// observe.h; tests compare the two.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "partition/key_condition.h"

namespace pgtend::partition {

// When partitions are left out.
enum class Prunes : uint8_t {
  AtPlan,        // while planning: the others cost nothing
  AtStart,       // when the execution starts: planned in full
  WhileRunning,  // while it runs: planned in full, started in part
  Never,
  Mixed,    // the statement reads the table more than once, and not all alike
  NotRead,  // it only inserts: the row finds its partition by itself
};
std::string_view name(Prunes prunes);  // "at plan time" …

// The table as far as pruning depends on it.
struct KeyTable {
  std::string schema = {};
  std::string name = {};
  std::string column = {};
  std::string type = {};
  std::vector<std::string> columns = {};
  std::vector<std::vector<std::string>> indexes = {};  // btree, plain columns in their order
  bool bare_name = true;                               // whether its name without schema means it
  bool nullable = false;                               // the key
  bool has_default = false;  // a DEFAULT partition keeps an Append from being in order
  int version = 150000;
  std::map<std::string, char> functions = {};  // volatility of those that are not the server's
};

// One place where the statement reads the table.
struct Reference {
  std::string alias = {};
  Prunes prunes = Prunes::Never;
  std::string reason = {};
};

struct Prediction {
  Prunes prunes = Prunes::Never;  // of the generic plan when there are parameters
  std::string reason = {};
  std::vector<Reference> references = {};
};

// `custom`: of a plan that is made for the values of $1, $2 … Errors: Invalid (not exactly one
// statement of the grammar of PostgreSQL 15), NotFound (it does not name the table). Thread: any.
Result<Prediction> predict(const KeyTable& table, std::string_view sql, bool custom = false);

}  // namespace pgtend::partition
