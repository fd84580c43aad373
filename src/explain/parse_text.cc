#include "explain/parse_text.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "base/text.h"
#include "explain/number.h"
#include "explain/text_head.h"
#include "explain/text_pattern.h"
#include "explain/text_properties.h"

namespace pgtend::explain {
namespace {

// Counters that JSON prints for every node when one node shows blocks in TEXT.
constexpr std::array<std::string_view, 10> kBlockCounters = {
    "Shared Hit Blocks", "Shared Read Blocks", "Shared Dirtied Blocks", "Shared Written Blocks",
    "Local Hit Blocks",  "Local Read Blocks",  "Local Dirtied Blocks",  "Local Written Blocks",
    "Temp Read Blocks",  "Temp Written Blocks"};

// Nodes that a whole plan shows with this many inputs, InitPlans and SubPlans aside.
struct Inputs {
  std::string_view type;
  int least;
};
constexpr std::array<Inputs, 17> kInputs = {{{"Hash Join", 2},
                                             {"Merge Join", 2},
                                             {"Nested Loop", 2},
                                             {"Recursive Union", 2},
                                             {"BitmapAnd", 2},
                                             {"BitmapOr", 2},
                                             {"Hash", 1},
                                             {"Sort", 1},
                                             {"Incremental Sort", 1},
                                             {"Gather", 1},
                                             {"Gather Merge", 1},
                                             {"Materialize", 1},
                                             {"Memoize", 1},
                                             {"Limit", 1},
                                             {"Bitmap Heap Scan", 1},
                                             {"Aggregate", 1},
                                             {"Subquery Scan", 1}}};

// An open node. Columns: the arrow's; a property of the node stands further right.
struct Frame {
  int64_t column = 0;
  std::string_view type = {};
  int inputs = 0;  // children that are no InitPlans and SubPlans
};

// A line that others below it, further right, belong to.
enum class GroupKind : uint8_t { Worker, Target, SortedSets, Other };
struct Group {
  int64_t column;
  GroupKind kind;
  std::string_view name;
  Properties* properties;
};

// Reads the lines of one plan in order. Lives during one call.
class TextReader {
 public:
  // `lines` are in `arena`.
  TextReader(const std::vector<TextLine>& lines, const ParseLimits& limits,
             std::shared_ptr<Arena> arena)
      : lines_(lines), builder_(limits, std::move(arena)) {}

  void set_query_text(std::string_view text) { builder_.set("Query Text", text); }
  Result<Plan> run();

 private:
  Status read_first_lines();
  Status read_line(size_t index);
  Status open_node(const TextLine& line, std::string_view label);
  Status close_frame();
  Status close_frames(int64_t column);
  void read_property_line(const TextLine& line);
  bool read_group_line(const TextLine& line);
  bool read_key_line(std::string_view text);
  Properties& begin_group(const TextLine& line, GroupKind kind, std::string_view name);
  void close_groups(int64_t column);
  void close_group();
  Properties& target();
  bool is_label(size_t index) const;
  bool is_cut_off() const;

