#include "wire/md5.h"

#include <algorithm>

#include "base/text.h"
#include "wire/secret.h"

namespace pgtend::wire {

Result<std::string> md5_secret(std::string_view user, std::string_view password) {
  return cat("md5", TRY(md5_hex(cat(password, user))));
}

Result<std::string> md5_answer(std::string_view secret, std::string_view salt) {
  CHECK(is_md5_secret(secret));
  return cat("md5", TRY(md5_hex(cat(secret.substr(3), salt))));
}

bool is_md5_secret(std::string_view secret) {
  return secret.size() == 35 && secret.starts_with("md5") &&
         std::ranges::all_of(secret.substr(3), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

}  // namespace pgtend::wire
