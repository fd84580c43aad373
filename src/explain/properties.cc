#include "explain/properties.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <functional>
#include <limits>

#include "base/check.h"
#include "base/memory.h"

namespace pgtend::explain {
namespace {

constexpr size_t kAlignment = alignof(std::max_align_t);
constexpr size_t kChunkMin = size_t{4} << 10;
constexpr size_t kDoublingsMax = 12;  // 16 MiB

}  // namespace

void* Arena::allocate(size_t bytes) {
  bytes = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  if (static_cast<size_t>(end_ - at_) < bytes) {
    const size_t chunk = std::max(kChunkMin << std::min(chunks_.size(), kDoublingsMax), bytes);
    chunks_.push_back(std::make_unique_for_overwrite<char[]>(chunk));
    at_ = chunks_.back().get();
    expect_filling(at_, chunk);
    end_ = at_ + chunk;
  }
  char* const out = at_;
  at_ += bytes;
  return out;
}

bool Arena::extend(const void* end, size_t bytes) {
  bytes = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  if (end != at_ || static_cast<size_t>(end_ - at_) < bytes) return false;
  at_ += bytes;
  return true;
}

std::string_view Arena::copy(std::string_view text) {
  if (text.empty()) return "";  // never null
  char* const out = static_cast<char*>(allocate(text.size()));
  std::memcpy(out, text.data(), text.size());
  return {out, text.size()};
}

std::string_view Arena::name(std::string_view text) {
  const auto known = names_.find(text);
  return known == names_.end() ? *names_.insert(copy(text)).first : *known;
}

template <class Entry>
Arena& Entries<Entry>::arena() const {
  CHECK(arena_ != nullptr);
  return *arena_;
}

template <class Entry>
void Entries<Entry>::grow() {
  constexpr uint32_t kStep = 8;
  static_assert(sizeof(Entry) * kStep % kAlignment == 0);
  CHECK(arena_ != nullptr && capacity_ <= std::numeric_limits<uint32_t>::max() / 2);
  if (entries_ != nullptr && arena_->extend(entries_ + capacity_, kStep * sizeof(Entry))) {
    capacity_ += kStep;
    return;
  }
  const uint32_t capacity = std::max(kStep, capacity_ * 2);
  auto* const entries = static_cast<Entry*>(arena_->allocate(capacity * sizeof(Entry)));
  std::uninitialized_copy_n(entries_, size_, entries);
  entries_ = entries;
  capacity_ = capacity;
}

template class Entries<Value>;
template class Entries<Property>;

Value::Value(std::string_view text)
    : text_(text.empty() ? "" : text.data()),
      size_(static_cast<uint32_t>(text.size())),
      kind_(Kind::Text) {
  CHECK(text.size() <= std::numeric_limits<uint32_t>::max());
}

double Value::to_number() const {
  if (is_int64()) return static_cast<double>(number_);
  return is_uint64() ? static_cast<double>(large_) : real_;
}

bool operator==(const Value& a, const Value& b) {
  const auto whole = [](const Value& value) { return value.is_int64() || value.is_uint64(); };
  if (whole(a) && whole(b)) {
    const bool negative =
        (a.is_int64() && a.get_int64() < 0) || (b.is_int64() && b.get_int64() < 0);
    return a.get_uint64() == b.get_uint64() && (!negative || a.is_int64() == b.is_int64());
  }
  if (a.is_null()) return b.is_null();
  if (a.is_bool()) return b.is_bool() && a.get_bool() == b.get_bool();
  if (a.is_double()) return b.is_double() && a.get_double() == b.get_double();
  if (a.is_string()) return b.is_string() && a.get_string() == b.get_string();
  if (a.is_array()) return b.is_array() && std::ranges::equal(a.get_array(), b.get_array());
  return a.is_object() && b.is_object() &&
         std::ranges::equal(a.get_object(), b.get_object(),
                            [](const Property& first, const Property& second) {
                              return first.key == second.key && first.value == second.value;
                            });
}

namespace {

// One bit of 64 for a name.
uint64_t mark_of(std::string_view name) {
  if (name.empty()) return 1;
  const auto first = static_cast<unsigned char>(name.front());
  const auto last = static_cast<unsigned char>(name.back());
  return uint64_t{1} << ((name.size() * 11 + first * 5U + last) % 64);
}

}  // namespace

const Property* Properties::find(std::string_view name) const {
  if ((marks_ & mark_of(name)) == 0) return nullptr;
  if (slots_ == nullptr) {
    for (const Property& each : *this) {
      // Names of one length mostly differ in their first letter: that saves the call.
      if (each.key.size() != name.size() || (!name.empty() && each.key[0] != name[0])) continue;
      if (each.key == name) return &each;
    }
    return nullptr;
  }
  for (size_t hash = std::hash<std::string_view>()(name);; ++hash) {
    const uint32_t entry = slots_[hash & (slots_size_ - 1)];
    if (entry == 0) return nullptr;
    if (entries_[entry - 1].key == name) return &entries_[entry - 1];
  }
}

// Puts an entry that is new into the table.
void Properties::index(uint32_t entry) {
  size_t slot = std::hash<std::string_view>()(entries_[entry].key);
  while (slots_[slot & (slots_size_ - 1)] != 0) ++slot;
  slots_[slot & (slots_size_ - 1)] = entry + 1;
}

const Value* Properties::if_contains(std::string_view name) const {
  const Property* const found = find(name);
  return found ? &found->value : nullptr;
}

Value* Properties::if_contains(std::string_view name) {
  return const_cast<Value*>(std::as_const(*this).if_contains(name));
}

std::pair<Value*, bool> Properties::emplace(std::string_view name, Value value) {
  constexpr uint32_t kFew = 64;
  if (Value* there = if_contains(name)) return {there, false};
  push_back({name, value});
  marks_ |= mark_of(name);
  if (size_ > kFew && size_ > slots_size_ / 2) {
    slots_size_ = std::bit_ceil(size_ * 4);
    slots_ = static_cast<uint32_t*>(arena().allocate(slots_size_ * sizeof(uint32_t)));
    std::fill_n(slots_, slots_size_, 0);
    for (uint32_t entry = 0; entry < size_; ++entry) index(entry);
  } else if (slots_ != nullptr) {
    index(size_ - 1);
  }
  return {&back().value, true};
}

void Properties::erase(std::string_view name) {
  if (!contains(name)) return;
  Properties others(arena());  // copies share the entries
  for (const Property& property : *this) {
    if (property.key != name) others.emplace(property.key, property.value);
  }
  *this = std::move(others);
}

List& new_list(Arena& arena) { return *new (arena.allocate(sizeof(List))) List(arena); }

Properties& new_properties(Arena& arena) {
  return *new (arena.allocate(sizeof(Properties))) Properties(arena);
}

const Value* find_member(const Properties& properties, std::string_view name) {
  return properties.if_contains(name);
}

std::string_view text_member(const Properties& properties, std::string_view name) {
  const Value* value = properties.if_contains(name);
  return value && value->is_string() ? value->get_string() : std::string_view();
}

json::value to_json(const Value& value) {
  if (value.is_bool()) return value.get_bool();
  if (value.is_int64()) return value.get_int64();
  if (value.is_uint64()) return value.get_uint64();
  if (value.is_double()) return value.get_double();
  if (value.is_string()) {
    const std::string_view text = value.get_string();
    return json::value(json::string_view(text.data(), text.size()));
  }
  if (const Properties* properties = value.if_object()) return to_json(*properties);
  if (const List* list = value.if_array()) {
    json::array out;
    out.reserve(list->size());
    for (const Value& entry : *list) out.push_back(to_json(entry));
    return out;
  }
  return nullptr;
}

json::object to_json(const Properties& properties) {
  json::object out;
  out.reserve(properties.size());
  for (const Property& property : properties) {
    out.emplace(json::string_view(property.key.data(), property.key.size()),
                to_json(property.value));
  }
  return out;
}

std::string to_text(const Value& value) { return pgtend::to_text(to_json(value)); }
std::string to_text(const Properties& properties) { return pgtend::to_text(to_json(properties)); }

}  // namespace pgtend::explain
