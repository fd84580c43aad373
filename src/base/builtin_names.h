// Names that every PostgreSQL 13 to 18 has: what they say tells nothing about a database.
#pragma once

#include <string_view>

namespace pgtend {

// Whether `name` (lower case) is a function of pg_catalog that people call; those that only serve
// operators, types and encodings are left out. Thread: any. Cost: O(log n), as below.
bool is_builtin_function(std::string_view name);

// Whether it is a type of pg_catalog, also by the grammar's names ("bigint"); one word of them.
bool is_builtin_type(std::string_view name);

// Whether it is an unreserved keyword that stands in queries without being a name ("nulls", "over",
// "zone"). Reserved words and those that may name no column unquoted are pg::ident()'s.
bool is_soft_keyword(std::string_view name);

}  // namespace pgtend
