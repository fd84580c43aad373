// Rules on what ANALYZE gets wrong about a column, whatever it samples; column_rules() of rules.h.
#pragma once

#include <optional>

#include "vacuum/rules.h"

namespace pgtend::vacuum {

// The most distinct values that the entries of a btree leave room for: one takes at least 20 bytes,
// a further row of it 6. nullopt: the number of entries is not of this file.
std::optional<double> values_with_room(const facts::IndexRoom& room, double block_size);

// The chance that a sample of `sample` out of `all` rows has none of `rare` rows.
double miss_chance(double rare, double sample, double all);

// The statistics target with which that chance is `chance`; the server takes at most kTargetMax.
double needed_target(double rare, double all, double chance);
inline constexpr double kTargetMax = 10'000;

// What ALTER COLUMN … SET (n_distinct = …) is to say for `values` among `rows`: a negative share
// when it grows with the table, as ANALYZE decides it (a tenth). Three digits.
std::string distinct_setting(double values, double rows);

}  // namespace pgtend::vacuum
