#include "wire/frame.h"

#include "base/text.h"

namespace pgtend::wire {
namespace {

uint32_t load_u32(const char* at) {
  const auto* b = reinterpret_cast<const unsigned char*>(at);
  return uint32_t{b[0]} << 24 | uint32_t{b[1]} << 16 | uint32_t{b[2]} << 8 | uint32_t{b[3]};
}

void store_u32(char* at, uint32_t value) {
  at[0] = static_cast<char>(value >> 24);
  at[1] = static_cast<char>(value >> 16);
  at[2] = static_cast<char>(value >> 8);
  at[3] = static_cast<char>(value);
}

}  // namespace

HeadState read_head(std::string_view input, Head& head, uint32_t length_max) {
  if (input.size() < kHeadBytes) return HeadState::More;
  const uint32_t length = load_u32(input.data() + 1);
  if (length < 4 || length > length_max) return HeadState::Bad;
  head.type = input[0];
  head.body_bytes = length - 4;
  return HeadState::Whole;
}

Result<std::optional<Frame>> next_frame(std::string_view& input, uint32_t length_max) {
  Head head;
  switch (read_head(input, head, length_max)) {
    case HeadState::More:
      return std::optional<Frame>{};
    case HeadState::Bad:
      return Error{ErrorCode::Corrupt,
                   cat("impossible length ", load_u32(input.data() + 1), " in a message of type ",
                       static_cast<int>(static_cast<unsigned char>(input[0])))};
    case HeadState::Whole:
      break;
  }
  if (input.size() < head.total()) return std::optional<Frame>{};
  const Frame frame{head.type, input.substr(kHeadBytes, head.body_bytes)};
  input.remove_prefix(static_cast<size_t>(head.total()));
  return std::optional<Frame>{frame};
}

uint8_t Reader::u8() {
  const auto view = bytes(1);
  return view.empty() ? uint8_t{0} : static_cast<uint8_t>(view[0]);
}

int16_t Reader::i16() {
  const auto view = bytes(2);
  if (view.empty()) return 0;
  const auto* b = reinterpret_cast<const unsigned char*>(view.data());
  return static_cast<int16_t>(b[0] << 8 | b[1]);
}

int32_t Reader::i32() {
  const auto view = bytes(4);
  return view.empty() ? 0 : static_cast<int32_t>(load_u32(view.data()));
}

std::string_view Reader::cstring() {
  const size_t end = rest_.find('\0');
  if (!ok_ || end == std::string_view::npos) {
    ok_ = false;
    return {};
  }
  const auto text = rest_.substr(0, end);
  rest_.remove_prefix(end + 1);
  return text;
}

std::string_view Reader::bytes(size_t count) {
  if (!ok_ || rest_.size() < count) {
    ok_ = false;
    return {};
  }
  const auto view = rest_.substr(0, count);
  rest_.remove_prefix(count);
  return view;
}

std::string_view Reader::rest() {
  const auto view = ok_ ? rest_ : std::string_view{};
  rest_ = {};
  return view;
}

void put_i16(std::string& out, int16_t value) {
  const auto bits = static_cast<uint16_t>(value);
  out.push_back(static_cast<char>(bits >> 8));
  out.push_back(static_cast<char>(bits));
}

void put_i32(std::string& out, int32_t value) {
  char raw[4];
  store_u32(raw, static_cast<uint32_t>(value));
  out.append(raw, sizeof raw);
}

void put_cstring(std::string& out, std::string_view text) {
  DCHECK(text.find('\0') == std::string_view::npos);
  out.append(text);
  out.push_back('\0');
}

MessageWriter::MessageWriter(std::string& out, char type) : out_(out) {
  out_.push_back(type);
  length_at_ = out_.size();
  out_.append(4, '\0');
}

void MessageWriter::finish() {
  const size_t length = out_.size() - length_at_;
  CHECK(length <= kLengthMax);
  store_u32(out_.data() + length_at_, static_cast<uint32_t>(length));
}

}  // namespace pgtend::wire
