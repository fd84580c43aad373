#include "explain/parse_json.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "explain/json_string.h"
#include "explain/number.h"
#include "explain/plan_document.h"

namespace pgtend::explain {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

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
  Status read_string();  // into string_
  Status read_word();

  std::string_view text_;
  PlanDocument& document_;
  size_t at_ = 0;
  Expect expect_ = Expect::Value;
  std::vector<bool> objects_;  // whether each open bracket is an object's
  std::string string_;
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

Status JsonReader::read_string() {
  switch (read_json_string(text_, at_, string_)) {
    case QuotedEnd::Whole:
      return ok();
    case QuotedEnd::CutOff:
      cut_off_ = true;
      return ok();
    case QuotedEnd::Bad:
      return wrong("a backslash that begins no escape");
  }
  return ok();
}

// A number, true, false, null or one of C's words for odd numbers.
Status JsonReader::read_word() {
  size_t end = at_;
  while (end < text_.size() && !is_blank(text_[end]) &&
         std::string_view(",:]}[{\"").find(text_[end]) == std::string_view::npos) {
    ++end;
  }
  const std::string_view word = text_.substr(at_, end - at_);
  Value value;
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
  return document_.value(value);
}

Status JsonReader::step_value() {
  const char c = text_[at_];
  if (c == '{' || c == '[') return open(c);
  if (c == ']' && expect_ == Expect::FirstValue) return close();
  if (c != '"') return read_word();
  TRY(read_string());
  expect_ = Expect::Next;
  if (cut_off_) return ok();
  skip_blanks();
  if (!done() && text_[at_] == ':' && !objects_.empty() && !objects_.back()) {
    ++at_;
    expect_ = Expect::Value;
    return document_.key(string_);
  }
  return document_.value(std::string_view(string_));
}

Status JsonReader::step_key() {
  if (text_[at_] == '}' && expect_ == Expect::FirstKey) return close();
  if (text_[at_] != '"') return wrong("a name in quotes is expected");
  TRY(read_string());
  if (cut_off_) return ok();
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

PlansRead read_json_plans(std::string_view text, const ParseLimits& limits) {
  PlanDocument document(limits);
  JsonReader reader(text, document);
  Status read = reader.run();
  PlansRead out{std::move(document.plans()),
                std::move(document.texts()),
                document.entries(),
                reader.at(),
                {}};
  if (!read) out.error = std::move(read).error();
  return out;
}

Result<Plan> parse_json_plan(std::string_view text, const ParseLimits& limits) {
  if (text.size() > limits.bytes_max) {
    return Error{ErrorCode::Limit, cat("reading the plan: JSON of ", text.size(),
                                       " bytes is over the limit of ", limits.bytes_max)};
  }
  PlansRead read = read_json_plans(text, limits);
  const std::string_view rest = text.substr(read.used);
  if (!read.error && trim(text).starts_with('[') && read.plans.empty() && read.entries != 1) {
    return Error{ErrorCode::Invalid, cat("one plan is needed, the JSON holds ", read.entries)};
  }
  return only_plan(std::move(read), rest, "no \"Plan\" in the JSON: is it EXPLAIN (FORMAT JSON)?");
}

}  // namespace pgtend::explain
