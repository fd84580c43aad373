#include "pg/sqlstate.h"

#include <gtest/gtest.h>

#include <string>

namespace pgtend::pg {
namespace {

TEST(PgSqlstate, EachStateAsksForTheRightReaction) {
  const struct {
    std::string_view state;
    ErrorCode code;
  } rows[] = {
      {"28P01", ErrorCode::Denied},      {"28000", ErrorCode::Denied},
      {"42501", ErrorCode::Denied},      {"3D000", ErrorCode::NotFound},
      {"42P01", ErrorCode::NotFound},    {"42703", ErrorCode::NotFound},
      {"42704", ErrorCode::NotFound},    {"3F000", ErrorCode::NotFound},
      {"42883", ErrorCode::NotFound},    {"42601", ErrorCode::Invalid},
      {"22012", ErrorCode::Invalid},     {"55P03", ErrorCode::Conflict},
      {"40P01", ErrorCode::Conflict},    {"40001", ErrorCode::Conflict},
      {"55006", ErrorCode::Conflict},    {"57014", ErrorCode::Timeout},
      {"57P01", ErrorCode::Unavailable}, {"57P03", ErrorCode::Unavailable},
      {"08006", ErrorCode::Unavailable}, {"53300", ErrorCode::Limit},
      {"53100", ErrorCode::Limit},       {"XX000", ErrorCode::Internal},
      {"XX001", ErrorCode::Corrupt},     {"99999", ErrorCode::Internal},
      {"25P02", ErrorCode::Invalid},     {"25006", ErrorCode::Denied},
      {"", ErrorCode::Internal},         {"42", ErrorCode::Internal},
  };
  for (const auto& row : rows) EXPECT_EQ(code_of(row.state), row.code) << row.state;
}

TEST(PgSqlstate, StatesAPersonCanActOnHaveAHint) {
  for (const std::string_view state : {"28P01", "3D000", "57P03", "53300", "55P03", "08006"}) {
    EXPECT_FALSE(hint_of(state).empty()) << state;
  }
  EXPECT_TRUE(hint_of("42P01").empty());
}

TEST(PgSqlstate, StateIsFoundInAVerboseMessage) {
  EXPECT_EQ(sqlstate_in("connection to server at \"h\", port 5 failed: FATAL:  28P01: password "
                        "authentication failed for user \"x\"\nLOCATION:  auth_failed, auth.c:334"),
            "28P01");
  EXPECT_EQ(sqlstate_in("… failed: FATALE:  3D000: la base n'existe pas"), "3D000");
}

TEST(PgSqlstate, LastStateOfSeveralHostsCounts) {
  EXPECT_EQ(sqlstate_in("a failed: FATAL:  57P03: starting\nb failed: FATAL:  28P01: no\n"),
            "28P01");
}

TEST(PgSqlstate, MessageWithoutAStateGivesNone) {
  EXPECT_EQ(sqlstate_in("connection to server at \"h\" failed: Connection refused"), "");
  EXPECT_EQ(sqlstate_in("FATAL:  28p01: lower"), "");
  EXPECT_EQ(sqlstate_in("FATAL:  28P0"), "");
  EXPECT_EQ(sqlstate_in(":  "), "");
  EXPECT_EQ(sqlstate_in(""), "");
}

}  // namespace
}  // namespace pgtend::pg
