// SCRAM messages of both roles, verifiers and base64. A proof can only be right by knowing the
// keys, so no input may pass.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "wire/scram.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pgtend::wire;
  const std::string_view whole(reinterpret_cast<const char*>(data), size);
  const size_t cut = whole.find('\n');
  const auto first = whole.substr(0, cut);
  const auto second = cut == std::string_view::npos ? std::string_view{} : whole.substr(cut + 1);

  static const ScramVerifier verifier = mock_verifier("user", "seed", 1);
  ScramServer server(verifier, "serverNonce");
  (void)server.challenge(first);
  if (server.finish(second)) std::abort();

  ScramClient client("clientNonce");
  if (auto challenge = client.challenge(first); challenge && challenge->iterations <= 64) {
    (void)client.answer(derive_keys("password", *challenge));
    if (client.verify(second)) std::abort();
  }
  if (auto parsed = parse_verifier(whole)) {
    auto again = parse_verifier(format_verifier(*parsed));
    if (!again || again->stored_key != parsed->stored_key) std::abort();
  }
  if (auto decoded = base64_decode(whole); decoded && base64_encode(*decoded) != whole)
    std::abort();
  return 0;
}
