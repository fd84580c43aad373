// JSON written piece by piece, for documents that are deeper or larger than a json::value should
// be.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace pgtend {

// Laid out as to_pretty_text() does it, but indented by 80 columns at most: a deep document must
// not grow with the square of its depth. Usage errors stop the process. Thread: one. Cost: O(text).
class JsonWriter {
 public:
  void begin_object() { begin('{'); }
  void begin_list() { begin('['); }
  void end();
  // The name of the member whose value comes next.
  void key(std::string_view name);
  void value(const json::value& value);
  // The members of `object`, as members of the object that is open.
  void members(const json::object& object);

  // The whole document; everything must have been ended.
  std::string take();

 private:
  void begin(char bracket);
  void before_item();
  void new_line();

  std::string text_;
  std::vector<bool> objects_;  // whether each open bracket is an object's
  bool empty_ = true;          // nothing in the innermost bracket yet
  bool named_ = false;         // a key has been written
};

}  // namespace pgtend
