#include "base/builtin_names.h"

#include <gtest/gtest.h>

namespace pgtend {
namespace {

TEST(BuiltinNames, WhatEveryServerHasIsKnown) {
  for (const char* name : {"count", "sum", "now", "lower", "jsonb_build_object", "date_trunc",
                           "generate_series", "xpath_exists", "abbrev"}) {
    EXPECT_TRUE(is_builtin_function(name)) << name;
  }
  for (const char* name : {"text", "int4", "bigint", "timestamptz", "jsonb", "uuid"}) {
    EXPECT_TRUE(is_builtin_type(name)) << name;
  }
  EXPECT_TRUE(is_soft_keyword("nulls") && is_soft_keyword("over"));
}

TEST(BuiltinNames, WhatPeopleNameIsNot) {
  for (const char* name : {"", "orders", "Lower", "count sum", "lowe", "customer"}) {
    EXPECT_FALSE(is_builtin_function(name)) << name;
    EXPECT_FALSE(is_builtin_type(name)) << name;
    EXPECT_FALSE(is_soft_keyword(name)) << name;
  }
}

}  // namespace
}  // namespace pgtend
