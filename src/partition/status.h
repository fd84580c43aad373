// How each partitioned table of a database stands, and whether it is kept as its policy says.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "partition/upkeep.h"

namespace pgtend::partition {

struct SetStatus {
  std::string table = {};
  facts::Layout layout = {};
  std::optional<SetPlan> plan = {};  // of the policy, or of one that only looks at the present
  bool has_policy = false;
  std::optional<double> default_rows = {};   // nullopt: no DEFAULT partition, or it may not be read
  bool default_more = false;                 // there are more than were counted
  std::string error = {};                    // why it could not be looked at
  std::vector<std::string> complaints = {};  // what is wrong, each with the next step
};

// The tables in `policies` and all other partitioned tables that are no partitions themselves, or
// only `table` unless it is "". `now` as in plan_upkeep(). Errors: those of the connection; what
// fails for one table is in its status.
Result<std::vector<SetStatus>> load_status(pg::Connection& conn,
                                           const std::vector<UpkeepPolicy>& policies,
                                           const std::string& table, const std::string& now = "");

json::object to_json(const SetStatus& status);

// The sizes of partitions as a picture: a line for each year of months, month of days, day of
// hours, else for each hundred; a sign for each partition, as high as it is big; blank where there
// is none. Pure. `marks` are the signs from empty to full.
struct Picture {
  std::vector<std::pair<std::string, std::vector<std::string>>> lines = {};  // label, signs
};
Picture picture_of(const facts::Layout& layout, const std::vector<std::string>& marks);

}  // namespace pgtend::partition
