// C: what sub-selects, CTEs and functions of a plan show by themselves.
#include <algorithm>
#include <map>
#include <optional>

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

constexpr double kSubPlanLoopsMin = 1000;      // C1, C7
constexpr double kReadLoopsMin = 100;          // C2, B12: of a list that is searched
constexpr double kHashEntryOverhead = 60;      // C2: bytes of a row in a hashed sub-plan
constexpr double kDroppedShareMin = 0.9;       // C3, C11
constexpr double kDroppedRowsMin = 1000;       // C3, C11
constexpr double kCteRowsReadMin = 1'000'000;  // C4
constexpr double kFunctionFactorMin = 10;      // C5
constexpr double kDuplicatesFactorMin = 10;    // C6
constexpr double kDuplicateRowsMin = 1000;     // C6
constexpr double kUnionRowsMin = 1000;         // C9
constexpr double kCallMsMin = 0.01;            // C10: a row
constexpr double kCalledRowsMin = 50;          // C10
constexpr double kCalledPagesMax = 1;          // C10: a row; with more it is the reading

// How nodes use their sub-plans, by name. Each node's expressions are parsed once, if at all.
class SubPlanUses {
 public:
  explicit SubPlanUses(const Plan& plan) : plan_(plan) {}

  // Nothing when the expressions of the node above `id` do not tell.
  std::optional<sql::SubPlanUse> of(int id) {
    const Node& node = at(plan_, id);
    const auto [place, added] = hosts_.try_emplace(node.parent);
    if (added) read(node.parent, place->second);
    // "SubPlan 2 (returns $1)"
    const auto use = place->second.find(node.subplan_name.substr(0, node.subplan_name.find(" (")));
    return use == place->second.end() ? std::nullopt : std::optional(use->second);
  }

 private:
  using Uses = std::map<std::string, sql::SubPlanUse, std::less<>>;

  void read(int host, Uses& into) const {
    for (const std::string_view text : at(plan_, host).expressions()) {
      if (text.find("SubPlan") == std::string_view::npos) continue;  // spares parsing
      const auto tree = sql::parse_expression(text);
      if (!tree) continue;
      for (sql::SubPlanUse& use : sql::shape_of(*tree).sub_plans) into.emplace(use.name, use);
    }
  }

  const Plan& plan_;
  std::map<int, Uses> hosts_;
};

std::string sub_plan_name(const Node& node) {
  return node.subplan_name.empty() ? std::string("a sub-select") : printable(node.subplan_name);
}

constexpr std::string_view kNotIn =
    "NOT EXISTS (…) can be joined; it differs from NOT IN where the sub-select gives NULL, which "
    "makes NOT IN true for no row: compare both forms with EXCEPT ALL, both ways";

// The result of an IN list is searched row by row: it was too large to be hashed.
void report_searched(const Examination& in, Diagnosis& out, int id, bool negated,
                     const Weight& weight) {
  const Node& node = at(in.plan, id);
  const double need =
      std::max(node.actual->rows, node.estimate.rows) * (node.estimate.width + kHashEntryOverhead);
  care::Finding& finding = add_finding(in, out, negated ? "B12" : "C2", {id, node.parent}, weight);
  finding.what = cat("the ", counted(node.actual->rows), " rows of ", sub_plan_name(node),
                     " are searched one after the other, ", counted(node.actual->loops), " times",
                     negated ? ", for a NOT IN" : "");
  finding.prediction =
      cat("with about ", kilobytes_text(need / 1024),
          " (work_mem × hash_mem_multiplier) they are hashed; ",
          negated ? cat("or, ", kNotIn) : std::string("or write it as a join or EXISTS"), "; ",
          kMemoryNote);
  finding.statements = {work_mem(need / 1024)};
}

