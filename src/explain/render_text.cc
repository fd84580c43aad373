#include "explain/render_text.h"

#include <algorithm>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/text.h"
#include "explain/plan_builder.h"
#include "explain/text_head.h"
#include "explain/text_pattern.h"
#include "explain/text_properties.h"

namespace pgtend::explain {
namespace {

// Of the whole plan, but printed before the tree.
bool stands_first(std::string_view name) {
  return name == "Query Text" || name == "Query Parameters";
}

// Writes one plan. Lives during one call.
class TextWriter {
 public:
  TextWriter(const Plan& plan, size_t bytes_max) : plan_(plan), bytes_max_(bytes_max) {}

  Result<std::string> run();

 private:
  void line(size_t column, std::string_view text);
  void write_node(int id);
  void write_group(std::string_view name, const Value& value, size_t column);
  // All of them but those named in `done`.
  void write_properties(const Properties& properties, size_t column, bool of_node,
                        std::vector<std::string_view> done = {});
  bool write_special(std::string_view name, const Value& value, size_t column);
  void write_workers(const List& list, size_t column);
  void write_targets(const List& list, size_t column);
  void write_sets(const List& list, size_t column);
  void write_triggers(const List& list, size_t column);
  bool is_foreign(const Properties& table) const;
  bool is_full() const { return out_.size() > bytes_max_; }

