// The client's side of a login: answers to the server's authentication requests.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "demo/load_target.h"
#include "wire/backend.h"
#include "wire/scram.h"

namespace pgtend::demo {

// One login. Borrows `target` and keeps derived keys there. Thread: one at a time.
class Login {
 public:
  explicit Login(LoadTarget& target) : target_(target) {}

  // The start packet.
  std::string start() const;
  // Appends the answer to an Authentication message's `body` to `out` (nothing for Ok).
  // Errors: Denied (no password, a method we do not have, a server that cannot prove itself),
  // Corrupt, Limit.
  Status on_authentication(std::string_view body, std::string& out);
  // True once the server has said Ok, and proved itself if SCRAM was used.
  bool accepted() const { return accepted_; }

 private:
  Status answer_password(const wire::backend::Authentication& request, std::string& out);
  Status begin_scram(const wire::backend::Authentication& request, std::string& out);
  Status continue_scram(std::string_view server_first, std::string& out);

  LoadTarget& target_;
  std::optional<wire::ScramClient> scram_;
  bool proved_ = false;
  bool accepted_ = false;
};

}  // namespace pgtend::demo
