#include "wire/scram.h"

#include <algorithm>
#include <optional>

#include "base/text.h"

namespace pgtend::wire {
namespace {

constexpr size_t kSaltBytes = 16;
constexpr size_t kNonceBytes = 18;  // 24 characters of base64

Error malformed_scram(std::string_view what) {
  return Error{ErrorCode::Corrupt, cat("malformed_scram SCRAM message: ", what)};
}

bool is_nonce(std::string_view text) {
  return !text.empty() &&
         std::ranges::all_of(text, [](char c) { return c >= 0x21 && c <= 0x7e && c != ','; });
}

// Takes "<name>=value" and the comma behind it off the front; nullopt if another attribute is
// there.
std::optional<std::string_view> attribute(std::string_view& text, char name) {
  if (text.size() < 2 || text[0] != name || text[1] != '=') return {};
  const size_t comma = text.find(',');
  const auto value = text.substr(2, comma == std::string_view::npos ? comma : comma - 2);
  text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
  return value;
}

Result<Key> read_key(std::string_view base64) {
  auto bytes = base64_decode(base64);
  Key key;
  if (!bytes || bytes->size() != key.size())
    return malformed_scram("a key is not 32 bytes of base64");
  std::copy(bytes->begin(), bytes->end(), key.begin());
  return key;
}

Key exclusive_or(const Key& a, const Key& b) {
  Key out;
  for (size_t i = 0; i < out.size(); ++i) out[i] = a[i] ^ b[i];
  return out;
}

ScramKeys keys_of(const Key& salted_password) {
  return {hmac_sha256(view(salted_password), "Client Key"),
          hmac_sha256(view(salted_password), "Server Key")};
}

}  // namespace

std::string scram_nonce() { return base64_encode(random_bytes(kNonceBytes)); }

bool is_verifier(std::string_view secret) { return static_cast<bool>(parse_verifier(secret)); }

Result<ScramVerifier> parse_verifier(std::string_view text) {
  const Error bad{ErrorCode::Invalid, "not a SCRAM-SHA-256 verifier"};
  const auto parts = split(text, '$');
  if (parts.size() != 3 || parts[0] != kScramSha256) return bad;
  const auto head = split(parts[1], ':');
  const auto keys = split(parts[2], ':');
  if (head.size() != 2 || keys.size() != 2) return bad;
  auto iterations = parse_int(head[0]);
  auto salt = base64_decode(head[1]);
  auto stored = read_key(keys[0]);
  auto server = read_key(keys[1]);
  if (!iterations || *iterations < 1 || *iterations > INT32_MAX) return bad;
  if (!salt || salt->empty() || !stored || !server) return bad;
  return ScramVerifier{static_cast<int>(*iterations), std::move(salt).take(), *stored, *server};
}

std::string format_verifier(const ScramVerifier& verifier) {
  return cat(kScramSha256, '$', verifier.iterations, ':', base64_encode(verifier.salt), '$',
             base64_encode(view(verifier.stored_key)), ':',
             base64_encode(view(verifier.server_key)));
}

ScramVerifier make_verifier(std::string_view password, std::string_view salt, int iterations) {
  const ScramKeys keys = derive_keys(password, {std::string(salt), iterations});
  return {iterations, std::string(salt), sha256(view(keys.client_key)), keys.server_key};
}

ScramVerifier mock_verifier(std::string_view user, std::string_view seed, int iterations) {
  const Key salt = hmac_sha256(seed, cat("salt", user));
  const Key stored = hmac_sha256(seed, cat("stored", user));
  const Key server = hmac_sha256(seed, cat("server", user));
  return {iterations, std::string(view(salt).substr(0, kSaltBytes)), stored, server};
}

ScramKeys derive_keys(std::string_view password, const ScramChallenge& challenge) {
  return keys_of(pbkdf2_sha256(password, challenge.salt, challenge.iterations));
}

ScramClient::ScramClient(std::string nonce) : nonce_(std::move(nonce)) { CHECK(is_nonce(nonce_)); }

// PostgreSQL takes the user from the start packet, so the name is left empty here, as libpq does.
std::string ScramClient::first() const { return cat("n,,n=,r=", nonce_); }

Result<ScramChallenge> ScramClient::challenge(std::string_view server_first) {
  if (server_first.size() > kScramMessageMax) return malformed_scram("server-first is too long");
  std::string_view rest = server_first;
  const auto nonce = attribute(rest, 'r');
  const auto salt = attribute(rest, 's');
  const auto count = attribute(rest, 'i');
  if (!nonce || !salt || !count)
    return malformed_scram("server-first lacks nonce, salt or iterations");
  if (!is_nonce(*nonce) || !nonce->starts_with(nonce_) || nonce->size() == nonce_.size()) {
    return malformed_scram("the server's nonce does not extend ours");
  }
  auto raw_salt = base64_decode(*salt);
  auto iterations = parse_int(*count);
  if (!raw_salt || raw_salt->empty()) return malformed_scram("the salt is not base64");
  if (!iterations || *iterations < 1) return malformed_scram("the iteration count is not a number");
  if (*iterations > kScramIterationsMax) {
    return Error{ErrorCode::Limit, cat("the server asks for ", *iterations,
                                       " SCRAM iterations, more than ", kScramIterationsMax)};
  }
  server_first_ = server_first;
  combined_nonce_ = *nonce;
  return ScramChallenge{std::move(raw_salt).take(), static_cast<int>(*iterations)};
}

std::string ScramClient::answer(const ScramKeys& keys) {
  CHECK(!combined_nonce_.empty());
  const std::string without_proof = cat("c=biws,r=", combined_nonce_);
  const std::string signed_text = cat("n=,r=", nonce_, ',', server_first_, ',', without_proof);
  const Key stored_key = sha256(view(keys.client_key));
  const Key signature = hmac_sha256(view(stored_key), signed_text);
  expected_signature_ = hmac_sha256(view(keys.server_key), signed_text);
  return cat(without_proof, ",p=", base64_encode(view(exclusive_or(keys.client_key, signature))));
}

Status ScramClient::verify(std::string_view server_final) const {
  if (server_final.size() > kScramMessageMax) return malformed_scram("server-final is too long");
  std::string_view rest = server_final;
  if (const auto failure = attribute(rest, 'e')) {
    return Error{ErrorCode::Denied, cat("the server refused the login: ", printable(*failure))};
  }
  const auto signature = attribute(rest, 'v');
  if (!signature) return malformed_scram("server-final lacks the signature");
  const Key proof = TRY(read_key(*signature));
  if (!equal_in_constant_time(view(proof), view(expected_signature_))) {
    return Error{ErrorCode::Denied, "the server does not know this password (wrong signature)"};
  }
  return ok();
}

ScramServer::ScramServer(ScramVerifier verifier, std::string nonce)
    : verifier_(std::move(verifier)), nonce_(std::move(nonce)) {
  CHECK(is_nonce(nonce_));
}

Result<std::string> ScramServer::challenge(std::string_view client_first) {
  if (client_first.size() > kScramMessageMax) return malformed_scram("client-first is too long");
  if (!server_first_.empty()) return malformed_scram("client-first came twice");
  std::string_view rest = client_first;
  // gs2 header: "n" or "y" (no channel binding: we offer none), no authorization identity.
  if (rest.starts_with("p=")) return malformed_scram("channel binding was not offered");
  if (!rest.starts_with("n,,") && !rest.starts_with("y,,"))
    return malformed_scram("bad gs2 header");
  gs2_header_ = rest.substr(0, 3);
  rest.remove_prefix(3);
  client_first_bare_ = rest;
  if (!attribute(rest, 'n')) return malformed_scram("client-first lacks the user name");
  const auto nonce = attribute(rest, 'r');
  if (!nonce || !is_nonce(*nonce)) return malformed_scram("client-first lacks the nonce");
  combined_nonce_ = cat(*nonce, nonce_);
  server_first_ =
      cat("r=", combined_nonce_, ",s=", base64_encode(verifier_.salt), ",i=", verifier_.iterations);
  return server_first_;
}

Result<std::string> ScramServer::finish(std::string_view client_final) {
  if (client_final.size() > kScramMessageMax) return malformed_scram("client-final is too long");
  if (server_first_.empty() || proved_)
    return malformed_scram("client-final came at the wrong time");
  const size_t proof_at = client_final.rfind(",p=");
  if (proof_at == std::string_view::npos) return malformed_scram("client-final lacks the proof");
  const auto without_proof = client_final.substr(0, proof_at);
  std::string_view rest = without_proof;
  const auto binding = attribute(rest, 'c');
  const auto nonce = attribute(rest, 'r');
  if (!binding || *binding != base64_encode(gs2_header_))
    return malformed_scram("bad channel binding");
  if (!nonce || *nonce != combined_nonce_) return malformed_scram("the nonce changed");
  const Key proof = TRY(read_key(client_final.substr(proof_at + 3)));

  const std::string signed_text = cat(client_first_bare_, ',', server_first_, ',', without_proof);
  const Key signature = hmac_sha256(view(verifier_.stored_key), signed_text);
  client_key_ = exclusive_or(proof, signature);
  const Key stored_key = sha256(view(client_key_));
  if (!equal_in_constant_time(view(stored_key), view(verifier_.stored_key))) {
    return Error{ErrorCode::Denied, "SASL authentication failed"};
  }
  proved_ = true;
  return cat("v=", base64_encode(view(hmac_sha256(view(verifier_.server_key), signed_text))));
}

ScramKeys ScramServer::keys() const {
  CHECK(proved_);
  return {client_key_, verifier_.server_key};
}

}  // namespace pgtend::wire
