// A line of EXPLAIN's TEXT that holds several properties, as a pattern that both reads and writes
// it.
//
//   {Name}      a number; {Name.3} is written with three decimals, {Name.r} with two if it is no
//               integer (rows since PostgreSQL 18)
//   {Name!}     a number that must not be zero for the pattern to be written
//   {=Name=Of}  nothing in the line: `Name` is what `Of` is, else the pattern is not written
//   <Name>      text up to what follows; "true" and "false" are read as such
//   <Name,>     a list parted by ", "; <Name,1> has one entry, <Name,2> has more
//   [ … ]       a part that the server leaves out when all of its numbers are zero
//   [&,& … ]    the same; "," parts it from a part before it
//
// A name may lead into objects: "Timing~Total". A zero that the line shows although zeros are left
// out is one by rounding: it is kept as text, as are numbers like "N". Numbers that the line leaves
// out are read as 0.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "explain/properties.h"

namespace pgtend::explain {

// A pattern, cut into steps once. Thread: any.
class LinePattern {
 public:
  // `source` is a literal of the program; a pattern is no input.
  explicit LinePattern(std::string_view source);

  // Whether the whole of `line` is as the pattern says; adds its properties, which borrow `line`,
  // to `out`. Cost: O(size).
  bool read(std::string_view line, Properties& out) const;
  // Whether `properties` has what the pattern's line cannot do without.
  bool can_write(const Properties& properties) const;
  // The line that the pattern makes of `properties`; "" when the server would print none.
  std::string write(const Properties& properties) const;

  // Its properties, of a path the first name.
  std::vector<std::string_view> names() const;
  // What stands at the front of every line of it.
  std::string_view front() const;

 private:
  class Reader;
  // What stands between braces or angles.
  struct Field {
    std::string_view name;
    std::string_view same_as = {};  // {=Name=Of}
    int decimals = 0;
    bool not_zero = false;
    bool list = false;
    char entries = 0;  // of a list: '1', '2' or 0
    bool text = false;
    bool is_path() const { return name.find('~') != std::string_view::npos; }
  };
  struct Step {
    enum class Kind : uint8_t { Literal, Number, Text, Part };
    Kind kind = Kind::Literal;
    std::string_view literal = {};  // itself; of a Part what parts it from one before it
    Field field = {};               // of a Number, a Text
    std::vector<Step> inside = {};  // of a Part
    std::string_view stop = {};     // what is behind a Text
    bool ends_line = false;         // that is the end of the line
  };

  static Field number_field(std::string_view inside);
  static Field text_field(std::string_view inside);
  static std::vector<Step> steps_of(std::string_view source);
  template <class Visit>
  static void each_field(const std::vector<Step>& steps, const Visit& visit, bool in_part = false);
  static bool is_shown_in(const std::vector<Step>& steps, const Properties& properties);
  static bool fits(const Field& field, const Value* value);
  static void write_text(const Field& field, const Properties& properties, std::string& out);
  static void write_number(const Field& field, const Properties& properties, std::string& out);
  static void write_steps(const std::vector<Step>& steps, const Properties& properties,
                          std::string& out);

  std::vector<Step> steps_;
  std::vector<Field> optional_;  // numbers that a line may leave out
};

// Whether the server prints `value` where it leaves out zeros.
bool is_shown(const Value& value);

// `value` as TEXT prints numbers, with `decimals` (numbers kept as text: as they are).
std::string number_text(const Value& value, int decimals);

// The property of this name or path; null if absent.
const Value* property(const Properties& properties, std::string_view path);

}  // namespace pgtend::explain
