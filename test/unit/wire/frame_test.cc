#include "wire/frame.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "base/text.h"
#include "wire/backend.h"
#include "wire/frontend.h"

namespace pgtend::wire {
namespace {

std::string stream_of_messages() {
  std::string out;
  frontend::append_query(out, "select 1");
  frontend::append_sync(out);
  backend::append_data_row(out, {"abc", std::nullopt, ""});
  frontend::append_copy_data(out, std::string(70'000, 'x'));
  backend::append_ready_for_query(out, backend::TransactionStatus::Idle);
  return out;
}

// Feeds `stream` in the pieces given by `sizes` (the rest at once); the messages cut from it.
std::vector<std::string> cut(const std::string& stream, const std::vector<size_t>& sizes) {
  std::vector<std::string> messages;
  std::string buffer;
  size_t at = 0;
  for (size_t piece = 0; at < stream.size(); ++piece) {
    const size_t size = piece < sizes.size() ? sizes[piece] : stream.size() - at;
    buffer += stream.substr(at, size);
    at += std::min(size, stream.size() - at);
    std::string_view input = buffer;
    while (true) {
      auto frame = next_frame(input);
      EXPECT_TRUE(frame);
      if (!frame || !*frame) break;
      messages.push_back(cat((*frame)->type, (*frame)->body));
    }
    buffer.erase(0, buffer.size() - input.size());
  }
  EXPECT_TRUE(buffer.empty());
  return messages;
}

TEST(Frame, WholeStreamIsCutIntoItsMessages) {
  const auto messages = cut(stream_of_messages(), {});

  ASSERT_EQ(messages.size(), 5u);
  EXPECT_EQ(messages[0], std::string("Qselect 1\0", 10));
  EXPECT_EQ(messages[1], "S");
  EXPECT_EQ(messages[4], "ZI");
}

TEST(Frame, SplitAtEveryByteGivesTheSameMessages) {
  std::string stream;
  frontend::append_query(stream, "select 1");
  frontend::append_sync(stream);
  backend::append_parameter_status(stream, {"TimeZone", "UTC"});
  const auto want = cut(stream, {});

  for (size_t at = 1; at < stream.size(); ++at) EXPECT_EQ(cut(stream, {at}), want) << at;
  EXPECT_EQ(cut(stream, std::vector<size_t>(stream.size(), 1)), want);
}

TEST(Frame, RandomChunksGiveTheSameMessages) {
  const std::string stream = stream_of_messages();
  const auto want = cut(stream, {});
  std::mt19937 random(42);
  std::uniform_int_distribution<size_t> size(1, 3000);

  for (int round = 0; round < 50; ++round) {
    std::vector<size_t> sizes(200);
    for (size_t& s : sizes) s = size(random);
    EXPECT_EQ(cut(stream, sizes), want);
  }
}

TEST(Frame, ImpossibleLengthIsCorrupt) {
  for (const std::string_view bytes :
       {std::string_view("Q\0\0\0\3xxx", 8), std::string_view("Q\0\0\0\0", 5),
        std::string_view("Q\xff\xff\xff\xff", 5), std::string_view("Q\x80\0\0\0", 5)}) {
    std::string_view input = bytes;
    auto frame = next_frame(input);
    ASSERT_FALSE(frame);
    EXPECT_EQ(frame.error().code, ErrorCode::Corrupt);
  }
}

TEST(Frame, LengthAboveTheGivenBoundIsCorrupt) {
  std::string stream;
  frontend::append_query(stream, "select 1");
  std::string_view exact = stream;
  std::string_view small = stream;

  EXPECT_TRUE(next_frame(exact, 13));
  EXPECT_FALSE(next_frame(small, 12));
}

TEST(Frame, HugeBodyNeedsOnlyItsHead) {
  Head head;

  ASSERT_EQ(read_head(std::string_view("d\x7f\xff\xff\xff", 5), head), HeadState::Whole);
  EXPECT_EQ(head.type, 'd');
  EXPECT_EQ(head.total(), 0x80000000u);
}

TEST(Reader, ReadsBeyondTheEndStayFailed) {
  Reader in(std::string_view("\0\1ab\0", 5));

  EXPECT_EQ(in.i16(), 1);
  EXPECT_EQ(in.cstring(), "ab");
  EXPECT_TRUE(in.done());
  EXPECT_EQ(in.i32(), 0);
  EXPECT_FALSE(in.ok());
  EXPECT_EQ(in.rest(), "");
  EXPECT_FALSE(in.done());
}

TEST(Reader, TextWithoutItsZeroByteFails) {
  Reader in("abc");

  EXPECT_EQ(in.cstring(), "");
  EXPECT_FALSE(in.ok());
}

}  // namespace
}  // namespace pgtend::wire
