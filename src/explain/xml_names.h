// What EXPLAIN's XML does not tell: the JSON name behind a tag, and the type of a value.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "explain/properties.h"

namespace pgtend::explain {

// "I-O-Read-Time" is "I/O Read Time", "One-Time-Filter" "One-Time Filter".
std::string xml_property_name(std::string_view tag);

// The text of a property, borrowed, as JSON's type: flags and numbers by their look, unless the
// property is known to be text (a Filter may be "false", an Alias "1").
Value xml_property_value(std::string_view name, std::string_view text);

// Elements inside another one: their tags and values.
struct XmlMember {
  std::string tag;
  Value value;
};

// Whether `members` of element `tag` are a list's items ("Workers" of "Worker") or an object's
// members.
bool is_xml_list(std::string_view tag, const std::vector<XmlMember>& members);

}  // namespace pgtend::explain
