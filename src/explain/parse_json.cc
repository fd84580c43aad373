#include "explain/parse_json.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "explain/number.h"
#include "explain/plan_document.h"

namespace pgtend::explain {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

void append_utf8(std::string& out, uint32_t code) {
  const auto byte = [&](uint32_t bits) { out += static_cast<char>(bits); };
  if (code < 0x80) {
    byte(code);
  } else if (code < 0x800) {
    byte(0xc0 | code >> 6);
    byte(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    byte(0xe0 | code >> 12);
    byte(0x80 | (code >> 6 & 0x3f));
    byte(0x80 | (code & 0x3f));
  } else {
    byte(0xf0 | code >> 18);
    byte(0x80 | (code >> 12 & 0x3f));
    byte(0x80 | (code >> 6 & 0x3f));
    byte(0x80 | (code & 0x3f));
  }
}

// Reads one value and tells a PlanDocument. Lives during one call.
class JsonReader {
 public:
  JsonReader(std::string_view text, PlanDocument& document) : text_(text), document_(document) {}

  // Errors: Invalid with the byte offset, those of the document.
  Status run();
  size_t at() const { return at_; }

 private:
  // What may come next.
  enum class Expect : uint8_t { Value, FirstValue, Key, FirstKey, Next };

  bool done() const { return at_ >= text_.size(); }
  void skip_blanks();
  Error wrong(std::string_view what) const {
    return {ErrorCode::Invalid, cat("JSON at byte ", at_, ": ", what)};
  }
  Status step();
  Status step_value();
  Status step_key();
  Status step_next();
  Status open(char bracket);
  Status close();
  Result<bool> read_string();
  bool read_escape();
  bool read_unicode();
  std::optional<uint32_t> four_digits(size_t at) const;
  Status read_word();

  std::string_view text_;
  PlanDocument& document_;
  size_t at_ = 0;
  Expect expect_ = Expect::Value;
  std::vector<bool> objects_;  // whether each open bracket is an object's
  std::string string_;         // what read_string() has read
  bool cut_off_ = false;
};

void JsonReader::skip_blanks() {
  while (!done() && is_blank(text_[at_])) ++at_;
}

Status JsonReader::open(char bracket) {
  ++at_;
  const bool object = bracket == '{';
  TRY(object ? document_.begin_object() : document_.begin_list());
  objects_.push_back(object);
  expect_ = object ? Expect::FirstKey : Expect::FirstValue;
  return ok();
}

Status JsonReader::close() {
  ++at_;
  TRY(document_.end());
  objects_.pop_back();
  expect_ = Expect::Next;
  return ok();
}

std::optional<uint32_t> JsonReader::four_digits(size_t at) const {
  if (at + 4 > text_.size()) return {};
  uint32_t code = 0;
  for (const char c : text_.substr(at, 4)) {
    const int digit = hex_digit(c);
    if (digit < 0) return {};
    code = code * 16 + static_cast<uint32_t>(digit);
  }
  return code;
}

// Behind "\u". Half a pair of surrogates becomes the replacement character.
bool JsonReader::read_unicode() {
  const auto first = four_digits(at_);
  if (!first) return false;
  at_ += 4;
  uint32_t code = *first;
  if (code >= 0xd800 && code < 0xdc00 && text_.substr(at_, 2) == "\\u") {
    const auto second = four_digits(at_ + 2);
    if (second && *second >= 0xdc00 && *second < 0xe000) {
      code = 0x10000 + ((code - 0xd800) << 10) + (*second - 0xdc00);
      at_ += 6;
    }
  }
  append_utf8(string_, code >= 0xd800 && code < 0xe000 ? 0xfffd : code);
  return true;
}

// Behind the backslash, of which there is at least one byte.
bool JsonReader::read_escape() {
  static constexpr std::pair<char, char> kEscapes[] = {{'"', '"'},  {'\\', '\\'}, {'/', '/'},
                                                       {'b', '\b'}, {'f', '\f'},  {'n', '\n'},
                                                       {'r', '\r'}, {'t', '\t'}};
  const char c = text_[at_++];
  if (c == 'u') return read_unicode();
  for (const auto& [name, meaning] : kEscapes) {
    if (c != name) continue;
    string_ += meaning;
    return true;
  }
  --at_;
  return false;
}

// From the opening quote; false when the text ends before the closing one. Control characters are
// taken as they are: frames and shells put real newlines there.
Result<bool> JsonReader::read_string() {
  string_.clear();
  ++at_;
  while (true) {
    const size_t end = std::min(text_.find_first_of("\"\\", at_), text_.size());
    string_ += text_.substr(at_, end - at_);
    at_ = end;
    if (done()) return false;
    if (text_[at_++] == '"') return true;
    const size_t longest = text_.size() - at_;  // of an escape: "uXXXX"
    if (longest == 0 || (text_[at_] == 'u' && longest < 5)) {
      at_ = text_.size();
      return false;
    }
    if (!read_escape()) return wrong("a backslash that begins no escape");
  }
}

// A number, true, false, null or one of C's words for odd numbers.
Status JsonReader::read_word() {
  size_t end = at_;
  while (end < text_.size() && !is_blank(text_[end]) &&
         std::string_view(",:]}[{\"").find(text_[end]) == std::string_view::npos) {
    ++end;
  }
  const std::string_view word = text_.substr(at_, end - at_);
  json::value value;
  if (word == "true" || word == "false") {
    value = word == "true";
  } else if (word != "null") {
    value = number_value(word);
    const std::string plain = lower(word.starts_with('-') ? word.substr(1) : word);
    const bool odd = plain == "inf" || plain == "infinity" || plain == "nan";
    if (!looks_like_number(word) && !odd) {
      if (end == text_.size() && !objects_.empty()) {
        cut_off_ = true;  // "tru", "-", "1."
        at_ = end;
        return ok();
      }
      return wrong("a value is expected");
    }
  }
  if (end == text_.size() && !objects_.empty()) {
    cut_off_ = true;  // more digits may have followed
    at_ = end;
    return ok();
  }
  at_ = end;
  expect_ = Expect::Next;
  return document_.value(std::move(value));
}

Status JsonReader::step_value() {
  const char c = text_[at_];
  if (c == '{' || c == '[') return open(c);
  if (c == ']' && expect_ == Expect::FirstValue) return close();
  if (c != '"') return read_word();
  const bool whole = TRY(read_string());
  cut_off_ = !whole;
  expect_ = Expect::Next;
  if (cut_off_) return ok();
  return document_.value(json::value(json::string_view(string_.data(), string_.size())));
}

Status JsonReader::step_key() {
  if (text_[at_] == '}' && expect_ == Expect::FirstKey) return close();
  if (text_[at_] != '"') return wrong("a name in quotes is expected");
  if (!TRY(read_string())) {
    cut_off_ = true;
    return ok();
  }
  TRY(document_.key(string_));
  skip_blanks();
  if (done()) return ok();
  if (text_[at_] != ':') return wrong("a colon is expected");
  ++at_;
  expect_ = Expect::Value;
  return ok();
}

Status JsonReader::step_next() {
  const char c = text_[at_];
  if (c == (objects_.back() ? '}' : ']')) return close();
  if (c != ',')
    return wrong(objects_.back() ? "a comma or } is expected" : "a comma or ] is expected");
  ++at_;
  expect_ = objects_.back() ? Expect::Key : Expect::Value;
  return ok();
}

Status JsonReader::step() {
  switch (expect_) {
    case Expect::Value:
    case Expect::FirstValue:
      return step_value();
    case Expect::Key:
    case Expect::FirstKey:
      return step_key();
    case Expect::Next:
      return step_next();
  }
  return ok();
}

Status JsonReader::run() {
  do {
    skip_blanks();
    if (done()) break;
    TRY(step());
  } while (!objects_.empty() && !cut_off_);
  if (objects_.empty() && expect_ == Expect::Next && !cut_off_) return ok();
  if (objects_.empty()) return wrong("the text ends before a value");
  const auto lines = std::count(text_.begin(), text_.end(), '\n');
  return document_.cut_off(static_cast<size_t>(lines) + (text_.ends_with('\n') ? 0 : 1));
}

}  // namespace

Result<JsonPlans> read_json_plans(std::string_view text, const ParseLimits& limits, size_t& at) {
  PlanDocument document(limits);
  JsonReader reader(text, document);
  const Status read = reader.run();
  at = reader.at();
  if (!read) return read.error();
  return JsonPlans{std::move(document.plans()), std::move(document.texts()), document.entries(),
                   reader.at()};
}

Result<Plan> parse_json_plan(std::string_view text, const ParseLimits& limits) {
  if (text.size() > limits.bytes_max) {
    return Error{ErrorCode::Limit, cat("reading the plan: JSON of ", text.size(),
                                       " bytes is over the limit of ", limits.bytes_max)};
  }
  size_t at = 0;
  JsonPlans read = TRY(read_json_plans(text, limits, at));
  if (!trim(text.substr(read.used)).empty()) {
    return Error{ErrorCode::Invalid, cat("JSON at byte ", read.used, ": text behind the plan")};
  }
  if (read.plans.size() == 1) return std::move(read.plans.front());
  if (trim(text).starts_with('[') && read.entries != 1) {
    return Error{ErrorCode::Invalid, cat("one plan is needed, the JSON holds ", read.entries)};
  }
  return Error{ErrorCode::Invalid, "no \"Plan\" in the JSON: is it EXPLAIN (FORMAT JSON)?"};
}

}  // namespace pgtend::explain
