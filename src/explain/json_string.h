// Strings in JSON's quotes, which EXPLAIN's YAML uses too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace pgtend::explain {

// Appends the character `code`; half a pair of surrogates, zero and what lies beyond Unicode become
// the replacement character.
void append_utf8(std::string& out, uint32_t code);

enum class QuotedEnd : uint8_t {
  Whole,
  CutOff,  // the text ends before the closing quote
  Bad,     // a backslash that begins no escape; `at` is behind it
};

// Reads the string whose opening quote is at `at`, moves `at` behind the closing one and replaces
// `out` by what the string says. Control characters are taken as they are: frames and shells put
// real newlines there. Thread: any. Cost: O(size).
QuotedEnd read_json_string(std::string_view text, size_t& at, std::string& out);

}  // namespace pgtend::explain
