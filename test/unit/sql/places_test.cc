#include "sql/places.h"

#include <gmock/gmock.h>

#include "base/text.h"

namespace pgtend::sql {
namespace {

using testing::ElementsAre;

Places places_in(std::string_view sql) {
  auto found = find_places(sql);
  EXPECT_TRUE(found) << sql << ": " << (found ? "" : found.error().message);
  return found ? std::move(found).take() : Places{};
}

// What each condition of `SELECT … WHERE` is in the text.
std::vector<std::string> conditions(std::string_view where) {
  const std::string sql = cat("SELECT 1 FROM t d WHERE ", where, " ORDER BY 1");
  std::vector<std::string> out;
  for (const ConditionPlace& each : places_in(sql).conditions) {
    out.push_back(sql.substr(each.place.begin, each.place.end - each.place.begin));
  }
  return out;
}

TEST(Places, AConditionEndsWhereItsLastTokenDoes) {
  for (const char* whole :
       {"d.reading_timestamp > NOW() - INTERVAL '1 day'", "now() < d.ts",
        "x = ANY ('{1,2}'::int[])", "x IN (1, 2, (3))", "a BETWEEN 1 AND f(2)", "(a + b) > 5",
        "x = -5", "x IS NOT NULL", "x::timestamp with time zone > y", "x > '1'::double precision",
        "a.b.\"C d\" = E'x\\'y'", "lower(d.name) LIKE '%x)'", "x = (SELECT max(y) FROM u)",
        "NOT (a = 1 OR b = 2)", "x IS NOT DISTINCT FROM 3", "ts > current_date", "a[1] = 2",
        "\"Q\"(x) = $1", "x = '\xC3\xA9' /* y */"}) {
    std::string want = whole;
    want = want.substr(0, want.find(" /*"));
    if (want.starts_with("NOT")) want = "NOT (a = 1 OR b = 2)";
    EXPECT_THAT(conditions(whole), testing::Contains(want)) << whole;
  }
}

TEST(Places, ConjunctsStandOneByOne) {
  EXPECT_THAT(conditions("a = 1 AND (b > f(2) AND c < 3)"),
              ElementsAre("a = 1", "b > f(2)", "c < 3"));
}

TEST(Places, ConditionsOfJoinsAndSubSelectsCount) {
  const std::string sql =
      "WITH w AS (SELECT * FROM x WHERE x1 = 1) SELECT * FROM w JOIN s.\"T\" AS \"A\" ON w.i = "
      "\"A\".i "
      "AND \"A\".k > 7 GROUP BY 1 HAVING count(*) > 2";
  std::vector<std::string> found;
  for (const ConditionPlace& each : places_in(sql).conditions) {
    found.push_back(sql.substr(each.place.begin, each.place.end - each.place.begin));
  }

  EXPECT_THAT(found, testing::UnorderedElementsAre("x1 = 1", "w.i = \"A\".i", "\"A\".k > 7",
                                                   "count(*) > 2"));
}

TEST(Places, TablesHaveTheirNamesAndAliases) {
  const std::string sql = "UPDATE a SET x = 1 FROM s.\"B c\" AS q, d WHERE a.i = q.i";

  const Places found = places_in(sql);

  std::vector<std::string> tables;
  for (const TablePlace& table : found.tables) {
    tables.push_back(cat(table.schema, "|", table.name, "|", table.alias, "|",
                         sql.substr(table.place.begin, table.place.end - table.place.begin)));
  }
  EXPECT_THAT(tables, testing::UnorderedElementsAre("|a||a", "s|B c|q|s.\"B c\"", "|d||d"));
}

TEST(Places, WhatTheGrammarDoesNotKnowIsAnError) { EXPECT_FALSE(find_places("SELECT FROM WHERE")); }

}  // namespace
}  // namespace pgtend::sql