  const std::vector<TextLine>& lines_;
  PlanBuilder builder_;
  std::vector<Frame> frames_;
  std::vector<Group> groups_;
  int64_t base_ = 0;  // column of the root
  size_t first_ = 0;  // line of the root
  bool blocks_ = false;
  bool below_tree_ = false;
  bool cut_off_ = false;
  std::string_view label_;
};

// Where the next line's properties go: the innermost group, node, or the plan below its tree.
Properties& TextReader::target() {
  return groups_.empty() ? builder_.properties() : *groups_.back().properties;
}

// auto_explain's lines before the tree.
Status TextReader::read_first_lines() {
  while (first_ < lines_.size() && lines_[first_].text.starts_with("Query Parameters:")) {
    read_property(lines_[first_++].text, builder_.properties());
  }
  if (first_ == lines_.size()) return Error{ErrorCode::Invalid, "no plan in the text"};
  const TextLine& root = lines_[first_];
  const bool more = first_ + 1 < lines_.size() && lines_[first_ + 1].indent > root.indent;
  if (!root.arrow && !looks_like_head(root.text) && !more) {
    return Error{ErrorCode::Invalid, cat("line ", root.number, " is no plan node")}.hinting(
        "give the whole output of EXPLAIN, from its first line on");
  }
  base_ = static_cast<int64_t>(root.indent);
  size_t nodes = 1;
  for (size_t i = first_ + 1; i < lines_.size(); ++i) {
    if (static_cast<int64_t>(lines_[i].indent) <= base_) break;
    blocks_ = blocks_ || lines_[i].text.starts_with("Buffers:");
    nodes += lines_[i].arrow ? 1 : 0;
  }
  builder_.expect_nodes(nodes);
  return ok();
}

// What JSON calls the place of a node's next child.
std::string_view relationship_below(const Frame& parent) {
  const std::string_view type = parent.type;
  if (type == "Append" || type == "Merge Append" || type == "BitmapAnd" || type == "BitmapOr") {
    return "Member";
  }
  if (type == "ModifyTable" && parent.inputs > 0) return "Member";
  if (type == "Subquery Scan") return "Subquery";
  if (type == "Custom Scan") return "child";
  return parent.inputs == 0 ? "Outer" : "Inner";
}

Status TextReader::open_node(const TextLine& line, std::string_view label) {
  HeadPlace place;
  if (!frames_.empty()) {
    if (label.empty()) {
      place.relationship = relationship_below(frames_.back());
      ++frames_.back().inputs;
    } else {
      const bool once = label.starts_with("CTE ") || label.starts_with("InitPlan");
      place.relationship = once ? "InitPlan" : "SubPlan";
      place.subplan_name = label;
    }
  }
  TRY(builder_.open_node());
  Frame& frame = frames_.emplace_back();
  frame.column = static_cast<int64_t>(line.indent);
  cut_off_ = !read_head(line.text, place, builder_.properties());
  frame.type = text_member(builder_.properties(), "Node Type");
  return ok();
}

Status TextReader::close_frame() {
  while (!groups_.empty()) close_group();
  // A line that shows one of them has given them all.
  if (blocks_ && !builder_.properties().contains(kBlockCounters[0])) {
    for (const std::string_view name : kBlockCounters) builder_.properties().emplace(name, 0);
  }
  frames_.pop_back();
  return builder_.close_node();
}

// Closes nodes whose arrow is not left of `column`; the root stays.
Status TextReader::close_frames(int64_t column) {
  while (frames_.size() > 1 && frames_.back().column >= column) TRY(close_frame());
  return ok();
}

// "InitPlan 1", "CTE x": the line of a node further right follows.
bool TextReader::is_label(size_t index) const {
  if (index + 1 >= lines_.size()) return false;
  const TextLine& next = lines_[index + 1];
  return next.arrow && next.indent > lines_[index].indent;
}

Properties& TextReader::begin_group(const TextLine& line, GroupKind kind, std::string_view name) {
  Properties& properties = new_properties(builder_.arena());
  groups_.push_back({static_cast<int64_t>(line.indent), kind, name, &properties});
  return properties;
}

void TextReader::close_groups(int64_t column) {
  while (!groups_.empty() && groups_.back().column >= column) close_group();
}

List& list_in(Properties& properties, std::string_view name) {
  Value* list = properties.if_contains(name);
  if (list && list->is_array()) return list->get_array();
  List& made = new_list(properties.arena());
  if (list) {
    *list = made;
  } else {
    properties.emplace(name, made);
  }
  return made;
}

Properties& properties_with(Arena& arena, std::string_view name, Value value) {
  Properties& out = new_properties(arena);
  out.emplace(name, value);
  return out;
}

List& list_of(Arena& arena, Value value) {
  List& out = new_list(arena);
  out.push_back(value);
  return out;
}

void TextReader::close_group() {
  const Group group = groups_.back();
  groups_.pop_back();
  Properties& into = target();
  switch (group.kind) {
    case GroupKind::Worker:
      list_in(into, "Workers").push_back(*group.properties);
      break;
    case GroupKind::Target:
      list_in(into, "Target Tables").push_back(*group.properties);
      break;
    case GroupKind::SortedSets:
      list_in(into, "Grouping Sets").push_back(*group.properties);
      break;
    case GroupKind::Other:
      if (group.properties->empty()) {  // a label with nothing below it
        add_property(into, builder_.arena().name(cat(group.name, ":")), nullptr);
      } else {
        add_property(into, group.name, *group.properties);
      }
      break;
  }
}

// Keys of an Aggregate: one list is "Group Key", more are sets. A set's lines follow its sort.
bool TextReader::read_key_line(std::string_view text) {
  std::optional<std::string_view> keys = after_label(text, "Group Key");
  const bool hashed = !keys;
  if (hashed) keys = after_label(text, "Hash Key");
  if (!keys) return false;
  const bool none = *keys == "()";
  Arena& arena = builder_.arena();
  const Value list = none ? Value(new_list(arena)) : list_value(*keys, arena);
  const char* name = hashed ? "Hash Keys" : "Group Keys";
  Properties& node = target();
  if (!groups_.empty()) {
    list_in(node, name).push_back(list);
    return true;
  }
  if (!node.contains("Grouping Sets") && !node.contains("Group Key") && !hashed && !none) {
    node.emplace("Group Key", list);
    return true;
  }
  if (const Value* first = node.if_contains("Group Key")) {  // it was the first of the sets
    Properties& set = properties_with(arena, "Group Keys", list_of(arena, *first));
    node.erase("Group Key");
    list_in(node, "Grouping Sets").push_back(set);
  }
  List& sets = list_in(node, "Grouping Sets");
  Properties* last = sets.empty() ? nullptr : sets.back().if_object();
  if (!hashed && last && last->contains("Group Keys") && !last->contains("Sort Key")) {
    list_in(*last, name).push_back(list);
  } else {
    sets.push_back(properties_with(arena, name, list_of(arena, list)));
  }
  return true;
}

// Lines that others belong to. True if `line` is one.
bool TextReader::read_group_line(const TextLine& line) {
  std::string_view text = line.text;
  if (text.starts_with("Worker ")) {
    const size_t colon = text.find(':');
    const Value number = number_value(text.substr(7, colon == text.npos ? 0 : colon - 7));
    if (number.is_int64() || number == "N") {
      Properties& worker = begin_group(line, GroupKind::Worker, "Workers");
      worker.emplace("Worker Number", number);
      text = trim(text.substr(colon + 1));
      if (!text.empty()) read_property(text, worker);
      return true;
    }
  }
  if (!below_tree_ && groups_.empty()) {
    const std::string_view type = frames_.back().type;
    Properties table(builder_.arena());
    if (type == "ModifyTable" && read_target(text, table)) {
      if (text.starts_with("Foreign ")) table.emplace("Foreign", true);
      begin_group(line, GroupKind::Target, "Target Tables") = table;
      return true;
    }
    const std::optional<std::string_view> sort = after_label(text, "Sort Key");
    if (type == "Aggregate" && sort) {
      begin_group(line, GroupKind::SortedSets, "Grouping Sets")
          .emplace("Sort Key", list_value(*sort, builder_.arena()));
      return true;
    }
  }
  if (groups_.size() >= kPropertyDepthMax) return false;
  if (text.ends_with(':') && text.find_first_of("'\"") == text.npos) {
    begin_group(line, GroupKind::Other, text.substr(0, text.size() - 1));
    return true;
  }
  return false;
}

void TextReader::read_property_line(const TextLine& line) {
  close_groups(static_cast<int64_t>(line.indent));
  const bool of_sets = groups_.empty() || groups_.back().kind == GroupKind::SortedSets;
  if (!below_tree_ && of_sets && frames_.back().type == "Aggregate" && read_key_line(line.text)) {
    return;
  }
  if (read_group_line(line)) return;
  if (Properties trigger(builder_.arena()); below_tree_ && read_trigger(line.text, trigger)) {
    Properties& entry = new_properties(builder_.arena()) = trigger;
    list_in(builder_.properties(), "Triggers").push_back(entry);
    return;
  }
  read_property(line.text, target());
  if (line.text.starts_with("Serialization: ")) {  // its blocks follow
    const Value* entry = target().if_contains("Serialization");
    if (entry && entry->is_object() && groups_.size() < kPropertyDepthMax) {
      Properties& properties = entry->get_object();
      target().erase("Serialization");
      begin_group(line, GroupKind::Other, "Serialization") = properties;
    }
  }
}

Status TextReader::read_line(size_t index) {
  const TextLine& line = lines_[index];
  const int64_t column = static_cast<int64_t>(line.indent);
  cut_off_ = false;
  if (!line.closed) {
    builder_.warn(cat("a literal or name in line ", line.number, " does not end"));
  }
  if (index == first_) return open_node(line, {});
  if (below_tree_ && line.arrow) {
    return Error{ErrorCode::Invalid, cat("line ", line.number, " is a node below the whole plan")};
  }
  if (column <= base_ && !line.arrow && !below_tree_) {
    while (!frames_.empty()) TRY(close_frame());
    below_tree_ = true;
  }
  if (below_tree_) {
    read_property_line(line);
    return ok();
  }
  if (line.arrow) {
    while (!groups_.empty()) close_group();
    TRY(close_frames(column));
    const std::string_view label = std::exchange(label_, {});
    return open_node(line, label);
  }
  if (frames_.back().column >= column) {
    while (!groups_.empty()) close_group();
    TRY(close_frames(column));
  }
  if (is_label(index)) {
    label_ = line.text;
    return ok();
  }
  read_property_line(line);
  return ok();
}

// Whether the text stops where a plan cannot.
bool TextReader::is_cut_off() const {
  if (cut_off_ || !lines_.back().closed) return true;
  return std::ranges::any_of(frames_, [](const Frame& frame) {
    const auto* row = std::ranges::find(kInputs, frame.type, &Inputs::type);
    return row != kInputs.end() && frame.inputs < row->least;
  });
}

Result<Plan> TextReader::run() {
  TRY(read_first_lines());
  for (size_t i = first_; i < lines_.size(); ++i) {
    TRY_DURING(read_line(i), cat("line ", lines_[i].number));
  }
  const bool cut_off = is_cut_off();
  while (!frames_.empty()) TRY(close_frame());
  while (!groups_.empty()) close_group();
  if (cut_off) builder_.cut_off(lines_.back().number);
  return std::move(builder_).finish();
}

Status check_size(std::string_view text, const ParseLimits& limits) {
  if (text.size() <= limits.bytes_max) return ok();
  return Error{ErrorCode::Limit, cat("a plan of more than ", limits.bytes_max, " bytes")};
}

}  // namespace

Result<Plan> parse_text_plan(std::string_view text, const ParseLimits& limits) {
  TRY(check_size(text, limits));
  text.remove_prefix(std::min(text.find_first_not_of("\r\n"), text.size()));
  return parse_text_plan(whole_text_plan(text), limits);
}

Result<Plan> parse_text_plan(TextPlan source, const ParseLimits& limits) {
  TRY(check_size(source.text, limits));
  auto arena = std::make_shared<Arena>();
  // The plan outlives its source: all that borrows from that borrows from a copy.
  const std::string_view copy = arena->copy(source.text);
  const auto copied = [&](std::string_view text) {
    return copy.substr(static_cast<size_t>(text.data() - source.text.data()), text.size());
  };
  for (TextLine& line : source.lines) line.text = copied(line.text);
  TextReader reader(source.lines, limits, std::move(arena));
  if (source.query) reader.set_query_text(copied(*source.query));
  auto plan = reader.run();
  if (!plan) return std::move(plan).error().during("reading the plan");
  return plan;
}

std::vector<std::string_view> split_text_plans(std::string_view text) {
  std::vector<std::string_view> out;
  const std::vector<TextLine> lines = read_text_lines(text);
  size_t first = 0;
  const auto end_of = [](const TextLine& line) { return line.text.data() + line.text.size(); };
  for (size_t i = 1; i <= lines.size(); ++i) {
    if (i < lines.size()) {
      const TextLine& line = lines[i];
      const std::string_view between(end_of(lines[i - 1]),
                                     static_cast<size_t>(line.text.data() - end_of(lines[i - 1])));
      const bool blank = std::ranges::count(between, '\n') > 1;
      const bool root = !line.arrow && line.indent <= lines[first].indent;
      if (!root || !(line.text.find("  (cost=") != line.text.npos || blank)) continue;
      if (!looks_like_head(line.text)) continue;
    }
    const char* start = lines[first].text.data() - lines[first].indent;
    out.emplace_back(start, static_cast<size_t>(end_of(lines[i - 1]) - start));
    first = i;
  }
  return out;
}

}  // namespace pgtend::explain
