// SCRAM-SHA-256 (RFC 5802, 7677) in both roles, without I/O: messages in, messages out.
// Passwords are used as the bytes given (SASLprep leaves ASCII as it is; other text must already be
// in NFKC, as nearly all input methods produce it).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/secret.h"

namespace pgtend::wire {

inline constexpr std::string_view kScramSha256 = "SCRAM-SHA-256";
// PostgreSQL's default; and the most we compute for a peer, who chooses the number (about 0.3 s).
inline constexpr int kScramIterations = 4096;
inline constexpr int kScramIterationsMax = 1'000'000;
// Longest SCRAM message either role accepts, in bytes.
inline constexpr size_t kScramMessageMax = 4096;

// What a server stores instead of a password.
struct ScramVerifier {
  int iterations = kScramIterations;
  std::string salt;  // raw bytes
  Key stored_key{};
  Key server_key{};
};

// What proves to know a password, for one salt and iteration count. As secret as the password.
struct ScramKeys {
  Key client_key{};
  Key server_key{};
};

// Reads PostgreSQL's form, SCRAM-SHA-256$iterations:salt$stored:server. Errors: Invalid.
Result<ScramVerifier> parse_verifier(std::string_view text);
std::string format_verifier(const ScramVerifier& verifier);
bool is_verifier(std::string_view secret);
// Cost: one PBKDF2. Thread: any.
ScramVerifier make_verifier(std::string_view password, std::string_view salt, int iterations);
// The verifier shown to a user who does not exist: the same salt for the same name every time, and
// no password fits. `seed` is a secret of the process.
ScramVerifier mock_verifier(std::string_view user, std::string_view seed, int iterations);

// What the server asks of a client: enough to derive the keys.
struct ScramChallenge {
  std::string salt;  // raw bytes
  int iterations = 0;

  friend bool operator==(const ScramChallenge&, const ScramChallenge&) = default;
};

// Cost: one PBKDF2; keep the keys while the challenge stays the same.
ScramKeys derive_keys(std::string_view password, const ScramChallenge& challenge);

// The client of one login: first(), then challenge(), answer(), verify(). Thread: one at a time.
// Errors: Corrupt for malformed messages, Denied when the server's proof is wrong,
// Limit beyond kScramIterationsMax.
class ScramClient {
 public:
  // `nonce`: printable ASCII without comma, never used twice; scram_nonce() makes one.
  explicit ScramClient(std::string nonce);

  // The client-first message, for SASLInitialResponse.
  std::string first() const;
  // Reads the server-first message.
  Result<ScramChallenge> challenge(std::string_view server_first);
  // The client-final message, for SASLResponse. Only after challenge() succeeded.
  std::string answer(const ScramKeys& keys);
  // Checks that the server knows the verifier too.
  Status verify(std::string_view server_final) const;

 private:
  std::string nonce_;
  std::string server_first_;
  std::string combined_nonce_;
  Key expected_signature_{};
};

// The server of one login: challenge(), then finish(). Thread: one at a time.
// Errors: Corrupt for malformed messages, Denied when the proof is wrong.
class ScramServer {
 public:
  ScramServer(ScramVerifier verifier, std::string nonce);

  // Reads the client-first message; the result is the server-first message.
  Result<std::string> challenge(std::string_view client_first);
  // Reads the client-final message; the result is the server-final message.
  Result<std::string> finish(std::string_view client_final);
  // The keys the client proved to have; only after finish() succeeded.
  ScramKeys keys() const;

 private:
  ScramVerifier verifier_;
  std::string nonce_;
  std::string gs2_header_;
  std::string client_first_bare_;
  std::string server_first_;
  std::string combined_nonce_;
  Key client_key_{};
  bool proved_ = false;
};

// 24 random characters.
std::string scram_nonce();

}  // namespace pgtend::wire
