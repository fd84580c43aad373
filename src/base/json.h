// JSON in and out: Boost.JSON behind our Result, with bounds for hostile input.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pgtend {

namespace json = boost::json;

struct JsonLimits {
  size_t bytes_max = size_t{256} << 20;
  size_t depth_max = 1000;
};

// The one JSON document in `text`. Errors: Invalid with the byte offset, Limit beyond `limits`.
Result<json::value> parse_json(std::string_view text, const JsonLimits& limits = {});

// One line, no spaces.
std::string to_text(const json::value& value);
// Indented by two spaces, members in their order, a final newline.
std::string to_pretty_text(const json::value& value);

}  // namespace pgtend
