#include <gtest/gtest.h>

#include "vacuum/vacuum.h"

namespace pgtend::vacuum {
namespace {

pg::Notice info(std::string message, std::string detail = "") {
  return {.severity = "INFO",
          .sqlstate = "00000",
          .message = std::move(message),
          .detail = std::move(detail)};
}

TEST(VerboseNotices, SummaryOf15TellsRemovedKeptAndCutoff) {
  const Verbose out = read_verbose(
      {info("vacuuming \"db.public.t\""),
       info("finished vacuuming \"db.public.t\": index scans: 1\n"
            "pages: 12 removed, 2070 remain, 2070 scanned (100.00% of total)\n"
            "tuples: 60000 removed, 140000 remain, 17 are dead but not yet removable\n"
            "removable cutoff: 745, which was 2 XIDs old when operation ended\n"
            "index scan needed: 443 pages from table (100.00% of total) had 60000 dead item "
            "identifiers removed\n"
            "frozen: 5 pages from table (0.24% of total) had 500 tuples frozen\n"
            "WAL usage: 4930 records, 12 full page images, 471423 bytes\n")});

  EXPECT_EQ(out.index_passes, 1);
  EXPECT_EQ(out.pages_frozen, 5);
  EXPECT_EQ(out.wal_bytes, 471423);
  EXPECT_EQ(out.rows_removed, 60000);
  EXPECT_EQ(out.rows_not_removable, 17);
  EXPECT_EQ(out.pages_removed, 12);
  EXPECT_EQ(out.cutoff_xid, 745);
}

TEST(VerboseNotices, TextsOf13And14TellTheSame) {
  for (const char* table : {"\"t\"", "table \"t\""}) {
    const Verbose out =
        read_verbose({info("vacuuming \"public.t\""),
                      info(std::string(table) + ": found 60000 removable, 140000 nonremovable row "
                                                "versions in 2070 out of 4500 pages",
                           "17 dead row versions cannot be removed yet, oldest xmin: 745\n"
                           "There were 0 unused item identifiers."),
                      info(std::string(table) + ": truncated 4500 to 2070 pages")});

    EXPECT_EQ(out.rows_removed, 60000);
    EXPECT_EQ(out.rows_not_removable, 17);
    EXPECT_EQ(out.pages_removed, 2430);
    EXPECT_EQ(out.cutoff_xid, 745);
  }
}

TEST(VerboseNotices, ToastTablesAreLeftOut) {
  const std::string toast =
      "finished vacuuming \"db.pg_toast.pg_toast_123\": index scans: 0\n"
      "pages: 1 removed, 0 remain\ntuples: 9 removed, 0 remain, 9 are dead but not yet removable\n";

  const Verbose out = read_verbose({info("vacuuming \"db.pg_toast.pg_toast_123\""), info(toast)});

  EXPECT_FALSE(out.rows_removed);
}

TEST(VerboseNotices, PartitionsAddUpAndTheOldestCutoffCounts) {
  const auto leaf = [](const char* removed, const char* cutoff) {
    return info(
        std::string("finished vacuuming \"d.s.t\": index scans: 0\npages: 0 removed, 1 remain"
                    "\ntuples: ") +
        removed + " removed, 1 remain, 0 are dead but not yet removable\nremovable cutoff: " +
        cutoff + ", which was 0 XIDs old when operation ended\n");
  };

  const Verbose out = read_verbose({leaf("5", "900"), leaf("6", "800"), leaf("7", "4294967200")});

  EXPECT_EQ(out.rows_removed, 18);
  EXPECT_EQ(out.cutoff_xid, 4294967200);  // before the wrap: older than 800
}

TEST(VerboseNotices, OtherLanguagesAndGarbageStayUnknown) {
  const Verbose out = read_verbose({info("beende Vacuum von »db.public.t«"),
                                    info("finished \ntuples: x removed\npages: "),
                                    info("removable cutoff: 99999999999999999999")});

  EXPECT_FALSE(out.rows_removed);
  EXPECT_FALSE(out.rows_not_removable);
  EXPECT_FALSE(out.cutoff_xid);
}

}  // namespace
}  // namespace pgtend::vacuum
