// Values for the parameters of a statement: given, or taken from pg_stats of the columns that they
// are compared with, so that it gets the plan of a real call.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "facts/columns.h"
#include "pg/connection.h"
#include "sql/parameters.h"

namespace pgtend::explain {

struct ParameterValue {
  std::optional<std::string> value = {};  // as text; nullopt is NULL
  std::string origin = {};                // "given", or from which statistics
};

// One value a parameter of `sql`, in their order; empty when it has none. Those of `given` come
// first, the others are sampled if `sample`. Reads catalogs only, with the session's rights and
// search path. Errors: Invalid when more or fewer are given than there are; NotFound naming the
// parameter that no value is known for; those of the connection.
Result<std::vector<ParameterValue>> parameter_values(pg::Connection& conn, std::string_view sql,
                                                     const pg::Params& given, bool sample);

// The values alone.
pg::Params to_params(const std::vector<ParameterValue>& values);

// `value` as EXPLAIN's reader would write it: 'text' or NULL. Thread: any.
std::string shown(const ParameterValue& value);

// The value that `use` would have in a typical call, where `same` parameters before it are equated
// with the column and it has a fellow on the other side of a range if `between`: a common value for
// equality, the middle tenth of the histogram for ranges. nullopt when the statistics or the
// operator give none. Thread: any.
std::optional<ParameterValue> sampled(const facts::ColumnStats& stats, const sql::ParameterUse& use,
                                      size_t same, bool between);

}  // namespace pgtend::explain
