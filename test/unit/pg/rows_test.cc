#include "pg/rows.h"

#include <gtest/gtest.h>
#include <postgresql/libpq-fe.h>

#include <vector>

namespace pgtend::pg {
namespace {

// A result as libpq would make it: one row of `values`, columns c0, c1, …
Rows one_row(const std::vector<std::optional<std::string>>& values) {
  PGresult* result = PQmakeEmptyPGresult(nullptr, PGRES_TUPLES_OK);
  std::vector<std::string> names;
  for (size_t i = 0; i < values.size(); ++i) names.push_back("c" + std::to_string(i));
  std::vector<PGresAttDesc> columns(values.size());
  for (size_t i = 0; i < values.size(); ++i) columns[i].name = names[i].data();
  PQsetResultAttrs(result, static_cast<int>(columns.size()), columns.data());
  for (size_t i = 0; i < values.size(); ++i) {
    std::string value = values[i].value_or("");
    PQsetvalue(result, 0, static_cast<int>(i), values[i] ? value.data() : nullptr,
               values[i] ? static_cast<int>(value.size()) : -1);
  }
  return Rows(result);
}

TEST(PgRows, ValuesAreReadAsTheirType) {
  const Rows rows = one_row({"t", "f", "-7", "9000000000", "1.25", "text", "NaN"});
  const Row row = rows[0];

  EXPECT_TRUE(*row.get<bool>(0));
  EXPECT_FALSE(*row.get<bool>(1));
  EXPECT_EQ(*row.get<int32_t>(2), -7);
  EXPECT_EQ(*row.get<int64_t>(3), 9'000'000'000);
  EXPECT_EQ(*row.get<double>(4), 1.25);
  EXPECT_EQ(*row.get<std::string>(5), "text");
  EXPECT_NE(*row.get<double>(6), *row.get<double>(6));
}

TEST(PgRows, WrongTypeIsCorruptAndNamesTheColumn) {
  const Rows rows = one_row({"true", "9000000000", "1x"});

  EXPECT_EQ(rows[0].get<bool>(0).error().message, "column c0 is true, not a boolean");
  EXPECT_EQ(rows[0].get<int32_t>(1).error().code, ErrorCode::Corrupt);
  EXPECT_EQ(rows[0].get<double>(2).error().code, ErrorCode::Corrupt);
}

TEST(PgRows, NullIsOnlyReadAsOptional) {
  const Rows rows = one_row({std::nullopt, "", "5"});

  EXPECT_TRUE(rows[0].null(0));
  EXPECT_EQ(rows[0].text(0), "");
  EXPECT_EQ(rows[0].get<int64_t>(0).error().message, "column c0 is null, not a 64-bit integer");
  EXPECT_EQ(*rows[0].get<std::optional<int64_t>>(0), std::nullopt);
  EXPECT_EQ(*rows[0].get<std::optional<std::string>>(1), "");
  EXPECT_EQ(*rows[0].get<std::optional<int32_t>>(2), 5);
}

TEST(PgRows, ControlCharactersInAValueDoNotReachTheMessage) {
  const Rows rows = one_row({"\x1b[2J"});

  EXPECT_EQ(rows[0].get<int64_t>(0).error().message.find('\x1b'), std::string::npos);
}

TEST(PgRows, ScalarWantsExactlyOneValue) {
  EXPECT_EQ(*one_row({"5"}).scalar(), "5");
  EXPECT_EQ(one_row({"5", "6"}).scalar().error().code, ErrorCode::Corrupt);
  EXPECT_EQ(one_row({std::nullopt}).scalar().error().code, ErrorCode::Corrupt);
  EXPECT_FALSE(Rows(PQmakeEmptyPGresult(nullptr, PGRES_COMMAND_OK)).scalar());
}

TEST(PgRows, LoopVisitsEveryRowWithItsColumns) {
  const Rows rows = one_row({"a", "b"});
  int seen = 0;
  for (const Row row : rows) seen += static_cast<int>(row.text(1).size());

  EXPECT_EQ(seen, 1);
  EXPECT_EQ(rows.columns(), 2);
  EXPECT_EQ(rows.column_name(1), "c1");
  EXPECT_EQ(rows.affected(), 0);
}

}  // namespace
}  // namespace pgtend::pg