void report_per_row(const Examination& in, Diagnosis& out, int id, bool below_or,
                    const Weight& weight) {
  const Node& node = at(in.plan, id);
  care::Finding& finding = add_finding(in, out, below_or ? "C7" : "C1", {id}, weight);
  finding.what =
      cat(sub_plan_name(node), " runs ", counted(node.actual->loops),
          " times, once for each row of ", printable(node_name(at(in.plan, node.parent))),
          below_or ? ", because it stands beside an OR" : "");
  finding.prediction =
      below_or
          ? "UNION of one statement for each side of the OR: then EXISTS becomes a join. "
            "Compare the results of both forms with EXCEPT ALL, both ways"
          : "write it as a join with GROUP BY, or LATERAL, so that it is done once; if it must "
            "stay, index what it looks up. Compare the results of both forms with EXCEPT ALL, "
            "both ways";
}

void find_sub_plans(const Examination& in, Diagnosis& out) {
  SubPlanUses uses(in.plan);
  each_run(in, "", [&](int id, const Node& node) {
    if (node.relation != Relation::SubPlan) return;
    const auto weight = weigh(in, whole_of(in, id));
    const bool searched = node.type == "Materialize" && node.actual->loops >= kReadLoopsMin;
    const bool often = node.actual->loops >= kSubPlanLoopsMin;
    if (weight && (searched || often)) {
      const auto use = uses.of(id);
      if (searched && use && use->condition) {
        report_searched(in, out, id, use->negated, *weight);
      } else if (often) {
        report_per_row(in, out, id, use && use->condition && use->alternative, *weight);
      }
      return;
    }
    // A hashed NOT IN is fast, but its host cannot be joined otherwise.
    const auto probing = weigh(in, self_of(in, node.parent));
    if (!probing) return;
    const auto use = uses.of(id);
    if (!use || !use->hashed || !use->negated || !use->condition || use->alternative) return;
    care::Finding& finding = add_hint(in, out, "B12", {id, node.parent}, *probing);
    finding.what = cat("NOT IN hashes the ", counted(rows_total(node)), " rows of ",
                       sub_plan_name(node), ": it cannot be a join");
    finding.prediction = kNotIn;
  });
}

struct Cte {
  int made = kNone;  // the node that makes its rows
  int scans = 0;
  int scan = kNone;  // the last
};

constexpr std::string_view kCtePrefix = "CTE ";

// The CTEs by name. Names that two of them have are left out.
std::map<std::string, Cte, std::less<>> ctes_of(const Plan& plan) {
  std::map<std::string, Cte, std::less<>> out;
  for (size_t id = 0; id < plan.nodes.size(); ++id) {
    const Node& node = plan.nodes[id];
    if (node.relation != Relation::Cte || !node.subplan_name.starts_with(kCtePrefix)) continue;
    const auto [place, added] =
        out.emplace(node.subplan_name.substr(kCtePrefix.size()), Cte{.made = static_cast<int>(id)});
    if (!added) place->second.made = kNone;
  }
  for (size_t id = 0; id < plan.nodes.size(); ++id) {
    if (plan.nodes[id].type != "CTE Scan") continue;
    const auto place = out.find(plan.nodes[id].object.other);
    if (place == out.end()) continue;
    ++place->second.scans;
    place->second.scan = static_cast<int>(id);
  }
  std::erase_if(out, [](const auto& entry) { return entry.second.made == kNone; });
  return out;
}

void find_c3(const Examination& in, Diagnosis& out) {
  const auto ctes = ctes_of(in.plan);
  each_run(in, "CTE Scan", [&](int id, const Node& node) {
    const auto cte = ctes.find(node.object.other);
    if (cte == ctes.end() || cte->second.scans != 1 || node.actual->loops > 1) return;
    const int made = cte->second.made;
    const std::string_view type = at(in.plan, made).type;
    if (type == "Recursive Union" || type == "ModifyTable") return;
    const double removed = removed_rows(in.plan, id, "Rows Removed by Filter").total;
    const double share = removed / std::max(removed + rows_total(node), 1.0);
    if (removed < kDroppedRowsMin || share < kDroppedShareMin) return;
    const auto weight = weigh(in, (whole_of(in, made) + self_of(in, id)) * share);
    if (!weight) return;
    care::Finding& finding = add_finding(in, out, "C3", {id, made}, *weight);
    finding.what =
        cat("CTE ", printable(node.object.other), " makes ", counted(removed + rows_total(node)),
            " rows, and its only scan drops ", percent(share), " of them");
    finding.prediction =
        "AS NOT MATERIALIZED lets the planner push the condition into it, unless it is there to "
        "fence a volatile function off. Compare both forms with EXCEPT ALL, both ways";
    finding.evidence.push_back({"filter", printable(node.text("Filter"))});
  });
}

