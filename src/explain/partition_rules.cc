#include "explain/partition_rules.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/text.h"
#include "explain/conditions.h"
#include "explain/words.h"
#include "pg/quote.h"

namespace pgtend::explain {
namespace {

constexpr size_t kLeavesMin = 3;
constexpr double kEmptyShareMin = 0.5;  // I1: of the scanned partitions, that gave no row

// The scans of one partitioned table below one Append.
struct Spread {
  int append = kNone;
  int tree = kNone;
  std::vector<int> scans = {};
  size_t leaves = 0;                            // of the tree
  std::vector<sql::Predicate> predicates = {};  // of the first scan
};

size_t leaves_of(const PartitionTree& tree) {
  return static_cast<size_t>(std::ranges::count_if(
      tree.members, [](const PartitionMember& member) { return member.kind != 'p'; }));
}

// All conditions of the scan, searched and filtered.
std::vector<sql::Predicate> all_conditions(const Plan& plan, int id) {
  std::vector<sql::Predicate> out = sought_by(plan, id).predicates;
  if (auto filter = conditions_of(plan, id, "Filter", id)) {
    out.insert(out.end(), filter->begin(), filter->end());
  }
  return out;
}

std::vector<Spread> spreads(const Examination& in) {
  std::map<std::pair<int, int>, Spread> found;
  for (int id = 0; id < static_cast<int>(in.plan.nodes.size()); ++id) {
    const Node& node = at(in.plan, id);
    if (!scans_table(node) || node.parent == kNone || !node.actual) continue;
    if (!at(in.plan, node.parent).type.ends_with("Append")) continue;
    const RelationFacts* facts = in.facts.find(node.object.schema, node.object.relation);
    if (!facts || facts->tree == kNone) continue;
    Spread& spread = found[{node.parent, facts->tree}];
    spread.append = node.parent;
    spread.tree = facts->tree;
    spread.scans.push_back(id);
  }
  std::vector<Spread> out;
  for (auto& [key, spread] : found) {
    spread.leaves = leaves_of(in.facts.trees[static_cast<size_t>(spread.tree)]);
    if (spread.leaves < kLeavesMin) continue;
    spread.predicates = all_conditions(in.plan, spread.scans[0]);
    out.push_back(std::move(spread));
  }
  return out;
}

double rows_met(const Node& node) {
  return node.actual ? node.actual->rows * node.actual->loops : 0;
}

// Time of the scans in `list` that gave no row, lower bound.
double empty_ms(const Examination& in, const std::vector<int>& list, std::vector<int>& empty) {
  double out = 0;
  for (const int id : list) {
    if (rows_met(at(in.plan, id)) > 0) continue;
    empty.push_back(id);
    out += in.timing.nodes[static_cast<size_t>(id)].wall.low();
  }
  return out;
}

bool worth_saying(const Examination& in, double ms) {
  return in.plan.timed() && in.timing.total_ms > 0 && ms >= in.policy.saving_ms_min &&
         ms / in.timing.total_ms >= in.policy.saving_share_min;
}

Diagnosis::Entry partition_entry(std::string_view id, const Spread& spread, const Examination& in,
                                 double ms, std::vector<int> nodes) {
  const PartitionMember& root = in.facts.trees[static_cast<size_t>(spread.tree)].members[0];
  Diagnosis::Entry entry;
  entry.finding.id = id;
  entry.finding.object = pg::qualified(root.schema, root.name);
  const double share = std::min(ms / in.timing.total_ms, 1.0);
  entry.finding.severity = share >= 0.5 ? care::Severity::Warning : care::Severity::Notice;
  entry.finding.why =
      cat("up to ", milliseconds_text(ms), " of the statement (", percent(share), ")");
  entry.finding.evidence.push_back(
      {"partitions scanned", cat(spread.scans.size(), " of ", spread.leaves)});
  entry.saving_ms = ms;
  entry.finding.saved_seconds_per_day = ms / 1000 * in.policy.calls_per_day;
  entry.nodes = std::move(nodes);
  return entry;
}

// The condition on a key column that keeps the planner from leaving partitions out; nullptr when
// there is none.
const sql::Predicate* unprunable(const Spread& spread, const PartitionTree& tree,
                                 const Facts& facts) {
  const sql::Predicate* out = nullptr;
  for (const sql::Predicate& predicate : spread.predicates) {
    if (std::ranges::find(tree.key, predicate.column) == tree.key.end()) continue;
    if (predicate.column.empty() || predicate.operators == sql::OperatorClass::Other) continue;
    const bool changing = std::ranges::any_of(predicate.functions, [&](const std::string& name) {
      return facts.volatility(name) == sql::Volatility::Volatile;
    });
    const bool bare = predicate.wrapping == sql::Wrapping::None && !changing;
    if (bare && predicate.other != sql::OtherSide::PerRow) return nullptr;  // it can be pruned by
    if (!bare) out = &predicate;
  }
  return out;
}

bool pruned(const Spread& spread, const Plan& plan) {
  const Node& append = at(plan, spread.append);
  const bool never =
      std::ranges::any_of(spread.scans, [&](int id) { return at(plan, id).never_executed(); });
  return append.number("Subplans Removed").value_or(0) > 0 || never;
}

void find_i1(const Examination& in, Diagnosis& out) {
  for (const Spread& spread : spreads(in)) {
    if (spread.scans.size() < spread.leaves || pruned(spread, in.plan)) continue;
    const PartitionTree& tree = in.facts.trees[static_cast<size_t>(spread.tree)];
    const sql::Predicate* cause = unprunable(spread, tree, in.facts);
    if (!cause) continue;
    std::vector<int> empty;
    const double ms = empty_ms(in, spread.scans, empty);
    const bool most = static_cast<double>(empty.size()) >=
                      kEmptyShareMin * static_cast<double>(spread.scans.size());
    if (!most || !worth_saying(in, ms)) continue;
    Diagnosis::Entry entry = partition_entry("I1", spread, in, ms, spread.scans);
    care::Finding& finding = entry.finding;
    const std::string column = printable(cause->column);
    finding.what = cat("all ", spread.scans.size(), " partitions are scanned, and ", empty.size(),
                       " of them for nothing: the condition on ", column,
                       cause->wrapping == sql::Wrapping::None
                           ? " calls a volatile function"
                           : cat(" wraps it in ", printable(cause->wrapped_by)),
                       ", so none can be left out");
    finding.prediction = cat("compare ", column,
                             " itself with constants, parameters or stable functions such as "
                             "now(): the planner then leaves out what cannot match");
    finding.evidence.push_back(
        {"condition", printable(cat(cause->expression, " ", cause->op, " ", cause->value))});
    out.entries.push_back(std::move(entry));
  }
}

// The key is bounded on one side only, so that the partitions beyond "now" and the default one
// stay.
bool open_ended(const Spread& spread, const PartitionTree& tree) {
  bool lower = false;
  for (const sql::Predicate& predicate : spread.predicates) {
    if (tree.key.size() != 1 || predicate.column != tree.key[0]) continue;
    if (predicate.wrapping != sql::Wrapping::None) return false;
    if (predicate.op == ">" || predicate.op == ">=") lower = true;
    if (predicate.op != ">" && predicate.op != ">=") return false;
  }
  return lower && tree.strategy == "range";
}

void find_i5(const Examination& in, Diagnosis& out) {
  for (const Spread& spread : spreads(in)) {
    const PartitionTree& tree = in.facts.trees[static_cast<size_t>(spread.tree)];
    if (!open_ended(spread, tree) || unprunable(spread, tree, in.facts)) continue;
    std::vector<int> empty;
    const double ms = empty_ms(in, spread.scans, empty);
    if (empty.empty() || empty.size() == spread.scans.size() || !worth_saying(in, ms)) continue;
    Diagnosis::Entry entry = partition_entry("I5", spread, in, ms, empty);
    care::Finding& finding = entry.finding;
    finding.what = cat(empty.size(), " of ", spread.scans.size(),
                       " partitions are scanned for nothing: the condition on ",
                       printable(tree.key[0]), " has no upper bound");
    finding.prediction = cat("add one (AND ", pg::ident(tree.key[0]),
                             " <= now()): partitions of the future are left out, and so is a "
                             "default one whose constraint rules it out");
    out.entries.push_back(std::move(entry));
  }
}

constexpr Rule kPartitionRules[] = {
    {"I1", "No pruning",
     "all partitions (three at least) are scanned, half of them for no row, and the condition on "
     "the partition key wraps it or calls a volatile function",
     "the planner cannot tell which partitions match", "the bare key in the condition", find_i1},
    {"I5", "Open upper bound",
     "partitions are scanned for no row because the condition on the range key has a lower bound "
     "only, at 5 % of the statement or more",
     "partitions of the future, and the default one, may hold matching rows", "an upper bound",
     find_i5},
};

}  // namespace

std::span<const Rule> partition_rules() { return kPartitionRules; }

}  // namespace pgtend::explain
