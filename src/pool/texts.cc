#include "pool/texts.h"

#include <algorithm>

#include "wire/backend.h"

namespace pgtend::pool {
namespace {

std::string message(std::string_view severity, std::string_view text, std::string_view sqlstate,
                    std::string_view hint = "") {
  // A text that quotes what a client sent may hold a zero byte, which would end the field.
  std::string clean(text);
  std::ranges::replace(clean, '\0', '?');
  std::string out;
  wire::backend::Report report = {
      .severity = severity, .sqlstate = sqlstate, .message = std::string_view(clean)};
  if (!hint.empty()) report.hint = hint;
  wire::backend::append_error(out, report);
  return out;
}

}  // namespace

std::string fatal_message(std::string_view text, std::string_view sqlstate, std::string_view hint) {
  return message("FATAL", text, sqlstate, hint);
}

std::string error_message(std::string_view text, std::string_view sqlstate) {
  return message("ERROR", text, sqlstate);
}

}  // namespace pgtend::pool