  const Plan& plan_;
  size_t bytes_max_;
  std::string out_;
  std::vector<size_t> columns_;  // of each node's properties
  bool verbose_ = false;
  int node_ = kNone;
  size_t depth_ = 0;                              // of groups
  std::unordered_set<std::string_view> foreign_;  // aliases of foreign tables that are scanned
};

void TextWriter::line(size_t column, std::string_view text) {
  out_.append(column, ' ');
  out_ += text;
  out_ += '\n';
}

// A foreign table among those that a ModifyTable changes: JSON tells by what is scanned.
bool TextWriter::is_foreign(const Properties& table) const {
  if (const Value* told = table.if_contains("Foreign")) return told->is_bool();
  if (table.contains("Remote SQL")) return true;
  const Value* alias = table.if_contains("Alias");
  if (!alias || !alias->is_string()) return false;
  return foreign_.contains(alias->get_string());
}

void TextWriter::write_workers(const List& list, size_t column) {
  for (const Value& entry : list) {
    const Properties* worker = entry.if_object();
    const Value* number = worker ? worker->if_contains("Worker Number") : nullptr;
    if (!number) continue;
    const size_t start = out_.size();
    write_properties(*worker, column + 2, false);
    // The first of its lines stands on the worker's own.
    const std::string lines = out_.substr(start);
    const std::string front = cat("Worker ", number_text(*number, 0), ":  ");
    out_.resize(start);
    const std::string indent(column + 2, ' ');
    if (!lines.starts_with(indent)) continue;
    out_ += cat(std::string(column, ' '), front, lines.substr(column + 2));
  }
}

void TextWriter::write_targets(const List& list, size_t column) {
  const std::string_view operation = at(plan_, node_).text("Operation");
  for (const Value& entry : list) {
    const Properties* table = entry.if_object();
    if (!table) continue;
    const std::string word = cat(is_foreign(*table) ? "Foreign " : "", operation);
    line(column, write_target(*table, word));
    write_properties(*table, column + 2, true);
  }
}

std::string keys_text(const Value& keys) {
  const List* list = keys.if_array();
  if (!list || list->empty()) return "()";
  std::string out;
  for (const Value& key : *list) {
    if (!key.is_string()) continue;
    if (!out.empty()) out += ", ";
    out += key.get_string();
  }
  return out;
}

void TextWriter::write_sets(const List& list, size_t column) {
  for (const Value& entry : list) {
    const Properties* set = entry.if_object();
    if (!set) continue;
    size_t keys_column = column;
    if (const Value* sort = set->if_contains("Sort Key")) {
      line(column, cat("Sort Key: ", keys_text(*sort)));
      keys_column += 2;
    }
    for (const auto& [name, label] :
         {std::pair{"Group Keys", "Group Key: "}, std::pair{"Hash Keys", "Hash Key: "}}) {
      const Value* keys = set->if_contains(name);
      if (!keys || !keys->is_array()) continue;
      for (const Value& key : keys->get_array()) line(keys_column, cat(label, keys_text(key)));
    }
    write_properties(*set, keys_column, false, {"Sort Key", "Group Keys", "Hash Keys"});
  }
}

// The server names the relation of a trigger when there can be several.
void TextWriter::write_triggers(const List& list, size_t column) {
  const Node& root = plan_.root();
  bool several = root.properties.contains("Target Tables");
  const Value* changed = root.properties.if_contains("Relation Name");
  for (const Value& entry : list) {
    const Value* relation =
        entry.is_object() ? entry.get_object().if_contains("Relation") : nullptr;
    if (relation && changed && *relation != *changed) several = true;
    if (relation && !changed) changed = relation;
  }
  for (const Value& entry : list) {
    if (entry.is_object()) line(column, write_trigger(entry.get_object(), verbose_, several));
  }
}

// A name with lines below it; nothing if those are left out.
void TextWriter::write_group(std::string_view name, const Value& value, size_t column) {
  if (++depth_ <= kPropertyDepthMax) {
    const size_t start = out_.size();
    line(column, cat(name, ":"));
    const size_t inside = out_.size();
    if (const Properties* object = value.if_object()) {
      write_properties(*object, column + 2, false);
    } else {
      for (const Value& entry : value.get_array()) {
        if (entry.is_object()) write_properties(entry.get_object(), column + 2, false);
      }
    }
    if (out_.size() == inside) out_.resize(start);
  }
  --depth_;
}

bool is_list_of_objects(const Value& value) {
  return value.is_array() && !value.get_array().empty() && value.get_array().front().is_object();
}

bool TextWriter::write_special(std::string_view name, const Value& value, size_t column) {
  const bool objects = is_list_of_objects(value);
  if (name == "Workers" && objects) {
    write_workers(value.get_array(), column);
  } else if (name == "Target Tables" && objects && node_ != kNone) {
    write_targets(value.get_array(), column);
  } else if (name == "Grouping Sets" && objects) {
    write_sets(value.get_array(), column);
  } else if (name == "Triggers" && objects) {
    write_triggers(value.get_array(), column);
  } else if (name == "Settings" && value.is_object()) {
    const std::string settings = write_settings(value.get_object());
    if (!settings.empty()) line(column, cat("Settings: ", settings));
  } else {
    return false;
  }
  return true;
}

void TextWriter::write_properties(const Properties& properties, size_t column, bool of_node,
                                  std::vector<std::string_view> done) {
  for (const Property& entry : properties) {
    const std::string_view name = entry.key;
    if (of_node && (is_of_head(name) || name == "Foreign")) continue;
    if (!of_node && name == "Worker Number") continue;
    if (node_ == kNone && depth_ == 0 && stands_first(name)) continue;
    if (name == "Inner Unique" && !verbose_) continue;
    if (std::ranges::find(done, name) != done.end()) continue;
    if (is_full()) return;
    if (write_special(name, entry.value, column)) continue;
    const size_t before = done.size();
    const std::vector<std::string> lines = write_property(properties, name, done);
    for (const std::string& text : lines) line(column, text);
    if (name == "Serialization" && entry.value.is_object()) {
      write_properties(entry.value.get_object(), column + 2, false,
                       {"Time", "Output Volume", "Format"});
    } else if (done.size() == before &&
               (entry.value.is_object() || is_list_of_objects(entry.value))) {
      write_group(name, entry.value, column);
    }
  }
}

void TextWriter::write_node(int id) {
  const Node& node = at(plan_, id);
  size_t column = node.parent == kNone ? 0 : columns_[static_cast<size_t>(node.parent)];
  if (node.parent == kNone) {
    line(0, write_head(node.properties));
    column = 2;
  } else {
    if (!node.subplan_name.empty()) {
      line(column, node.subplan_name);
      column += 2;
    }
    line(column, cat("->  ", write_head(node.properties)));
    column += 6;
  }
  columns_.push_back(column);
  node_ = id;
  write_properties(node.properties, column, true);
}

Result<std::string> TextWriter::run() {
  verbose_ = std::ranges::any_of(
      plan_.nodes, [](const Node& node) { return node.properties.contains("Output"); });
  for (const Node& node : plan_.nodes) {
    if (node.type == "Foreign Scan") foreign_.insert(node.object.alias);
  }
  for (const Property& entry : plan_.properties) {
    if (!stands_first(entry.key) || !entry.value.is_string()) continue;
    line(0, cat(entry.key, ": ", entry.value.get_string()));
  }
  for (size_t id = 0; id < plan_.nodes.size() && !is_full(); ++id) {
    write_node(static_cast<int>(id));
  }
  node_ = kNone;
  write_properties(plan_.properties, 0, false);
  if (is_full()) {
    return Error{ErrorCode::Limit, cat("the plan's text is longer than ", bytes_max_, " bytes")};
  }
  return std::move(out_);
}

}  // namespace

Result<std::string> render_text(const Plan& plan, size_t bytes_max) {
  return TextWriter(plan, bytes_max).run();
}

}  // namespace pgtend::explain
