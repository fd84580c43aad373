// Takes plans out of the frames that psql and other clients draw around results: aligned (borders
// 0, 1, 2; ASCII and Unicode lines; "+" and "." for continued lines), expanded (\x), unaligned,
// CSV, markdown tables.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace pgtend::explain {

// A stretch of the input.
struct Region {
  std::string_view plain = {};  // not framed: borrows the input
  std::string cells = {};       // framed: of the input's cells, put together
  size_t line = 1;              // of the input, where it begins
  bool framed = false;  // the whole text of a result: its first line begins a plan if there is one

  std::string_view text() const { return framed ? cells : plain; }
};

// `text` (plain, see input_text.h) with each frame as a region of its own, without title, rules and
// footer, and what stands between frames as regions as they are. Only frames of one column or of
// the column "QUERY PLAN" are taken. Thread: any. Cost: O(size).
std::vector<Region> unframed(std::string_view text);

}  // namespace pgtend::explain
