#include "pool/table_holds.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace pgtend::pool {
namespace {

std::string hold_text(std::string_view text) {
  const auto request = parse_hold(text);
  if (!request) return "none";
  const TableHold hold{.tables = request->tables};
  return cat(hold.text(), " in ", request->database, " for ", request->timeout.count());
}

TEST(TableHolds, HoldHasTablesADatabaseAndATime) {
  EXPECT_EQ(hold_text("TABLE t"), "t in  for 10000");
  EXPECT_EQ(hold_text("table App.T 500"), "app.t in  for 500");
  EXPECT_EQ(hold_text("TABLE \"in\" IN db TIMEOUT 60000"), "in in db for 60000");
  EXPECT_EQ(hold_text("TABLE a , s.\"B c\",d\n in \"my db\"\ttimeout 1"),
            "a, s.\"B c\", d in my db for 1");
  for (const char* text : {"", "TABLE", "t", "TABLES t", "TABLE t u", "TABLE t,", "TABLE t IN",
                           "TABLE t TIMEOUT", "TABLE t 0", "TABLE t 60001", "TABLE t -5",
                           "TABLE t 5s", "TABLE a.b.c", "TABLE t IN db 5 5", "TABLE \"t"}) {
    EXPECT_EQ(hold_text(text), "none") << text;
  }
  std::string many = "TABLE t";
  for (int i = 0; i < 100; ++i) many += ", t";
  EXPECT_EQ(hold_text(many), "none");
}

TEST(TableHolds, ReleaseIsForAllOrForOne) {
  EXPECT_FALSE(parse_release("").value().table.has_value());
  EXPECT_EQ(text_of(*parse_release("TABLE \"A\".b").value().table), "\"A\".b");
  EXPECT_EQ(parse_release("table b in db").value().database, "db");
  for (const char* text : {"b", "TABLE", "TABLE b c", "TABLE b IN", "TABLE b IN db 5"}) {
    EXPECT_FALSE(parse_release(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace pgtend::pool
