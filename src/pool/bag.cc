#include "pool/bag.h"

#include <netinet/in.h>

#include <algorithm>
#include <limits>

namespace pgtend::pool {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";

std::string to_hex(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

std::optional<std::string> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string out;
  out.reserve(text.size() / 2);
  for (size_t i = 0; i < text.size(); i += 2) {
    const size_t high = kDigits.find(text[i]);
    const size_t low = kDigits.find(text[i + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
    out += static_cast<char>(high << 4 | low);
  }
  return out;
}

std::optional<std::string> bytes_of(const json::value& value) {
  const json::string* text = value.if_string();
  return text == nullptr ? std::nullopt : from_hex({text->data(), text->size()});
}

}  // namespace

void Bag::field(std::string_view name, std::string& value) {
  if (!unpacks()) return put(name, json::value(to_hex(value)));
  const json::value* member = find(name);
  if (member == nullptr) return;
  auto bytes = bytes_of(*member);
  if (!bytes) return refuse(name);
  value = *std::move(bytes);
}

void Bag::field(std::string_view name, std::optional<std::string>& value) {
  if (!unpacks()) return put(name, value ? json::value(to_hex(*value)) : json::value());
  const json::value* member = find(name);
  if (member == nullptr) return;
  value = bytes_of(*member);
  if (!value && !member->is_null()) refuse(name);
}

void Bag::field(std::string_view name, SteadyTime& value) {
  // So far from both ends that differences cannot overflow.
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max() / 4;
  int64_t ticks = value.time_since_epoch().count();
  field(name, ticks);
  value = SteadyTime(SteadyTime::duration(std::clamp<int64_t>(ticks, 0, kMost)));
}

// As the system writes it: both processes run on the same one.
void Bag::field(std::string_view name, net::Address& value) {
  std::string bytes(reinterpret_cast<const char*>(value.raw()), value.size());
  field(name, bytes);
  if (!unpacks()) return;
  sockaddr_storage storage{};
  if (bytes.size() > sizeof storage) return refuse(name);
  bytes.copy(reinterpret_cast<char*>(&storage), bytes.size());
  const size_t least = storage.ss_family == AF_INET    ? sizeof(sockaddr_in)
                       : storage.ss_family == AF_INET6 ? sizeof(sockaddr_in6)
                                                       : sizeof(sa_family_t);
  if (!bytes.empty() && bytes.size() < least) return refuse(name);
  value = net::Address::from(storage, static_cast<socklen_t>(bytes.size()));
}

void Bag::field(std::string_view name, std::vector<std::pair<std::string, std::string>>& value) {
  list(name, value, [](Bag& inner, std::pair<std::string, std::string>& each) {
    inner.field("name", each.first);
    inner.field("value", each.second);
  });
}

void Bag::refuse(std::string_view name) {
  if (!status_) return;
  status_ = Error{ErrorCode::Corrupt, cat("its field \"", name, "\" makes no sense here")};
}

void Bag::put(std::string_view name, json::value value) {
  members_[json::string_view(name.data(), name.size())] = std::move(value);
}

const json::value* Bag::find(std::string_view name) const {
  return packed_->if_contains(json::string_view(name.data(), name.size()));
}

}  // namespace pgtend::pool
