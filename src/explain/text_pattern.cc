#include "explain/text_pattern.h"

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include "base/text.h"
#include "explain/member.h"
#include "explain/number.h"
#include "explain/text_lines.h"

namespace pgtend::explain {
namespace {

constexpr int kRows = -1;  // {Name.r}

// What stands between braces or angles.
struct Field {
  std::string_view name;
  std::string_view same_as = {};  // {=Name=Of}
  int decimals = 0;
  bool not_zero = false;
  bool list = false;
  char entries = 0;  // of a list: '1', '2' or 0
  bool text = false;
};

Field number_field(std::string_view inside) {
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

Field text_field(std::string_view inside) {
  const size_t comma = inside.find(',');
  Field out{.name = inside.substr(0, comma), .text = true};
  if (comma == std::string_view::npos) return out;
  out.list = true;
  if (comma + 1 < inside.size()) out.entries = inside[comma + 1];
  return out;
}

// A step of a pattern: a character, a number, a text or a part that may be missing.
struct Step {
  enum class Kind : uint8_t { Character, Number, Text, Part };
  Kind kind = Kind::Character;
  std::string_view inside = {};   // between its brackets
  std::string_view parting = {};  // of a Part: between its two &
};

// The end of the bracket that `pattern` begins with.
size_t end_of_part(std::string_view pattern) {
  int depth = 0;
  for (size_t at = 0; at < pattern.size(); ++at) {
    if (pattern[at] == '[') ++depth;
    if (pattern[at] == ']' && --depth == 0) return at;
  }
  return pattern.size();
}

// Cuts the next step off the front of `pattern`.
Step next_step(std::string_view& pattern) {
  const auto cut = [&](Step::Kind kind, size_t end) {
    const Step step{kind, pattern.substr(1, end - 1)};
    pattern.remove_prefix(end + 1);
    return step;
  };
  if (pattern.front() == '{') return cut(Step::Kind::Number, pattern.find('}'));
  if (pattern.front() == '<') return cut(Step::Kind::Text, pattern.find('>'));
  if (pattern.front() == '[') {
    Step step = cut(Step::Kind::Part, end_of_part(pattern));
    if (step.inside.starts_with('&')) {
      const size_t second = step.inside.find('&', 1);
      step.parting = step.inside.substr(1, second - 1);
      step.inside.remove_prefix(second + 1);
    }
    return step;
  }
  const Step step{Step::Kind::Character, pattern.substr(0, 1)};
  pattern.remove_prefix(1);
  return step;
}

// Calls `visit` for each number and text of `pattern`, with whether it stands in a part.
template <class Visit>
void each_field(std::string_view pattern, const Visit& visit, bool in_part = false) {
  while (!pattern.empty()) {
    const Step step = next_step(pattern);
    if (step.kind == Step::Kind::Part) each_field(step.inside, visit, true);
    if (step.kind == Step::Kind::Number) visit(number_field(step.inside), in_part);
    if (step.kind == Step::Kind::Text) visit(text_field(step.inside), in_part);
  }
}

// The length of the number that `text` begins with: digits, also masked ones ("N.N"), "inf", "nan".
size_t number_length(std::string_view text) {
  size_t end = text.starts_with('-') ? 1 : 0;
  for (const std::string_view word : {"inf", "nan", "Infinity", "NaN"}) {
    if (text.substr(end).starts_with(word)) return end + word.size();
  }
  const size_t start = end;
  while (end < text.size()) {
    const char c = text[end];
    const bool digit = (c >= '0' && c <= '9') || c == 'N';
    const bool decimals = c == '.' && end + 1 < text.size() && text[end + 1] != '.';
    if (!digit && !decimals) break;
    ++end;
  }
  return end == start ? 0 : end;
}

using Found = std::vector<std::pair<std::string_view, json::value>>;

json::value read_text(const Field& field, std::string_view text) {
  if (!field.list) {
    if (text == "true" || text == "false") return text == "true";
    return as_text(text);
  }
  json::array list;
  for (const std::string_view entry : split_list(text)) list.push_back(as_text(entry));
  return list;
}

bool match(std::string_view pattern, std::string_view& line, Found& found, bool in_part);

bool match_number(const Step& step, std::string_view& line, Found& found, bool in_part) {
  const Field field = number_field(step.inside);
  if (!field.same_as.empty()) return true;
  const size_t length = number_length(line);
  if (length == 0) return false;
  json::value value = number_value(line.substr(0, length));
  if (in_part && !is_shown(value)) value = as_text(line.substr(0, length));
  found.emplace_back(field.name, std::move(value));
  line.remove_prefix(length);
  return true;
}

// `rest` is the pattern after the text: it ends where the next characters of the pattern are, or
// where they end the line.
bool match_text(const Step& step, std::string_view rest, std::string_view& line, Found& found) {
  const size_t fixed = rest.find_first_of("{<[");
  const std::string_view stop = rest.substr(0, fixed);
  size_t length = line.size();
  if (fixed == std::string_view::npos) {
    if (!line.ends_with(stop)) return false;
    length -= stop.size();
  } else {
    length = line.find(stop);
    if (length == std::string_view::npos) return false;
  }
  const Field field = text_field(step.inside);
  json::value value = read_text(field, line.substr(0, length));
  if (field.entries == '1' && value.get_array().size() != 1) return false;
  if (field.entries == '2' && value.get_array().size() < 2) return false;
  found.emplace_back(field.name, std::move(value));
  line.remove_prefix(length);
  return true;
}

// A part that does not fit is left out. True if it was there.
bool match_part(const Step& step, bool any_part, std::string_view& line, Found& found) {
  std::string_view rest = line;
  if (any_part) {
    if (!rest.starts_with(step.parting)) return false;
    rest.remove_prefix(step.parting.size());
  }
  const size_t before = found.size();
  if (match(step.inside, rest, found, true)) {
    line = rest;
    return true;
  }
  found.resize(before);
  return false;
}

// Reads as much of `line` as `pattern` describes, from its front.
bool match(std::string_view pattern, std::string_view& line, Found& found, bool in_part) {
  bool any_part = false;
  while (!pattern.empty()) {
    const Step step = next_step(pattern);
    switch (step.kind) {
      case Step::Kind::Character:
        if (!line.starts_with(step.inside)) return false;
        line.remove_prefix(1);
        break;
      case Step::Kind::Number:
        if (!match_number(step, line, found, in_part)) return false;
        break;
      case Step::Kind::Text:
        if (!match_text(step, pattern, line, found)) return false;
        break;
      case Step::Kind::Part:
        any_part = match_part(step, any_part, line, found) || any_part;
        break;
    }
  }
  return true;
}

// Adds a property, unless it is there, with the objects on its path.
void put(json::object& out, std::string_view path, json::value value) {
  json::object* object = &out;
  for (size_t mark = path.find('~'); mark != std::string_view::npos; mark = path.find('~')) {
    const json::string_view name(path.data(), mark);
    json::value& inner = object->emplace(name, json::object()).first->value();
    if (!inner.is_object()) return;
    object = &inner.get_object();
    path.remove_prefix(mark + 1);
  }
  object->emplace(json::string_view(path.data(), path.size()), std::move(value));
}

bool part_is_shown(std::string_view part, const json::object& properties) {
  bool shown = false;
  each_field(part, [&](const Field& field, bool) {
    const json::value* value = property(properties, field.name);
    shown = shown || (value && is_shown(*value));
  });
  return shown;
}

void write_text(const Field& field, const json::object& properties, std::string& out) {
  const json::value* value = property(properties, field.name);
  if (!value) return;
  if (value->is_bool()) out += value->get_bool() ? "true" : "false";
  if (value->is_string()) out += std::string_view(value->get_string());
  if (!value->is_array()) return;
  bool first = true;
  for (const json::value& entry : value->get_array()) {
    if (!first) out += ", ";
    first = false;
    if (entry.is_string()) out += std::string_view(entry.get_string());
  }
}

void write_number(const Field& field, const json::object& properties, std::string& out) {
  if (!field.same_as.empty()) return;
  const json::value* value = property(properties, field.name);
  int decimals = field.decimals;
  if (decimals == kRows) decimals = value && value->is_double() ? 2 : 0;
  out += value ? number_text(*value, decimals) : "0";
}

void write(std::string_view pattern, const json::object& properties, std::string& out) {
  bool any_part = false;
  while (!pattern.empty()) {
    const Step step = next_step(pattern);
    switch (step.kind) {
      case Step::Kind::Character:
        out += step.inside;
        break;
      case Step::Kind::Number:
        write_number(number_field(step.inside), properties, out);
        break;
      case Step::Kind::Text:
        write_text(text_field(step.inside), properties, out);
        break;
      case Step::Kind::Part:
        if (!part_is_shown(step.inside, properties)) break;
        if (any_part) out += step.parting;
        write(step.inside, properties, out);
        any_part = true;
        break;
    }
  }
}

bool fits(const Field& field, const json::value* value) {
  if (!value || (field.not_zero && !is_shown(*value))) return false;
  if (!field.list) return !value->is_array() && !value->is_object();
  const json::array* list = value->if_array();
  if (!list) return false;
  if (field.entries == '1') return list->size() == 1;
  return field.entries != '2' || list->size() > 1;
}

}  // namespace

const json::value* property(const json::object& properties, std::string_view path) {
  const json::object* object = &properties;
  for (size_t mark = path.find('~'); mark != std::string_view::npos; mark = path.find('~')) {
    const json::value* inner = find_member(*object, path.substr(0, mark));
    object = inner ? inner->if_object() : nullptr;
    if (!object) return nullptr;
    path.remove_prefix(mark + 1);
  }
  return find_member(*object, path);
}

json::value as_text(std::string_view text) {
  return json::value(json::string_view(text.data(), text.size()));
}

bool is_shown(const json::value& value) {
  if (value.is_number()) return value.to_number<double>() != 0;
  if (value.is_array()) return !value.get_array().empty();
  return value.is_string() || value.is_bool();
}

std::string number_text(const json::value& value, int decimals) {
  if (value.is_string()) return std::string(value.get_string());
  if (!value.is_number()) return to_text(value);
  if (value.is_int64() && decimals == 0) return cat(value.get_int64());
  if (value.is_uint64() && decimals == 0) return cat(value.get_uint64());
  char digits[400];  // a double in full has at most 309 before its point
  const auto end = std::to_chars(digits, digits + sizeof digits, value.to_number<double>(),
                                 std::chars_format::fixed, decimals);
  return {digits, end.ptr};
}

bool read_pattern(std::string_view pattern, std::string_view line, json::object& out) {
  Found found;
  if (!match(pattern, line, found, false) || !line.empty()) return false;
  for (auto& [name, value] : found) put(out, name, std::move(value));
  each_field(pattern, [&](const Field& field, bool) {
    if (field.text || field.name.find('~') != std::string_view::npos) return;
    const json::value* other = field.same_as.empty() ? nullptr : property(out, field.same_as);
    json::value missing = field.decimals > 0 ? json::value(0.0) : json::value(0);
    if (other) missing = *other;
    put(out, field.name, std::move(missing));
  });
  return true;
}

bool can_write(std::string_view pattern, const json::object& properties) {
  bool possible = true, any = false;
  each_field(pattern, [&](const Field& field, bool in_part) {
    const json::value* value = property(properties, field.name);
    any = any || value;
    if (!field.same_as.empty()) {
      const json::value* other = property(properties, field.same_as);
      possible = possible && (!value || (other && *value == *other));
    } else if (!in_part) {
      possible = possible && fits(field, value);
    }
  });
  return possible && any;
}

std::string write_pattern(std::string_view pattern, const json::object& properties) {
  bool needs_part = true;
  each_field(pattern, [&](const Field& field, bool in_part) {
    needs_part = needs_part && (in_part || !field.same_as.empty());
  });
  if (needs_part && !part_is_shown(pattern, properties)) return {};
  std::string out;
  write(pattern, properties, out);
  return out;
}

std::vector<std::string_view> names_of(std::string_view pattern) {
  std::vector<std::string_view> out;
  each_field(pattern, [&](const Field& field, bool) {
    const std::string_view name = field.name.substr(0, field.name.find('~'));
    if (std::ranges::find(out, name) == out.end()) out.push_back(name);
  });
  return out;
}

}  // namespace pgtend::explain
