#include "partition/shapes.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "e2e/support/prune_shapes.h"
#include "partition/key_rewrite.h"
#include "partition/prove.h"

namespace pgtend::partition {
namespace {

KeyTable readings(int version = 150000) {
  return {.schema = "public",
          .name = "readings",
          .column = "ts",
          .type = "timestamp with time zone",
          .columns = {"id", "meter_id", "ts", "v"},
          .indexes = {{"id", "ts"}, {"ts"}, {"meter_id", "ts"}},
          .version = version};
}

TEST(Shapes, ClassesAreForetoldForEachVersion) {
  int count = 0;
  for (const e2e::PruneShape& shape : e2e::kPruneShapes) {
    for (const int version : {130000, 150000, 180000}) {
      const auto prediction = predict(readings(version), shape.sql);
      ASSERT_TRUE(prediction) << shape.sql << ": " << prediction.error().message;
      const Prunes want = version < shape.since ? Prunes::Never : shape.prunes;
      EXPECT_EQ(name(prediction->prunes), name(want)) << version << ": " << shape.sql << "\n"
                                                      << prediction->reason;
    }
    ++count;
  }
  EXPECT_GE(count, 60);
}

TEST(Shapes, WithValuesParametersAreKnownToThePlanner) {
  const auto custom = [](std::string_view condition) {
    const auto out = predict(readings(), cat("SELECT FROM readings WHERE ", condition), true);
    return out ? out->prunes : Prunes::Mixed;
  };
  EXPECT_EQ(custom("ts >= $1"), Prunes::AtPlan);
  EXPECT_EQ(custom("ts = ANY ($1)"), Prunes::AtPlan);
  EXPECT_EQ(custom("($1::timestamptz IS NULL OR ts >= $1)"), Prunes::AtPlan);
  EXPECT_EQ(custom("ts >= $1::date"), Prunes::AtStart);
}

TEST(Shapes, OtherTypesOfKeysKnowTheirCasts) {
  const auto of = [](std::string_view type, std::string_view condition) {
    KeyTable table = readings();
    table.type = type;
    const auto out = predict(table, cat("SELECT FROM readings WHERE ", condition));
    return out ? out->prunes : Prunes::Mixed;
  };
  EXPECT_EQ(of("date", "ts >= '2025-01-01'::timestamp"), Prunes::AtPlan);
  EXPECT_EQ(of("date", "ts >= date '2025-01-01' + 7"), Prunes::AtPlan);
  EXPECT_EQ(of("date", "ts >= '2025-01-01'::timestamptz"), Prunes::AtStart);
  EXPECT_EQ(of("timestamp without time zone", "ts >= '2025-01-01'::date"), Prunes::AtPlan);
  EXPECT_EQ(of("timestamp without time zone", "ts >= timestamp '2025-01-01' + interval '1 day'"),
            Prunes::AtPlan);
  EXPECT_EQ(of("timestamp without time zone", "ts >= now()"), Prunes::AtStart);
}

TEST(Shapes, WhatDoesNotReadTheTableIsToldApart) {
  for (const char* sql :
       {"SELECT 1", "SELECT * FROM other.readings",
        "WITH readings AS (SELECT 1) SELECT FROM readings", "INSERT INTO o VALUES (1)"}) {
    const auto out = predict(readings(), sql);
    ASSERT_FALSE(out) << sql;
    EXPECT_EQ(out.error().code, ErrorCode::NotFound) << sql;
  }
  EXPECT_EQ(predict(readings(), "SELECT 1; SELECT 2").error().code, ErrorCode::Invalid);
  EXPECT_EQ(predict(readings(), "SELEC").error().code, ErrorCode::Invalid);
}

TEST(Shapes, AFunctionIsAsGoodAsItsVolatility) {
  KeyTable table = readings();
  const std::string sql = "SELECT FROM readings WHERE ts >= mine(3)";
  EXPECT_EQ(predict(table, sql)->prunes, Prunes::Never);
  table.functions = {{"mine", 's'}};
  EXPECT_EQ(predict(table, sql)->prunes, Prunes::AtStart);
  table.functions = {{"mine", 'i'}};
  EXPECT_EQ(predict(table, sql)->prunes, Prunes::AtPlan);
}

TEST(Shapes, ADefaultPartitionIsInTheWayOfAnOrder) {
  KeyTable table = readings();
  table.has_default = true;
  EXPECT_EQ(predict(table, "SELECT * FROM readings ORDER BY ts LIMIT 1")->prunes, Prunes::Never);
}

// As without a server: bounds stay expressions.
std::string rewritten(std::string_view sql, const KeyTable& table, bool clean) {
  const auto list = changes(table, sql);
  if (!list) return list.error().message;
  std::vector<std::string> texts;
  for (const Change& change : *list) {
    texts.push_back(filled(clean ? change.clean : change.kept, change.bounds));
  }
  return replaced(sql, *list, texts);
}

TEST(Rewrites, AreHalfOpenRangesOnTheBareColumn) {
  KeyTable dates = readings();
  dates.type = "date";
  EXPECT_EQ(
      rewritten("SELECT 1 FROM readings r WHERE id = 3 AND r.ts::date = '2025-01-15' AND v > 1",
                readings(), true),
      "SELECT 1 FROM readings r WHERE id = 3 AND r.ts >= (('2025-01-15')::date)::timestamp "
      "with time zone AND r.ts < (('2025-01-15')::date + 1)::timestamp with time zone AND v > "
      "1");
  EXPECT_EQ(
      rewritten("SELECT FROM readings WHERE date_trunc('month', ts) = '2025-01-01'", dates, true),
      "SELECT FROM readings WHERE ts >= (('2025-01-01')::timestamptz)::date AND ts < "
      "(('2025-01-01')::timestamptz + interval '1 month')::date");
  EXPECT_EQ(rewritten("SELECT FROM readings WHERE (ts, id) > ($1, $2)", readings(), false),
            "SELECT FROM readings WHERE (ts, id) > ($1, $2) AND ts >= $1");
}

TEST(Rewrites, LeaveAloneWhatTheyCannotProveEqual) {
  KeyTable nullable = readings();
  nullable.nullable = true;
  for (const char* condition :
       {"ts IS NOT DISTINCT FROM $1", "($1::timestamptz IS NULL OR ts >= $1)"}) {
    EXPECT_TRUE(changes(nullable, cat("SELECT FROM readings WHERE ", condition))->empty());
  }
  for (const char* condition :
       {"ts::date = 'infinity'", "NOT ts::date = '2025-01-01'", "ts::date <> '2025-01-01'",
        "date_trunc($1, ts) = '2025-01-01'", "date_trunc('day', ts) = v", "(id, ts) > (1, $1)",
        "to_char(ts, 'DD') = '15'", "to_char(ts, 'YYYY-MM-DD') = '2025-02-30'",
        "extract(year FROM ts) = 20250", "ts::date = '2025-01-01' OR id = 3"}) {
    EXPECT_TRUE(changes(readings(), cat("SELECT FROM readings WHERE ", condition))->empty())
        << condition;
  }
}

TEST(Statements, OfAFileEndAtSemicolons) {
  const auto list = statements_of("SELECT ';' ; -- one; two\n\n;SELECT $$;$$");
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[0].text, "SELECT ';'");
  EXPECT_EQ(list[1].id, "#2");
}

}  // namespace
}  // namespace pgtend::partition
