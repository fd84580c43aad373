#include "explain/plan_document.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace pgtend::explain {
namespace {

constexpr std::string_view kRow = "QUERY PLAN";
// What auto_explain writes between the duration and the plan.
constexpr std::string_view kLogged = " ms  plan:";

// Whether `text` is a plan, in JSON or TEXT, that somebody has put into a string of other JSON.
bool holds_plan(std::string_view text) {
  text = trim(text);
  if (text.starts_with('[') || text.starts_with('{')) return text.find("\"Plan\"") != text.npos;
  return text.substr(0, text.find('\n')).find("  (cost=") != text.npos;
}

}  // namespace

// Whether an object (else: a list) or scalar may begin here.
Status PlanDocument::check_place(bool object) {
  if (in(Kind::Plans) && !object) {
    return Error{ErrorCode::Invalid, "\"Plans\" holds something that is no node"};
  }
  if (levels_.size() == 1 && in(Kind::OuterList)) ++entries_;
  return ok();
}

// Nested values are bounded: comparing and writing them recurses.
Status PlanDocument::push_value(Kind kind) {
  if (open_values_.size() >= kPropertyDepthMax) {
    return Error{ErrorCode::Limit,
                 cat("values nested deeper than ", kPropertyDepthMax, " levels outside \"Plans\"")};
  }
  open_values_.push_back(kind == Kind::List ? Value(new_list(*arena_))
                                            : Value(new_properties(*arena_)));
  levels_.push_back({kind});
  return ok();
}

Status PlanDocument::begin_object() {
  TRY(check_place(true));
  if (in(Kind::Plans)) {
    TRY(builder_->open_node());
    levels_.push_back({Kind::Node});
    return ok();
  }
  if (in(Kind::Node) && levels_.back().key == "Plans") {
    return Error{ErrorCode::Invalid, "\"Plans\" is no list"};
  }
  if (in_plan()) return push_value(Kind::Object);
  if (in(Kind::Outer) && levels_.back().key == "Plan") {
    levels_.back().document = true;
    builder_.emplace(limits_, arena_);
    TRY(builder_->open_node());
    levels_.push_back({Kind::Node});
    return ok();
  }
  return push_value(Kind::Outer);
}

Status PlanDocument::begin_list() {
  TRY(check_place(false));
  if (in(Kind::Node) && levels_.back().key == "Plans") {
    levels_.push_back({Kind::Plans});
    return ok();
  }
  if (in_plan()) return push_value(Kind::List);
  if (levels_.size() >= kPropertyDepthMax) {
    return Error{ErrorCode::Limit, cat("lists nested deeper than ", kPropertyDepthMax, " levels")};
  }
  levels_.push_back({Kind::OuterList});
  return ok();
}

Status PlanDocument::key(std::string_view name) {
  CHECK(!levels_.empty());
  if (in(Kind::OuterList) || in(Kind::Plans)) {
    return Error{ErrorCode::Invalid, cat("the name \"", name, "\" stands in a list")};
  }
  levels_.back().key = name;
  const bool bare = in(Kind::Outer) && !in_plan() && name == "Node Type" &&
                    open_values_.back().get_object().empty();
  if (!bare) return ok();
  // A part of a plan, copied out of it.
  open_values_.pop_back();
  levels_.back().kind = Kind::Node;
  levels_.back().document = true;
  builder_.emplace(limits_, arena_);
  return builder_->open_node();
}

void PlanDocument::keep_text(const std::string& key, std::string_view view) {
  if (key == kRow) {
    if (row_open_) {
      texts_.back() += cat("\n", view);
    } else {
      texts_.emplace_back(view);
    }
    row_open_ = true;
  } else if (view.find(kLogged) != std::string_view::npos || holds_plan(view)) {
    texts_.emplace_back(view);
    row_open_ = false;
  }
}

// A finished value goes to whatever holds it.
void PlanDocument::keep(Value value) {
  if (levels_.empty()) return;
  Level& level = levels_.back();
  switch (level.kind) {
    case Kind::Node:
      builder_->set(level.key, value);
      return;
    case Kind::Outer:
    case Kind::Object:
      open_values_.back().get_object().emplace(arena_->name(level.key), value);
      return;
    case Kind::List:
      if (level.key.empty()) {
        open_values_.back().get_array().push_back(value);
      } else {
        builder_->set(std::exchange(level.key, {}), value);
      }
      return;
    case Kind::OuterList:
    case Kind::Plans:
      return;
  }
}

Status PlanDocument::value(Value value) {
  TRY(check_place(false));
  if (in(Kind::Node) && levels_.back().key == "Plans") {
    return Error{ErrorCode::Invalid, "\"Plans\" is no list"};
  }
  if (in(Kind::Outer) && !in_plan() && value.is_string()) {
    keep_text(levels_.back().key, value.get_string());
  }
  if (value.is_string()) value = arena_->copy(value.get_string());
  keep(value);
  return ok();
}

Status PlanDocument::finish_plan() {
  PlanBuilder builder = std::move(*builder_);
  builder_.reset();
  plans_.push_back(TRY_DURING(std::move(builder).finish(), "reading the plan"));
  return ok();
}

// The document of a plan hands over its properties; any other object is forgotten.
Status PlanDocument::end_outer(const Level& level) {
  const Properties& properties = open_values_.back().get_object();
  open_values_.pop_back();
  if (level.document) {
    for (const Property& property : properties) builder_->set(property.key, property.value);
    TRY(finish_plan());
  }
  if (open_values_.empty() && !in_plan()) arena_ = std::make_shared<Arena>();
  return ok();
}

Status PlanDocument::end() {
  CHECK(!levels_.empty());
  const Level level = std::move(levels_.back());
  levels_.pop_back();
  switch (level.kind) {
    case Kind::Node:
      TRY_DURING(builder_->close_node(), "reading the plan");
      return level.document ? finish_plan() : ok();
    case Kind::Outer:
      return end_outer(level);
    case Kind::Object:
    case Kind::List: {
      const Value whole = open_values_.back();
      open_values_.pop_back();
      keep(whole);
      return ok();
    }
    case Kind::OuterList:
    case Kind::Plans:
      return ok();
  }
  return ok();
}

Status PlanDocument::cut_off(size_t line) {
  // A value that is open inside a property is half of it: left out.
  while (in(Kind::Object) || in(Kind::List)) {
    levels_.pop_back();
    open_values_.pop_back();
  }
  if (in_plan()) {
    builder_->cut_off(line);
    if (!builder_->has_root()) builder_.reset();
  }
  while (!levels_.empty()) {
    const bool finished = levels_.back().document && in_plan();
    if (in(Kind::Node) || in(Kind::Plans)) {  // ended by the builder
      levels_.pop_back();
      if (finished) TRY(finish_plan());
    } else {
      levels_.back().document = finished;
      TRY(end());
    }
  }
  return ok();
}

}  // namespace pgtend::explain
