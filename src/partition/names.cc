#include "partition/names.h"

#include <algorithm>
#include <set>

#include "base/check.h"
#include "base/text.h"

namespace pgtend::partition {
namespace {

constexpr size_t kNameBytesMax = 63;
constexpr size_t kWordBytesMax = 30;
constexpr size_t kOwnBytesMax = 40;  // of a part's name: the rest is for the partition's

// The beginning of `name`, cut between characters of UTF-8.
std::string_view cut(std::string_view name, size_t most) {
  if (name.size() <= most) return name;
  while (most > 0 && (static_cast<unsigned char>(name[most]) & 0xc0) == 0x80) --most;
  return name.substr(0, most);
}

}  // namespace

std::string name_with(std::string_view name, std::string_view suffix) {
  CHECK(suffix.size() < kNameBytesMax);
  return cat(cut(name, kNameBytesMax - suffix.size()), suffix);
}

std::string name_of_part(std::string_view partition, std::string_view table, std::string_view name,
                         int number) {
  const bool prefixed = name.starts_with(table);
  const std::string_view own = prefixed ? name.substr(table.size()) : name;
  const std::string tail =
      cat(prefixed ? "" : "_", cut(own, kOwnBytesMax), number == 0 ? std::string() : cat(number));
  // What tells partitions apart stands behind the table's name: that is what is cut.
  size_t same = 0;
  while (same < std::min(partition.size(), table.size()) && partition[same] == table[same]) ++same;
  const std::string_view from = cut(partition, same);
  const std::string_view mark = cut(partition.substr(from.size()), kNameBytesMax - tail.size());
  return cat(cut(from, kNameBytesMax - tail.size() - mark.size()), mark, tail);
}

std::string name_word(std::string_view value) {
  std::string out;
  for (const char c : lower(value)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    if (plain) {
      out += c;
    } else if (!out.empty() && out.back() != '_') {
      out += '_';
    }
    if (out.size() == kWordBytesMax) break;
  }
  while (out.ends_with('_')) out.pop_back();
  return out.empty() ? value.empty() ? "empty" : "v" : out;
}

std::vector<std::string> names_of_parts(std::string_view table,
                                        const std::vector<std::string>& words) {
  std::vector<std::string> out;
  std::set<std::string> used;
  for (const std::string& word : words) {
    std::string name = name_with(table, cat("_", word));
    for (int number = 2; !used.insert(name).second; ++number) {
      name = name_with(table, cat("_", word, "_", number));
    }
    out.push_back(std::move(name));
  }
  return out;
}

}  // namespace pgtend::partition
