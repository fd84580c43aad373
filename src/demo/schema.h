// The metering schema: three tables, their keys, and the faults that can be built in on purpose.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pgtend::demo {

// A defect of a database that good advice should find. A set of them is an `or` of bits.
enum class FaultKind : uint32_t {
  MissingTimeIndex = 1U << 0,
  ForeignKeyWithoutIndex = 1U << 1,
  DuplicateIndex = 1U << 2,
  UnusedIndex = 1U << 3,
  LateAutovacuum = 1U << 4,
};
using FaultSet = uint32_t;

constexpr FaultSet operator|(FaultKind a, FaultKind b) {
  return static_cast<FaultSet>(a) | static_cast<FaultSet>(b);
}
constexpr FaultSet operator|(FaultSet a, FaultKind b) { return a | static_cast<FaultSet>(b); }
constexpr bool has(FaultSet set, FaultKind kind) {
  return (set & static_cast<FaultSet>(kind)) != 0;
}

// The schema as it is delivered: keys only, all settings at PostgreSQL's defaults.
inline constexpr FaultSet kAsDelivered =
    FaultKind::MissingTimeIndex | FaultKind::ForeignKeyWithoutIndex | FaultKind::LateAutovacuum;
inline constexpr FaultSet kNoFaults = 0;
inline constexpr FaultSet kAllFaults =
    kAsDelivered | FaultKind::DuplicateIndex | FaultKind::UnusedIndex;

// One line of the answer key.
struct Fault {
  FaultKind kind;
  std::string_view id;      // stable: "missing-time-index"
  std::string_view object;  // what is wrong: a table or an index
  std::string_view what;    // one sentence
  std::string_view remedy;  // the SQL that repairs it
};

// The faults in `set`, in the order of FaultKind.
std::vector<Fault> answer_key(FaultSet set);

// Creates the three tables, without keys. Several statements.
std::string create_tables_sql();
// The statements in the order in which they are run; each stands alone, without a semicolon.
// Primary keys, foreign key, and for each fault in `faults` what makes it, for the others what a
// careful owner would have. For after the rows.
std::vector<std::string_view> key_statements(FaultSet faults);

// The tables, those first that others point to.
inline constexpr std::string_view kTables[] = {"m_customerinfo", "m_meterinfo", "t_dlpdata"};

}  // namespace pgtend::demo
