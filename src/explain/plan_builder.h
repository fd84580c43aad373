// Makes a Plan out of nodes and properties under the names of EXPLAIN's JSON, whatever the format
// they were read from, so that all formats give the same nodes. The stack of open nodes is a
// vector: no plan is too deep for the thread that reads it.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "explain/tree.h"

namespace pgtend::explain {

// Bounds for hostile input.
struct ParseLimits {
  size_t bytes_max = size_t{64} << 20;
  size_t nodes_max = 200'000;
  size_t depth_max = 100'000;  // plan levels
};

// Levels that a property's own value may nest (a "Workers" list holds objects that hold objects).
inline constexpr size_t kPropertyDepthMax = 32;

// Use: open_node(), set() …, open_node() for a child …, close_node() for each, set() for what
// belongs to the whole plan ("Planning Time"), finish(). Thread: one. Cost: O(properties).
class PlanBuilder {
 public:
  // The properties live in `arena`, which plans of one text may share.
  explicit PlanBuilder(const ParseLimits& limits = {},
                       std::shared_ptr<Arena> arena = std::make_shared<Arena>());

  // Begins the root, or a child of the innermost open node. Ids are given in this order.
  // Errors: Limit; Invalid for a second root.
  Status open_node();
  // Ends the innermost open node. Errors: Invalid, naming the node and the property that is missing
  // or mistyped.
  Status close_node();
  // Those of the innermost open node or, when none is open, of the plan: JSON's names and types of
  // values (numbers: number_value()). "Plan" and "Plans" are none: children are nodes. Good until
  // the next open_node().
  Properties& properties();
  // Adds one; the first of several with one name stays. `value` lives in the arena, `name` need
  // not.
  void set(std::string_view name, Value value) { properties().emplace(arena().name(name), value); }
  Arena& arena() { return *plan_.arena; }
  // How many nodes to make room for.
  void expect_nodes(size_t count);

  size_t open_nodes() const { return open_.size(); }
  bool has_root() const { return !plan_.nodes.empty(); }
  void warn(std::string_view text) { plan_.warnings.emplace_back(text); }
  // The input ended in the middle, after `line` (from 1) lines: ends what is open, drops nodes that
  // have not come to their type, and warns.
  void cut_off(size_t line);

  // The plan. All nodes must be closed. Errors: Invalid when there is no node, or a property of the
  // plan is mistyped.
  Result<Plan> finish() &&;

 private:
  ParseLimits limits_;
  Plan plan_;
  std::vector<int> open_;
};

// What a reader found at the front of a text.
struct PlansRead {
  std::vector<Plan> plans = {};
  std::vector<std::string> texts = {};  // strings that may hold plans, as PlanDocument::texts()
  size_t entries = 0;                   // of the outermost list, if there was one
  size_t used = 0;                      // bytes that were read
  // Why reading stopped there; plans that were whole before stay.
  std::optional<Error> error = {};
};

// The one plan of `read`, whose text goes on with `rest`. Errors: that of `read`; Invalid for no
// plan (`none` says so), for several, and for other text behind it.
Result<Plan> only_plan(PlansRead read, std::string_view rest, std::string_view none);

}  // namespace pgtend::explain
