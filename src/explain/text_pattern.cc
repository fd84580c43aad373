#include "explain/text_pattern.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/check.h"
#include "base/text.h"
#include "explain/number.h"
#include "explain/text_lines.h"

namespace pgtend::explain {
namespace {

constexpr int kRows = -1;          // {Name.r}
constexpr size_t kFieldsMax = 32;  // of a pattern

// The end of the bracket that `pattern` begins with.
size_t end_of_part(std::string_view pattern) {
  int depth = 0;
  for (size_t at = 0; at < pattern.size(); ++at) {
    if (pattern[at] == '[') ++depth;
    if (pattern[at] == ']' && --depth == 0) return at;
  }
  return pattern.size();
}

Value read_text(bool list, std::string_view text, Arena& arena) {
  if (!list) {
    if (text == "true" || text == "false") return text == "true";
    return text;
  }
  List& out = new_list(arena);
  for (const std::string_view entry : split_list(text)) out.push_back(entry);
  return out;
}

// Adds a property, unless it is there, with the objects on its path.
void put(Properties& out, std::string_view path, Value value) {
  Properties* object = &out;
  for (size_t mark = path.find('~'); mark != std::string_view::npos; mark = path.find('~')) {
    const std::string_view name = path.substr(0, mark);
    const Value* inner = object->if_contains(name);
    if (!inner) inner = object->emplace(name, new_properties(out.arena())).first;
    if (!inner->is_object()) return;
    object = &inner->get_object();
    path.remove_prefix(mark + 1);
  }
  object->emplace(path, value);
}

}  // namespace

LinePattern::Field LinePattern::number_field(std::string_view inside) {
  if (inside.starts_with('=')) {
    const size_t second = inside.find('=', 1);
    return {.name = inside.substr(1, second - 1), .same_as = inside.substr(second + 1)};
  }
  Field out{.name = inside};
  if (inside.ends_with('!')) {
    out.not_zero = true;
    out.name.remove_suffix(1);
  } else if (inside.size() > 2 && inside[inside.size() - 2] == '.') {
    out.decimals = inside.back() == 'r' ? kRows : inside.back() - '0';
    out.name.remove_suffix(2);
  }
  return out;
}

LinePattern::Field LinePattern::text_field(std::string_view inside) {
  const size_t comma = inside.find(',');
  Field out{.name = inside.substr(0, comma), .text = true};
  if (comma == std::string_view::npos) return out;
  out.list = true;
  if (comma + 1 < inside.size()) out.entries = inside[comma + 1];
  return out;
}

std::vector<LinePattern::Step> LinePattern::steps_of(std::string_view source) {
  std::vector<Step> out;
  while (!source.empty()) {
    Step& step = out.emplace_back();
    size_t end = std::min(source.find_first_of("{<["), source.size());
    if (end > 0) {
      step.literal = source.substr(0, end);
      source.remove_prefix(end);
      continue;
    }
    if (source[0] == '[') {
      end = end_of_part(source);
      std::string_view inside = source.substr(1, end - 1);
      if (inside.starts_with('&')) {
        const size_t second = inside.find('&', 1);
        step.literal = inside.substr(1, second - 1);
        inside.remove_prefix(second + 1);
      }
      step.kind = Step::Kind::Part;
      step.inside = steps_of(inside);
    } else {
      const bool number = source[0] == '{';
      end = source.find(number ? '}' : '>');
      const std::string_view inside = source.substr(1, end - 1);
      step.kind = number ? Step::Kind::Number : Step::Kind::Text;
      step.field = number ? number_field(inside) : text_field(inside);
    }
    source.remove_prefix(end + 1);
  }
  for (size_t i = 0; i < out.size(); ++i) {
    const bool literal = i + 1 < out.size() && out[i + 1].kind == Step::Kind::Literal;
    if (literal) out[i].stop = out[i + 1].literal;
    out[i].ends_line = i + (literal ? 2 : 1) == out.size();
  }
  return out;
}

// Calls `visit` for each number and text of `steps`, with whether it stands in a part.
template <class Visit>
void LinePattern::each_field(const std::vector<Step>& steps, const Visit& visit, bool in_part) {
  for (const Step& step : steps) {
    if (step.kind == Step::Kind::Part) each_field(step.inside, visit, true);
    if (step.kind == Step::Kind::Number || step.kind == Step::Kind::Text) {
      visit(step.field, in_part);
    }
  }
}

LinePattern::LinePattern(std::string_view source) : steps_(steps_of(source)) {
  size_t fields = 0;
  each_field(steps_, [&](const Field& field, bool in_part) {
    ++fields;
    const bool missing = in_part || !field.same_as.empty();
    if (missing && !field.text && !field.is_path()) optional_.push_back(field);
  });
  CHECK(fields <= kFieldsMax);
}

// Reads one line. Lives during one call.
class LinePattern::Reader {
 public:
  explicit Reader(Arena& arena) : arena_(arena) {}

