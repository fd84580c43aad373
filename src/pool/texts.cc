#include "pool/texts.h"

#include <algorithm>

#include "wire/backend.h"

namespace pgtend::pool {
namespace {

std::string message(std::string_view severity, std::string_view text, std::string_view sqlstate) {
  // A text that quotes what a client sent may hold a zero byte, which would end the field.
  std::string clean(text);
  std::ranges::replace(clean, '\0', '?');
  std::string out;
  wire::backend::append_error(
      out, {.severity = severity, .sqlstate = sqlstate, .message = std::string_view(clean)});
  return out;
}

}  // namespace

std::string fatal_message(std::string_view text, std::string_view sqlstate) {
  return message("FATAL", text, sqlstate);
}

std::string error_message(std::string_view text, std::string_view sqlstate) {
  return message("ERROR", text, sqlstate);
}

}  // namespace pgtend::pool
