#include "base/json.h"

#include <boost/json/serialize.hpp>
#include <boost/json/stream_parser.hpp>

#include "base/json_writer.h"
#include "base/text.h"

namespace pgtend {

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
  JsonWriter writer;
  writer.value(value);
  return writer.take() + '\n';
}

}  // namespace pgtend