  // Reads as much of `line` as `steps` describe, from its front.
  bool match(const std::vector<Step>& steps, std::string_view& line, bool in_part);
  void put_all(Properties& out) const {
    for (size_t i = 0; i < count_; ++i) put(out, found_[i].first, found_[i].second);
  }

 private:
  bool match_number(const Step& step, std::string_view& line, bool in_part);
  bool match_text(const Step& step, std::string_view& line);
  bool match_part(const Step& step, bool any_part, std::string_view& line);

  Arena& arena_;
  std::array<std::pair<std::string_view, Value>, kFieldsMax> found_;
  size_t count_ = 0;
};

bool LinePattern::Reader::match_number(const Step& step, std::string_view& line, bool in_part) {
  if (!step.field.same_as.empty()) return true;
  size_t length = 0;
  Value value = leading_number(line, length);
  if (length == 0) return false;
  if (in_part && !is_shown(value)) value = line.substr(0, length);
  found_[count_++] = {step.field.name, value};
  line.remove_prefix(length);
  return true;
}

// A text ends where the next characters of the pattern are, or where they end the line.
bool LinePattern::Reader::match_text(const Step& step, std::string_view& line) {
  size_t length = line.size();
  if (step.ends_line) {
    if (!line.ends_with(step.stop)) return false;
    length -= step.stop.size();
  } else {
    length = line.find(step.stop);
    if (length == std::string_view::npos) return false;
  }
  const Field& field = step.field;
  const Value value = read_text(field.list, line.substr(0, length), arena_);
  if (field.entries == '1' && value.get_array().size() != 1) return false;
  if (field.entries == '2' && value.get_array().size() < 2) return false;
  found_[count_++] = {field.name, value};
  line.remove_prefix(length);
  return true;
}

// A part that does not fit is left out. True if it was there.
bool LinePattern::Reader::match_part(const Step& step, bool any_part, std::string_view& line) {
  std::string_view rest = line;
  if (any_part) {
    if (!rest.starts_with(step.literal)) return false;
    rest.remove_prefix(step.literal.size());
  }
  const size_t before = count_;
  if (match(step.inside, rest, true)) {
    line = rest;
    return true;
  }
  count_ = before;
  return false;
}

bool LinePattern::Reader::match(const std::vector<Step>& steps, std::string_view& line,
                                bool in_part) {
  bool any_part = false;
  for (const Step& step : steps) {
    switch (step.kind) {
      case Step::Kind::Literal:
        if (!line.starts_with(step.literal)) return false;
        line.remove_prefix(step.literal.size());
        break;
      case Step::Kind::Number:
        if (!match_number(step, line, in_part)) return false;
        break;
      case Step::Kind::Text:
        if (!match_text(step, line)) return false;
        break;
      case Step::Kind::Part:
        any_part = match_part(step, any_part, line) || any_part;
        break;
    }
  }
  return true;
}

bool LinePattern::read(std::string_view line, Properties& out) const {
  Reader reader(out.arena());
  if (!reader.match(steps_, line, false) || !line.empty()) return false;
  reader.put_all(out);
  for (const Field& field : optional_) {
    const Value* other = field.same_as.empty() ? nullptr : property(out, field.same_as);
    out.emplace(field.name, other ? *other : field.decimals > 0 ? Value(0.0) : Value(0));
  }
  return true;
}

bool LinePattern::is_shown_in(const std::vector<Step>& steps, const Properties& properties) {
  bool shown = false;
  each_field(steps, [&](const Field& field, bool) {
    const Value* value = property(properties, field.name);
    shown = shown || (value && is_shown(*value));
  });
  return shown;
}

void LinePattern::write_text(const Field& field, const Properties& properties, std::string& out) {
  const Value* value = property(properties, field.name);
  if (!value) return;
  if (value->is_bool()) out += value->get_bool() ? "true" : "false";
  if (value->is_string()) out += value->get_string();
  if (!value->is_array()) return;
  bool first = true;
  for (const Value& entry : value->get_array()) {
    if (!first) out += ", ";
    first = false;
    if (entry.is_string()) out += entry.get_string();
  }
}

void LinePattern::write_number(const Field& field, const Properties& properties, std::string& out) {
  if (!field.same_as.empty()) return;
  const Value* value = property(properties, field.name);
  int decimals = field.decimals;
  if (decimals == kRows) decimals = value && value->is_double() ? 2 : 0;
  out += value ? number_text(*value, decimals) : "0";
}

void LinePattern::write_steps(const std::vector<Step>& steps, const Properties& properties,
                              std::string& out) {
  bool any_part = false;
  for (const Step& step : steps) {
    switch (step.kind) {
      case Step::Kind::Literal:
        out += step.literal;
        break;
      case Step::Kind::Number:
        write_number(step.field, properties, out);
        break;
      case Step::Kind::Text:
        write_text(step.field, properties, out);
        break;
      case Step::Kind::Part:
        if (!is_shown_in(step.inside, properties)) break;
        if (any_part) out += step.literal;
        write_steps(step.inside, properties, out);
        any_part = true;
        break;
    }
  }
}

bool LinePattern::fits(const Field& field, const Value* value) {
  if (!value || (field.not_zero && !is_shown(*value))) return false;
  if (!field.list) return !value->is_array() && !value->is_object();
  const List* list = value->if_array();
  if (!list) return false;
  if (field.entries == '1') return list->size() == 1;
  return field.entries != '2' || list->size() > 1;
}

bool LinePattern::can_write(const Properties& properties) const {
  bool possible = true, any = false;
  each_field(steps_, [&](const Field& field, bool in_part) {
    const Value* value = property(properties, field.name);
    any = any || value;
    if (!field.same_as.empty()) {
      const Value* other = property(properties, field.same_as);
      possible = possible && (!value || (other && *value == *other));
    } else if (!in_part) {
      possible = possible && fits(field, value);
    }
  });
  return possible && any;
}

std::string LinePattern::write(const Properties& properties) const {
  bool needs_part = true;
  each_field(steps_, [&](const Field& field, bool in_part) {
    needs_part = needs_part && (in_part || !field.same_as.empty());
  });
  if (needs_part && !is_shown_in(steps_, properties)) return {};
  std::string out;
  write_steps(steps_, properties, out);
  return out;
}

std::vector<std::string_view> LinePattern::names() const {
  std::vector<std::string_view> out;
  each_field(steps_, [&](const Field& field, bool) {
    const std::string_view name = field.name.substr(0, field.name.find('~'));
    if (std::ranges::find(out, name) == out.end()) out.push_back(name);
  });
  return out;
}

std::string_view LinePattern::front() const {
  return steps_.front().kind == Step::Kind::Literal ? steps_.front().literal : std::string_view();
}

const Value* property(const Properties& properties, std::string_view path) {
  const Properties* object = &properties;
  for (size_t mark = path.find('~'); mark != std::string_view::npos; mark = path.find('~')) {
    const Value* inner = object->if_contains(path.substr(0, mark));
    object = inner ? inner->if_object() : nullptr;
    if (!object) return nullptr;
    path.remove_prefix(mark + 1);
  }
  return object->if_contains(path);
}

bool is_shown(const Value& value) {
  if (value.is_number()) return value.to_number() != 0;
  if (value.is_array()) return !value.get_array().empty();
  return value.is_string() || value.is_bool();
}

std::string number_text(const Value& value, int decimals) {
  if (value.is_string()) return std::string(value.get_string());
  if (!value.is_number()) return to_text(value);
  if (value.is_int64() && decimals == 0) return cat(value.get_int64());
  if (value.is_uint64() && decimals == 0) return cat(value.get_uint64());
  char digits[400];  // a double in full has at most 309 before its point
  const auto end = std::to_chars(digits, digits + sizeof digits, value.to_number(),
                                 std::chars_format::fixed, decimals);
  return {digits, end.ptr};
}

}  // namespace pgtend::explain
