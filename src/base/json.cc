#include "base/json.h"

#include <boost/json/serialize.hpp>
#include <boost/json/stream_parser.hpp>

#include "base/text.h"

namespace pgtend {

namespace {
void append_pretty(std::string& out, const json::value& value, size_t indent);

// One array or object: `open`, each item on its own line, `close`.
template <class Container, class AppendItem>
void append_items(std::string& out, const Container& items, std::string_view brackets,
                  size_t indent, AppendItem append_item) {
  out += brackets[0];
  bool first = true;
  for (const auto& item : items) {
    out += first ? "\n" : ",\n";
    first = false;
    out.append(indent + 2, ' ');
    append_item(item);
  }
  if (!first) {
    out += '\n';
    out.append(indent, ' ');
  }
  out += brackets[1];
}

void append_pretty(std::string& out, const json::value& value, size_t indent) {
  if (const json::array* array = value.if_array()) {
    append_items(out, *array, "[]", indent,
                 [&](const json::value& item) { append_pretty(out, item, indent + 2); });
  } else if (const json::object* object = value.if_object()) {
    append_items(out, *object, "{}", indent, [&](const json::key_value_pair& item) {
      out += json::serialize(json::string(item.key()));
      out += ": ";
      append_pretty(out, item.value(), indent + 2);
    });
  } else {
    out += json::serialize(value);
  }
}
}  // namespace

Result<json::value> parse_json(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.bytes_max) {
    return Error{ErrorCode::Limit,
                 cat("JSON of ", text.size(), " bytes is over the limit of ", limits.bytes_max)};
  }
  json::parse_options options;
  options.max_depth = limits.depth_max;
  json::stream_parser parser(json::storage_ptr{}, options);
  json::error_code failure;
  const size_t used = parser.write_some(text.data(), text.size(), failure);
  if (!failure) parser.finish(failure);
  if (!failure && !trim(text.substr(used)).empty()) failure = json::error::extra_data;
  if (!failure) return parser.release();
  const auto code = failure == json::error::too_deep ? ErrorCode::Limit : ErrorCode::Invalid;
  return Error{code, cat("JSON at byte ", used, ": ", failure.message())};
}

std::string to_text(const json::value& value) { return json::serialize(value); }

std::string to_pretty_text(const json::value& value) {
  std::string out;
  append_pretty(out, value, 0);
  out += '\n';
  return out;
}

}  // namespace pgtend
