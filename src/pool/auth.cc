#include "pool/auth.h"

#include <algorithm>

#include "base/text.h"
#include "wire/frontend.h"
#include "wire/md5.h"

namespace pgtend::pool {
namespace {

namespace be = wire::backend;
namespace fe = wire::frontend;

constexpr size_t kSeedBytes = 32;
constexpr size_t kSaltBytes = 16;

Error denied(std::string_view text) { return Error{ErrorCode::Denied, std::string(text)}; }

bool is_clear_text(std::string_view secret) {
  return !secret.empty() && !wire::is_md5_secret(secret) && !wire::is_verifier(secret);
}

}  // namespace

LoginCache::LoginCache() : seed_(wire::random_bytes(kSeedBytes)) {}

wire::ScramVerifier LoginCache::verifier(const std::string& user, const std::string* secret,
                                         int iterations) {
  if (secret != nullptr) {
    if (auto stored = wire::parse_verifier(*secret)) return std::move(stored).take();
    if (is_clear_text(*secret)) {
      Made& made = made_[user];
      if (made.secret != *secret || made.verifier.iterations != iterations) {
        made.secret = *secret;
        made.verifier = wire::make_verifier(*secret, wire::random_bytes(kSaltBytes), iterations);
      }
      return made.verifier;
    }
  }
  return wire::mock_verifier(user, seed_, iterations);
}

wire::ScramKeys LoginCache::keys(const std::string& user, const std::string& password,
                                 const wire::ScramChallenge& challenge) {
  Derived& derived = derived_[user];
  if (derived.password != password || !(derived.challenge == challenge)) {
    derived = {password, challenge, wire::derive_keys(password, challenge)};
  }
  return derived.keys;
}

void LoginCache::remember_proved(const std::string& user, const std::string& secret,
                                 const wire::ScramKeys& keys) {
  proved_[{user, secret}] = keys;
}

const wire::ScramKeys* LoginCache::proved(const std::string& user,
                                          const std::string& secret) const {
  const auto found = proved_.find({user, secret});
  return found == proved_.end() ? nullptr : &found->second;
}

ClientAuth::ClientAuth(AuthType type, std::string user, const std::string* secret, int iterations,
                       LoginCache& cache)
    : type_(type), user_(std::move(user)), iterations_(iterations), cache_(cache) {
  if (secret != nullptr) secret_ = *secret;
}

Result<ClientAuth::Step> ClientAuth::start(std::string& out) {
  switch (type_) {
    case AuthType::Any:
      return Step::Passed;
    case AuthType::Trust:
      if (!secret_) return denied("\"trust\" authentication failed");
      return Step::Passed;
    case AuthType::Plain:
      be::append_authentication(out, {be::AuthKind::CleartextPassword, {}});
      return Step::Ask;
    case AuthType::Md5:
      // As in PgBouncer, a user with a SCRAM verifier is asked for SCRAM.
      if (secret_ && wire::is_verifier(*secret_)) return start_scram(out);
      md5_salt_ = wire::random_bytes(4);
      be::append_authentication(out, {be::AuthKind::Md5Password, md5_salt_});
      return Step::Ask;
    case AuthType::ScramSha256:
      return start_scram(out);
  }
  std::abort();
}

Result<ClientAuth::Step> ClientAuth::start_scram(std::string& out) {
  scram_ = std::make_unique<wire::ScramServer>(
      cache_.verifier(user_, secret_ ? &*secret_ : nullptr, iterations_), wire::scram_nonce());
  be::append_authentication(out, {be::AuthKind::Sasl, {}, {wire::kScramSha256}});
  return Step::Ask;
}

Result<ClientAuth::Step> ClientAuth::answer(std::string_view body, std::string& out) {
  if (scram_) return answer_scram(body, out);
  const auto password = TRY(fe::read_password(body));
  if (password.empty()) return denied("empty password returned by client");
  return type_ == AuthType::Plain ? answer_plain(password) : answer_md5(password);
}

Result<ClientAuth::Step> ClientAuth::answer_scram(std::string_view body, std::string& out) {
  const auto failed = denied("SASL authentication failed");
  if (!first_answered_) {
    first_answered_ = true;
    const auto initial = TRY(fe::read_sasl_initial(body));
    if (initial.mechanism != wire::kScramSha256) {
      return denied("client selected an invalid SASL authentication mechanism");
    }
    auto question = scram_->challenge(initial.data);
    if (!question) return failed;
    be::append_authentication(out, {be::AuthKind::SaslContinue, *question});
    return Step::Ask;
  }
  auto proof = scram_->finish(body);
  if (!proof) return failed;
  be::append_authentication(out, {be::AuthKind::SaslFinal, *proof});
  if (secret_ && wire::is_verifier(*secret_)) {
    cache_.remember_proved(user_, *secret_, scram_->keys());
  }
  return Step::Passed;
}

bool ClientAuth::password_fits(std::string_view password) const {
  if (auto verifier = wire::parse_verifier(*secret_)) {
    const auto made = wire::make_verifier(password, verifier->salt, verifier->iterations);
    return wire::equal_in_constant_time(wire::view(made.stored_key),
                                        wire::view(verifier->stored_key));
  }
  if (wire::is_md5_secret(*secret_)) {
    const auto made = wire::md5_secret(user_, password);
    return made && wire::equal_in_constant_time(*made, *secret_);
  }
  return wire::equal_in_constant_time(password, *secret_);
}

Result<ClientAuth::Step> ClientAuth::answer_plain(std::string_view password) {
  if (!secret_ || secret_->empty() || !password_fits(password)) {
    return denied("password authentication failed");
  }
  return Step::Passed;
}

Result<ClientAuth::Step> ClientAuth::answer_md5(std::string_view answer) {
  const auto failed = denied("password authentication failed");
  if (!secret_ || secret_->empty()) return failed;
  const std::string stored =
      wire::is_md5_secret(*secret_) ? *secret_ : TRY(wire::md5_secret(user_, *secret_));
  if (!wire::equal_in_constant_time(answer, TRY(wire::md5_answer(stored, md5_salt_)))) {
    return failed;
  }
  return Step::Passed;
}

ServerAuth::ServerAuth(std::string user, std::string secret, bool forced, LoginCache& cache)
    : user_(std::move(user)), secret_(std::move(secret)), forced_(forced), cache_(cache) {}

Result<bool> ServerAuth::take(const be::Authentication& message, std::string& out) {
  switch (message.kind) {
    case be::AuthKind::Ok:
      // A server that skips its half of SCRAM has not proved to know the password.
      if (scram_ && !verified_) return denied("the server skipped its SCRAM proof");
      return true;
    case be::AuthKind::CleartextPassword:
      if (!is_clear_text(secret_)) return denied("wrong password type");
      fe::append_password(out, secret_);
      return false;
    case be::AuthKind::Md5Password: {
      if (secret_.empty() || wire::is_verifier(secret_)) return denied("wrong password type");
      const std::string stored =
          wire::is_md5_secret(secret_) ? secret_ : TRY(wire::md5_secret(user_, secret_));
      fe::append_password(out, TRY(wire::md5_answer(stored, message.data)));
      return false;
    }
    case be::AuthKind::Sasl:
    case be::AuthKind::SaslContinue:
    case be::AuthKind::SaslFinal:
      return take_sasl(message, out);
    case be::AuthKind::Kerberos:
    case be::AuthKind::Scm:
    case be::AuthKind::Gss:
    case be::AuthKind::GssContinue:
    case be::AuthKind::Sspi:
      break;
  }
  return denied(cat("the server asks for authentication method ", static_cast<int>(message.kind),
                    ", which is not supported"));
}

Result<bool> ServerAuth::take_sasl(const be::Authentication& message, std::string& out) {
  if (message.kind == be::AuthKind::Sasl) {
    if (std::ranges::find(message.mechanisms, wire::kScramSha256) == message.mechanisms.end()) {
      return denied("the server offers no SASL mechanism that is supported");
    }
    if (secret_.empty() || wire::is_md5_secret(secret_)) return denied("wrong password type");
    scram_ = std::make_unique<wire::ScramClient>(wire::scram_nonce());
    fe::append_sasl_initial(out, {wire::kScramSha256, scram_->first()});
    return false;
  }
  if (!scram_) return Error{ErrorCode::Corrupt, "the server sent a SASL message out of order"};
  if (message.kind == be::AuthKind::SaslContinue) {
    const auto challenge = TRY(scram_->challenge(message.data));
    const auto keys = TRY(keys_for(challenge));
    fe::append_sasl_response(out, scram_->answer(keys));
    return false;
  }
  TRY(scram_->verify(message.data));
  verified_ = true;
  return false;
}

Result<wire::ScramKeys> ServerAuth::keys_for(const wire::ScramChallenge& challenge) {
  if (is_clear_text(secret_)) {
    return forced_ ? wire::derive_keys(secret_, challenge) : cache_.keys(user_, secret_, challenge);
  }
  const auto stored = wire::parse_verifier(secret_);
  const wire::ScramKeys* proved = forced_ ? nullptr : cache_.proved(user_, secret_);
  if (!stored || proved == nullptr || stored->salt != challenge.salt ||
      stored->iterations != challenge.iterations) {
    return denied("wrong password type");
  }
  return *proved;
}

}  // namespace pgtend::pool
