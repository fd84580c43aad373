#include "partition/words.h"

#include <algorithm>

#include "base/text.h"
#include "partition/names.h"

namespace pgtend::partition {
namespace {

// Cuts a quoted word off `rest`, which begins with the quote.
Result<Word> take_quoted(std::string_view& rest, char quote) {
  Word out{.quoted = true};
  for (size_t i = 1; i < rest.size(); ++i) {
    if (rest[i] == quote) {
      if (i + 1 == rest.size() || rest[i + 1] != quote) {
        rest.remove_prefix(i + 1);
        return out;
      }
      ++i;
    }
    out.text += rest[i];
  }
  return Error{ErrorCode::Invalid, cat("a quote is not closed: ", printable(rest))};
}

}  // namespace

Result<std::vector<Word>> words_of(std::string_view text, char quote) {
  std::vector<Word> out;
  std::string_view rest = text;
  while (true) {
    rest = trim(rest);
    if (rest.starts_with(quote)) {
      out.push_back(TRY(take_quoted(rest, quote)));
      rest = trim(rest);
    } else {
      const size_t end = std::min(rest.find(','), rest.size());
      const std::string_view word = trim(rest.substr(0, end));
      if (word.empty()) {
        return Error{ErrorCode::Invalid, cat("an empty place in the list ", printable(text))};
      }
      if (word.find(quote) != std::string_view::npos) {
        return Error{ErrorCode::Invalid, cat("a quote within ", printable(word))}.hinting(
            "quote all of it, and double the quote in it");
      }
      out.push_back({.text = std::string(word)});
      rest.remove_prefix(end);
    }
    if (rest.empty()) return out;
    if (rest.front() != ',') {
      return Error{ErrorCode::Invalid, cat("no comma before ", printable(rest))};
    }
    rest.remove_prefix(1);
  }
}

Result<ValueGroup> group_of(std::string_view text) {
  const size_t equals = text.find('=');
  const std::string_view name = trim(text.substr(0, std::min(equals, text.size())));
  if (equals == std::string_view::npos || name.empty() || name_word(name) != name) {
    return Error{ErrorCode::Invalid,
                 cat(printable(text), " does not begin with the name of a group and =")}
        .hinting("as in eu=de,fr; the name has small letters, digits and _");
  }
  return ValueGroup{.name = std::string(name),
                    .values = TRY(words_of(text.substr(equals + 1), '\''))};
}

}  // namespace pgtend::partition
