// Lists of names and values of a command line, and groups of them.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "partition/words.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const char quote : {'\'', '"'}) {
    const auto words = pgtend::partition::words_of(text, quote);
    if (!words) {
      if (words.error().message.empty()) std::abort();
      continue;
    }
    // Written with quotes around each they are read as the same.
    std::string again;
    for (const auto& word : *words) {
      if (!again.empty()) again += ", ";
      again += quote;
      for (const char c : word.text) again += c == quote ? std::string(2, c) : std::string(1, c);
      again += quote;
    }
    const auto twice = pgtend::partition::words_of(again, quote);
    if (!twice || twice->size() != words->size()) std::abort();
    for (size_t i = 0; i < words->size(); ++i) {
      if ((*twice)[i].text != (*words)[i].text || !(*twice)[i].quoted) std::abort();
    }
  }
  const auto group = pgtend::partition::group_of(text);
  if (group && (group->name.empty() || group->values.empty())) std::abort();
  return 0;
}
