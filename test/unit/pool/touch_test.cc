#include "pool/touch.h"

#include <gtest/gtest.h>

#include <vector>

namespace pgtend::pool {
namespace {

const std::vector<TableName> kHeld = {{.schema = "app", .name = "reading"}};

bool touches(std::string_view sql) { return may_touch(sql, kHeld); }

TEST(Touch, NamesOfTheTableAreFoundWhereverTheyStand) {
  for (const char* sql :
       {"SELECT * FROM reading",
        "select 1 from app.reading r where r.id = $1",
        "select * from App . READING",
        "SELECT * FROM \"reading\"",
        "select * from db.app.reading",
        "SELECT x.a FROM other x JOIN reading y USING (id)",
        "insert into reading values (1)",
        "INSERT INTO app.reading (id, v) VALUES ($1, $2)",
        "insert into reading(id) select 1",
        "UPDATE ONLY reading SET v = 1",
        "delete from other using reading where true",
        "MERGE INTO other o USING reading r ON o.id = r.id WHEN MATCHED THEN DELETE",
        "TRUNCATE other, reading",
        "LOCK TABLE reading IN SHARE MODE",
        "TABLE reading",
        "COPY reading FROM STDIN",
        "copy app.reading (id, v) from stdin with (format csv)",
        "COPY (SELECT * FROM reading) TO STDOUT",
        "EXPLAIN SELECT * FROM reading",
        "WITH x AS (SELECT * FROM reading) SELECT * FROM x",
        "select/**/1/* from */from/**/reading",
        "SELECT 1; SELECT * FROM reading",
        "begin; insert into reading values (1)",
        "DECLARE c CURSOR FOR SELECT * FROM reading",
        "PREPARE p AS SELECT * FROM reading",
        "select (select max(id) from reading)",
        "SELECT 'it''s' FROM reading",
        "select $$ ' $$ from reading",
        "(select * from reading) union select 1"}) {
    EXPECT_TRUE(touches(sql)) << sql;
  }
}

TEST(Touch, OtherTablesDoNotWait) {
  for (const char* sql :
       {"SELECT * FROM readings",
        "SELECT * FROM other.reading",
        "select * from \"Reading\"",
        "SELECT 'reading', $$reading$$ FROM t -- reading",
        "select /* reading */ 1",
        "SELECT count(*), max(t.v), date_trunc('day', at), coalesce(a, b) FROM t GROUP BY 3",
        "select * from t where id in (1, 2) and (a or b) and exists (select 1 from u)",
        "INSERT INTO t (id, v) VALUES (1, 2) ON CONFLICT (id) DO UPDATE SET (v) = ROW (1)",
        "insert into s.t as x (id) values (lower('A')) returning id",
        "UPDATE t SET v = v + 1 WHERE id = $1",
        "DELETE FROM t WHERE at < now() - interval '1 day'",
        "WITH x (a) AS (SELECT 1), y AS MATERIALIZED (SELECT 2) SELECT * FROM x, y",
        "SELECT a::numeric(10, 2), CAST(b AS varchar(20)) FROM t LIMIT (1)",
        "select row_number() over (partition by a order by b) from t",
        "COPY t (a) FROM STDIN",
        "COPY t FROM STDIN (FORMAT csv)",
        "select pg_catalog.lower('A')",
        "VALUES (1), (2)",
        "BEGIN",
        "begin; select 1; commit",
        "SET search_path TO app",
        "SHOW ALL",
        "DISCARD ALL",
        "",
        ";;",
        "DEALLOCATE ALL",
        "ROLLBACK TO SAVEPOINT reading",
        "LISTEN reading",
        "EXPLAIN (ANALYZE, COSTS off) SELECT 1 FROM t",
        "SELECT pg_sleep(1)",
        "select * from generate_series(1, 3) as g (n)",
        "fetch 5 from c",
        "select '\\d+' from t"}) {
    EXPECT_FALSE(touches(sql)) << sql;
  }
}

TEST(Touch, WhatCannotBeToldWaits) {
  for (const char* sql : {"SELECT refresh_all()",
                          "select app.lower(1)",
                          "SELECT \"lower\"(1)",
                          "DO $$ BEGIN END $$",
                          "CALL nightly()",
                          "EXECUTE p(1)",
                          "EXPLAIN EXECUTE p",
                          "CREATE TABLE x (a int)",
                          "VACUUM",
                          "ALTER TABLE x ADD y int",
                          "TRUNCATE t CASCADE",
                          "select 'reading'::regclass",
                          "SELECT query_to_xml($1, true, true, '')",
                          "select pg_relation_size($1)",
                          "WITH reading AS (SELECT 1) SELECT * FROM reading",
                          "select reading from t",
                          "select * from U&\"re\\0061ding\"",
                          "select '\\' from t -- '",
                          "select 1 -- \r from reading",
                          "select * from t where f (1)",
                          "not sql at all"}) {
    EXPECT_TRUE(touches(sql)) << sql;
  }
  EXPECT_TRUE(may_touch("SELECT 1", kHeld, false)) << "of a text that is not seen to its end";
  EXPECT_FALSE(may_touch("SELECT refresh_all()", {}));
}

TEST(Touch, WithoutASchemaAnyCounts) {
  const std::vector<TableName> any = {{.name = "reading"}, {.name = "Daily Sums"}};
  EXPECT_TRUE(may_touch("select * from other.reading", any));
  EXPECT_TRUE(may_touch("select * from x.\"Daily Sums\"", any));
  EXPECT_FALSE(may_touch("select * from x.\"daily sums\"", any));
}

TEST(Touch, LongNamesAreCutAsTheServerDoes) {
  const std::string name(63, 'a');
  const std::vector<TableName> held = {{.name = name}};
  EXPECT_TRUE(may_touch("select * from " + name + "bbb", held));
  EXPECT_FALSE(may_touch("select * from " + name.substr(1), held));
  std::string_view text = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab";
  EXPECT_EQ(take_table_name(text)->name, name);
}

TEST(Touch, NamesAreTakenFromTheFront) {
  const auto taken = [](std::string_view text, std::string_view rest) {
    const auto name = take_table_name(text);
    EXPECT_EQ(text, rest);
    return name ? text_of(*name) : "none";
  };
  EXPECT_EQ(taken("App.Reading timeout 5", " timeout 5"), "app.reading");
  EXPECT_EQ(taken("\"A b\".\"c\"\"d\"", ""), "\"A b\".\"c\"\"d\"");
  EXPECT_EQ(taken("t,u", ",u"), "t");
  EXPECT_EQ(taken("a.b.c", "a.b.c"), "none");
  EXPECT_EQ(taken("a.", "a."), "none");
  EXPECT_EQ(taken("\"a", "\"a"), "none");
  EXPECT_EQ(taken("\"\"", "\"\""), "none");
  EXPECT_EQ(taken("1", "1"), "none");
  EXPECT_EQ(taken("", ""), "none");
}

TEST(Touch, BeginningsAreKnown) {
  for (const char* sql : {"BEGIN", "begin;", "BEGIN WORK", "begin transaction ;",
                          "START TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
                          "BEGIN ISOLATION LEVEL READ COMMITTED", "begin read only"}) {
    EXPECT_EQ(beginning_of(sql), Beginning::Certain) << sql;
  }
  for (const char* sql : {"BEGIN READ", "BEGIN ISOLATION LEVEL SERIALIZABLE", "begin read write",
                          "BEGIN NOT DEFERRABLE", "begin , read only"}) {
    EXPECT_EQ(beginning_of(sql), Beginning::Perhaps) << sql;
  }
  for (const char* sql :
       {"", "SELECT 1", "START", "BEGIN; SELECT 1", "COMMIT", "begin foo", "start work"}) {
    EXPECT_EQ(beginning_of(sql), Beginning::None) << sql;
  }
}

}  // namespace
}  // namespace pgtend::pool
