#include "wire/startup.h"

#include "base/text.h"
#include "wire/frame.h"

namespace pgtend::wire {
namespace {

constexpr int32_t kCancelCode = 1234 << 16 | 5678;
constexpr int32_t kSslCode = 1234 << 16 | 5679;
constexpr int32_t kGssCode = 1234 << 16 | 5680;
constexpr size_t kCancelSecretMin = 4;
constexpr size_t kCancelSecretMax = 256;
constexpr unsigned char kTlsHandshake = 0x16;

Error corrupt(std::string message) { return Error{ErrorCode::Corrupt, std::move(message)}; }

Error bad_header(std::string_view input) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string hex;
  for (const char c : input.substr(0, 8)) {
    hex.push_back(kHex[static_cast<unsigned char>(c) >> 4]);
    hex.push_back(kHex[c & 15]);
  }
  return corrupt(cat("bad packet header: '", hex, "'"));
}

Result<StartupParameters> read_parameters(Reader& in) {
  const auto layout = "invalid startup packet layout: expected terminator as last byte";
  StartupParameters parameters;
  while (true) {
    const auto name = in.cstring();
    if (!in.ok()) return corrupt(layout);
    if (name.empty()) break;
    const auto value = in.cstring();
    if (!in.ok()) return corrupt(layout);
    parameters.emplace_back(name, value);
  }
  if (!in.at_end()) return corrupt(layout);
  return parameters;
}

Result<StartupPacket> read_packet(int32_t code, std::string_view body) {
  using Kind = StartupPacket::Kind;
  Reader in(body);
  if (code == kSslCode || code == kGssCode) {
    if (!body.empty()) return corrupt("invalid length of an encryption request");
    return StartupPacket{code == kSslCode ? Kind::SslRequest : Kind::GssRequest};
  }
  if (code == kCancelCode) {
    const int32_t pid = in.i32();
    const auto secret = in.rest();
    if (!in.ok() || secret.size() < kCancelSecretMin || secret.size() > kCancelSecretMax) {
      return corrupt("invalid length of a cancel request");
    }
    return StartupPacket{Kind::Cancel, 0, {}, {pid, secret}};
  }
  const int32_t major = code >> 16;
  if (major == 2) return corrupt("old V2 protocol not supported");
  if (major != 3) return corrupt(cat("unsupported frontend protocol ", major, '.', code & 0xffff));
  return StartupPacket{Kind::Startup, code, TRY(read_parameters(in)), {}};
}

class OptionScanner {
 public:
  explicit OptionScanner(std::string_view text) : text_(text) {}

  // The next word, backslash escapes resolved; nullopt at the end.
  std::optional<std::string> word() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
    if (at_ == text_.size()) return {};
    std::string out;
    for (; at_ < text_.size() && !is_space(text_[at_]); ++at_) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      out.push_back(text_[at_]);
    }
    return out;
  }

 private:
  static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

Result<std::optional<StartupPacket>> next_startup(std::string_view& input) {
  if (!input.empty() && static_cast<unsigned char>(input[0]) == kTlsHandshake) {
    return corrupt("direct TLS connections are not supported, use sslnegotiation=postgres");
  }
  // The high bytes of any legal length are zero: garbage is refused before it is waited for.
  if (input.size() >= 2 && (input[0] != 0 || input[1] != 0)) return bad_header(input);
  if (input.size() < 8) return std::optional<StartupPacket>{};
  Reader in(input);
  const int32_t length = in.i32();
  const int32_t code = in.i32();
  if (length < 8 || static_cast<size_t>(length) > kStartupBytesMax) return bad_header(input);
  const auto size = static_cast<size_t>(length);
  if (input.size() < size) return std::optional<StartupPacket>{};
  auto packet = TRY(read_packet(code, input.substr(8, size - 8)));
  input.remove_prefix(size);
  return std::optional<StartupPacket>(std::move(packet));
}

Result<std::vector<std::pair<std::string, std::string>>> parse_options(std::string_view options) {
  const Error bad{
      ErrorCode::Invalid,
      "unsupported options startup parameter: only '-c config=val' and '--config=val' are allowed"};
  std::vector<std::pair<std::string, std::string>> settings;
  OptionScanner scanner(options);
  while (auto word = scanner.word()) {
    std::string setting;
    if (word->starts_with("--")) {
      setting = word->substr(2);
    } else if (*word == "-c") {
      auto next = scanner.word();
      if (!next) return bad;
      setting = *std::move(next);
    } else if (word->starts_with("-c")) {
      setting = word->substr(2);
    } else {
      return bad;
    }
    const size_t equals = setting.find('=');
    if (equals == std::string::npos || equals == 0) return bad;
    std::string name = setting.substr(0, equals);
    for (char& c : name) c = c == '-' ? '_' : c;
    settings.emplace_back(std::move(name), setting.substr(equals + 1));
  }
  return settings;
}

void append_startup(std::string& out, int32_t version, const StartupParameters& parameters) {
  std::string body;
  put_i32(body, version);
  for (const auto& [name, value] : parameters) {
    put_cstring(body, name);
    put_cstring(body, value);
  }
  body.push_back('\0');
  put_i32(out, static_cast<int32_t>(body.size() + 4));
  out += body;
}

void append_ssl_request(std::string& out) {
  put_i32(out, 8);
  put_i32(out, kSslCode);
}

void append_gss_request(std::string& out) {
  put_i32(out, 8);
  put_i32(out, kGssCode);
}

void append_cancel(std::string& out, const CancelKey& key) {
  put_i32(out, static_cast<int32_t>(12 + key.secret.size()));
  put_i32(out, kCancelCode);
  put_i32(out, key.pid);
  out.append(key.secret);
}

}  // namespace pgtend::wire
