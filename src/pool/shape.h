// The shape of a query: its text without literals, comments, white space and case of words, so that
// the calls of one statement with different values count together. Lexical only: no parser.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace pgtend::pool {

// How much of a text is looked at, in bytes: longer ones are alike if they begin alike.
inline constexpr size_t kShapeBytes = size_t{8} << 10;

// Of the first kShapeBytes of `sql`; never 0. Lists of literals behind IN, in ARRAY[…] and rows of
// VALUES have one shape whatever their length. Thread: any. Cost: O(n), no allocation.
uint64_t shape_of(std::string_view sql);

// Remembers the shapes of texts that come again and again to the letter. Thread: one.
class ShapeCache {
 public:
  // shape_of(sql). Cost: a look at each byte, for a text that came lately.
  uint64_t shape(std::string_view sql);

 private:
  struct Entry {
    uint64_t text = 0;  // its hash
    uint64_t shape = 0;
  };
  std::array<Entry, 1024> entries_{};
};

// A text of that shape without any literal: they become parameters, numbered behind those that are
// there; of a collapsed list the first stays. White space becomes single, comments go, at most
// `bytes_max` are kept. Thread: any.
std::string shape_text(std::string_view sql, size_t bytes_max);

// What a data-changing text says about its target: the name behind INSERT INTO, COPY, UPDATE …, as
// written; "" when it cannot be told. Thread: any. Cost: the first tokens only.
std::string target_of(std::string_view sql);

}  // namespace pgtend::pool
