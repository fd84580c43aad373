#include "explain/properties.h"

#include <gmock/gmock.h>

#include "base/text.h"
#include "explain/number.h"
#include "unit/explain/plan_text.h"

namespace pgtend::explain {
namespace {

TEST(Properties, TheFirstOfANameStaysAndOrderIsKept) {
  Arena arena;
  Properties properties(arena);

  EXPECT_TRUE(properties.emplace("b", 1).second);
  EXPECT_TRUE(properties.emplace("a", "x").second);
  const auto [there, added] = properties.emplace("b", 2);

  EXPECT_FALSE(added);
  EXPECT_EQ(*there, 1);
  EXPECT_EQ(to_text(properties), R"({"b":1,"a":"x"})");
  properties.erase("b");
  EXPECT_EQ(to_text(properties), R"({"a":"x"})");
}

TEST(Properties, ManyNamesAreFoundAlsoAfterOneIsErased) {
  Arena arena;
  Properties properties(arena);
  for (int i = 0; i < 5000; ++i) properties.emplace(arena.name(cat("name ", i)), i);

  EXPECT_FALSE(properties.emplace("name 4321", 0).second);
  EXPECT_EQ(*properties.if_contains("name 4321"), 4321);
  EXPECT_FALSE(properties.contains("name 5000"));
  properties.erase("name 17");
  EXPECT_FALSE(properties.contains("name 17"));
  EXPECT_EQ(*properties.if_contains("name 18"), 18);
  EXPECT_FALSE(properties.emplace("name 4999", 0).second);
  EXPECT_TRUE(properties.emplace("name 17", 0).second);
  EXPECT_EQ(properties.size(), 5000u);
}

TEST(Properties, WhatIsAddedToACopyStaysOutOfTheOriginal) {
  for (const int size : {1, 100}) {
    Arena arena;
    Properties original(arena);
    for (int i = 0; i < size; ++i) original.emplace(arena.name(cat(i)), i);
    Properties copy = original;

    copy.emplace("of the copy", 1);
    original.emplace("of the original", 2);

    EXPECT_FALSE(copy.contains("of the original"));
    EXPECT_FALSE(original.contains("of the copy"));
    EXPECT_EQ(*copy.if_contains("of the copy"), 1);
    EXPECT_EQ(*original.if_contains("of the original"), 2);
    EXPECT_EQ(*copy.if_contains("0"), 0);
    copy.erase("0");
    EXPECT_FALSE(copy.contains("0"));
    EXPECT_EQ(*original.if_contains("0"), 0);
  }
}

TEST(Properties, JsonComesBackAsItWas) {
  constexpr std::string_view text =
      R"({"n":null,"t":true,"i":-7,"u":18446744073709551615,"d":2.5E0,"s":"x","e":"",)"
      R"("l":[1,["a"],{}],"o":{"p":{"q":[]}},"":""})";
  const Plan plan = plan_with_value(text), again = plan_with_value(text);

  const Value value = *plan.root().properties.if_contains("V");

  EXPECT_EQ(to_text(value), text);
  EXPECT_EQ(value, *again.root().properties.if_contains("V"));
  EXPECT_EQ(Value(uint64_t{7}), Value(7));
  EXPECT_FALSE(Value(std::numeric_limits<uint64_t>::max()) == Value(-1));
  EXPECT_FALSE(Value(7) == Value(7.0));
  EXPECT_FALSE(Value("7") == Value(7));
}

struct Case {
  std::string_view text;
  std::string_view read;  // as JSON
  size_t length;          // of what leading_number() takes
};

// Short numbers are read by arithmetic of our own, the others by the library: both must agree.
TEST(Number, ShortOnesAreReadAsLongOnesAre) {
  for (const auto& [text, read, length] :
       std::initializer_list<Case>{{"0", "0", 1},
                                   {"007", "7", 3},
                                   {"123456789012345", "123456789012345", 15},
                                   {"1234567890123456", "1234567890123456", 16},
                                   {"18446744073709551616", "\"18446744073709551616\"", 20},
                                   {"0.1", "1E-1", 3},
                                   {"0.00..8.31", "0E0", 4},
                                   {"8.30 rows", "8.3E0", 4},
                                   {"12345678901234.5", "1.23456789012345E13", 16},
                                   {"123456789012345.6", "1.234567890123456E14", 17},
                                   {"0.123456789012345", "1.23456789012345E-1", 17},
                                   {"1.", "1", 1},
                                   {"N.N", "\"N.N\"", 3},
                                   {"1N", "\"1N\"", 2},
                                   {"inf..", "\"inf\"", 3},
                                   {"-1.5", "-1.5E0", 4},
                                   {"x", "\"\"", 0}}) {
    size_t taken = 0;
    EXPECT_EQ(to_text(leading_number(text, taken)), read) << text;
    EXPECT_EQ(taken, length) << text;
  }
  EXPECT_EQ(to_text(number_value("1.")), "\"1.\"");
  EXPECT_EQ(to_text(number_value("1.50")), "1.5E0");
}

TEST(Number, EveryDecimalOfFifteenDigitsIsTheNearestDouble) {
  uint64_t state = 12345;
  for (int i = 0; i < 20'000; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const std::string digits = cat((state >> 14) % 1'000'000'000'000'000u);
    std::string text = digits;
    text.insert(1 + (state >> 60) % text.size(), ".");
    if (text.ends_with('.')) text += '0';
    if (text.size() > 16) continue;
    ASSERT_EQ(number_value(text).get_double(), std::strtod(text.c_str(), nullptr)) << text;
  }
}

}  // namespace
}  // namespace pgtend::explain
