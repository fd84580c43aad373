#include "sql/parse.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

namespace pgtend::sql {
namespace {

TEST(Parse, SeveralStatementsAreSeveralTrees) {
  const auto tree = parse("SELECT 1; SELECT 2");

  ASSERT_TRUE(tree);
  EXPECT_EQ(tree->statements().size(), 2u);
}

TEST(Parse, SyntaxErrorNamesTheCharacter) {
  const auto tree = parse("SELECT FROM WHERE x");

  ASSERT_FALSE(tree);
  EXPECT_EQ(tree.error().code, ErrorCode::Invalid);
  EXPECT_THAT(tree.error().message, testing::HasSubstr("character"));
}

TEST(Parse, ZeroBytesAndHugeTextsAreRefused) {
  EXPECT_EQ(parse(std::string_view("SELECT 1\0 2", 11)).error().code, ErrorCode::Invalid);
  EXPECT_EQ(parse(std::string(kSqlBytesMax + 1, ' ')).error().code, ErrorCode::Limit);
}

TEST(Parse, DeepNestingIsAnErrorAndNoCrash) {
  for (const int depth : {200, 2'000, 50'000}) {
    const std::string sql = "SELECT " + std::string(static_cast<size_t>(depth), '(') + "1" +
                            std::string(static_cast<size_t>(depth), ')');
    (void)static_cast<bool>(parse(sql));
  }
  std::string negations = "SELECT ";
  for (int i = 0; i < 20'000; ++i) negations += "NOT ";
  EXPECT_FALSE(parse(negations + "true"));
}

TEST(Parse, ManyCommentsOpenedAtOnePlaceAreRefusedBeforeTheyCostTheSquare) {
  std::string text = "SELECT 1 ";
  for (int i = 0; i < 1'000'000; ++i) text += "/*";

  EXPECT_EQ(parse(text).error().code, ErrorCode::Limit);
  EXPECT_TRUE(parse("SELECT 1 /* /* /*/**/*/ */ */"));
}

TEST(Parse, MembersAreVisitedInTheOrderOfTheText) {
  const auto tree = parse("SELECT a, f(b)");
  ASSERT_TRUE(tree);
  std::vector<std::string> names;

  for_each_member(tree->root, [&](std::string_view name, const json::value&) {
    if (name == "ColumnRef" || name == "FuncCall") names.emplace_back(name);
  });

  EXPECT_THAT(names, testing::ElementsAre("ColumnRef", "FuncCall", "ColumnRef"));
}

}  // namespace
}  // namespace pgtend::sql
