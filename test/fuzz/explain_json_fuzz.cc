// Any bytes as EXPLAIN's JSON: read, timed, diagnosed, rendered and written, or refused.
#include <cstdint>
#include <string_view>

#include "explain/explain.h"
#include "explain/parse_json.h"
#include "explain/render_term.h"
#include "explain/render_text.h"
#include "explain/report_json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto plan = pgtend::explain::parse_json_plan(text);
  if (!plan) return 0;
  (void)pgtend::explain::render_text(*plan);
  const auto report = pgtend::explain::examine_offline({.plan = std::move(plan).take()});
  (void)pgtend::explain::render_term(report, {.color = true, .width = 80});
  pgtend::JsonWriter writer;
  pgtend::explain::write_json(writer, report);
  (void)writer.take();
  return 0;
}
