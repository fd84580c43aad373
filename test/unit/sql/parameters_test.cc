#include "sql/parameters.h"

#include <gmock/gmock.h>

#include "base/text.h"
#include "sql/parse.h"

namespace pgtend::sql {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// "$1 t.c =" for each use, in its order; tables joined by "|".
std::vector<std::string> uses_of(std::string_view sql) {
  const auto tree = parse(sql);
  EXPECT_TRUE(tree) << sql;
  std::vector<std::string> out;
  if (!tree) return out;
  for (const ParameterUse& use : parameter_uses(tree->root)) {
    std::vector<std::string> tables;
    for (const SourceTable& table : use.tables) {
      tables.push_back(cat(table.schema, table.schema.empty() ? "" : ".", table.name));
    }
    out.push_back(cat("$", use.number, " ", join(tables, "|"), " ", use.column, " ", use.op,
                      use.list ? " list" : ""));
  }
  return out;
}

TEST(Parameters, BothSidesOfAnOperatorAndCastsAreSeenThrough) {
  EXPECT_THAT(uses_of("SELECT * FROM s.t WHERE a = $1 AND $2::int < b::bigint"),
              ElementsAre("$1 s.t a =", "$2 s.t b >"));
  EXPECT_THAT(uses_of("SELECT * FROM t WHERE a BETWEEN $1 AND $2 AND b IN ($3, 4, $4)"),
              ElementsAre("$1 t a >=", "$2 t a <=", "$3 t b =", "$4 t b ="));
  EXPECT_THAT(uses_of("SELECT * FROM t WHERE a = ANY ($1) AND b LIKE $2 AND (c, d) > ($3, $4)"),
              ElementsAre("$1 t a = list", "$2 t b ~~", "$3 t c >", "$4 t d >"));
}

TEST(Parameters, WhatIsNoPlainComparisonIsNotGuessed) {
  EXPECT_THAT(uses_of("SELECT $1 FROM t WHERE a = $2 + 1 AND lower(b) = $3 LIMIT $4"), IsEmpty());
}

TEST(Parameters, AliasesLeadToTheirTables) {
  EXPECT_THAT(uses_of("SELECT * FROM a x JOIN b y ON x.id = y.id WHERE y.v = $1 AND x.v = $2"),
              ElementsAre("$1 b v =", "$2 a v ="));
  EXPECT_THAT(uses_of("SELECT * FROM a JOIN b USING (id) WHERE v = $1"), ElementsAre("$1 a|b v ="));
}

TEST(Parameters, SubSelectsSeeTheOuterTablesButNotPastWhatIsNoTable) {
  EXPECT_THAT(uses_of("SELECT * FROM a WHERE EXISTS (SELECT FROM b WHERE v = $1)"),
              ElementsAre("$1 b|a v ="));
  EXPECT_THAT(uses_of("SELECT * FROM a WHERE EXISTS (SELECT FROM b, f() g WHERE v = $1)"),
              ElementsAre("$1 b v ="));
  EXPECT_THAT(uses_of("WITH a AS (SELECT 1 AS v) SELECT * FROM a WHERE v = $1 OR a.v = $2"),
              ElementsAre("$1  v =", "$2  v ="));
  EXPECT_THAT(uses_of("SELECT * FROM (SELECT * FROM c) a WHERE a.v = $1"), ElementsAre("$1  v ="));
}

TEST(Parameters, StoredValuesBelongToTheTarget) {
  EXPECT_THAT(uses_of("UPDATE t SET v = $1 WHERE id = $2"), ElementsAre("$1 t v ", "$2 t id ="));
  EXPECT_THAT(uses_of("INSERT INTO t (a, b) VALUES ($1, $2), (3, $3)"),
              ElementsAre("$1 t a ", "$2 t b ", "$3 t b "));
  EXPECT_THAT(uses_of("DELETE FROM t USING u WHERE t.id = u.id AND u.v = $1"),
              ElementsAre("$1 u v ="));
}

TEST(Parameters, BothHalvesOfAUnionHaveTheirOwnTables) {
  EXPECT_THAT(uses_of("SELECT FROM a WHERE v = $1 UNION SELECT FROM b WHERE v = $2"),
              ElementsAre("$1 a v =", "$2 b v ="));
}

}  // namespace
}  // namespace pgtend::sql
