// The auth_file: "user" "secret" lines. Secrets are clear text, md5... or SCRAM-SHA-256$...
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pgtend::pool {

inline constexpr size_t kUserBytesMax = 127;
inline constexpr size_t kSecretBytesMax = 65530;

// Immutable once loaded. Thread: any.
class Userlist {
 public:
  // Errors: Invalid with "file:line: cause", Limit.
  static Result<Userlist> parse(std::string_view text, const std::string& file);

  // The secret of `user`, perhaps empty; null for a user who is not listed.
  const std::string* secret(const std::string& user) const;
  size_t size() const { return secrets_.size(); }
  std::set<std::string> names() const;

 private:
  std::map<std::string, std::string> secrets_;
};

}  // namespace pgtend::pool
