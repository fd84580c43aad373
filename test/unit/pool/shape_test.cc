#include "pool/shape.h"

#include <gtest/gtest.h>

namespace pgtend::pool {
namespace {

bool alike(std::string_view a, std::string_view b) { return shape_of(a) == shape_of(b); }

TEST(Shape, ValuesSpaceCaseAndCommentsMakeNoDifference) {
  EXPECT_TRUE(alike("SELECT * FROM t WHERE id = 1", "select *\n from T where id=42 -- why"));
  EXPECT_TRUE(alike("select 'a'", "select $tag$ b ' $tag$"));
  EXPECT_TRUE(alike("select * from t where a = -1", "select * from t where a = 5"));
  EXPECT_TRUE(alike("select null", "select true"));
  EXPECT_TRUE(alike("select $1", "select 1"));
  EXPECT_TRUE(alike("commit;", "COMMIT"));
  EXPECT_FALSE(alike("select 1; select a", "select 1"));
}

TEST(Shape, NamesOperatorsAndStructureDo) {
  EXPECT_FALSE(alike("select a from t", "select b from t"));
  EXPECT_FALSE(alike("select \"A\" from t", "select \"a\" from t"));
  EXPECT_FALSE(alike("select 1 < 2", "select 1 > 2"));
  EXPECT_FALSE(alike("select a - 1", "select a 1"));
  EXPECT_FALSE(alike("select f(1)", "select f(1, 2)"));
  EXPECT_FALSE(alike("select ab", "select a b"));
  EXPECT_FALSE(alike("", "select 1"));
}

TEST(Shape, ListsHaveOneShapeWhateverTheirLength) {
  EXPECT_TRUE(alike("select * from t where a in (1)", "select * from t where a in (1, -2, 3)"));
  EXPECT_TRUE(alike("select array[1,2] && a", "select array[ 3 ] && a"));
  EXPECT_FALSE(alike("select a in (1, b)", "select a in (1)"));
  EXPECT_TRUE(
      alike("insert into t values (1, 'a')", "insert into t values (1,'a'), (2,'b'),(3,'c')"));
  EXPECT_TRUE(alike("insert into t values (f(1), 2) returning id",
                    "insert into t values (f(1), 2), (f(3), 4) returning id"));
  EXPECT_FALSE(alike("insert into t values (1)", "insert into t values (1, 2)"));
}

TEST(Shape, LongTextsAreAlikeIfTheyBeginAlike) {
  std::string few = "insert into t values (1, 'x')";
  std::string many = few;
  for (int i = 0; i < 5000; ++i) many += ", (" + std::to_string(i) + ", 'y')";
  EXPECT_TRUE(alike(few, many));
  EXPECT_TRUE(alike("select '" + std::string(20000, 'a') + "'", "select 'b'"));
}

TEST(Shape, RememberedOnesAreTheSame) {
  ShapeCache cache;
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 5000; ++i) {
      const std::string sql = "select c" + std::to_string(i) + " from t where x = 5";
      ASSERT_EQ(cache.shape(sql), shape_of(sql));
    }
  }
  for (size_t size = 0; size < 40; ++size) {
    const std::string sql = std::string("select abcdefghijklmnopqrstuvwxyz from a").substr(0, size);
    EXPECT_EQ(cache.shape(sql), shape_of(sql));
  }
}

TEST(Shape, TextShowsParametersInPlaceOfValues) {
  EXPECT_EQ(shape_text("SELECT  *\nFROM t WHERE a=1 AND b = 'x' -- c", 1000),
            "SELECT * FROM t WHERE a = $1 AND b = $2");
  EXPECT_EQ(shape_text("select $1::int, 5", 1000), "select $1::int, $2");
  EXPECT_EQ(shape_text("select a in (1, 2, 3), f(x), t.b", 1000), "select a in ($1), f(x), t.b");
  EXPECT_EQ(shape_text("select a >= 1", 1000), "select a >= $1");
  EXPECT_EQ(shape_text("select null is true", 1000), "select null is true");
}

TEST(Shape, TextHoldsNoLiteralAndIsBounded) {
  const std::string text = shape_text("select 'secret', E'sec\\'ret', $$secret$$, 0xdead", 1000);
  EXPECT_EQ(text, "select $1, $2, $3, $4");
  EXPECT_EQ(shape_text("select abcdef", 10), "select abc");
  EXPECT_EQ(shape_text("select \"ää\"", 9), "select \"");
}

TEST(Shape, TextHasTheShapeOfItsSource) {
  for (const char* sql :
       {"select * from t where a in (1,2,3) and b = -1", "insert into t values (1),(2)",
        "update t set a = a - 1 where b like 'x%' or c->>'d' = $3", "select 1.5e3, x'ff', null"}) {
    EXPECT_EQ(shape_of(shape_text(sql, 1000)), shape_of(sql)) << shape_text(sql, 1000);
  }
}

TEST(Shape, TargetIsTheNameBehindTheVerb) {
  EXPECT_EQ(target_of("insert into t values (1)"), "t");
  EXPECT_EQ(target_of("INSERT INTO \"S\" . t (a) select 1"), "\"S\".t");
  EXPECT_EQ(target_of("copy public.t_dlpdata from stdin"), "public.t_dlpdata");
  EXPECT_EQ(target_of("create table if not exists x (a int)"), "x");
  EXPECT_EQ(target_of("create index concurrently i on t (a)"), "i");
  EXPECT_EQ(target_of("truncate table a, b"), "a");
  EXPECT_EQ(target_of("copy (select 1) to stdout"), "");
  EXPECT_EQ(target_of("select 1"), "");
}

}  // namespace
}  // namespace pgtend::pool
