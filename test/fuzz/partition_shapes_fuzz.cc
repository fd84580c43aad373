// Any bytes as a statement about a table: its class is foretold without end or crash, and what is
// to be written anew lies in the text, in order and apart.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "partition/key_rewrite.h"
#include "partition/shapes.h"

namespace pgtend::partition {
namespace {

void look_at(std::string_view sql) {
  const KeyTable table{.schema = "public",
                       .name = "t",
                       .column = "ts",
                       .type = "timestamp with time zone",
                       .columns = {"id", "ts"},
                       .indexes = {{"ts"}, {"id", "ts"}}};
  for (const bool custom : {false, true}) {
    if (const auto out = predict(table, sql, custom)) CHECK(!out->reason.empty());
  }
  const auto list = changes(table, sql);
  if (!list) return;
  std::vector<std::string> same;
  size_t at = 0;
  for (const Change& change : *list) {
    CHECK(change.place.begin >= at && change.place.end <= sql.size());
    CHECK(!change.kept.empty() || !change.clean.empty());
    at = change.place.end;
    same.push_back(change.original);
  }
  CHECK(replaced(sql, *list, same) == sql);
}

}  // namespace
}  // namespace pgtend::partition

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kSizeMax = 10'000;
  if (size > kSizeMax) return 0;
  pgtend::partition::look_at({reinterpret_cast<const char*>(data), size});
  return 0;
}
