// COPY in both directions, text and binary.
#include <cstdint>
#include <cstring>

#include "base/text.h"
#include "e2e/support/database.h"

namespace pgtend::e2e {
namespace {

constexpr int64_t kRows = 100'000;

class PgCopy : public VersionTest {};

void append_network(std::string& out, uint64_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
    out += static_cast<char>((value >> shift) & 0xff);
  }
}

// PostgreSQL's binary COPY format: rows of (id int8, text).
std::string binary_header() {
  std::string out("PGCOPY\n\377\r\n\0", 11);
  append_network(out, 0, 4);
  append_network(out, 0, 4);
  return out;
}

void append_row(std::string& out, int64_t id) {
  const std::string text = cat("row ", id);
  append_network(out, 2, 2);
  append_network(out, 8, 4);
  append_network(out, static_cast<uint64_t>(id), 8);
  append_network(out, text.size(), 4);
  out += text;
}

// Copies kRows rows into t.
Result<int64_t> copy_binary(pg::Connection& conn) {
  int64_t next = 0;
  return conn.copy_in("COPY t FROM STDIN (FORMAT binary)", [&](std::string& buffer) {
    if (next > kRows) return ok();
    if (next == 0) buffer = binary_header();
    while (next < kRows && buffer.size() < 100'000) append_row(buffer, ++next);
    if (next == kRows) {
      append_network(buffer, 0xffff, 2);
      ++next;
    }
    return ok();
  });
}

TEST_P(PgCopy, BinaryRowsArriveAndLeaveUnchanged) {
  auto conn = connect();
  must(conn.exec("CREATE TABLE t (id int8, name text)"));

  EXPECT_EQ(must(copy_binary(conn)), kRows);
  std::string received;
  const auto left = must(conn.copy_out(
      "COPY (SELECT * FROM t ORDER BY id) TO STDOUT (FORMAT binary)", [&](std::string_view chunk) {
        received += chunk;
        return ok();
      }));

  EXPECT_EQ(left, kRows);
  std::string expected = binary_header();
  for (int64_t id = 1; id <= kRows; ++id) append_row(expected, id);
  append_network(expected, 0xffff, 2);
  EXPECT_TRUE(received == expected);
  EXPECT_EQ(must(must(conn.query("SELECT sum(id) FROM t")).scalar()), cat(kRows * (kRows + 1) / 2));
}

TEST_P(PgCopy, TextRowsAreCopiedInOneBigBuffer) {
  auto conn = connect();
  must(conn.exec("CREATE TABLE t (id int8)"));
  std::string all;
  for (int64_t id = 0; id < 2 * kRows; ++id) all += cat(1'000'000'000 + id, "\n");

  const auto rows = must(conn.copy_in("COPY t FROM STDIN", [&](std::string& buffer) {
    buffer = std::exchange(all, {});
    return ok();
  }));

  EXPECT_EQ(rows, 2 * kRows);
}

TEST_P(PgCopy, ErrorOfTheSourceAbortsTheCopy) {
  auto conn = connect();
  must(conn.exec("CREATE TABLE t (id int8)"));
  int calls = 0;

  const auto failed = conn.copy_in("COPY t FROM STDIN", [&](std::string& buffer) -> Status {
    if (++calls == 3) return Error{ErrorCode::Limit, "the source is dry"};
    buffer = "1\n";
    return ok();
  });

  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::Limit);
  EXPECT_EQ(failed.error().message, "the source is dry");
  EXPECT_EQ(must(must(conn.query("SELECT count(*) FROM t")).scalar()), "0");
}

TEST_P(PgCopy, ErrorOfTheSinkStopsTheServer) {
  auto conn = connect();
  int calls = 0;

  const auto failed =
      conn.copy_out("COPY (SELECT generate_series(1, 100000000)) TO STDOUT", [&](auto) -> Status {
        return ++calls < 10 ? ok() : Status(Error{ErrorCode::Limit, "enough"});
      });

  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message, "enough");
  EXPECT_EQ(calls, 10);
  EXPECT_EQ(must(must(conn.query("SELECT 1")).scalar()), "1");
}

TEST_P(PgCopy, BadRowIsInvalidAndNothingIsKept) {
  auto conn = connect();
  must(conn.exec("CREATE TABLE t (id int8)"));
  int calls = 0;

  const auto failed = conn.copy_in("COPY t FROM STDIN", [&](std::string& buffer) {
    if (++calls <= 2) buffer = calls == 1 ? "1\n" : "secret value\n";
    return ok();
  });

  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::Invalid);
  EXPECT_EQ(failed.error().sqlstate, "22P02");
  EXPECT_EQ(must(must(conn.query("SELECT count(*) FROM t")).scalar()), "0");
}

TEST_P(PgCopy, StatementThatIsNoCopyIsRefused) {
  auto conn = connect();
  const auto no_data = [](std::string&) { return ok(); };
  const auto no_sink = [](std::string_view) { return ok(); };

  EXPECT_EQ(conn.copy_in("SELECT 1", no_data).error().code, ErrorCode::Invalid);
  EXPECT_EQ(conn.copy_in("COPY pg_class TO STDOUT", no_data).error().code, ErrorCode::Invalid);
  EXPECT_EQ(conn.copy_out("SELECT 1", no_sink).error().code, ErrorCode::Invalid);
  EXPECT_EQ(conn.copy_out("COPY missing TO STDOUT", no_sink).error().code, ErrorCode::NotFound);
  EXPECT_EQ(must(must(conn.query("SELECT 1")).scalar()), "1");
}

PGTEND_ON_SOME_VERSIONS(PgCopy);

}  // namespace
}  // namespace pgtend::e2e
