#include "pool/userlist.h"

#include "base/text.h"

namespace pgtend::pool {
namespace {

// A double-quoted word at the front of `rest`; "" inside is a quote.
std::optional<std::string> take_word(std::string_view& rest) {
  if (rest.empty() || rest[0] != '"') return {};
  rest.remove_prefix(1);
  std::string word;
  while (!rest.empty()) {
    const char c = rest[0];
    rest.remove_prefix(1);
    if (c != '"') {
      word.push_back(c);
    } else if (!rest.empty() && rest[0] == '"') {
      word.push_back('"');
      rest.remove_prefix(1);
    } else {
      return word;
    }
  }
  return {};
}

}  // namespace

Result<Userlist> Userlist::parse(std::string_view text, const std::string& file) {
  Userlist list;
  int number = 0;
  for (const std::string_view raw : split(text, '\n')) {
    ++number;
    std::string_view rest = trim(raw);
    if (rest.empty() || rest[0] == ';' || rest[0] == '#') continue;
    auto user = take_word(rest);
    rest = trim(rest);
    auto secret = user ? take_word(rest) : std::nullopt;
    if (!user || !secret || user->empty()) {
      return Error{ErrorCode::Invalid, cat(file, ':', number, ": expected \"user\" \"secret\"")};
    }
    if (user->size() > kUserBytesMax || secret->size() > kSecretBytesMax) {
      return Error{ErrorCode::Limit, cat(file, ':', number, ": name or secret is too long")};
    }
    list.secrets_.insert_or_assign(*std::move(user), *std::move(secret));
  }
  return list;
}

const std::string* Userlist::secret(const std::string& user) const {
  const auto found = secrets_.find(user);
  return found == secrets_.end() ? nullptr : &found->second;
}

std::set<std::string> Userlist::names() const {
  std::set<std::string> names;
  for (const auto& [name, secret] : secrets_) names.insert(name);
  return names;
}

}  // namespace pgtend::pool
