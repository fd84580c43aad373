// Any bytes as SQL or an expression, and as a plan: no word or literal with the mark in it comes
// through, and what was made anonymous can be read again.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "explain/anonymize.h"
#include "explain/parse_text.h"
#include "explain/render_text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace explain = pgtend::explain;
  constexpr size_t kSizeMax = 20'000;
  if (size > kSizeMax) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  explain::Pseudonyms pseudonyms;
  CHECK(explain::anonymous_sql(text, pseudonyms).find("zqx") == std::string::npos);
  const auto plan = explain::parse_text_plan(text);
  if (!plan) return 0;
  const auto hidden = explain::anonymous_plan(*plan, pseudonyms);
  if (!hidden) return 0;
  const auto written = explain::render_text(*hidden);
  CHECK(!written || written->find("zqx") == std::string::npos);
  return 0;
}
