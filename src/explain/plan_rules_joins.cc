// B: what joins of a plan show by themselves.
#include <algorithm>
#include <array>
#include <map>

#include "base/text.h"
#include "explain/plan_findings.h"
#include "explain/plan_rules.h"
#include "explain/rows.h"
#include "explain/words.h"
#include "sql/columns.h"
#include "sql/conditions.h"
#include "sql/expression.h"

namespace pgtend::explain {
namespace {

constexpr double kJoinRemovedFactor = 10;    // B3, of the rows kept
constexpr double kJoinRemovedMin = 10'000;   // B3
constexpr double kProductMin = 10'000;       // B4, rows
constexpr size_t kProductNodesMax = 100;     // B4: below the inner side; beyond, it is not judged
constexpr double kHashedFactorMin = 10;      // B8
constexpr double kHashedRowsMin = 10'000;    // B8, B17
constexpr double kReadAgainMin = 1'000'000;  // B11, rows
constexpr double kFanOutFactor = 10;         // B15
constexpr double kFanOutRowsMin = 10'000;    // B15
constexpr double kForeignRemovedMin = 0.9;   // B16
constexpr double kCopiedShareMin = 0.1;      // B17

int side_of(const Plan& plan, int join, std::string_view relationship) {
  for (const int child : at(plan, join).children) {
    if (at(plan, child).relationship == relationship) return child;
  }
  return kNone;
}

void find_b3(const Examination& in, Diagnosis& out) {
  each_run(in, "", [&](int id, const Node& node) {
    if (!is_join(node) || node.text("Join Filter").empty()) return;
    const double removed = removed_rows(in.plan, id, "Rows Removed by Join Filter").total;
    const double kept = rows_total(node);
    if (removed < kJoinRemovedMin || removed < kJoinRemovedFactor * kept) return;
    Spent spent = self_of(in, id);
    const int inner = side_of(in.plan, id, "Inner");
    const bool loop = node.type == "Nested Loop";
    if (loop && inner != kNone) spent = spent + whole_of(in, inner);
    const auto weight = weigh(in, spent * (removed / (removed + kept)));
    if (!weight || is_told(out, id)) return;
    const auto tree = sql::parse_expression(node.text("Join Filter"));
    // An equality in a nested loop wants an index on the inner side: another rule's.
    if (!tree || (loop && sql::shape_of(*tree).equates_relations)) return;
    care::Finding& finding = add_finding(in, out, "B3", {id}, *weight);
    finding.what = cat("the join compares ", counted(removed + kept), " pairs of rows and drops ",
                       counted(removed), " of them by its filter");
    finding.prediction =
        "an equality between both sides (a bucket, a day) lets it hash; ranges want a range type "
        "with a GiST index; \"the latest before\" wants LATERAL with ORDER BY and LIMIT 1";
    finding.evidence.push_back({"join filter", printable(node.text("Join Filter"))});
  });
}

constexpr std::array<std::string_view, 7> kComparing = {
    "Index Cond", "Recheck Cond", "Filter", "Hash Cond", "Merge Cond", "Join Filter", "TID Cond"};

// Conditions below a side of a join: whether they refer to the other side, and their constants.
struct SideConditions {
  bool judged = true;  // everything could be read
  bool refers = false;
  bool pinned = false;  // a column is compared with one value: the other side's may be the same
};

bool names_node_above(const Plan& plan, const std::map<std::string, int>& owners,
                      const std::vector<std::string>& qualifiers, int side) {
  return std::ranges::any_of(qualifiers, [&](const std::string& qualifier) {
    const auto owner = owners.find(qualifier);
    return owner == owners.end() || !plan.below(owner->second, side);
  });
}

SideConditions conditions_below(const Plan& plan, const std::map<std::string, int>& owners,
                                int side) {
  SideConditions out;
  const size_t begin = static_cast<size_t>(side);
  for (size_t id = begin; id < plan.nodes.size(); ++id) {
    const Node& node = plan.nodes[id];
    if (id > begin && node.depth <= at(plan, side).depth) break;
    const bool plain = node.type.find("Scan") == std::string::npos || node.type == "Seq Scan" ||
                       node.type.starts_with("Index") || node.type.starts_with("Bitmap");
    if (id - begin >= kProductNodesMax || !plain || node.type == "Memoize" ||
        node.type == "Result" || node.type == "ProjectSet") {
      out.judged = false;
      return out;
    }
    for (const std::string_view name : kComparing) {
      const std::string_view text = node.text(name);
      if (text.empty()) continue;
      const auto tree = sql::parse_expression(text);
      if (!tree) return {.judged = false};
      out.refers |= names_node_above(plan, owners, sql::shape_of(*tree).qualifiers, side);
      for (const sql::Predicate& predicate : sql::predicates(*tree)) {
        out.pinned |= predicate.operators == sql::OperatorClass::Equality &&
                      predicate.other != sql::OtherSide::PerRow;
      }
    }
  }
  return out;
}

void find_b4(const Examination& in, Diagnosis& out) {
  std::map<std::string, int> owners;
  for (size_t id = 0; id < in.plan.nodes.size(); ++id) {
    const std::string_view alias = in.plan.nodes[id].object.alias;
    if (!alias.empty()) owners.emplace(alias, static_cast<int>(id));
  }
  each_run(in, "Nested Loop", [&](int id, const Node& node) {
    if (!node.text("Join Filter").empty()) return;
    if (node.text("Join Type") != "Inner" && node.text("Join Type") != "Left") return;
    const int outer = side_of(in.plan, id, "Outer"), inner = side_of(in.plan, id, "Inner");
    if (outer == kNone || inner == kNone || !at(in.plan, inner).actual) return;
    const double left = rows_total(at(in.plan, outer)), right = at(in.plan, inner).actual->rows;
    if (left < 2 || right < 2 || left * right < kProductMin) return;
    if (rows_total(node) < 0.9 * left * right) return;
    const auto weight = weigh(in, self_of(in, id) + whole_of(in, inner));
    if (!weight || is_told(out, id)) return;
    const SideConditions here = conditions_below(in.plan, owners, inner);
    const SideConditions there = conditions_below(in.plan, owners, outer);
    if (!here.judged || !there.judged || here.refers || (here.pinned && there.pinned)) return;
    care::Finding& finding = add_question(in, out, "B4", {id, inner}, *weight);
    finding.what = cat("each of ", counted(left), " rows is joined with each of ", counted(right),
                       ": no condition connects the two sides");
    finding.prediction = "if that is not meant, a join condition is missing in the statement";
  });
}

// Whether a finding about an estimate (D…) stands at a node below `id`: it is the cause then.
bool estimate_told_below(const Plan& plan, const Diagnosis& diagnosis, int id) {
  return std::ranges::any_of(diagnosis.entries, [&](const Diagnosis::Entry& entry) {
    return entry.finding.id.starts_with("D") && !entry.nodes.empty() &&
           plan.below(entry.nodes[0], id);
  });
}

void find_b8(const Examination& in, Diagnosis& out) {
  each_run(in, "Hash", [&](int id, const Node& node) {
    if (node.parent == kNone) return;
    const Node& join = at(in.plan, node.parent);
    const int outer = side_of(in.plan, node.parent, "Outer");
    if (outer == kNone || join.text("Join Type") != "Inner") return;
    const RowCount hashed = count_rows(in.plan, id), probing = count_rows(in.plan, outer);
    if (!hashed.excuse.empty() || hashed.actual < kHashedRowsMin) return;
    if (hashed.actual < kHashedFactorMin * std::max(probing.actual, 1.0)) return;
    // As planned: there are reasons to hash the larger side that a plan does not tell.
    if (hashed.estimate > probing.estimate) return;
    const auto weight = weigh(in, self_of(in, id));
    if (!weight || is_told(out, id) || estimate_told_below(in.plan, out, node.parent)) return;
    care::Finding& finding = add_finding(in, out, "B8", {id}, *weight);
    finding.what = cat("the larger side of the join is hashed: ", counted(hashed.actual),
                       " rows for ", counted(probing.actual), "; ", counted(hashed.estimate),
                       " for ", counted(probing.estimate), " were expected");
    finding.prediction =
        "cure the estimate (ANALYZE, extended statistics): then the planner hashes the other side";
  });
}

void find_b11(const Examination& in, Diagnosis& out) {
  each_run(in, "Materialize", [&](int id, const Node& node) {
    const double again = node.actual->rows * (node.actual->loops - 1);
    if (again < kReadAgainMin || node.parent == kNone) return;
    const auto weight = weigh(in, self_of(in, id));
    if (!weight || is_told(out, id) || is_told(out, node.parent)) return;
    care::Finding& finding = add_finding(in, out, "B11", {id}, *weight);
    finding.what = cat("the same ", counted(node.actual->rows), " rows are read ",
                       counted(node.actual->loops), " times");
    finding.prediction =
        "a join condition that can be hashed, or an index on the inner side, spares it";
  });
}

void find_b15(const Examination& in, Diagnosis& out) {
  each_run(in, "", [&](int id, const Node& node) {
    if ((node.type != "Unique" && node.type != "Aggregate") || !makes_distinct(node)) return;
    const int below = input_past(in.plan, id);
    if (below == kNone || !is_join(at(in.plan, below)) || !at(in.plan, below).actual) return;
    const double made = rows_total(at(in.plan, below)), kept = rows_total(node);
    if (made < kFanOutRowsMin || made < kFanOutFactor * std::max(kept, 1.0)) return;
    const int sorted = input_of(in.plan, id);
    Spent spent = self_of(in, id) + self_of(in, below);
    if (sorted != below) spent = spent + self_of(in, sorted);
    const auto weight = weigh(in, spent * (1 - kept / made));
    if (!weight) return;
    care::Finding& finding = add_question(in, out, "B15", {id, below}, *weight);
    finding.what = cat("the join makes ", counted(made), " rows, DISTINCT leaves ", counted(kept));
    finding.prediction =
        "EXISTS instead of the join makes each row once, or group before joining. Compare both "
        "forms with EXCEPT ALL, both ways";
  });
}

void find_b16(const Examination& in, Diagnosis& out) {
  each_run(in, "Foreign Scan", [&](int id, const Node& node) {
    const double removed = removed_rows(in.plan, id, "Rows Removed by Filter").total;
    const double share = removed / std::max(removed + rows_total(node), 1.0);
    if (node.text("Filter").empty() || share < kForeignRemovedMin) return;
    const auto weight = weigh(in, self_of(in, id) * share);
    if (!weight) return;
    care::Finding& finding = add_finding(in, out, "B16", {id}, *weight);
    finding.what = cat("the foreign server sends ", counted(removed + rows_total(node)),
                       " rows, of which ", counted(removed), " are dropped here");
    finding.prediction =
        "conditions are sent when their functions and operators are immutable and built in, or "
        "belong to an extension that the server option \"extensions\" names";
    finding.evidence.push_back({"filter", printable(node.text("Filter"))});
  });
}

void find_b17(const Examination& in, Diagnosis& out) {
  each_run(in, "Hash", [&](int id, const Node& node) {
    if (node.parallel_aware || node.gather == kNone || node.actual->loops < 2) return;
    if (node.actual->rows < kHashedRowsMin || node.parent == kNone) return;
    if (at(in.plan, node.gather).actual && at(in.plan, node.gather).actual->loops > 1) return;
    const auto weight = weigh(in, whole_of(in, id) * (1 - 1 / node.actual->loops));
    if (!weight || weight->share < kCopiedShareMin) return;
    const bool off = setting(in.plan, "enable_parallel_hash") == "off";
    care::Finding& finding = add_finding(in, out, "B17", {id}, *weight);
    finding.what =
        cat("each of ", counted(node.actual->loops), " processes builds the same hash table of ",
            counted(node.actual->rows), " rows");
    finding.prediction = off ? "parallel hash, which is switched off, builds it once together"
                             : "a parallel hash would build it once together: what is hashed must "
                               "be scanned in parallel, too; or less parallel work for this "
                               "statement";
    if (off) finding.statements = {"SET LOCAL enable_parallel_hash = on"};
  });
}

constexpr Rule kJoinRules[] = {
    {"B3", "Join filter drops most pairs",
     "a join's filter drops ten times the pairs that it keeps, 10,000 at least",
     "each pair is made to be compared", "an equality, a range type, LATERAL with LIMIT", find_b3},
    {"B4", "Cartesian product",
     "a nested loop pairs all rows of both sides, 10,000 pairs or more, without any condition",
     "a condition is missing, or it is meant", "the missing condition", find_b4},
    {"B8", "Larger side hashed",
     "ten times the rows of the other side are hashed, though fewer were expected",
     "the hash table is larger than needed", "the estimate", find_b8},
    {"B11", "Rows read again and again", "a million rows or more are read again from a Materialize",
     "nothing better than reading all for each row was possible",
     "a condition that hashes, an index", find_b11},
    {"B15", "Fan-out, then DISTINCT", "DISTINCT drops nine tenths or more of what a join has made",
     "rows are multiplied and then removed", "EXISTS", find_b15},
    {"B16", "Foreign rows dropped here",
     "nine tenths or more of a foreign scan's rows are dropped by a filter on this side",
     "they travel for nothing", "conditions that the other side can check", find_b16},
    {"B17", "Hash table built by each worker",
     "a hash table that is not shared takes a tenth of the statement in each worker",
     "the same work is done several times", "parallel hash", find_b17},
};

}  // namespace

std::span<const Rule> join_rules() { return kJoinRules; }

}  // namespace pgtend::explain
