#include "wire/backend.h"

#include <gtest/gtest.h>

#include "wire/frame.h"

namespace pgtend::wire::backend {
namespace {

std::string_view body_of(std::string_view bytes, char type) {
  auto frame = next_frame(bytes);
  EXPECT_TRUE(frame && *frame);
  EXPECT_EQ((*frame)->type, type);
  EXPECT_TRUE(bytes.empty());
  return (*frame)->body;
}

TEST(Backend, SaslMechanismsReadBackAsWritten) {
  std::string out;
  append_authentication(out, {AuthKind::Sasl, "", {"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"}});

  const auto read = read_authentication(body_of(out, kAuthentication));

  ASSERT_TRUE(read);
  EXPECT_EQ(read->kind, AuthKind::Sasl);
  EXPECT_EQ(read->mechanisms.size(), 2u);
  EXPECT_EQ(read->mechanisms[1], "SCRAM-SHA-256");
}

TEST(Backend, Md5SaltMustHaveFourBytes) {
  EXPECT_TRUE(read_authentication(std::string_view("\0\0\0\5abcd", 8)));
  EXPECT_FALSE(read_authentication(std::string_view("\0\0\0\5abc", 7)));
  EXPECT_FALSE(read_authentication(std::string_view("\0\0\0", 3)));
}

TEST(Backend, KeyDataTakesSecretsOfBothProtocols) {
  std::string out;
  append_backend_key_data(out, {77, std::string(32, 'k')});

  const auto key = read_backend_key_data(body_of(out, kBackendKeyData));

  ASSERT_TRUE(key);
  EXPECT_EQ(key->pid, 77);
  EXPECT_EQ(key->secret, std::string(32, 'k'));
  EXPECT_FALSE(read_backend_key_data(std::string_view("\0\0\0\1abc", 7)));
  EXPECT_FALSE(read_backend_key_data(std::string(4 + 257, 'x')));
}

TEST(Backend, ReadyForQueryKnowsThreeStates) {
  EXPECT_EQ(*read_ready_for_query("T"), TransactionStatus::InTransaction);
  EXPECT_FALSE(read_ready_for_query("X"));
  EXPECT_FALSE(read_ready_for_query(""));
  EXPECT_FALSE(read_ready_for_query("II"));
}

TEST(Backend, RowsReadBackAsWritten) {
  std::string columns;
  std::string row;
  append_row_description(columns, {{.name = "a", .type_oid = 23, .type_size = 4}, {.name = "b"}});
  append_data_row(row, {"1", std::nullopt});

  const auto described = read_row_description(body_of(columns, kRowDescription));
  const auto values = read_data_row(body_of(row, kDataRow));

  ASSERT_TRUE(described && values);
  ASSERT_EQ(described->size(), 2u);
  EXPECT_EQ((*described)[0].type_oid, 23);
  EXPECT_EQ((*described)[1].name, "b");
  EXPECT_EQ((*values)[0], "1");
  EXPECT_EQ((*values)[1], std::nullopt);
}

TEST(Backend, RowWhoseCountExceedsItsBytesIsRefused) {
  EXPECT_FALSE(read_data_row(std::string_view("\xff\xff\0\0\0\1a", 7)));
  EXPECT_FALSE(read_row_description(std::string_view("\xff\xff", 2)));
}

TEST(Backend, ErrorFieldsMayBeMissing) {
  std::string out;
  append_error(out, {.severity = "FATAL", .message = "no such database: x"});

  const auto report = read_report(body_of(out, kErrorResponse));

  ASSERT_TRUE(report);
  EXPECT_EQ(report->severity, "FATAL");
  EXPECT_EQ(report->sqlstate, std::nullopt);
  EXPECT_EQ(report->message, "no such database: x");
}

TEST(Backend, UntranslatedSeverityWinsInAReport) {
  const auto report = read_report(std::string_view("SFEHLER\0VERROR\0C22012\0zextra\0\0", 30));

  ASSERT_TRUE(report);
  EXPECT_EQ(report->severity, "ERROR");
  EXPECT_EQ(report->sqlstate, "22012");
}

TEST(Backend, ReportWithoutItsTerminatorIsRefused) {
  EXPECT_FALSE(read_report(std::string_view("SERROR\0", 7)));
  EXPECT_FALSE(read_report(std::string_view("SERROR", 6)));
}

TEST(Backend, NegotiationReadsBackAsWritten) {
  std::string out;
  append_negotiate(out, {3 << 16 | 2, {"_pq_.a", "_pq_.b"}});

  const auto read = read_negotiate(body_of(out, kNegotiateProtocolVersion));

  ASSERT_TRUE(read);
  EXPECT_EQ(read->version, 3 << 16 | 2);
  EXPECT_EQ(read->unknown_options.size(), 2u);
  EXPECT_FALSE(read_negotiate(std::string_view("\0\3\0\0\x7f\xff\xff\xff", 8)));
}

TEST(Backend, TagsTellTheirRows) {
  EXPECT_EQ(rows_in_tag("INSERT 0 5"), 5);
  EXPECT_EQ(rows_in_tag("SELECT 1000000"), 1000000);
  EXPECT_EQ(rows_in_tag("COPY 3"), 3);
  EXPECT_EQ(rows_in_tag("BEGIN"), std::nullopt);
  EXPECT_EQ(rows_in_tag("CREATE TABLE"), std::nullopt);
}

TEST(Backend, ParameterStatusAndTagReadBack) {
  std::string status;
  std::string tag;
  append_parameter_status(status, {"TimeZone", "UTC"});
  append_command_complete(tag, "SELECT 1");

  EXPECT_EQ(read_parameter_status(body_of(status, kParameterStatus))->value, "UTC");
  EXPECT_EQ(*read_command_complete(body_of(tag, kCommandComplete)), "SELECT 1");
  EXPECT_EQ(name_of(kParameterStatus), "ParameterStatus");
}

}  // namespace
}  // namespace pgtend::wire::backend
