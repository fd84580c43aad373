#include "cli/output.h"

#include <gtest/gtest.h>

namespace pgtend::cli {
namespace {

TEST(Output, TablesAlignNumbersRightAndLeaveNoTrailingBlanks) {
  const Table table{.headings = {"table", "rows", "note"},
                    .align = {Align::Left, Align::Right},
                    .rows = {{"t_dlpdata", "1,344,000", "big"}, {"m", "5", ""}}};

  EXPECT_EQ(render(table),
            "table           rows  note\n"
            "t_dlpdata  1,344,000  big\n"
            "m                  5\n");
}

TEST(Output, WideCharactersCountOnceEach) {
  const Table table{.headings = {"a", "b"}, .align = {}, .rows = {{"zähler", "x"}, {"m", "y"}}};

  EXPECT_EQ(render(table), "a       b\nzähler  x\nm       y\n");
}

TEST(Output, AHostileCellCannotBreakTheTable) {
  const Table table{.headings = {"name"}, .align = {}, .rows = {{"a\x1b[2J\nb"}}};

  EXPECT_EQ(render(table), "name\na\\x1b[2J\\x0ab\n");
}

TEST(Output, JsonModeWritesOneEnvelopeAndNothingElse) {
  Output output(Terminal{}, true, true);
  testing::internal::CaptureStdout();

  output.line("not data");
  output.data()["answer"] = 42;
  output.warn("careful");
  output.finish("pgtend.sample/1");

  EXPECT_EQ(testing::internal::GetCapturedStdout(),
            "{\n  \"schema\": \"pgtend.sample/1\",\n  \"data\": {\n    \"answer\": 42\n  },\n"
            "  \"warnings\": [\n    \"careful\"\n  ],\n  \"missing_rights\": []\n}\n");
}

TEST(Output, AnErrorNamesCauseAndNextStep) {
  Output output(Terminal{}, false, false);
  testing::internal::CaptureStderr();

  output.failed(Error{ErrorCode::Unavailable, "no server at db:5432"}.hinting("check -h and -p"));

  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "pgtend: no server at db:5432\n  next: check -h and -p\n");
}

TEST(Output, ColourNeedsATerminal) {
  EXPECT_EQ(Output(Terminal{}, false, false).styled(Style::Bad, "x"), "x");
  EXPECT_EQ(Output(Terminal{.color = true}, false, false).styled(Style::Bad, "x"),
            "\x1b[31mx\x1b[0m");
}

}  // namespace
}  // namespace pgtend::cli
