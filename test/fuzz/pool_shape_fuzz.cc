// Shapes of queries: any bytes are a text.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "pool/shape.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pgtend::pool;
  const std::string_view sql(reinterpret_cast<const char*>(data), size);
  constexpr size_t kTextMax = 1000;
  const std::string text = shape_text(sql, kTextMax);
  // Of a text without literals nothing more can be taken out.
  if (text.size() > kTextMax || shape_of(sql) == 0) std::abort();
  if (text.size() < kTextMax && shape_text(text, kTextMax).size() > text.size() + 1) std::abort();
  ShapeCache cache;
  if (cache.shape(sql) != shape_of(sql) || cache.shape(sql) != shape_of(sql)) std::abort();
  (void)target_of(sql);
  return 0;
}
