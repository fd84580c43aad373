#include "sql/names.h"

#include <gmock/gmock.h>

#include "sql/parse.h"

namespace pgtend::sql {
namespace {

using testing::Contains;
using testing::IsSupersetOf;
using testing::Not;

Names names_of(std::string_view sql) {
  auto tree = parse(sql);
  EXPECT_TRUE(tree);
  return tree ? names_in(tree->root) : Names{};
}

TEST(Names, FunctionsAndRelationsKeepTheirSchema) {
  const Names names = names_of("SELECT s.f(g(1)) FROM a.t JOIN u USING (id)");

  EXPECT_THAT(names.functions,
              testing::ElementsAre(QualifiedName{"", "g"}, QualifiedName{"s", "f"}));
  EXPECT_THAT(names.relations,
              testing::ElementsAre(QualifiedName{"", "u"}, QualifiedName{"a", "t"}));
}

TEST(Names, QuotedNameWithADotIsOneName) {
  EXPECT_THAT(names_of("SELECT \"pg_catalog.random\"()").functions,
              testing::ElementsAre(QualifiedName{"", "pg_catalog.random"}));
}

TEST(Names, OperatorsAreFoundWhereverTheGrammarKeepsThem) {
  EXPECT_THAT(names_of("SELECT 1 WHERE 1 === ANY (SELECT 2)").words, Contains("==="));
  EXPECT_THAT(names_of("SELECT 1 ORDER BY 1 USING <<<").words, Contains("<<<"));
  EXPECT_THAT(names_of("SELECT 1 WHERE 1 OPERATOR(x.@@@) 2").words, Contains("@@@"));
  EXPECT_THAT(names_of("SELECT 1 WHERE 2 BETWEEN 1 AND 3").words, IsSupersetOf({"<=", ">="}));
}

TEST(Names, TypesOfCastsAreFound) {
  EXPECT_THAT(names_of("SELECT '{1}'::evil[], CAST(x AS s.bad)").words,
              IsSupersetOf({"evil", "bad"}));
}

TEST(Names, UnicodeEscapesAreDecodedByTheParser) {
  EXPECT_TRUE(names_of("SELECT U&\"\\0065vil\"()").functions.contains({"", "evil"}));
}

TEST(NamesInText, BodyGivesCallsRelationsAndOperators) {
  const TextNames found = names_in_text(
      "DECLARE x int; BEGIN -- hidden(1)\n PERFORM \"Odd\"\"f\" (1), G(2) FROM hides WHERE a @@-1; "
      "RETURN 'quoted(1)'; END");

  EXPECT_THAT(found.names.functions,
              testing::ElementsAre(QualifiedName{"", "Odd\"f"}, QualifiedName{"", "g"}));
  EXPECT_TRUE(found.names.relations.contains({"", "hides"}));
  EXPECT_THAT(found.names.words, IsSupersetOf({"@@", "@@-"}));
  EXPECT_EQ(found.opaque, "");
}

TEST(NamesInText, StatementsWithoutTracesInTheTextAreOpaque) {
  EXPECT_EQ(names_in_text("BEGIN RETURN QUERY execute 'SELECT 1'; END").opaque, "EXECUTE");
  EXPECT_EQ(names_in_text("BEGIN COPY t TO PROGRAM 'x'; END").opaque, "copy");
  EXPECT_EQ(names_in_text("BEGIN IF a THEN reindex TABLE t; END IF; END").opaque, "reindex");
  EXPECT_EQ(names_in_text("SELECT U&\"\\0065vil\"()").opaque, "U&\"...\"");
  EXPECT_EQ(names_in_text("SELECT copy, t.lock FROM t").opaque, "");
}

TEST(NamesInText, LongTextsCostLinearTime) {
  std::string text;
  for (int i = 0; i < 200'000; ++i) text += "+";
  EXPECT_FALSE(names_in_text(text).names.words.empty());
}

}  // namespace
}  // namespace pgtend::sql