void find_c4(const Examination& in, Diagnosis& out) {
  each_run(in, "CTE Scan", [&](int id, const Node& node) {
    const double read =
        rows_total(node) + removed_rows(in.plan, id, "Rows Removed by Filter").total;
    if (node.actual->loops < 2 || read < kCteRowsReadMin || node.parent == kNone) return;
    // The join above compares what the scan gives.
    const auto weight = weigh(in, self_of(in, id) + self_of(in, node.parent));
    if (!weight) return;
    care::Finding& finding = add_finding(in, out, "C4", {id, node.parent}, *weight);
    finding.what = cat("CTE ", printable(node.object.other), " is read from its beginning ",
                       counted(node.actual->loops), " times, ", counted(read), " rows in all");
    finding.prediction =
        "a CTE has no index: a temporary table with one, and ANALYZE, has; or join it by an "
        "equality, which can be hashed";
  });
}

void find_c5(const Examination& in, Diagnosis& out) {
  each_run(in, "Function Scan", [&](int id, const Node& node) {
    // What CREATE FUNCTION assumes, and what built-in functions over arrays and JSON do.
    if (node.estimate.rows != 1000 && node.estimate.rows != 100) return;
    const RowCount rows = count_rows(in.plan, id);
    if (!rows.excuse.empty() || rows.factor < kFunctionFactorMin) return;
    int join = node.parent;
    while (join != kNone && !is_join(at(in.plan, join))) join = at(in.plan, join).parent;
    if (join == kNone || at(in.plan, id).actual->loops > 1) return;
    const auto weight = weigh(in, whole_of(in, join) + whole_of(in, id) * -1);
    if (!weight) return;
    const std::string function =
        printable(node.text("Function Name").empty() ? node.object.alias
                                                     : std::string(node.text("Function Name")));
    care::Finding& finding = add_question(in, out, "C5", {id, join}, *weight);
    finding.what = cat("function ", function, " returns ", counted(rows.actual), " rows where ",
                       counted(rows.estimate),
                       " are always assumed, and the join above is planned "
                       "for those");
    finding.prediction = cat("tell the planner: ALTER FUNCTION … ROWS ", counted(rows.actual),
                             "; or put its rows into a temporary table and ANALYZE that");
  });
}

// The node that makes the rows of `scan`, a CTE Scan, distinct; kNone if there is none.
int distinct_above(const Plan& plan, int scan) {
  int up = at(plan, scan).parent;
  while (up != kNone && at(plan, up).type.ends_with("Sort")) up = at(plan, up).parent;
  return up != kNone && makes_distinct(at(plan, up)) ? up : kNone;
}

