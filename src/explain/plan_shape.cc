#include "explain/plan_shape.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/text.h"

namespace pgtend::explain {
namespace {

constexpr uint64_t kSeed = 0xcbf29ce484222325;
constexpr uint64_t kPrime = 0x100000001b3;

// FNV-1a, byte by byte: the texts come in pieces of a few bytes.
class Hash {
 public:
  void add(char c) { value_ = (value_ ^ static_cast<unsigned char>(c)) * kPrime; }
  void add(std::string_view text) {
    for (const char c : text) add(c);
  }
  void add(uint64_t other) {
    value_ = (value_ ^ other) * 0x9e3779b97f4a7c15;
    value_ ^= value_ >> 32;
  }
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = kSeed;
};

bool is_shape_digit(char c) { return c >= '0' && c <= '9'; }

std::string with_digits_as_one(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (!is_shape_digit(c)) {
      out += c;
    } else if (!out.ends_with('#')) {
      out += '#';
    }
  }
  return out;
}

// A label of the node's kind that is not in its type: "Hashed", "Left", "Backward".
std::string kind_words(const Node& node) {
  std::string out;
  for (const std::string_view name :
       {"Strategy", "Partial Mode", "Join Type", "Operation", "Scan Direction"}) {
    const std::string_view value = node.text(name);
    if (value.empty() || value == "Simple" || value == "Inner" || value == "Forward") continue;
    if (value == "Plain" || value == "NoMovement") continue;
    out += cat(value, " ");
  }
  return out;
}

bool joins_partitions(const Node& node) {
  return node.type == "Append" || node.type == "Merge Append";
}

uint64_t shape_of(const Plan& plan, size_t id, const std::vector<uint64_t>& shapes) {
  const Node& node = plan.nodes[id];
  Hash hash;
  if (!joins_partitions(node)) {
    hash.add(with_digits_as_one(node_words(node)));
  }
  std::vector<uint64_t> parts;
  for (const int child : node.children) {
    const uint64_t shape = shapes[static_cast<size_t>(child)];
    if (!joins_partitions(node) || std::ranges::find(parts, shape) == parts.end()) {
      parts.push_back(shape);
    }
    constexpr size_t kPartsLooked = 64;  // of an Append; then each counts
    if (parts.size() > kPartsLooked && joins_partitions(node)) break;
  }
  // The planner leaves the Append out when one partition is left.
  if (joins_partitions(node) && parts.size() == 1) return parts[0];
  for (const uint64_t part : parts) hash.add(part);
  return hash.value();
}

// Where a number begins that is no part of a name or of "$1".
bool joins_names(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_shape_digit(c) || c == '_' ||
         c == '$' || static_cast<unsigned char>(c) >= 0x80;
}

// One behind the literal that begins at `at`, if it ends in this line.
size_t literal_end(std::string_view text, size_t at) {
  for (++at; at < text.size() && text[at] != '\n'; ++at) {
    if (text[at] != '\'') continue;
    if (at + 1 >= text.size() || text[at + 1] != '\'') return at + 1;
    ++at;
  }
  return text.npos;
}

size_t number_end(std::string_view text, size_t at) {
  while (at < text.size() && (is_shape_digit(text[at]) || text[at] == '.')) ++at;
  return at;
}

// Where the value behind the comma at `at` begins: "1, 2, 3" is as one, lists may have any length.
size_t next_value(std::string_view text, size_t at) {
  for (++at; at < text.size() && text[at] == ' '; ++at) {
  }
  return at < text.size() && (is_shape_digit(text[at]) || text[at] == '\'') ? at : text.npos;
}

// One behind the quoted name that begins at `at`, if it ends in this line.
size_t name_end(std::string_view text, size_t at) {
  for (++at; at < text.size() && text[at] != '\n'; ++at) {
    if (text[at] == '"') return at + 1;
  }
  return text.npos;
}

}  // namespace

std::string node_words(const Node& node) {
  std::string out = cat(node.parallel_aware ? "Parallel " : "", kind_words(node), node.type);
  const Object& object = node.object;
  if (!object.index.empty()) out += cat(" using ", object.index);
  const std::string_view name = object.relation.empty() ? object.other : object.relation;
  if (!name.empty()) out += cat(" on ", name);
  return out;
}

std::vector<uint64_t> subtree_shapes(const Plan& plan) {
  std::vector<uint64_t> shapes(plan.nodes.size());
  for (size_t i = plan.nodes.size(); i-- > 0;) shapes[i] = shape_of(plan, i, shapes);
  return shapes;
}

uint64_t plan_shape(const Plan& plan) { return subtree_shapes(plan).at(0); }

std::string plan_change(const Plan& before, const Plan& after) {
  const size_t both = std::min(before.nodes.size(), after.nodes.size());
  for (size_t i = 0; i < both; ++i) {
    const std::string was = node_words(before.nodes[i]), is = node_words(after.nodes[i]);
    if (with_digits_as_one(was) != with_digits_as_one(is)) return cat(is, " instead of ", was);
  }
  return {};
}

uint64_t text_key(std::string_view text) {
  Hash hash;
  char before = '\n';
  bool after_value = false;
  for (size_t at = 0; at < text.size();) {
    const char c = text[at];
    size_t end = text.npos;
    bool value = false;
    if (is_shape_digit(c) && !joins_names(before)) {
      end = number_end(text, at);
      value = true;
    } else if (c == '\'') {
      end = literal_end(text, at);
      value = true;
    } else if (c == '"') {
      end = name_end(text, at);
    }
    if (end == text.npos) {  // a character like any other
      const size_t next = after_value && c == ',' ? next_value(text, at) : text.npos;
      if (next == text.npos) {
        hash.add(c);
        after_value = false;
      }
      before = c;
      at = next == text.npos ? at + 1 : next;
      continue;
    }
    if (!value) hash.add(text.substr(at, end - at));
    if (value && !after_value) hash.add('?');
    after_value = value;
    before = text[end - 1];
    at = end;
  }
  return hash.value();
}

}  // namespace pgtend::explain
