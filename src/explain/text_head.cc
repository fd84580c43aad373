#include "explain/text_head.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/text.h"
#include "explain/text_lines.h"
#include "explain/text_pattern.h"
#include "pg/quote.h"

namespace pgtend::explain {
namespace {

using Words = std::vector<std::string_view>;

const LinePattern& costs() {
  static const LinePattern pattern(
      "  (cost={Startup Cost.2}..{Total Cost.2} rows={Plan Rows} width={Plan Width})");
  return pattern;
}
const LinePattern& timed() {
  static const LinePattern pattern(
      " (actual time={Actual Startup Time.3}..{Actual Total Time.3} rows={Actual Rows.r} "
      "loops={Actual Loops})");
  return pattern;
}
const LinePattern& counted() {
  static const LinePattern pattern(" (actual rows={Actual Rows.r} loops={Actual Loops})");
  return pattern;
}
constexpr std::string_view kNeverExecuted = " (never executed)";
// Figures that other servers add, as they are.
constexpr std::string_view kRemark = "Figures";

// Names of the head in TEXT that JSON calls otherwise.
struct HeadName {
  std::string_view text;
  std::string_view type;
  std::string_view property;
  std::string_view value;
};
constexpr std::array<HeadName, 15> kHeadNames = {{
    {"Insert", "ModifyTable", "Operation", "Insert"},
    {"Update", "ModifyTable", "Operation", "Update"},
    {"Delete", "ModifyTable", "Operation", "Delete"},
    {"Merge", "ModifyTable", "Operation", "Merge"},
    {"Foreign Scan", "Foreign Scan", "Operation", "Select"},
    {"Foreign Insert", "Foreign Scan", "Operation", "Insert"},
    {"Foreign Update", "Foreign Scan", "Operation", "Update"},
    {"Foreign Delete", "Foreign Scan", "Operation", "Delete"},
    {"Aggregate", "Aggregate", "Strategy", "Plain"},
    {"GroupAggregate", "Aggregate", "Strategy", "Sorted"},
    {"HashAggregate", "Aggregate", "Strategy", "Hashed"},
    {"MixedAggregate", "Aggregate", "Strategy", "Mixed"},
    {"Foreign Merge", "Foreign Scan", "Operation", "Merge"},
    {"SetOp", "SetOp", "Strategy", "Sorted"},
    {"HashSetOp", "SetOp", "Strategy", "Hashed"},
}};

// Where the name of the object that a node reads is, where it is no relation's; "" for nodes that
// only have an alias.
struct ObjectName {
  std::string_view type;
  std::string_view property;
};
constexpr std::array<ObjectName, 8> kObjectNames = {{
    {"Function Scan", "Function Name"},
    {"Table Function Scan", "Table Function Name"},
    {"CTE Scan", "CTE Name"},
    {"WorkTable Scan", "CTE Name"},
    {"Named Tuplestore Scan", "Tuplestore Name"},
    {"Bitmap Index Scan", "Index Name"},
    {"Subquery Scan", ""},
    {"Values Scan", ""},
}};

constexpr std::array<std::string_view, 26> kOfHead = {"Node Type",
                                                      "Strategy",
                                                      "Partial Mode",
                                                      "Operation",
                                                      "Parent Relationship",
                                                      "Subplan Name",
                                                      "Parallel Aware",
                                                      "Custom Plan Provider",
                                                      "Async Capable",
                                                      "Scan Direction",
                                                      "Index Name",
                                                      "Relation Name",
                                                      "Schema",
                                                      "Alias",
                                                      "Join Type",
                                                      "Command",
                                                      "Startup Cost",
                                                      "Total Cost",
                                                      "Plan Rows",
                                                      "Plan Width",
                                                      "Actual Startup Time",
                                                      "Actual Total Time",
                                                      "Actual Rows",
                                                      "Actual Loops",
                                                      "Function Name",
                                                      kRemark};
constexpr std::array<std::string_view, 3> kOfScans = {"Table Function Name", "CTE Name",
                                                      "Tuplestore Name"};

// Types without a name of their own in kHeadNames, for telling a node from other lines.
constexpr std::array<std::string_view, 12> kFirstWords = {
    "Seq Scan", "Index Scan",   "Index Only Scan", "Bitmap Heap Scan", "Result",
    "Append",   "Merge Append", "Nested Loop",     "Hash Join",        "Limit",
    "Sort",     "Unique"};

std::string_view object_property(std::string_view type) {
  const auto* row = std::ranges::find(kObjectNames, type, &ObjectName::type);
  return row == kObjectNames.end() ? "Relation Name" : row->property;
}

std::string_view string_at(const Properties& properties, std::string_view name) {
  const Value* value = property(properties, name);
  if (!value || !value->is_string()) return {};
  return value->get_string();
}

// A name as it is in the catalog: without quotes. It borrows `word` or lives in `arena`.
std::string_view unquoted(std::string_view word, Arena& arena) {
  if (!word.starts_with('"') || !word.ends_with('"') || word.size() < 2) return word;
  std::string out;
  for (size_t at = 1; at + 1 < word.size(); ++at) {
    out += word[at];
    if (word[at] == '"') ++at;  // a doubled one
  }
  return arena.copy(out);
}

// What the words of a node's line tell; "" is what they do not.
struct HeadNames {
  std::string_view type = {};
  std::string_view property = {};  // "Strategy" or "Operation"
  std::string_view value = {};     // of that
  std::string_view mode = {};
  std::string_view command = {};
  std::string_view provider = {};
  std::string_view join = {};
  std::string_view direction = {};
  std::string_view index = {};
  Words object = {};  // behind "on"
};

// Where the figures begin: the first "  (cost=" or the like outside of names.
size_t start_of_figures(std::string_view line) {
  size_t at = 0;
  if (line.starts_with("Custom Scan (")) at = std::min(line.find(')'), line.size());
  while (at < line.size()) {
    if (line[at] != ' ' && line[at] != '"') {
      ++at;
      continue;
    }
    const std::string_view rest = line.substr(at);
    for (const std::string_view start : {"  (cost=", " (actual ", " (never executed)"}) {
      const bool cut_off = rest.size() > 1 && start.starts_with(rest);
      if (rest.starts_with(start) || cut_off) return at;
    }
    at = line[at] == '"' ? std::min(end_of_quoted(line, at), line.size()) : at + 1;
  }
  return line.size();
}

// Cuts the figures in one pair of brackets off the front of `figures`, if `pattern` is theirs.
bool read_figures(const LinePattern& pattern, std::string_view& figures, Properties& out) {
  const size_t end = std::min(figures.find(')'), figures.size() - 1) + 1;
  if (!pattern.read(figures.substr(0, end), out)) return false;
  figures.remove_prefix(end);
  return true;
}

bool read_all_figures(std::string_view figures, Properties& out) {
  if (figures.empty()) return true;
  read_figures(costs(), figures, out);
  if (figures.starts_with(kNeverExecuted)) {
    out.emplace("Actual Rows", 0);
    out.emplace("Actual Loops", 0);
    figures.remove_prefix(kNeverExecuted.size());
  } else if (!figures.empty() && !read_figures(timed(), figures, out)) {
    read_figures(counted(), figures, out);
  }
  if (figures.empty()) return true;
  const bool whole = figures.ends_with(')');
  if (whole) out.emplace(kRemark, figures);
  return whole;
}

// "Left" of "Hash Left Join"; "Inner" of "Hash Join". False if `kind` is no join.
bool read_join(std::string_view kind, HeadNames& out) {
  for (const std::string_view type : {"Hash Join", "Merge Join", "Nested Loop"}) {
    const bool loop = type == "Nested Loop";
    const std::string_view start = loop ? type : type.substr(0, type.find(' '));
    if (!kind.starts_with(start)) continue;
    std::string_view rest = kind.substr(start.size());
    if (!rest.ends_with(" Join") && !(loop && rest.empty())) continue;
    if (!rest.empty()) rest.remove_suffix(5);
    if (rest.starts_with(' ')) rest.remove_prefix(1);
    out.type = type;
    out.join = rest.empty() ? "Inner" : rest;
    return true;
  }
  return false;
}

// Sets what `kind`, the words before "using" and "on", tells of the node.
void read_kind(std::string_view kind, HeadNames& out) {
  std::string_view mode = "Simple";
  for (const std::string_view word : {"Partial", "Finalize"}) {
    if (kind.starts_with(word) && kind.ends_with("Aggregate") && kind.size() > word.size()) {
      mode = word;
      kind.remove_prefix(word.size() + 1);
    }
  }
  std::string_view command;
  const size_t set_operation = kind.find("SetOp ");
  if (set_operation == 0 || (set_operation == 4 && kind.starts_with("Hash"))) {
    command = kind.substr(set_operation + 6);
    kind = kind.substr(0, set_operation + 5);
  }
  const auto* row = std::ranges::find(kHeadNames, kind, &HeadName::text);
  if (row != kHeadNames.end()) {
    out.type = row->type;
    out.property = row->property;
    out.value = row->value;
    if (row->type == "Aggregate") out.mode = mode;
    out.command = command;
  } else if (kind.starts_with("Custom Scan (") && kind.ends_with(')')) {
    out.type = "Custom Scan";
    out.provider = kind.substr(13, kind.size() - 14);
  } else if (!read_join(kind, out)) {
    out.type = kind;
  }
}

// The words after "on": name, or schema.name, and an alias that differs.
void read_object(const Words& words, std::string_view name_property, Properties& out) {
  std::string_view name = words[0];
  size_t point = name.starts_with('"') ? end_of_quoted(name, 0) : name.find('.');
  if (point >= name.size() || name[point] != '.') point = name.npos;
  const std::string_view schema = point == name.npos ? name.substr(0, 0) : name.substr(0, point);
  if (point != name.npos) name.remove_prefix(point + 1);
  Arena& arena = out.arena();
  if (!name_property.empty()) out.emplace(name_property, unquoted(name, arena));
  if (!schema.empty()) out.emplace("Schema", unquoted(schema, arena));
  const std::string_view alias = words.size() > 1 ? words.back() : name;
  if (name_property != "Index Name") out.emplace("Alias", unquoted(alias, arena));
}

std::string write_object(const Properties& properties, std::string_view name_property) {
  const Value* name = name_property.empty() ? nullptr : property(properties, name_property);
  const Value* alias = property(properties, "Alias");
  const std::string_view schema = string_at(properties, "Schema");
  std::string out;
  if (name) {
    out = schema.empty() ? pg::ident(string_at(properties, name_property))
                         : pg::qualified(schema, string_at(properties, name_property));
  }
  if (alias && name_property != "Index Name" && (!name || *name != *alias)) {
    if (!out.empty()) out += ' ';
    out += pg::ident(string_at(properties, "Alias"));
  }
  return out.empty() ? out : cat(" on ", out);
}

// The front of `line` that tells the type, up to the words in front of names.
std::string_view kind_of(std::string_view line, const Words& words, size_t names) {
  if (names >= words.size()) return trim(line);
  return trim(line.substr(0, static_cast<size_t>(words[names].data() - line.data())));
}

HeadNames read_names(std::string_view line) {
  HeadNames out;
  std::string_view names = line;
  std::string_view provider;
  if (line.starts_with("Custom Scan (")) {  // the provider's name is not quoted
    size_t end = line.find(") on ");
    end = end == line.npos ? line.size() : end + 1;
    provider = line.substr(0, end);
    names.remove_prefix(end);
  }
  Words words = split_words(names);
  const auto is_mark = [](std::string_view word) {
    return word == "on" || word == "using" || word == "Backward";
  };
  const auto mark = std::ranges::find_if(words, is_mark);
  const size_t first = static_cast<size_t>(mark - words.begin());
  size_t at = first;
  const bool backward = at < words.size() && words[at] == "Backward";
  if (backward) ++at;
  std::string_view index;
  if (at + 1 < words.size() && words[at] == "using") {
    index = words[at + 1];
    at += 2;
  }
  const bool on = at + 1 < words.size() && words[at] == "on" && words.size() - at <= 3;
  if (at < words.size() && !on) {  // not of this grammar: all of it is the type
    out.type = line;
    return out;
  }
  read_kind(provider.empty() ? kind_of(names, words, first) : provider, out);
  if (backward) out.direction = "Backward";
  if (!backward && !index.empty()) out.direction = "Forward";
  out.index = index;
  if (!on) return out;
  words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(at) + 1);
  out.object = std::move(words);
  return out;
}

std::string write_join(std::string_view type, std::string_view join) {
  const bool loop = type == "Nested Loop";
  if (join.empty() || join == "Inner") return std::string(type);
  if (loop) return cat(type, " ", join, " Join");
  return cat(type.substr(0, type.find(' ')), " ", join, " Join");
}

std::string write_kind(const Properties& properties) {
  const std::string_view type = string_at(properties, "Node Type");
  if (type == "Custom Scan") {
    const std::string_view provider = string_at(properties, "Custom Plan Provider");
    return provider.empty() ? std::string(type) : cat(type, " (", provider, ")");
  }
  if (type == "Hash Join" || type == "Merge Join" || type == "Nested Loop") {
    return write_join(type, string_at(properties, "Join Type"));
  }
  std::string out(type);
  for (const HeadName& row : kHeadNames) {
    if (row.type == type && string_at(properties, row.property) == row.value) out = row.text;
  }
  const std::string_view mode = string_at(properties, "Partial Mode");
  if (!mode.empty() && mode != "Simple") out = cat(mode, " ", out);
  const std::string_view command = string_at(properties, "Command");
  return command.empty() ? out : cat(out, " ", command);
}

bool is_true(const Properties& properties, std::string_view name) {
  const Value* value = property(properties, name);
  return value && value->is_bool() && value->get_bool();
}

std::string write_figures(const Properties& properties) {
  std::string out;
  if (costs().can_write(properties)) out = costs().write(properties);
  const Value* loops = property(properties, "Actual Loops");
  if (loops && !is_shown(*loops)) {
    out += kNeverExecuted;
  } else if (timed().can_write(properties)) {
    out += timed().write(properties);
  } else if (counted().can_write(properties)) {
    out += counted().write(properties);
  }
  return cat(out, string_at(properties, kRemark));
}

}  // namespace

