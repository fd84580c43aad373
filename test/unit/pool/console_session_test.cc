#include "pool/console_session.h"

#include <gtest/gtest.h>

#include "wire/backend.h"
#include "wire/binary.h"
#include "wire/frame.h"
#include "wire/frontend.h"

namespace pgtend::pool {
namespace {

namespace be = wire::backend;
namespace fe = wire::frontend;

// Sends messages to a session; its commands are answered with three rows of two columns.
class ConsoleSessionTest : public testing::Test {
 protected:
  // The types of what is answered.
  std::string send(std::string_view messages) {
    std::string out;
    while (!messages.empty()) {
      const auto frame = wire::next_frame(messages);
      auto command = session_.take((*frame)->type, (*frame)->body, out);
      if (!command) return command.error().message;
      if (!*command) continue;
      commands_.push_back(**command);
      session_.answer(result_, out);
    }
    std::string types;
    last_error_.clear();
    rows_.clear();
    for (std::string_view rest = out; !rest.empty();) {
      const auto frame = wire::next_frame(rest);
      types += (*frame)->type;
      if ((*frame)->type == be::kErrorResponse) {
        last_error_ = *be::read_report((*frame)->body)->sqlstate;
      }
      if ((*frame)->type == be::kDataRow) rows_.emplace_back((*frame)->body);
    }
    return types;
  }

  static std::string parse(std::string_view name, std::string_view sql) {
    std::string out;
    fe::append_parse(out, {name, sql});
    return out;
  }
  static std::string bind(std::string_view portal, std::string_view name,
                          std::vector<int16_t> formats = {}) {
    std::string out;
    fe::append_bind(out, {.portal = portal, .statement = name, .result_formats = formats});
    return out;
  }
  static std::string execute(std::string_view portal, int32_t rows = 0) {
    std::string out;
    fe::append_execute(out, {portal, rows});
    return out;
  }
  static std::string describe(char kind, std::string_view name) {
    std::string out;
    fe::append_describe(out, {kind, name});
    return out;
  }
  static std::string sync() {
    std::string out;
    fe::append_sync(out);
    return out;
  }

  ConsoleSession session_;
  ConsoleAnswer result_{.columns = {{"name", wire::kTextOid}, {"value", wire::kInt4Oid}},
                        .rows = {{"a", "1"}, {"b", "2"}, {"c", std::nullopt}},
                        .tag = "SHOW"};
  std::vector<std::string> commands_;
  std::string last_error_;
  std::vector<std::string> rows_;
};

TEST_F(ConsoleSessionTest, SimpleQueryDescribesItsRows) {
  std::string query;
  fe::append_query(query, "show lists");

  EXPECT_EQ(send(query), "TDDDCZ");
  EXPECT_EQ(commands_, std::vector<std::string>{"show lists"});
}

TEST_F(ConsoleSessionTest, ExtendedQueryAnswersEachMessage) {
  const std::string pipeline = parse("", "show lists") + describe('S', "") + bind("", "") +
                               describe('P', "") + execute("") + sync();

  EXPECT_EQ(send(pipeline), "1tT2TDDDCZ");
}

TEST_F(ConsoleSessionTest, CommandWithoutRowsHasNoData) {
  result_ = {.tag = "PAUSE"};

  EXPECT_EQ(send(parse("", "pause") + describe('S', "") + bind("", "") + execute("") + sync()),
            "1tn2CZ");
}

TEST_F(ConsoleSessionTest, NamedStatementIsUsedAgainUntilItIsClosed) {
  EXPECT_EQ(send(parse("s", "show lists") + sync()), "1Z");
  EXPECT_EQ(send(bind("", "s") + execute("") + sync()), "2DDDCZ");
  EXPECT_EQ(send(bind("", "s") + execute("") + sync()), "2DDDCZ");
  EXPECT_EQ(send(parse("s", "show lists") + sync()), "EZ");
  EXPECT_EQ(last_error_, "42P05");
  std::string close;
  fe::append_close(close, {'S', "s"});
  EXPECT_EQ(send(close + sync()), "3Z");
  EXPECT_EQ(send(bind("", "s") + execute("") + sync()), "EZ");
  EXPECT_EQ(last_error_, "26000");
}

TEST_F(ConsoleSessionTest, ValuesComeInTheFormatAskedFor) {
  send(parse("", "show lists") + bind("", "", {0, 1}) + execute("") + sync());

  ASSERT_EQ(rows_.size(), 3U);
  const auto row = be::read_data_row(rows_[1]);
  EXPECT_EQ((*row)[0], "b");
  EXPECT_EQ((*row)[1], std::string_view("\0\0\0\2", 4));
  EXPECT_EQ((*be::read_data_row(rows_[2]))[1], std::nullopt);
}

TEST_F(ConsoleSessionTest, FormatsMustFitTheColumns) {
  EXPECT_EQ(send(parse("", "show lists") + bind("", "", {0, 1, 1}) + execute("") + sync()), "1EZ");
  EXPECT_EQ(send(parse("", "show lists") + bind("", "", {7}) + execute("") + sync()), "1EZ");
  EXPECT_TRUE(commands_.empty());
}

TEST_F(ConsoleSessionTest, PortalHandsOutAsManyRowsAsAskedForAndRunsOnce) {
  EXPECT_EQ(send(parse("", "show lists") + bind("p", "") + execute("p", 2) + execute("p", 2) +
                 execute("p", 2) + sync()),
            "12DDsDCCZ");
  EXPECT_EQ(commands_.size(), 1U);
  EXPECT_EQ(send(execute("p") + sync()), "EZ");
  EXPECT_EQ(last_error_, "34000");
}

TEST_F(ConsoleSessionTest, ErrorSkipsToTheSync) {
  result_ = {.error = "admin access needed"};

  EXPECT_EQ(send(parse("", "pause") + bind("", "") + execute("") + bind("", "") + sync()), "12EZ");
  EXPECT_EQ(send(parse("", "pause") + sync()), "1Z");
}

TEST_F(ConsoleSessionTest, ParametersAreRefused) {
  std::string bound;
  fe::append_bind(bound, {.portal = "", .statement = "", .parameters = {"1"}});

  EXPECT_EQ(send(parse("", "show lists") + bound + sync()), "1EZ");
}

TEST_F(ConsoleSessionTest, StatementsAreBounded) {
  std::string many;
  for (int i = 0; i < 100; ++i) many += parse(std::to_string(i), "show lists");
  EXPECT_EQ(send(many + sync()), std::string(100, '1') + "Z");

  EXPECT_EQ(send(parse("one more", "show lists") + sync()), "EZ");
  EXPECT_EQ(last_error_, "54000");
}

TEST_F(ConsoleSessionTest, EmptyCommandIsAnsweredAsOne) {
  result_ = {};

  EXPECT_EQ(send(parse("", "") + bind("", "") + execute("") + sync()), "12IZ");
}

TEST_F(ConsoleSessionTest, WhatNoClientMaySendClosesIt) {
  std::string call;
  wire::MessageWriter(call, fe::kFunctionCall).finish();

  EXPECT_EQ(send(call), "unknown pkt");
}

}  // namespace
}  // namespace pgtend::pool