void find_c6(const Examination& in, Diagnosis& out) {
  const auto ctes = ctes_of(in.plan);
  each_run(in, "Recursive Union", [&](int id, const Node& node) {
    double made = 0;
    for (const int child : node.children) {
      if (at(in.plan, child).relation == Relation::Child) made += rows_total(at(in.plan, child));
    }
    double kept = rows_total(node);
    // UNION ALL keeps all; DISTINCT over it may drop them later.
    const auto cte = node.subplan_name.starts_with(kCtePrefix)
                         ? ctes.find(node.subplan_name.substr(kCtePrefix.size()))
                         : ctes.end();
    if (cte != ctes.end() && cte->second.scans == 1) {
      const int above = distinct_above(in.plan, cte->second.scan);
      if (above != kNone) kept = std::min(kept, rows_total(at(in.plan, above)));
    }
    if (made < kDuplicateRowsMin || made < kDuplicatesFactorMin * std::max(kept, 1.0)) return;
    const auto weight = weigh(in, whole_of(in, id) * (1 - kept / made));
    if (!weight) return;
    care::Finding& finding = add_finding(in, out, "C6", {id}, *weight);
    finding.what = cat("the recursion makes ", counted(made), " rows, of which ", counted(kept),
                       " are different: it goes the same ways again");
    finding.prediction =
        "UNION instead of UNION ALL ends a way at a row that is known, if no column counts steps "
        "or collects the path; a CYCLE clause (14 and later) ends it at a repeated key";
  });
}

void find_c9(const Examination& in, Diagnosis& out) {
  each_run(in, "", [&](int id, const Node& node) {
    if ((node.type != "Unique" && node.type != "Aggregate") || !makes_distinct(node)) return;
    const int below = input_past(in.plan, id);
    if (below == kNone || !at(in.plan, below).type.ends_with("Append")) return;
    const Node& append = at(in.plan, below);
    if (append.children.size() < 2 || !append.actual || rows_total(append) < kUnionRowsMin) return;
    if (rows_total(node) != rows_total(append)) return;
    // The members of a partitioned table stand under one name; a UNION has its selects there.
    const std::string_view first = at(in.plan, append.children[0]).object.alias;
    const std::string_view second = at(in.plan, append.children[1]).object.alias;
    const bool partitions = first.size() > 2 && first.ends_with("_1") &&
                            second == cat(first.substr(0, first.size() - 1), "2");
    if (partitions) return;
    Spent spent = self_of(in, id);
    for (int at_id = input_of(in.plan, id); at_id != below; at_id = input_of(in.plan, at_id)) {
      spent = spent + self_of(in, at_id);
    }
    const auto weight = weigh(in, spent);
    if (!weight) return;
    care::Finding& finding = add_question(in, out, "C9", {id}, *weight);
    finding.what =
        cat("UNION looks for duplicates among ", counted(rows_total(node)), " rows and finds none");
    finding.prediction =
        "UNION ALL does not look; it is the same only where no two rows can ever be equal";
  });
}

// Functions called for each row of the node.
std::vector<std::string> called_per_row(const Node& node) {
  std::vector<std::string> out;
  for (const std::string_view text : node.expressions()) {
    if (text.find('(') == std::string_view::npos) continue;
    const auto tree = sql::parse_expression(text);
    if (!tree) continue;
    for (std::string& function : sql::called_functions(*tree)) {
      if (!function.starts_with(cat(sql::kSubPlanSchema, "."))) out.push_back(std::move(function));
    }
  }
  return out;
}

void find_c10(const Examination& in, Diagnosis& out) {
  if (!in.plan.timed()) return;
  each_run(in, "", [&](int id, const Node& node) {
    const bool plain = node.type.ends_with("Scan") || node.type == "Result" || is_join(node) ||
                       node.type == "ProjectSet";
    if (!plain || node.type == "Function Scan") return;
    double rows = rows_total(node);
    for (const std::string_view name : {"Rows Removed by Filter", "Rows Removed by Join Filter"}) {
      rows += removed_rows(in.plan, id, name).total;
    }
    const Spent self = self_of(in, id);
    if (rows < kCalledRowsMin || self.ms < kCallMsMin * rows) return;
    if (self.blocks > kCalledPagesMax * rows) return;
    const auto weight = weigh(in, self);
    if (!weight || is_told(out, id)) return;
    const std::vector<std::string> functions = called_per_row(node);
    if (functions.empty()) return;
    care::Finding& finding = add_finding(in, out, "C10", {id}, *weight);
    finding.what = cat("each of ", counted(rows), " rows takes ", milliseconds_text(self.ms / rows),
                       ": it is the ", functions.size() > 1 ? "functions " : "function ",
                       printable(join(functions, "(), ")), "()");
    finding.prediction =
        "let cheaper conditions come first (ALTER FUNCTION … COST), store its result in a column "
        "or an expression index if it is immutable, write it in SQL so that it can be inlined, "
        "mark it PARALLEL SAFE if it is";
  });
}