bool read_head(std::string_view line, const HeadPlace& place, Properties& out) {
  const size_t figures = start_of_figures(line);
  std::string_view names = line.substr(0, figures);
  bool parallel = false, async = false;
  for (const auto& [word, flag] : {std::pair{"Parallel ", &parallel}, {"Async ", &async}}) {
    if (!names.starts_with(word)) continue;
    *flag = true;
    names.remove_prefix(std::string_view(word).size());
  }
  const HeadNames told = read_names(names);
  Arena& arena = out.arena();
  const auto set = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) out.emplace(name, value);
  };
  // In JSON's order.
  out.emplace("Node Type", told.type);
  if (told.property == "Strategy") set("Strategy", told.value);
  set("Partial Mode", told.mode);
  if (told.property == "Operation") set("Operation", told.value);
  set("Parent Relationship", place.relationship);
  set("Subplan Name", place.subplan_name);
  if (told.provider.data() != nullptr) out.emplace("Custom Plan Provider", told.provider);
  out.emplace("Parallel Aware", parallel);
  if (async) out.emplace("Async Capable", true);
  set("Join Type", told.join);
  set("Command", told.command);
  set("Scan Direction", told.direction);
  set("Index Name", unquoted(told.index, arena));
  if (!told.object.empty()) read_object(told.object, object_property(told.type), out);
  return read_all_figures(line.substr(figures), out);
}

