// What a plan says of its nodes: names and values in the order they were printed. A plan has
// hundreds of thousands of them, so a value is 16 bytes without a destructor, and all that values
// point to (texts, names, lists, nested properties) lives in the plan's arena and goes with it.
//
// Thread: one, until the plan is read; then any, as everybody only reads.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/json.h"

namespace pgtend::explain {

// Memory that is given back as a whole.
class Arena {
 public:
  Arena() = default;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Aligned for values.
  void* allocate(size_t bytes);
  // Whether the allocation that ends at `end` could be made longer by `bytes` where it is.
  bool extend(const void* end, size_t bytes);
  std::string_view copy(std::string_view text);
  // The same for texts that come again and again: one copy of each.
  std::string_view name(std::string_view text);

 private:
  std::vector<std::unique_ptr<char[]>> chunks_;
  std::unordered_set<std::string_view> names_;
  char* at_ = nullptr;
  char* end_ = nullptr;
};

// A growing array in an arena. A copy shares the entries that were there.
template <class Entry>
class Entries {
 public:
  Entries() = default;
  explicit Entries(Arena& arena) : arena_(&arena) {}
  Entries(const Entries& other)
      : arena_(other.arena_),
        entries_(other.entries_),
        size_(other.size_),
        capacity_(other.size_) {}
  Entries(Entries&& other) noexcept = default;
  Entries& operator=(const Entries& other) { return *this = Entries(other); }
  Entries& operator=(Entries&& other) noexcept = default;
  ~Entries() = default;

  const Entry* begin() const { return entries_; }
  const Entry* end() const { return entries_ + size_; }
  Entry* begin() { return entries_; }
  Entry* end() { return entries_ + size_; }
  const Entry& front() const { return entries_[0]; }
  const Entry& back() const { return entries_[size_ - 1]; }
  Entry& back() { return entries_[size_ - 1]; }
  const Entry& operator[](size_t index) const { return entries_[index]; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  Arena& arena() const;

  void push_back(const Entry& entry) {
    if (size_ == capacity_) grow();
    new (entries_ + size_++) Entry(entry);
  }

 protected:
  void grow();

  Arena* arena_ = nullptr;
  Entry* entries_ = nullptr;
  uint32_t size_ = 0;
  uint32_t capacity_ = 0;
};

class List;
class Properties;

// Null, a flag, a number, a text, a list or properties. Texts, lists and properties are borrowed.
class Value {
 public:
  Value() : number_(0) {}
  Value(std::nullptr_t) : Value() {}
  template <std::same_as<bool> Flag>  // pointers are none
  Value(Flag flag) : number_(flag), kind_(Kind::Bool) {}
  Value(int number) : Value(int64_t{number}) {}
  Value(int64_t number) : number_(number), kind_(Kind::Int64) {}
  Value(uint64_t number) : large_(number), kind_(Kind::Uint64) {}
  Value(double number) : real_(number), kind_(Kind::Double) {}
  Value(std::string_view text);
  Value(const char* text) : Value(std::string_view(text)) {}
  Value(List& list) : list_(&list), kind_(Kind::List) {}
  Value(Properties& properties) : properties_(&properties), kind_(Kind::Properties) {}

  bool is_null() const { return kind_ == Kind::Null; }
  bool is_bool() const { return kind_ == Kind::Bool; }
  bool is_int64() const { return kind_ == Kind::Int64; }
  bool is_uint64() const { return kind_ == Kind::Uint64; }
  bool is_double() const { return kind_ == Kind::Double; }
  bool is_number() const { return is_int64() || is_uint64() || is_double(); }
  bool is_string() const { return kind_ == Kind::Text; }
  bool is_array() const { return kind_ == Kind::List; }
  bool is_object() const { return kind_ == Kind::Properties; }

  // Of the kind that it has.
  bool get_bool() const { return number_ != 0; }
  int64_t get_int64() const { return number_; }
  uint64_t get_uint64() const { return large_; }
  double get_double() const { return real_; }
  std::string_view get_string() const { return {text_, size_}; }
  List& get_array() const { return *list_; }
  Properties& get_object() const { return *properties_; }
  // Any number as a double.
  double to_number() const;
  // Null when it is of another kind.
  List* if_array() const { return is_array() ? list_ : nullptr; }
  Properties* if_object() const { return is_object() ? properties_ : nullptr; }

 private:
  enum class Kind : uint8_t { Null, Bool, Int64, Uint64, Double, Text, List, Properties };

  union {
    int64_t number_;
    uint64_t large_;
    double real_;
    const char* text_;
    List* list_;
    Properties* properties_;
  };
  uint32_t size_ = 0;  // of a text
  Kind kind_ = Kind::Null;
};
static_assert(sizeof(Value) == 16 && std::is_trivially_copyable_v<Value>);

// The same kind and content; integers by their number. Nested no deeper than kPropertyDepthMax.
bool operator==(const Value& a, const Value& b);

class List : public Entries<Value> {
 public:
  using Entries::Entries;
};

struct Property {
  std::string_view key;
  Value value;
};

// Cost of a name: a look at all others while they are few, as in all plans that servers make; an
// index keeps it near constant for what is hostile.
class Properties : public Entries<Property> {
 public:
  using Entries::Entries;
  Properties(const Properties& other) : Entries(other), marks_(other.marks_) {}
  Properties(Properties&& other) noexcept = default;
  Properties& operator=(const Properties& other) { return *this = Properties(other); }
  Properties& operator=(Properties&& other) noexcept = default;
  ~Properties() = default;

  // Null when there is none of this name.
  const Value* if_contains(std::string_view name) const;
  Value* if_contains(std::string_view name);
  bool contains(std::string_view name) const { return if_contains(name) != nullptr; }
  // Adds a property unless there is one of this name: what stands there then, and whether it was
  // added. `name` and what `value` borrows must live as long as the arena.
  std::pair<Value*, bool> emplace(std::string_view name, Value value);
  // The others stay in their order; copies keep it.
  void erase(std::string_view name);

 private:
  using Entries::push_back;
  const Property* find(std::string_view name) const;
  void index(uint32_t entry);

  uint64_t marks_ = 0;         // of the names that are there: most that are not are not searched
  uint32_t* slots_ = nullptr;  // of a hash table: numbers of entries from 1, 0 is free
  uint32_t slots_size_ = 0;    // a power of two
};

// Empty ones that live in `arena`.
List& new_list(Arena& arena);
Properties& new_properties(Arena& arena);

// Null when `properties` has no `name`.
const Value* find_member(const Properties& properties, std::string_view name);
// The text of it, which borrows from the arena; "" if it is absent or no text.
std::string_view text_member(const Properties& properties, std::string_view name);

json::value to_json(const Value& value);
json::object to_json(const Properties& properties);
// As JSON on one line.
using pgtend::to_text;
std::string to_text(const Value& value);
std::string to_text(const Properties& properties);

}  // namespace pgtend::explain
