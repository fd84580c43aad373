// Any bytes as EXPLAIN's XML: plans or an error.
#include <cstdint>
#include <string_view>

#include "explain/parse_xml.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)pgtend::explain::may_begin_xml_plan(text);
  const auto read = pgtend::explain::read_xml_plans(text, {.nodes_max = 1000});
  for (const pgtend::explain::Plan& plan : read.plans) {
    for (const pgtend::explain::Node& node : plan.nodes) {
      (void)to_text(node.properties);
    }
  }
  return 0;
}
