// Any bytes as EXPLAIN's JSON: read, timed, diagnosed, rendered and written, or refused.
#include <cstdint>
#include <string_view>

#include "explain/explain.h"
#include "explain/render_term.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto report = pgtend::explain::examine_offline(text);
  if (!report) return 0;
  (void)pgtend::explain::render_term(*report, {.color = true, .width = 80});
  (void)pgtend::to_text(pgtend::explain::to_json(*report));
  return 0;
}
