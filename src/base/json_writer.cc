#include "base/json_writer.h"

#include <algorithm>
#include <boost/json/serialize.hpp>

namespace pgtend {

namespace {
constexpr size_t kIndent = 2;
constexpr size_t kIndentMax = 80;
}  // namespace

void JsonWriter::new_line() {
  text_ += '\n';
  text_.append(std::min(kIndent * objects_.size(), kIndentMax), ' ');
}

void JsonWriter::before_item() {
  if (std::exchange(named_, false) || objects_.empty()) return;
  if (!std::exchange(empty_, false)) text_ += ',';
  new_line();
}

void JsonWriter::begin(char bracket) {
  before_item();
  text_ += bracket;
  objects_.push_back(bracket == '{');
  empty_ = true;
}

void JsonWriter::end() {
  CHECK(!objects_.empty() && !named_);
  const bool object = objects_.back();
  objects_.pop_back();
  if (!std::exchange(empty_, false)) new_line();
  text_ += object ? '}' : ']';
}

void JsonWriter::key(std::string_view name) {
  CHECK(!objects_.empty() && objects_.back() && !named_);
  before_item();
  text_ += json::serialize(json::string(json::string_view(name.data(), name.size())));
  text_ += ": ";
  named_ = true;
}

void JsonWriter::value(const json::value& value) {
  if (const json::array* list = value.if_array()) {
    begin_list();
    for (const json::value& item : *list) this->value(item);
    end();
  } else if (const json::object* object = value.if_object()) {
    begin_object();
    members(*object);
    end();
  } else {
    before_item();
    text_ += json::serialize(value);
  }
}

void JsonWriter::members(const json::object& object) {
  for (const auto& member : object) {
    key(std::string_view(member.key().data(), member.key().size()));
    value(member.value());
  }
}

std::string JsonWriter::take() {
  CHECK(objects_.empty());
  return std::move(text_);
}

}  // namespace pgtend
