// How the partitions of a table are kept: how wide, how many ahead, how long, and what becomes of
// those that are too old. From pgtend.toml or from switches. Pure but for load_policies().
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "partition/grid.h"

namespace pgtend::partition {

// What becomes of a partition that is older than `keep`. Each begins with DETACH.
enum class Retire : uint8_t {
  Detach,   // it stays as a table of its own
  Archive,  // its rows go to a file that is compared with it, then it is dropped
  Move,     // it goes to another tablespace
  Drop,     // it is dropped
};
std::string_view name(Retire retire);
// Errors: Invalid, naming the four.
Result<Retire> retire_from(std::string_view word);

struct UpkeepPolicy {
  std::string table = {};           // as in SQL: schema.name, quoted where needed
  std::optional<Width> every = {};  // nullopt: as wide as the newest partitions
  std::string time_zone = "UTC";    // whose calendar divides; the server's name for it
  std::string anchor = {};          // a local time at which a partition begins; "" by partitions
  int ahead = 3;                    // partitions after the one of the present or the newest row
  int data_ahead = 100;             // rows further ahead of the clock are outliers
  int create_max = 100;             // more missing partitions at once are refused
  std::optional<Width> keep = {};   // older ones are retired; nullopt: none
  Retire retire = Retire::Detach;
  std::string folder = {};      // Archive: an existing folder of this machine
  std::string tablespace = {};  // Move

  friend bool operator==(const UpkeepPolicy&, const UpkeepPolicy&) = default;
};

// What the numbers may be at most; `create_max` is 1 at least, the others 0.
inline constexpr int kAheadMost = 1'000;
inline constexpr int kDataAheadMost = 100'000;
inline constexpr int kCreateMost = 2'000;

// What the members must agree on. Errors: Invalid with the next step.
Status check_policy(const UpkeepPolicy& policy);

inline constexpr size_t kPolicyBytesMax = size_t{4} << 20;
inline constexpr size_t kPolicyTablesMax = 10'000;

// The tables [partition."schema.name"] of `text` in the order of their places. `name` is for
// messages. Errors: Invalid with "name:line: cause" for anything that is not known or does not fit,
// Limit beyond the bounds above.
Result<std::vector<UpkeepPolicy>> parse_policies(std::string_view text, const std::string& name);
// The same from a file. Errors: also NotFound, Denied.
Result<std::vector<UpkeepPolicy>> load_policies(const std::string& path);

json::object to_json(const UpkeepPolicy& policy);

}  // namespace pgtend::partition
