// Lists the members of a fact once and turns them into JSON and back.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/text.h"
#include "base/units.h"

namespace pgtend::facts {

// Both classes are called as visitor(name, member) for each member of a struct.
// Thread: one at a time.
class MemberWriter {
 public:
  void operator()(std::string_view name, const std::string& value) { out_[name] = value; }
  void operator()(std::string_view name, bool value) { out_[name] = value; }
  void operator()(std::string_view name, char value) { out_[name] = std::string(1, value); }
  void operator()(std::string_view name, int value) { out_[name] = value; }
  void operator()(std::string_view name, uint32_t value) { out_[name] = value; }
  void operator()(std::string_view name, int64_t value) { out_[name] = value; }
  void operator()(std::string_view name, double value) { out_[name] = value; }
  void operator()(std::string_view name, Bytes value) { out_[name] = value.count; }
  template <class T>
  void operator()(std::string_view name, const std::optional<T>& value) {
    if (value) (*this)(name, *value);
  }
  void operator()(std::string_view name, const std::map<std::string, std::string>& value) {
    json::object object;
    for (const auto& [key, text] : value) object[key] = text;
    out_[name] = std::move(object);
  }
  void operator()(std::string_view name, const std::vector<std::string>& value) {
    json::array list;
    for (const std::string& text : value) list.emplace_back(text);
    out_[name] = std::move(list);
  }
  // A list of structs; `each(visitor, item)` visits one.
  template <class T, class Each>
  void list(std::string_view name, const std::vector<T>& items, Each each) {
    json::array out;
    for (const T& item : items) {
      MemberWriter writer;
      each(writer, item);
      out.emplace_back(std::move(writer).take());
    }
    out_[name] = std::move(out);
  }
  json::object take() && { return std::move(out_); }

 private:
  json::object out_;
};

// Keeps defaults for absent members; remembers the first mistake. After all members were visited,
// finish() also refuses members that nobody asked for.
class MemberReader {
 public:
  explicit MemberReader(const json::object& in) : in_(in) {}

  void operator()(std::string_view name, std::string& value) {
    if (const json::value* found = find(name)) {
      if (const auto* text = found->if_string()) {
        value.assign(text->data(), text->size());
      } else {
        wrong(name, "a string");
      }
    }
  }
  void operator()(std::string_view name, bool& value) {
    if (const json::value* found = find(name)) {
      if (const bool* flag = found->if_bool()) {
        value = *flag;
      } else {
        wrong(name, "true or false");
      }
    }
  }
  void operator()(std::string_view name, char& value) {
    std::string text(1, value);
    (*this)(name, text);
    if (text.size() == 1) {
      value = text[0];
    } else {
      wrong(name, "one character");
    }
  }
  void operator()(std::string_view name, int64_t& value) { integer(name, value); }
  void operator()(std::string_view name, int& value) { integer(name, value); }
  void operator()(std::string_view name, uint32_t& value) { integer(name, value); }
  void operator()(std::string_view name, Bytes& value) { integer(name, value.count); }
  void operator()(std::string_view name, double& value) {
    if (const json::value* found = find(name)) {
      if (!found->is_number()) return wrong(name, "a number");
      value = found->to_number<double>();
    }
  }
  template <class T>
  void operator()(std::string_view name, std::optional<T>& value) {
    if (in_.if_contains(name) == nullptr) return;
    T inner{};
    (*this)(name, inner);
    value = std::move(inner);
  }
  void operator()(std::string_view name, std::map<std::string, std::string>& value) {
    const json::value* found = find(name);
    if (found == nullptr) return;
    const json::object* object = found->if_object();
    if (object == nullptr) return wrong(name, "an object of strings");
    for (const auto& member : *object) {
      if (!member.value().is_string()) return wrong(name, "an object of strings");
      value[std::string(member.key())] = std::string(member.value().as_string());
    }
  }
  void operator()(std::string_view name, std::vector<std::string>& value) {
    const json::value* found = find(name);
    if (found == nullptr) return;
    if (!found->is_array()) return wrong(name, "a list of strings");
    for (const json::value& item : found->as_array()) {
      if (!item.is_string()) return wrong(name, "a list of strings");
      value.emplace_back(item.as_string());
    }
  }
  template <class T, class Each>
  void list(std::string_view name, std::vector<T>& items, Each each) {
    const json::value* found = find(name);
    if (found == nullptr) return;
    if (!found->is_array()) return wrong(name, "a list of objects");
    for (const json::value& item : found->as_array()) {
      if (!item.is_object()) return wrong(name, "a list of objects");
      MemberReader reader(item.as_object());
      T value;
      each(reader, value);
      const Status status = reader.finish();
      if (!status && mistake_.empty()) mistake_ = cat(name, ": ", status.error().message);
      items.push_back(std::move(value));
    }
  }

  Status finish() {
    if (mistake_.empty()) {
      for (const auto& member : in_) {
        bool known = false;
        for (const std::string_view name : asked_) known = known || name == member.key();
        if (!known) mistake_ = cat("unknown member ", std::string_view(member.key()));
      }
    }
    if (mistake_.empty()) return ok();
    return Error{ErrorCode::Invalid, mistake_};
  }

 private:
  const json::value* find(std::string_view name) {
    asked_.push_back(name);
    return in_.if_contains(name);
  }
  void wrong(std::string_view name, std::string_view want) {
    if (mistake_.empty()) mistake_ = cat("member ", name, " must be ", want);
  }
  template <class T>
  void integer(std::string_view name, T& value) {
    if (const json::value* found = find(name)) {
      boost::system::error_code failed;
      const T number = found->is_number() ? found->to_number<T>(failed) : T{};
      if (!found->is_number() || failed) return wrong(name, "an integer");
      value = number;
    }
  }

  const json::object& in_;
  std::vector<std::string_view> asked_;
  std::string mistake_;
};

}  // namespace pgtend::facts
