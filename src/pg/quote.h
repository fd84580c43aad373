// Writing names and values into SQL. There is no other way to do it in this code base. Needs no
// connection: Connection speaks UTF-8 always, where no byte of a character looks like a quote.
// A NUL byte stays; Connection refuses SQL that holds one. Thread: any.
#pragma once

#include <string>
#include <string_view>

namespace pgtend::pg {

// `name` as an identifier, quoted only when it must be (as PostgreSQL's quote_ident does: unless it
// is lower case letters, digits and _ and, in any of PostgreSQL 13 to 18, no keyword other than an
// unreserved one). "" gives "\"\"", which the server refuses.
std::string ident(std::string_view name);
// "schema"."name", each by ident().
std::string qualified(std::string_view schema, std::string_view name);
// `value` as a string literal for any setting of standard_conforming_strings (E'' if it holds \).
std::string literal(std::string_view value);

}  // namespace pgtend::pg
