// Rows in PostgreSQL's binary COPY format (COPY … FROM STDIN (FORMAT binary)).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace pgtend::demo {

// Appends rows to a buffer. A file is begin(), then for each row fields() and that many fields,
// then end(). Pieces of one file may go through several buffers. Thread: one.
class CopyEncoder {
 public:
  explicit CopyEncoder(std::string& out) : out_(out) {}

  void begin();
  void end();
  void fields(int16_t count);
  void null();
  void int4(int32_t value);
  void int8(int64_t value);
  void text(std::string_view value);
  // `seconds` since 1970-01-01 00:00 UTC.
  void timestamptz(int64_t seconds);
  // NUMERIC with four decimals: `units` of 0.0001, |units| below 10^16.
  void numeric4(int64_t units);
  // A whole row of t_dlpdata: the four fields above in one go. Cost: about 15 ns.
  void reading(int64_t id, int32_t meter, int64_t seconds, int64_t units);
  // The same without the id, for loads in which the table's sequence gives it.
  void reading(int32_t meter, int64_t seconds, int64_t units);

 private:
  std::string& out_;
};

}  // namespace pgtend::demo
