#include "demo/load_scanner.h"

#include <algorithm>

#include "base/text.h"
#include "wire/backend.h"

namespace pgtend::demo {

namespace {

bool is_kept(char type) {
  return type == wire::backend::kAuthentication || type == wire::backend::kErrorResponse ||
         type == wire::backend::kReadyForQuery;
}

}  // namespace

void MessageScanner::reset() {
  input_ = {};
  held_.clear();
  done_ = false;
  skip_ = 0;
}

// Moves input into held_ until it has `bytes`; false when there is not enough.
bool MessageScanner::complete(size_t bytes) {
  if (held_.size() < bytes) {
    const size_t taken = std::min(bytes - held_.size(), input_.size());
    held_.append(input_.substr(0, taken));
    input_.remove_prefix(taken);
  }
  return held_.size() >= bytes;
}

Result<std::optional<wire::Frame>> MessageScanner::next() {
  if (done_) held_.clear();
  done_ = false;
  const auto skipped = static_cast<size_t>(std::min<uint64_t>(skip_, input_.size()));
  input_.remove_prefix(skipped);
  skip_ -= skipped;
  if (input_.empty()) return std::optional<wire::Frame>{};
  if (!complete(wire::kHeadBytes)) return std::optional<wire::Frame>{};
  wire::Head head;
  if (wire::read_head(held_, head) == wire::HeadState::Bad) {
    return Error{ErrorCode::Corrupt, "the server sent a message of impossible length"};
  }
  if (!is_kept(head.type)) {
    skip_ = head.body_bytes;
    done_ = true;
    return std::optional(wire::Frame{head.type, {}});
  }
  if (head.body_bytes > kBodyMax) {
    return Error{ErrorCode::Corrupt, cat("the server sent a message ", printable({&head.type, 1}),
                                         " of ", head.body_bytes, " bytes")};
  }
  if (!complete(wire::kHeadBytes + head.body_bytes)) return std::optional<wire::Frame>{};
  done_ = true;
  return std::optional(wire::Frame{head.type, std::string_view(held_).substr(wire::kHeadBytes)});
}

}  // namespace pgtend::demo
