// What pgtend explain shows beside the tree: whole logs, two plans, one finding, TEXT.
#include <gmock/gmock.h>

#include <fstream>
#include <iterator>

#include "base/json.h"
#include "base/text.h"
#include "support/database.h"

namespace pgtend {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const std::string kLogs = PGTEND_SOURCE_DIR "/test/golden/explain_input/";

e2e::Outcome explain(std::vector<std::string> words, const std::string& input = "") {
  words.insert(words.begin(), {PGTEND_BINARY_DIR "/pgtend", "explain", "--offline"});
  return e2e::run(words, {}, input);
}

std::string contents(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

class ExplainViews : public testing::Test {
 protected:
  std::string file(const std::string& name, const std::string& text) {
    const std::string path = cat(scratch_.path(), "/", name);
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  e2e::Scratch scratch_;
};

const std::string kSlow =
    "Seq Scan on t  (cost=0.00..99.00 rows=9 width=4) (actual time=0.010..100.000 rows=9 loops=1)\n"
    "  Filter: (a = 1)\n  Rows Removed by Filter: 999991\n"
    "Planning Time: 0.100 ms\nExecution Time: 100.500 ms\n";
const std::string kFast =
    "Index Scan using i on t  (cost=0.00..9.00 rows=9 width=4) (actual time=0.010..0.100 rows=9 "
    "loops=1)\n  Index Cond: (a = 1)\nPlanning Time: 0.100 ms\nExecution Time: 0.200 ms\n";

TEST_F(ExplainViews, LogsOfEveryFormGiveTheSameSumsInOneRun) {
  std::vector<std::string> words = {"--json", "--log"};
  for (const std::string_view log :
       {"stderr-pg13", "syslog-pg18", "csv-pg15", "json-pg18", "container-pg18"}) {
    words.push_back(cat(kLogs, "log-", log, "/input"));
  }
  const auto outcome = explain(words);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const json::value log = parse_json(outcome.out)->at("data").at("log");
  EXPECT_EQ(log.at("plans").as_int64(),
            static_cast<int64_t>(12 * log.at("files").as_array().size()));
  EXPECT_EQ(log.at("unread").as_int64(), 0);
  int64_t calls = 0;
  for (const json::value& query : log.at("worst").as_array()) {
    calls += query.at("calls").as_int64();
    for (const json::value& plan : query.at("plans").as_array()) {
      EXPECT_GT(plan.at("slowest").at("nodes").as_int64(), 0);
    }
  }
  EXPECT_EQ(calls, log.at("plans").as_int64());
}

TEST_F(ExplainViews, ALogComesFromAPipeToo) {
  const auto outcome =
      explain({"--log", "-", "--top", "1"}, contents(kLogs + "log-stderr-pg18/input"));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, StartsWith("12 plans in "));
  EXPECT_THAT(outcome.out, HasSubstr("#1 "));
  EXPECT_THAT(outcome.out, Not(HasSubstr("#2 ")));
}

TEST_F(ExplainViews, LogsThatCannotBeReadSayWhyAndWhatToDo) {
  auto outcome = explain({"--log", scratch_.path() + "/none.log"});
  EXPECT_THAT(outcome.err, HasSubstr("none.log: No such file or directory"));
  EXPECT_NE(outcome.exit_code, 0);
  outcome = explain({"--log", file("a.gz", "\x1f\x8b\x08 packed")});
  EXPECT_THAT(outcome.err, HasSubstr("zcat FILE | pgtend explain --log -"));
  outcome = explain({"--log", scratch_.path()});
  EXPECT_THAT(outcome.err, HasSubstr("Is a directory"));
  outcome = explain({"--log", file("empty.log", "")});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.out, HasSubstr("no plan of auto_explain"));
}

TEST_F(ExplainViews, TwoPlansAreComparedNodeByNode) {
  const auto outcome = explain({"--diff", file("a", kSlow), file("b", kFast)});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("times faster"));
  EXPECT_THAT(outcome.out, HasSubstr("Index Scan using i on t  (was Seq Scan on t)"));
  const auto as_json = explain({"--json", "--diff", file("a", kSlow), file("b", kFast)});
  const json::value data = parse_json(as_json.out)->at("data");
  EXPECT_EQ(data.at("diff").at("nodes").at(0).at("change"), "changed");
  EXPECT_EQ(data.at("plans").as_array().size(), 2u);
  EXPECT_THAT(explain({"--diff", file("a", kSlow)}).err, HasSubstr("two files, not 1"));
}

TEST_F(ExplainViews, WhyTellsAllOfOneFinding) {
  const auto outcome = explain({"--why", "1", "-"}, kSlow);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, StartsWith("[1] A1 "));
  EXPECT_THAT(outcome.out, HasSubstr("(a = 1)"));
  EXPECT_THAT(outcome.out, HasSubstr("evidence:"));
  EXPECT_THAT(outcome.out, HasSubstr("signal: "));
  EXPECT_THAT(explain({"--why", "7", "-"}, kSlow).err,
              HasSubstr("there is no finding 7: the last is"));
  EXPECT_THAT(explain({"--why", "1", "-"}, kFast).err, HasSubstr("nothing was found"));
}

TEST_F(ExplainViews, TextIsWhatTheServerWouldPrint) {
  const auto outcome = explain({"--text", "-"}, kSlow);
  EXPECT_EQ(outcome.out, kSlow);
}

TEST_F(ExplainViews, AllShowsWhatIsFolded) {
  std::string plan =
      "Append  (cost=0.00..9.00 rows=9 width=4) (actual time=0.010..9.000 rows=9 loops=1)\n";
  for (int i = 0; i < 9; ++i) {
    plan += cat("  ->  Seq Scan on p_", i,
                "  (cost=0.00..1.00 rows=1 width=4) (actual time=0.010..1.000 rows=1 loops=1)\n");
  }
  EXPECT_THAT(explain({"-"}, plan).out, HasSubstr("and 8 alike"));
  EXPECT_THAT(explain({"--all", "-"}, plan).out, HasSubstr("p_8"));
}

}  // namespace
}  // namespace pgtend
