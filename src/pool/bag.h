// The fields of an object on their way to another process: one function a class names them, for
// both directions.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"
#include "base/text.h"
#include "net/address.h"

namespace pgtend::pool {

// Members of a JSON object. While it packs, a field is copied out of its variable; while it
// unpacks, into it: one that is missing leaves the variable as it is, so that an older process can
// hand over to a newer one, and one that makes no sense is remembered in status(). Bytes are
// written in hexadecimal, and times as the monotonic clock has them, which all processes of a
// machine share. Thread: one.
class Bag {
 public:
  // Packs.
  Bag() = default;
  // Unpacks, and borrows `members`.
  explicit Bag(const json::object& members) : packed_(&members) {}
  explicit Bag(json::object&&) = delete;

  bool unpacks() const { return packed_ != nullptr; }

  template <std::integral T>
  void field(std::string_view name, T& value) {
    if (!unpacks()) {
      put(name, json::value(value));
      return;
    }
    const json::value* member = find(name);
    if (member == nullptr) return;
    if constexpr (std::same_as<T, bool>) {
      if (!member->is_bool()) return refuse(name);
      value = member->get_bool();
    } else {
      json::error_code failure;
      const T number = member->to_number<T>(failure);
      if (failure) return refuse(name);
      value = number;
    }
  }
  // An enumeration that ends with `last`.
  template <class E>
  requires std::is_enum_v<E>
  void field(std::string_view name, E& value, E last) {
    auto number = static_cast<int>(value);
    field(name, number);
    if (number < 0 || number > static_cast<int>(last)) return refuse(name);
    value = static_cast<E>(number);
  }
  void field(std::string_view name, std::string& value);
  void field(std::string_view name, std::optional<std::string>& value);
  void field(std::string_view name, SteadyTime& value);
  void field(std::string_view name, net::Address& value);
  void field(std::string_view name, std::vector<std::pair<std::string, std::string>>& value);
  // A part with fields of its own, which `each(Bag&)` names. False, and not called, when it is
  // missing.
  template <class Each>
  bool part(std::string_view name, Each each) {
    const json::value* member = unpacks() ? find(name) : nullptr;
    if (unpacks() && member == nullptr) return false;
    if (unpacks() && !member->is_object()) {
      refuse(name);
      return false;
    }
    Bag inner = unpacks() ? Bag(member->get_object()) : Bag();
    each(inner);
    if (!unpacks()) put(name, std::move(inner.members_));
    if (status_ && !inner.status_) status_ = inner.status_;
    return true;
  }
  // `each(Bag&, T&)` names the fields of one item.
  template <class T, class Each>
  void list(std::string_view name, std::vector<T>& items, Each each) {
    if (!unpacks()) {
      json::array array;
      for (T& item : items) {
        Bag inner;
        each(inner, item);
        array.push_back(std::move(inner.members_));
      }
      return put(name, std::move(array));
    }
    const json::value* member = find(name);
    if (member == nullptr) return;
    if (!member->is_array()) return refuse(name);
    items.clear();
    for (const json::value& value : member->get_array()) {
      if (!value.is_object()) return refuse(name);
      Bag inner(value.get_object());
      each(inner, items.emplace_back());
      if (status_ && !inner.status_) status_ = inner.status_;
    }
  }
  // What was unpacked contradicts itself or this process.
  void refuse(std::string_view name);

  // Corrupt with the first field that made no sense.
  const Status& status() const { return status_; }
  json::object take() { return std::move(members_); }

 private:
  void put(std::string_view name, json::value value);
  const json::value* find(std::string_view name) const;

  json::object members_;                  // while it packs
  const json::object* packed_ = nullptr;  // while it unpacks
  Status status_ = ok();
};

}  // namespace pgtend::pool
