#include "wire/frontend.h"

#include <gtest/gtest.h>

#include "wire/frame.h"

namespace pgtend::wire::frontend {
namespace {

// The body of the one message in `bytes`, whose type must be `type`.
std::string_view body_of(std::string_view bytes, char type) {
  auto frame = next_frame(bytes);
  EXPECT_TRUE(frame && *frame);
  EXPECT_EQ((*frame)->type, type);
  EXPECT_TRUE(bytes.empty());
  return (*frame)->body;
}

TEST(Frontend, QueryReadsBackAsWritten) {
  std::string out;
  append_query(out, "select 'ä'");

  EXPECT_EQ(out.substr(0, 5), std::string("Q\0\0\0\x10", 5));
  EXPECT_EQ(read_query(body_of(out, kQuery))->sql, "select 'ä'");
}

TEST(Frontend, QueryWithAnInnerZeroByteIsRefused) {
  EXPECT_FALSE(read_query(std::string_view("select\0 1\0", 10)));
  EXPECT_FALSE(read_query("select 1"));
}

TEST(Frontend, ParseReadsBackAsWritten) {
  std::string out;
  append_parse(out, {"s1", "select $1", {23, 0}});

  const auto parse = read_parse(body_of(out, kParse));

  ASSERT_TRUE(parse);
  EXPECT_EQ(parse->statement, "s1");
  EXPECT_EQ(parse->sql, "select $1");
  EXPECT_EQ(parse->parameter_types, (std::vector<int32_t>{23, 0}));
}

TEST(Frontend, BindReadsBackAsWritten) {
  std::string out;
  append_bind(out, {"p", "s1", {1}, {"abc", std::nullopt, ""}, {0, 1}});

  const auto bind = read_bind(body_of(out, kBind));

  ASSERT_TRUE(bind);
  EXPECT_EQ(bind->portal, "p");
  EXPECT_EQ(bind->statement, "s1");
  EXPECT_EQ(bind->parameter_formats, std::vector<int16_t>{1});
  ASSERT_EQ(bind->parameters.size(), 3u);
  EXPECT_EQ(bind->parameters[0], "abc");
  EXPECT_EQ(bind->parameters[1], std::nullopt);
  EXPECT_EQ(bind->parameters[2], "");
  EXPECT_EQ(bind->result_formats, (std::vector<int16_t>{0, 1}));
}

TEST(Frontend, EveryTruncatedBindIsRefused) {
  std::string out;
  append_bind(out, {"p", "s1", {1}, {"abc", std::nullopt}, {0}});
  const auto body = body_of(out, kBind);

  for (size_t size = 0; size < body.size(); ++size) EXPECT_FALSE(read_bind(body.substr(0, size)));
}

TEST(Frontend, NegativeParameterSizeIsRefused) {
  std::string body("\0\0\0\0\0\1\xff\xff\xff\xfe\0\0", 12);

  EXPECT_FALSE(read_bind(body));
}

TEST(Frontend, TargetsOfDescribeAndCloseReadBack) {
  std::string describe;
  std::string close;
  append_describe(describe, {'P', "cursor"});
  append_close(close, {'S', "s1"});

  EXPECT_EQ(read_describe(body_of(describe, kDescribe))->kind, 'P');
  EXPECT_EQ(read_close(body_of(close, kClose))->name, "s1");
  EXPECT_FALSE(read_close(std::string_view("Xs1\0", 4)));
}

TEST(Frontend, ExecuteAndPasswordsReadBack) {
  std::string execute;
  std::string initial;
  std::string password;
  append_execute(execute, {"p", 100});
  append_sasl_initial(initial, {"SCRAM-SHA-256", "n,,n=,r=abc"});
  append_password(password, "secret");

  EXPECT_EQ(read_execute(body_of(execute, kExecute))->rows_max, 100);
  const auto sasl = read_sasl_initial(body_of(initial, kPassword));
  ASSERT_TRUE(sasl);
  EXPECT_EQ(sasl->mechanism, "SCRAM-SHA-256");
  EXPECT_EQ(sasl->data, "n,,n=,r=abc");
  EXPECT_EQ(*read_password(body_of(password, kPassword)), "secret");
}

TEST(Frontend, BareMessagesAreFiveBytesLong) {
  for (const auto append : {append_sync, append_flush, append_terminate, append_copy_done}) {
    std::string out;
    append(out);
    EXPECT_EQ(out.size(), kHeadBytes);
    EXPECT_FALSE(name_of(out[0]).empty());
  }
}

TEST(Frontend, EveryTypeHasOneName) {
  for (const MessageRow& row : kMessages) EXPECT_EQ(name_of(row.type), row.name);
  EXPECT_EQ(name_of('?'), "");
}

}  // namespace
}  // namespace pgtend::wire::frontend