void find_c11(const Examination& in, Diagnosis& out) {
  each_run(in, "Subquery Scan", [&](int id, const Node& node) {
    const double removed = removed_rows(in.plan, id, "Rows Removed by Filter").total;
    const double share = removed / std::max(removed + rows_total(node), 1.0);
    if (removed < kDroppedRowsMin || share < kDroppedShareMin) return;
    const int below = input_of(in.plan, id);
    if (below == kNone || at(in.plan, below).type == "Limit") return;
    const auto weight = weigh(in, whole_of(in, id) * share);
    if (!weight) return;
    const Node& made = at(in.plan, below);
    care::Finding& finding = add_question(in, out, "C11", {id}, *weight);
    finding.what = cat(printable(node_name(made)), " makes ", counted(removed + rows_total(node)),
                       " rows, of which the condition outside drops ", percent(share));
    finding.prediction =
        "say in the sub-select itself which groups are wanted (a condition on what it partitions "
        "or groups by); for the first rows of each group, LATERAL with ORDER BY and LIMIT and an "
        "index. Compare both forms with EXCEPT ALL, both ways";
    finding.evidence.push_back({"filter", printable(node.text("Filter"))});
  });
}

// Of a rule that find_sub_plans() finds: all have the sub-plan in common.
void with_sub_plans(const Examination& /*in*/, Diagnosis& /*out*/) {}

constexpr Rule kSubselectRules[] = {
    {"C1", "Correlated sub-select", "a sub-plan runs 1,000 times or more",
     "what could be one join is done row by row", "a join, LATERAL, or an index for it",
     find_sub_plans},
    {"B12", "NOT IN",
     "NOT IN searches a list 100 times or more; one that is hashed is told for information",
     "its handling of NULL keeps it from being a join", "NOT EXISTS", with_sub_plans},
    {"C2", "List too large to hash", "the list of an IN is searched 100 times or more",
     "it does not fit in memory as a hash table", "memory, a join", with_sub_plans},
    {"C7", "EXISTS beside OR", "C1, where the sub-plan is one side of an OR",
     "it cannot become a join", "UNION", with_sub_plans},
    {"C3", "CTE as a fence",
     "the only scan of a CTE drops nine tenths or more of 1,000 rows at least",
     "the condition is not pushed into it", "AS NOT MATERIALIZED", find_c3},
    {"C4", "CTE read in a loop", "a million rows or more are read by repeated scans of a CTE",
     "a CTE has no index", "a temporary table, an equality", find_c4},
    {"C5", "Assumed number of rows",
     "a function below a join returns ten times more or fewer than the 1,000 or 100 assumed",
     "the join is planned for another size", "ALTER FUNCTION … ROWS", find_c5},
    {"C6", "Recursion that repeats itself",
     "nine tenths or more of what a recursion makes are duplicates", "it goes the same ways again",
     "UNION, CYCLE", find_c6},
    {"C9", "UNION without duplicates", "UNION finds no duplicate among 1,000 rows or more",
     "looking for them costs a sort or a hash table", "UNION ALL", find_c9},
    {"C10", "Slow function", "a node with functions takes 10 µs a row or more, not for reading",
     "it is called for each row", "order, inlining, a stored result", find_c10},
    {"C11", "Condition outside a sub-select",
     "a condition on a sub-select drops nine tenths or more of its rows",
     "it cannot be pushed below DISTINCT, LIMIT, windows or groups", "a condition inside",
     find_c11},
};

}  // namespace

std::span<const Rule> subselect_rules() { return kSubselectRules; }

}  // namespace pgtend::explain
