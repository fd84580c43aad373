// Writing names and values into SQL. There is no other way to do it in this code base.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace pgtend::pg {

// `name` as an identifier, quoted only when it must be (as PostgreSQL's quote_ident does: unless it
// is lower case letters, digits and _ and not a keyword other than an unreserved one).
std::string ident(std::string_view name);
// "schema"."name", each by ident().
std::string qualified(std::string_view schema, std::string_view name);
// `value` as a string literal for any setting of standard_conforming_strings (E'' if it holds \).
std::string literal(std::string_view value);

}  // namespace pgtend::pg
