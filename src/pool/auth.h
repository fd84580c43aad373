// Logins as message exchanges without I/O: a client to us, and us to a server.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "pool/config.h"
#include "wire/backend.h"
#include "wire/scram.h"

namespace pgtend::pool {

// What one worker remembers so that a login costs no PBKDF2 twice, and the keys that clients with a
// stored verifier have proved, with which we can log in to a server that stores the same verifier.
// Thread: one loop's.
class LoginCache {
 public:
  LoginCache();

  // The verifier to challenge `user` with: the stored one, one made from a clear-text `secret`, or
  // one that nobody can satisfy when the secret is null, empty or of another kind.
  wire::ScramVerifier verifier(const std::string& user, const std::string* secret, int iterations);
  // The keys of `password`, computed once a (user, password, challenge).
  wire::ScramKeys keys(const std::string& user, const std::string& password,
                       const wire::ScramChallenge& challenge);
  // Of a client that satisfied the verifier stored as `secret`.
  void remember_proved(const std::string& user, const std::string& secret,
                       const wire::ScramKeys& keys);
  // Null if nobody proved them yet, or for another verifier.
  const wire::ScramKeys* proved(const std::string& user, const std::string& secret) const;

 private:
  struct Made {
    std::string secret;
    wire::ScramVerifier verifier;
  };
  struct Derived {
    std::string password;
    wire::ScramChallenge challenge;
    wire::ScramKeys keys;
  };

  std::string seed_;
  std::map<std::string, Made> made_;        // by user, of the user list
  std::map<std::string, Derived> derived_;  // by user, of the user list or a forced user
  std::map<std::pair<std::string, std::string>, wire::ScramKeys> proved_;  // by user and verifier
};

// The login of one client. Thread: one loop's; `cache` outlives it.
class ClientAuth {
 public:
  enum class Step : uint8_t { Ask, Passed };

  // `secret` is null for a user who is not listed; that is not shown to the client.
  ClientAuth(AuthType type, std::string user, const std::string* secret, int iterations,
             LoginCache& cache);

  // Appends the first question to `out`, if there is one. Errors: Denied, Unavailable.
  Result<Step> start(std::string& out);
  // Takes the body of a 'p' message. Errors: Denied with the text for the client, Corrupt.
  Result<Step> answer(std::string_view body, std::string& out);

 private:
  Result<Step> start_scram(std::string& out);
  Result<Step> answer_scram(std::string_view body, std::string& out);
  Result<Step> answer_plain(std::string_view password);
  Result<Step> answer_md5(std::string_view answer);
  bool password_fits(std::string_view password) const;

  AuthType type_;
  std::string user_;
  std::optional<std::string> secret_;
  int iterations_;
  LoginCache& cache_;
  std::string md5_salt_;
  std::unique_ptr<wire::ScramServer> scram_;
  bool first_answered_ = false;
};

// Our login to one server. Thread: one loop's; `cache` outlives it.
class ServerAuth {
 public:
  // `secret`: clear text, md5... or a SCRAM verifier whose keys a client has proved.
  // `forced`: the user of a [databases] line, whose keys must not mix with those of the list.
  ServerAuth(std::string user, std::string secret, bool forced, LoginCache& cache);

  // Takes an Authentication message, appends the answer to `out`; true when the server is
  // satisfied. Errors: Denied (with the cause) when we cannot answer, Corrupt, Limit.
  Result<bool> take(const wire::backend::Authentication& message, std::string& out);

 private:
  Result<bool> take_sasl(const wire::backend::Authentication& message, std::string& out);
  Result<wire::ScramKeys> keys_for(const wire::ScramChallenge& challenge);

  std::string user_;
  std::string secret_;
  bool forced_;
  LoginCache& cache_;
  std::unique_ptr<wire::ScramClient> scram_;
  bool verified_ = false;
};

}  // namespace pgtend::pool
