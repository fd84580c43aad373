#include "demo/load_scanner.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/text.h"
#include "wire/backend.h"

namespace pgtend::demo {
namespace {

using wire::backend::TransactionStatus;

// What a server answers to a query, with an error at the end.
std::string conversation() {
  std::string bytes;
  wire::backend::append_parameter_status(bytes, {"server_version", "15.18"});
  wire::backend::append_row_description(bytes, {{.name = "a"}});
  wire::backend::append_data_row(bytes, {std::string_view("one")});
  wire::backend::append_data_row(bytes, {std::nullopt});
  wire::backend::append_command_complete(bytes, "SELECT 2");
  wire::backend::append_ready_for_query(bytes, TransactionStatus::Idle);
  wire::backend::append_error(bytes, {.severity = "ERROR", .sqlstate = "42P01", .message = "gone"});
  wire::backend::append_ready_for_query(bytes, TransactionStatus::Failed);
  return bytes;
}

// Every message as its type and, in brackets, the length of its body.
std::string read_in_pieces(const std::string& bytes, size_t piece) {
  MessageScanner scanner;
  std::string seen;
  for (size_t at = 0; at < bytes.size(); at += piece) {
    const std::string part = bytes.substr(at, piece);
    scanner.add(part);
    while (true) {
      auto frame = scanner.next();
      if (!frame) return seen + "!";
      if (!*frame) break;
      seen += cat((*frame)->type, "(", (*frame)->body.size(), ")");
    }
  }
  return seen;
}

TEST(MessageScanner, CutsAtEveryByteGiveTheSameMessages) {
  const std::string bytes = conversation();
  const std::string whole = read_in_pieces(bytes, bytes.size());

  EXPECT_EQ(whole, "S(0)T(0)D(0)D(0)C(0)Z(1)E(28)Z(1)");
  for (size_t piece = 1; piece < bytes.size(); ++piece) {
    EXPECT_EQ(read_in_pieces(bytes, piece), whole) << piece;
  }
}

TEST(MessageScanner, AHugeRowNeedsNoMemory) {
  MessageScanner scanner;
  const std::string head("D\x7f\xff\xff\xff", 5);
  const std::string body(100'000, 'x');
  scanner.add(head);
  auto frame = scanner.next();
  ASSERT_TRUE(frame && *frame);
  EXPECT_EQ((*frame)->type, 'D');
  for (int i = 0; i < 1'000; ++i) {
    scanner.add(body);
    frame = scanner.next();
    ASSERT_TRUE(frame);
    EXPECT_FALSE(*frame);
  }
}

TEST(MessageScanner, AnErrorTooLongToKeepIsCorrupt) {
  MessageScanner scanner;
  const std::string head("E\x00\x01\x00\x00", 5);
  scanner.add(head);
  const auto frame = scanner.next();

  ASSERT_FALSE(frame);
  EXPECT_EQ(frame.error().code, ErrorCode::Corrupt);
}

TEST(MessageScanner, ImpossibleLengthsAreCorrupt) {
  for (const std::string& head :
       {std::string("Z\0\0\0\3", 5), std::string("D\xff\xff\xff\xff", 5)}) {
    MessageScanner scanner;
    scanner.add(head);
    EXPECT_FALSE(scanner.next());
  }
}

TEST(MessageScanner, ResetForgetsHalfAMessage) {
  MessageScanner scanner;
  scanner.add("E\0\0");
  EXPECT_FALSE(*scanner.next());
  scanner.reset();
  std::string bytes;
  wire::backend::append_ready_for_query(bytes, TransactionStatus::Idle);
  scanner.add(bytes);
  const auto frame = scanner.next();

  ASSERT_TRUE(frame && *frame);
  EXPECT_EQ((*frame)->type, 'Z');
  EXPECT_EQ((*frame)->body, "I");
}

}  // namespace
}  // namespace pgtend::demo
