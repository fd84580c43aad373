// The packets before a login: they have no type byte, so they have a grammar of their own.
// Thread: any; no state.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace pgtend::wire {

inline constexpr int32_t kProtocol30 = 3 << 16;
inline constexpr int32_t kProtocol32 = 3 << 16 | 2;
// Longest start packet, as in PostgreSQL: it comes from somebody who has proved nothing yet.
inline constexpr size_t kStartupBytesMax = 10000;

// Names and values borrow the packet.
using StartupParameters = std::vector<std::pair<std::string_view, std::string_view>>;

// The secret has 4 bytes in protocol 3.0, up to 256 from 3.2 on.
struct CancelKey {
  int32_t pid = 0;
  std::string_view secret;
};

struct StartupPacket {
  enum class Kind : uint8_t { Startup, SslRequest, GssRequest, Cancel };
  Kind kind = Kind::Startup;
  int32_t version = 0;                // of Startup: major 3 << 16 | minor
  StartupParameters parameters = {};  // of Startup, in their order
  CancelKey cancel = {};              // of Cancel
};

// Cuts one packet off the front of `input`; nullopt means "read more first". Borrows `input`.
// Errors: Corrupt with the text a client should see; the connection must be dropped.
// Cost: linear in the packet.
Result<std::optional<StartupPacket>> next_startup(std::string_view& input);

// The settings in the start parameter `options`: "-c a=b", "-ca=b", "--a=b", backslash escapes,
// dashes in names meaning underscores. Errors: Invalid for any other switch.
Result<std::vector<std::pair<std::string, std::string>>> parse_options(std::string_view options);

// Writers for the client role. Texts must hold no zero byte.
void append_startup(std::string& out, int32_t version, const StartupParameters& parameters);
void append_ssl_request(std::string& out);
void append_gss_request(std::string& out);
void append_cancel(std::string& out, const CancelKey& key);

}  // namespace pgtend::wire
