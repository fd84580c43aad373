// Lists of names and values as people write them on a command line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pgtend::partition {

struct Word {
  std::string text = {};
  bool quoted = false;  // so that 'null' is a text and null is none

  friend bool operator==(const Word&, const Word&) = default;
};

// "a, b c, 'd, e'": what stands between commas, without the blanks around it. In `quote`s a word
// keeps all it has; a quote in it is doubled. Pure. Errors: Invalid (nothing between two commas, a
// quote that is not closed or stands within a word).
Result<std::vector<Word>> words_of(std::string_view text, char quote);

// Values of one partition, and what stands for them in its name.
struct ValueGroup {
  std::string name = {};
  std::vector<Word> values = {};

  friend bool operator==(const ValueGroup&, const ValueGroup&) = default;
};

// "eu=de,'a, b',null". Pure. Errors: Invalid (no name of small letters, digits and _; as words_of).
Result<ValueGroup> group_of(std::string_view text);

}  // namespace pgtend::partition
