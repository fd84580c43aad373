// Ini files and connection strings.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/ini.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string piece(text.substr(0, size / 2));
  int includes = 0;
  // Includes read the first half again: nesting is bounded, so is the number here.
  const pgtend::IniSource source = [&](const std::string& name) -> pgtend::Result<std::string> {
    if (++includes > 20) return pgtend::Error{pgtend::ErrorCode::Limit, "enough of " + name};
    return piece;
  };
  auto entries = pgtend::parse_ini(text, "fuzz.ini", source);
  if (entries) {
    for (const auto& entry : *entries) {
      if (entry.key.empty() || entry.section.empty() || entry.line < 1) std::abort();
      (void)pgtend::parse_connection_words(entry.value);
    }
  }
  (void)pgtend::parse_connection_words(text);
  return 0;
}
