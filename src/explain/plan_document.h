// Finds the plans in a tree of objects and lists (JSON, YAML): wherever an object has a "Plan",
// that object is the document of a plan and every object in a "Plans" list below is a node. Plans
// are often wrapped: drivers give rows {"QUERY PLAN": …}, log shippers a record with a "message".
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "explain/plan_builder.h"

namespace pgtend::explain {

// Takes a reader's events in the order of the text. The reader sees to it that they are nested
// well: a key() before each value in an object, end() for each begin. Thread: one.
class PlanDocument {
 public:
  explicit PlanDocument(const ParseLimits& limits) : limits_(limits) {}

  // Errors: Invalid for what is no plan although it stands where one must, Limit.
  Status begin_object();
  Status begin_list();
  // A name inside a list (servers up to 18 close "Target Tables" too late) is one of the node.
  Status key(std::string_view name);
  Status value(Value value);  // copies a text
  Status end();
  // The text ended in the middle, after `line` lines: what is open ends, with a warning.
  Status cut_off(size_t line);

  // Objects and lists that are open.
  size_t depth() const { return levels_.size(); }
  // Entries of the outermost list: what a document that held no plan was.
  size_t entries() const { return entries_; }
  std::vector<Plan>& plans() { return plans_; }
  // Texts that may hold plans themselves: rows of "QUERY PLAN" (joined by newlines), log
  // messages, plans that are strings of other JSON.
  std::vector<std::string>& texts() { return texts_; }

 private:
  enum class Kind : uint8_t { Outer, OuterList, Node, Plans, Object, List };
  struct Level {
    Kind kind;
    bool document = false;  // an Outer whose "Plan" was met, a Node that no document holds
    std::string key = {};   // of the value that comes next
  };

  bool in(Kind kind) const { return !levels_.empty() && levels_.back().kind == kind; }
  bool in_plan() const { return builder_.has_value(); }
  Status check_place(bool object);
  Status push_value(Kind kind);
  void keep(Value value);
  void keep_text(const std::string& key, std::string_view view);
  Status end_outer(const Level& level);
  Status finish_plan();

  ParseLimits limits_;
  std::shared_ptr<Arena> arena_ = std::make_shared<Arena>();  // for what is open
  std::vector<Level> levels_;
  std::vector<Value> open_values_;  // one a Level that is Outer, Object or List
  std::optional<PlanBuilder> builder_;
  std::vector<Plan> plans_;
  std::vector<std::string> texts_;
  bool row_open_ = false;  // the last text is a row of "QUERY PLAN"
  size_t entries_ = 0;
};

}  // namespace pgtend::explain
