// Any bytes as EXPLAIN's TEXT: read and written, or refused. What is written as it was read keeps
// the plan; damaged structure (a label without its node) may be read otherwise when it is written
// anew.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "explain/compare.h"
#include "explain/parse_text.h"
#include "explain/render_text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace explain = pgtend::explain;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)explain::split_text_plans(text);
  const auto plan = explain::parse_text_plan(text);
  if (!plan) return 0;
  const auto written = explain::render_text(*plan);
  if (!written) return 0;
  const auto again = explain::parse_text_plan(*written);
  if (!again) return 0;
  const auto written_again = explain::render_text(*again);
  CHECK(written_again);
  const bool stable = *written_again == *written;
  if (stable && *written == text) CHECK(explain::describe_difference(*plan, *again).empty());
  return 0;
}
