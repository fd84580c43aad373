// A line of EXPLAIN's TEXT that holds several properties, as a pattern that both reads and writes
// it.
//
//   {Name}      a number; {Name.3} is written with three decimals, {Name.r} with two if it is no
//               integer (rows since PostgreSQL 18)
//   {Name!}     a number that must not be zero for the pattern to be written
//   {=Name=Of}  nothing in the line: `Name` is what `Of` is, else the pattern is not written
//   <Name>      text up to what follows; "true" and "false" are read as such
//   <Name,>     a list parted by ", "; <Name,1> has one entry, <Name,2> has more
//   [ … ]       a part that the server leaves out when all of its numbers are zero
//   [&,& … ]    the same; "," parts it from a part before it
//
// A name may lead into objects: "Timing~Total". A zero that the line shows although zeros are left
// out is one by rounding: it is kept as text, as are numbers like "N". Numbers that the line leaves
// out are read as 0.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace pgtend::explain {

// Whether the whole of `line` is as `pattern` says; adds its properties to `out`. Thread: any.
bool read_pattern(std::string_view pattern, std::string_view line, json::object& out);

// Whether `properties` has what the pattern's line cannot do without.
bool can_write(std::string_view pattern, const json::object& properties);

// The line that `pattern` makes of `properties`; "" when the server would print none. Thread: any.
std::string write_pattern(std::string_view pattern, const json::object& properties);

// The properties of `pattern`, of a path its first name.
std::vector<std::string_view> names_of(std::string_view pattern);

// Whether the server prints `value` where it leaves out zeros.
bool is_shown(const json::value& value);

// `value` as TEXT prints numbers, with `decimals` (numbers kept as text: as they are).
std::string number_text(const json::value& value, int decimals);

// The property of this name or path; null if absent.
const json::value* property(const json::object& properties, std::string_view path);
json::value as_text(std::string_view text);

}  // namespace pgtend::explain
