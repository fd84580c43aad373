#include "partition/names.h"

#include "base/check.h"
#include "base/text.h"

namespace pgtend::partition {
namespace {
constexpr size_t kNameBytesMax = 63;
}

std::string name_with(std::string_view name, std::string_view suffix) {
  CHECK(suffix.size() < kNameBytesMax);
  size_t keep = std::min(name.size(), kNameBytesMax - suffix.size());
  if (keep < name.size()) {
    // Not inside a UTF-8 character.
    while (keep > 0 && (static_cast<unsigned char>(name[keep]) & 0xc0) == 0x80) --keep;
  }
  return cat(name.substr(0, keep), suffix);
}

}  // namespace pgtend::partition
