#include "reshape/flow.h"

#include <gtest/gtest.h>

#include "reshape/rewrite.h"

namespace pgtend::reshape {
namespace {

Job divided() {
  return {.oid = 7,
          .schema = "s",
          .name = "t",
          .shadow = "t_new",
          .old = "t_old",
          .key = {"id", "Key"},
          .columns = {"id", "Key", "at", "v"},
          .divider = "at",
          .divider_type = "timestamp with time zone",
          .bounds = {"2025-01-01 00:00:00+00", "2025-02-01 00:00:00+00"},
          .leaves = {"s.t_1", "s.t_2"},
          .create = {"CREATE TABLE s.t_new (LIKE s.t)"},
          .swap = {"ALTER TABLE s.t RENAME TO t_old"},
          .version = 150000};
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(ReshapeFlow, CaptureHearsEveryWayOfWritingWithAPinnedSearchPath) {
  const std::vector<std::string> all = capture(forward(divided()), false);
  std::string text;
  for (const std::string& sql : all) text += sql + ";\n";

  EXPECT_TRUE(has(text, "AFTER INSERT OR UPDATE OR DELETE ON s.t FOR EACH ROW")) << text;
  EXPECT_TRUE(has(text, "AFTER TRUNCATE ON s.t"));
  EXPECT_TRUE(has(text, "SECURITY DEFINER SET search_path = pg_catalog, pg_temp"));
  EXPECT_TRUE(has(text, "ENABLE ALWAYS TRIGGER pgtend_7_capture"));
  // An update that moves the row notes both places.
  EXPECT_TRUE(
      has(text, "OLD.\"Key\" IS DISTINCT FROM NEW.\"Key\" OR OLD.at IS DISTINCT FROM NEW.at"));
  // The way back is laid before it is used.
  EXPECT_TRUE(has(capture(backward(divided()), true)[4], "BEGIN RETURN NULL; END"));
  EXPECT_TRUE(has(listen(backward(divided())), "INSERT INTO s.pgtend_7_back_log"));
}

TEST(ReshapeFlow, PagesAreReadAsARangeWhereTheServerKnowsHow) {
  Job job = divided();
  EXPECT_TRUE(
      has(copy_pages(job, {.first = 10, .last = 20}), "o.ctid >= '(10,0)' AND o.ctid < '(20,0)'"));
  EXPECT_TRUE(
      has(copy_pages(job, {.first = 10, .last = 20}), "NOT EXISTS (SELECT FROM s.pgtend_7_log l"));
  job.version = 130000;
  EXPECT_TRUE(has(copy_pages(job, {.first = 10, .last = 20}), "generate_series(10, 19)"));
}

// One that is taken without the others would leave its row where it stood before.
TEST(ReshapeFlow, AllEntriesOfAKeyAreTakenTogether) {
  const std::string some = take_keys(forward(divided()), 100);
  EXPECT_TRUE(
      has(some, "LIMIT 100) x) few WHERE l.emptied IS NULL AND l.k1 = few.k1 AND l.k2 = few.k2"))
      << some;
  EXPECT_FALSE(has(take_keys(forward(divided()), 0), "LIMIT"));
}

TEST(ReshapeFlow, ATableThatIsNotDividedHasOneLeaf) {
  Job job = divided();
  job.divider.clear();
  job.bounds.clear();
  job.leaves = {"s.t_new"};
  const Flow flow = forward(job);

  EXPECT_EQ(leaf_of(flow, "x"), "1");
  EXPECT_FALSE(has(compare_all(flow), "width_bucket"));
  EXPECT_FALSE(has(capture(flow, false)[0], " AS p"));
  EXPECT_TRUE(has(delete_keys(flow, 0), "DELETE FROM s.t_new t USING"));
}

TEST(ReshapeFlow, TheWayBackReadsTheNewTableAndWritesTheOldOne) {
  const Flow flow = backward(divided());
  EXPECT_TRUE(has(insert_keys(flow), "INSERT INTO s.t_old"));
  EXPECT_TRUE(has(insert_keys(flow), "JOIN s.t o"));
  EXPECT_TRUE(has(compare_keys(flow, 0), "s.t_old t JOIN"));
  EXPECT_TRUE(has(compare_leaf(flow, 1, 5), "LIMIT 5"));
}

Job in_parts() {
  Job job = divided();
  job.shadow = job.old = "t_aside";
  job.sources = {{"s.p1", 11, "at < '2025-02-01'"}, {"s.p2", 12, "at >= '2025-02-01'"}};
  job.results = {{"s.t_1", 0, "at IS NOT NULL"}};
  return job;
}

TEST(ReshapeFlow, PartsAreReadTogetherAndCopiedOneByOne) {
  const Flow flow = forward(in_parts());
  EXPECT_TRUE(has(insert_keys(flow), "UNION ALL SELECT id, \"Key\", at, v FROM ONLY s.p2) o ON"));
  const std::string second = copy_pages(in_parts(), {.source = 1, .first = 0, .last = 3});
  EXPECT_TRUE(has(second, "FROM ONLY s.p2 o WHERE")) << second;
  EXPECT_TRUE(has(second, "o.tableoid = 12"));
  EXPECT_EQ(uncapture(flow).size(), 4U);
  const Flow back = backward(in_parts());
  EXPECT_TRUE(has(insert_keys(back), "INSERT INTO s.t_aside"));
  EXPECT_EQ(renamed(back, "x").sources[0].table, "s.t_1");
}

TEST(ReshapeFlow, ATruncateOfOnePartTakesItsRowsOnly) {
  const Flow flow = forward(in_parts());
  std::string text;
  for (const std::string& sql : capture(flow, false)) text += sql + ";\n";

  EXPECT_TRUE(has(text,
                  "AFTER TRUNCATE ON s.p2 FOR EACH STATEMENT EXECUTE FUNCTION "
                  "s.pgtend_7_capture(2)"))
      << text;
  EXPECT_EQ(empty_target(flow, 2), "DELETE FROM s.t_aside WHERE at >= '2025-02-01'");
  EXPECT_EQ(empty_target(forward(divided()), 1), "TRUNCATE s.t_new");
}

TEST(ReshapeRewrite, TheRestOfATableInPartsIsNotLocked) {
  EXPECT_EQ(swap_locks(in_parts(), false)[0], "LOCK TABLE ONLY s.t IN ACCESS EXCLUSIVE MODE");
  EXPECT_EQ(swap_locks(in_parts(), false).size(), 3U);
  EXPECT_EQ(swap_locks(in_parts(), true).back(), "LOCK TABLE s.t_aside IN ACCESS EXCLUSIVE MODE");
}

TEST(ReshapeRewrite, ADryRunShowsTheLocksOfTheSwap) {
  const auto steps = shown_steps(divided());
  const auto lock =
      std::ranges::find(steps, "LOCK TABLE s.t IN ACCESS EXCLUSIVE MODE", &care::Step::sql);
  ASSERT_NE(lock, steps.end());
  EXPECT_EQ(lock->lock, care::LockMode::AccessExclusive);
  EXPECT_EQ((lock + 1)->sql, "ALTER TABLE s.t RENAME TO t_old");
}

}  // namespace
}  // namespace pgtend::reshape