std::string write_head(const Properties& properties) {
  std::string out;
  if (is_true(properties, "Parallel Aware")) out += "Parallel ";
  if (is_true(properties, "Async Capable")) out += "Async ";
  out += write_kind(properties);
  if (string_at(properties, "Scan Direction") == "Backward") out += " Backward";
  const std::string_view name = object_property(string_at(properties, "Node Type"));
  const Value* index = name == "Index Name" ? nullptr : property(properties, "Index Name");
  if (index) out += cat(" using ", pg::ident(string_at(properties, "Index Name")));
  out += write_object(properties, name);
  return out + write_figures(properties);
}

bool is_of_head(std::string_view name) {
  return std::ranges::find(kOfHead, name) != kOfHead.end() ||
         std::ranges::find(kOfScans, name) != kOfScans.end();
}

bool looks_like_head(std::string_view line) {
  if (start_of_figures(line) < line.size()) return true;
  const std::string_view type = read_names(line).type;
  return type != line || type.ends_with(" Scan") || line == "Aggregate" ||
         std::ranges::find(kFirstWords, type) != kFirstWords.end();
}

bool read_target(std::string_view line, Properties& out) {
  const Words words = split_words(line);
  const size_t foreign = !words.empty() && words[0] == "Foreign" ? 1 : 0;
  if (words.size() < foreign + 3 || words.size() > foreign + 4) return false;
  if (words[foreign + 1] != "on") return false;
  const auto* row = std::ranges::find(kHeadNames, words[foreign], &HeadName::text);
  if (row == kHeadNames.end() || row->type != "ModifyTable") return false;
  read_object(Words(words.begin() + static_cast<std::ptrdiff_t>(foreign) + 2, words.end()),
              "Relation Name", out);
  return true;
}

std::string write_target(const Properties& properties, std::string_view operation) {
  return cat(operation, write_object(properties, "Relation Name"));
}

}  // namespace pgtend::explain
