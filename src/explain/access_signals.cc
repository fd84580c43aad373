#include "explain/access_signals.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/text.h"
#include "explain/conditions.h"
#include "explain/rows.h"

namespace pgtend::explain {
namespace {

constexpr double kLimitFactorMin = 1000;  // A10, A11: rows made for each that is wanted
constexpr double kInnerLoopsMin = 100;    // B2
constexpr double kInnerRowsMin = 1000;    // B2: smaller tables are searched in no time
constexpr double kBitmapFactorMin = 10;   // A8: rows of each bitmap for one of the result
constexpr double kTupleOverhead = 28, kPageBytes = 8192;

const NodeTime& time_at(const Examination& in, int id) {
  return in.timing.nodes[static_cast<size_t>(id)];
}

bool ran(const Node& node) { return node.actual && node.actual->loops > 0; }

// Searched again and again for an outer side: the loops beyond one a process.
double searches(const Plan& plan, int id) {
  const Node& node = at(plan, id);
  if (!node.actual) return 1;
  if (node.gather == kNone) return std::max(node.actual->loops, 1.0);
  const Node& above = at(plan, node.gather);
  const double processes = (above.number("Workers Launched").value_or(0) + 1) *
                           std::max(above.actual ? above.actual->loops : 1, 1.0);
  return node.actual->loops > processes ? node.actual->loops : 1;
}

// Adds the node's own time and blocks, and its share of the statement: by time, by blocks, or by
// the planner's cost.
void charge(Access& out, const Examination& in, int id) {
  const NodeTime& time = time_at(in, id);
  const Node& root = in.plan.root();
  out.self_ms += time.self.mid;
  out.self_low_ms += time.self.low();
  out.pages += at(in.plan, id).blocks ? time.self_blocks : 0;
  if (in.plan.timed()) {
    out.time_share += in.timing.total_ms > 0 ? time.self.low() / in.timing.total_ms : 0;
  } else if (in.plan.analyzed() && root.blocks && root.blocks->shared() > 0) {
    out.time_share += time.self_blocks / root.blocks->shared();
  } else if (root.estimate.total_cost > 0) {
    out.time_share += at(in.plan, id).estimate.total_cost / root.estimate.total_cost;
  }
  out.time_share = std::min(out.time_share, 1.0);
}

// The table behind the scan at `id`, and what the scan kept and removed.
Access begin_access(const Examination& in, int id, AccessKind kind) {
  const Node& node = at(in.plan, id);
  Access out;
  out.kind = kind;
  out.nodes = {id};
  out.relations = {
      cat(node.object.schema, node.object.schema.empty() ? "" : ".", node.object.relation)};
  out.facts = in.facts.find(node.object.schema, node.object.relation);
  out.measured = node.actual.has_value();
  out.timed = in.plan.timed();
  if (out.measured) {
    out.kept = count_rows(in.plan, id).actual;
    out.removed = removed_rows(in.plan, id, "Rows Removed by Filter").total;
  }
  out.wanted = out.kept;
  return out;
}

// Size of the table: as the catalog knows it, else as the scan met it.
void set_table(Access& out, const Examination& in, int id, bool whole) {
  const facts::TableFacts* table = out.facts && out.facts->table ? &*out.facts->table : nullptr;
  const double seen = (out.kept + out.removed) / std::max(out.probes, 1.0);
  out.table_rows = whole && out.measured ? seen : table ? std::max(table->rows(), seen) : seen;
  if (table && table->size.pages > 0) {
    out.table_pages = static_cast<double>(table->size.pages);
  } else {
    out.table_pages =
        std::ceil(out.table_rows * (at(in.plan, id).estimate.width + kTupleOverhead) / kPageBytes);
  }
  if (at(in.plan, id).blocks && out.measured) return;
  out.pages = out.table_pages * std::max(out.probes, 1.0);
  out.pages_estimated = !table || table->size.pages == 0;
}

std::string shown_name(const Access& access) { return printable(access.relations[0]); }

// The filter of the scan; nullopt, with a warning, when it cannot be parsed.
std::optional<std::vector<sql::Predicate>> filter_of(const Examination& in, int id,
                                                     const Access& access,
                                                     std::vector<std::string>& warnings) {
  auto list = conditions_of(in.plan, id, "Filter", id);
  if (list) return *std::move(list);
  warnings.push_back(
      cat("the filter on ", shown_name(access),
          " cannot be parsed, so no index is proposed for it: ", printable(list.error().message)));
  return {};
}

std::optional<Access> sequential_scan(const Examination& in, int id,
                                      std::vector<std::string>& warnings) {
  const Node& node = at(in.plan, id);
  if (node.type != "Seq Scan" || node.object.relation.empty()) return {};
  if (node.text("Filter").empty() || node.never_executed() || searches(in.plan, id) > 1) return {};
  Access out = begin_access(in, id, AccessKind::SequentialScan);
  if (!out.measured) {
    const facts::TableFacts* table = out.facts && out.facts->table ? &*out.facts->table : nullptr;
    if (!table || table->rows() <= 0) {
      warnings.push_back(cat("how much the scan of ", shown_name(out),
                             " throws away is unknown without ANALYZE and without its row count"));
      return {};
    }
    out.wanted = out.kept = count_rows(in.plan, id).estimate;
    out.removed = std::max(table->rows() - out.kept, 0.0);
  }
  charge(out, in, id);
  set_table(out, in, id, true);
  // The scan has read what it needs of a table that may have grown since.
  if (!out.pages_estimated && out.measured && out.pages > 0) out.table_pages = out.pages;
  auto filter = filter_of(in, id, out, warnings);
  if (!filter) return {};
  out.predicates = std::move(*filter);
  return out;
}

bool equality_on(const std::vector<sql::Predicate>& list, const std::string& column) {
  return std::ranges::any_of(list, [&](const sql::Predicate& predicate) {
    return predicate.column == column && predicate.operators == sql::OperatorClass::Equality &&
           predicate.wrapping == sql::Wrapping::None && !predicate.any;
  });
}

const facts::IndexFacts* index_of(const Access& access, const std::string& name) {
  if (!access.facts) return nullptr;
  const auto found = std::ranges::find(access.facts->indexes, name, &facts::IndexFacts::name);
  return found == access.facts->indexes.end() ? nullptr : &*found;
}

// Whether the conditions find one row at most.
bool finds_one(const Access& access, const std::vector<sql::Predicate>& sought,
               const std::string& index_name) {
  const facts::IndexFacts* index = index_of(access, index_name);
  return index && index->unique && std::ranges::all_of(index->keys, [&](const std::string& key) {
           return !key.empty() && equality_on(sought, key);
         });
}

bool reads_through_index(const Node& node) {
  return (node.type == "Index Scan" || node.type == "Index Only Scan" ||
          node.type == "Bitmap Heap Scan") &&
         !node.object.relation.empty();
}

std::optional<Access> filtered_index_scan(const Examination& in, int id,
                                          std::vector<std::string>& warnings) {
  const Node& node = at(in.plan, id);
  if (!reads_through_index(node) || !ran(node) || node.text("Filter").empty()) return {};
  Access out = begin_access(in, id, AccessKind::IndexScan);
  Sought sought = sought_by(in.plan, id);
  if (sought.index.empty() || sought.predicates.empty()) return {};
  if (finds_one(out, sought.predicates, sought.index)) return {};
  auto filter = filter_of(in, id, out, warnings);
  if (!filter) return {};
  out.index = sought.index;
  out.probes = searches(in.plan, id);
  charge(out, in, id);
  if (node.type == "Bitmap Heap Scan") charge(out, in, node.children[0]);
  set_table(out, in, id, false);
  out.predicates = std::move(sought.predicates);
  out.predicates.insert(out.predicates.end(), filter->begin(), filter->end());
  return out;
}

// The LIMIT that the rows of `id` go to in their order; kNone when there is none.
int limit_above(const Plan& plan, int id) {
  for (int below = id, up = at(plan, id).parent; up != kNone;
       below = up, up = at(plan, up).parent) {
    const Node& node = at(plan, up);
    if (at(plan, below).relation != Relation::Child) return kNone;
    if (node.type == "Limit") return up;
    const bool keeps = node.type == "Merge Append" || node.type == "Gather Merge" ||
                       node.type == "Result" || node.type == "Subquery Scan" ||
                       node.type == "LockRows" || node.type == "Append";
    const bool outer = node.type == "Nested Loop" && at(plan, below).relationship == "Outer";
    if (!keeps && !outer) return kNone;
  }
  return kNone;
}

std::optional<Access> limited_order(const Examination& in, int id,
                                    std::vector<std::string>& warnings) {
  const Node& node = at(in.plan, id);
  if (node.type != "Index Scan" || !ran(node)) return {};
  if (node.text("Filter").empty() || !node.text("Index Cond").empty()) return {};
  if (limit_above(in.plan, id) == kNone) return {};
  Access out = begin_access(in, id, AccessKind::LimitedOrder);
  if (out.removed < kLimitFactorMin * std::max(out.kept, 1.0)) return {};
  auto filter = filter_of(in, id, out, warnings);
  if (!filter) return {};
  out.predicates = std::move(*filter);
  out.index = node.object.index;
  out.probes = searches(in.plan, id);
  charge(out, in, id);
  set_table(out, in, id, false);
  const facts::IndexFacts* index = index_of(out, out.index);
  for (size_t i = 0; index && i < index->keys.size() && !index->keys[i].empty(); ++i) {
    const bool down = i < index->descending.size() && index->descending[i];
    out.order.push_back({{}, index->keys[i], down, down});
  }
  return out;
}

// The only scan that feeds `id` by way of nodes that neither join nor group; kNone if there is
// none.
int fed_by_scan(const Plan& plan, int id) {
  while (id != kNone && !scans_table(at(plan, id))) {
    const Node& node = at(plan, id);
    if (node.type != "Gather" && node.type != "Gather Merge" && node.type != "Sort" &&
        node.type != "Result") {
      return kNone;
    }
    int next = kNone;
    for (const int child : node.children) {
      if (at(plan, child).relation == Relation::Child) next = child;
    }
    id = next;
  }
  return id;
}

// The keys of the Sort at `id` when all are plain columns of the table that `scan` reads.
std::vector<sql::SortKey> sort_keys_of(const Plan& plan, int id, int scan) {
  const Value* list = at(plan, id).properties.if_contains("Sort Key");
  if (!list || !list->is_array()) return {};
  const Object& object = at(plan, scan).object;
  std::vector<sql::SortKey> out;
  for (const Value& entry : list->get_array()) {
    if (!entry.is_string()) return {};
    auto key = sql::sort_key(entry.get_string());
    const bool own = key && !key->column.empty() &&
                     (key->qualifier.empty() || key->qualifier == object.alias ||
                      key->qualifier == object.relation);
    if (!own) return {};
    out.push_back(*std::move(key));
  }
  return out;
}

std::optional<Access> sort_for_limit(const Examination& in, int id,
                                     std::vector<std::string>& warnings) {
  const Node& limit = at(in.plan, id);
  if (limit.type != "Limit" || !ran(limit) || limit.children.empty()) return {};
  const int scan = fed_by_scan(in.plan, limit.children[0]);
  if (scan == kNone || !ran(at(in.plan, scan)) || searches(in.plan, scan) > 1) return {};
  int sort = scan;
  while (sort != id && at(in.plan, sort).type != "Sort") sort = at(in.plan, sort).parent;
  if (sort == id) return {};
  Access out = begin_access(in, scan, AccessKind::Sort);
  const double taken = count_rows(in.plan, id).actual;
  if (out.kept < kLimitFactorMin * std::max(taken, 1.0)) return {};
  out.order = sort_keys_of(in.plan, sort, scan);
  if (out.order.empty()) return {};
  auto filter = filter_of(in, scan, out, warnings);
  if (!filter) return {};
  Sought sought = sought_by(in.plan, scan);
  out.index = sought.index;
  out.predicates = std::move(sought.predicates);
  out.predicates.insert(out.predicates.end(), filter->begin(), filter->end());
  for (int node = scan; node != id; node = at(in.plan, node).parent) {
    if (node != scan) out.nodes.push_back(node);
    charge(out, in, node);
  }
  set_table(out, in, scan, at(in.plan, scan).type == "Seq Scan");
  out.wanted = std::max(taken, 1.0);
  return out;
}

// The join that searches the table at `scan` for each row of its other side, by way of a
// Materialize at most; or the sub-plan that does; kNone for neither.
int searched_by(const Plan& plan, int scan) {
  int below = scan, up = at(plan, scan).parent;
  if (up != kNone && at(plan, up).type == "Materialize") {
    below = up;
    up = at(plan, up).parent;
  }
  if (up != kNone && at(plan, up).type == "Nested Loop" &&
      at(plan, below).relationship == "Inner") {
    return up;
  }
  for (int node = scan; node != kNone; node = at(plan, node).parent) {
    if (at(plan, node).relation == Relation::SubPlan) return node;
    const std::string_view type = at(plan, node).type;
    if (node != scan && type != "Aggregate" && type != "Limit" && type != "Sort") return kNone;
  }
  return kNone;
}

bool compares_equal(const std::vector<sql::Predicate>& list) {
  return std::ranges::any_of(list, [](const sql::Predicate& predicate) {
    return predicate.operators == sql::OperatorClass::Equality &&
           predicate.other == sql::OtherSide::Parameter && !predicate.column.empty();
  });
}

std::optional<Access> inner_scan(const Examination& in, int id,
                                 std::vector<std::string>& warnings) {
  const Node& node = at(in.plan, id);
  if (node.type != "Seq Scan" || node.object.relation.empty() || !ran(node)) return {};
  const int by = searched_by(in.plan, id);
  if (by == kNone) return {};
  const bool join = at(in.plan, by).type == "Nested Loop" && by != id;
  const int repeated = join && at(in.plan, id).parent != by ? at(in.plan, id).parent : id;
  Access out = begin_access(in, id, AccessKind::Inner);
  out.probes = at(in.plan, repeated).actual ? at(in.plan, repeated).actual->loops : 1;
  const double rows_each = (out.kept + out.removed) / std::max(node.actual->loops, 1.0);
  if (out.probes < kInnerLoopsMin || rows_each < kInnerRowsMin) return {};
  auto conditions = filter_of(in, id, out, warnings);
  if (!conditions) return {};
  if (join) {
    const auto joined = conditions_of(in.plan, by, "Join Filter", id);
    if (joined) conditions->insert(conditions->end(), joined->begin(), joined->end());
    out.wanted = std::max(count_rows(in.plan, by).actual, out.probes);
  }
  if (!compares_equal(*conditions)) return {};
  out.predicates = std::move(*conditions);
  charge(out, in, id);
  if (repeated != id) {
    charge(out, in, repeated);
    out.nodes.push_back(repeated);
  }
  if (join) charge(out, in, by);
  out.nodes.push_back(by);
  set_table(out, in, id, false);
  out.table_rows = rows_each;
  out.removed = std::max(rows_each * out.probes - out.wanted, 0.0);
  out.kept = out.wanted;
  return out;
}

std::optional<Access> intersected_bitmaps(const Examination& in, int id,
                                          std::vector<std::string>&) {
  const Node& node = at(in.plan, id);
  if (node.type != "Bitmap Heap Scan" || !ran(node) || node.children.empty()) return {};
  const int both = node.children[0];
  if (at(in.plan, both).type != "BitmapAnd") return {};
  Access out = begin_access(in, id, AccessKind::Bitmaps);
  out.probes = searches(in.plan, id);
  charge(out, in, id);
  charge(out, in, both);
  for (const int part : at(in.plan, both).children) {
    const Node& bitmap = at(in.plan, part);
    if (bitmap.type != "Bitmap Index Scan" || !ran(bitmap)) return {};
    const double rows = bitmap.actual->rows * bitmap.actual->loops;
    if (rows < kBitmapFactorMin * std::max(out.kept, 1.0)) return {};
    const auto list = conditions_of(in.plan, part, "Index Cond", id);
    if (!list) return {};
    out.predicates.insert(out.predicates.end(), list->begin(), list->end());
    charge(out, in, part);
    out.nodes.push_back(part);
  }
  set_table(out, in, id, false);
  return out;
}

std::optional<Access> trailing_keys(const Examination& in, int id, std::vector<std::string>&) {
  const Node& node = at(in.plan, id);
  if (!reads_through_index(node) || !ran(node)) return {};
  Access out = begin_access(in, id, AccessKind::TrailingKeys);
  Sought sought = sought_by(in.plan, id);
  const facts::IndexFacts* index = index_of(out, sought.index);
  if (!index || index->method != "btree" || sought.predicates.empty()) return {};
  const std::string& first = index->keys.empty() ? sought.index : index->keys[0];
  const bool led = first.empty() ||  // an expression: no telling
                   std::ranges::any_of(sought.predicates, [&](const sql::Predicate& predicate) {
                     return predicate.column == first || predicate.column.empty();
                   });
  if (led) return {};
  out.index = sought.index;
  out.probes = searches(in.plan, id);
  out.predicates = std::move(sought.predicates);
  charge(out, in, id);
  if (node.type == "Bitmap Heap Scan") charge(out, in, node.children[0]);
  set_table(out, in, id, false);
  return out;
}

constexpr AccessSignal kSignals[] = {
    sort_for_limit, limited_order,   inner_scan,          intersected_bitmaps,
    trailing_keys,  sequential_scan, filtered_index_scan,
};

}  // namespace

std::span<const AccessSignal> access_signals() { return kSignals; }

}  // namespace pgtend::explain
