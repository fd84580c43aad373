#include "explain/estimate_rules.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/text.h"
#include "explain/attribution.h"
#include "explain/conditions.h"
#include "explain/misestimate.h"
#include "explain/words.h"
#include "pg/quote.h"

namespace pgtend::explain {
namespace {

constexpr double kTrapRowsMin = 100;    // D9
constexpr double kFreshShareMin = 0.5;  // D5: of the rows that nobody expected
constexpr double kKnownShareMin = 0.9;  // D5: of the rows that ANALYZE has seen
constexpr size_t kStatisticsColumnsMax = 8;
constexpr int kExpressionStatistics = 140'000;  // the server that has them

// What is the matter with an estimate, and what corrects it.
struct Remedy {
  std::string id = {};
  std::string why = {};
  std::string advice = {};
  std::vector<std::string> statements = {};
  std::vector<std::string> trial = {};  // the same, as a transaction can take it back
};

std::string table_of(const Misestimate& miss, const Plan& plan) {
  if (miss.facts && miss.facts->table) return miss.facts->table->qualified();
  const Object& object = at(plan, miss.node).object;
  return object.schema.empty() ? pg::ident(object.relation)
                               : pg::qualified(object.schema, object.relation);
}

// The table that statistics are made on: all partitions together.
std::string statistics_table(const Misestimate& miss, const Examination& in) {
  if (!miss.facts || miss.facts->tree == kNone) return table_of(miss, in.plan);
  const PartitionMember& root = in.facts.trees[static_cast<size_t>(miss.facts->tree)].members[0];
  return pg::qualified(root.schema, root.name);
}

double table_pages(const Misestimate& miss, const Examination& in) {
  if (!miss.facts || !miss.facts->table) return 0;
  if (miss.facts->tree == kNone) return static_cast<double>(miss.facts->table->size.pages);
  return in.facts.trees[static_cast<size_t>(miss.facts->tree)].pages();
}

Remedy analyze_remedy(std::string id, std::string why, std::string advice,
                      const std::string& table) {
  return {std::move(id),
          std::move(why),
          std::move(advice),
          {cat("ANALYZE ", table)},
          {cat("ANALYZE ", table)}};
}

// D6, D7, D8: there are no statistics at all.
std::optional<Remedy> never_analyzed(const Misestimate& miss) {
  if (!miss.facts || !miss.facts->table) return {};
  const facts::TableFacts& table = *miss.facts->table;
  bool missing = table.reltuples < 0;
  for (const facts::ColumnFacts& column : miss.facts->columns) {
    missing |= !column.stats && table.rights.select && !table.age.analyze && !table.age.autoanalyze;
  }
  if (!missing) return {};
  const std::string name = table.qualified();
  if (miss.facts->temporary()) {
    return analyze_remedy("D8", "it is a temporary table: autovacuum never analyzes it",
                          "ANALYZE it after it is filled, in the same session", name);
  }
  return analyze_remedy("D6", "the table was never analyzed: the planner assumes",
                        "ANALYZE it now; autovacuum does when it is on and has time", name);
}

// D7: the partitions have statistics, the table as a whole has none; joins and groups need them.
std::optional<Remedy> parent_never_analyzed(const Misestimate& miss, const Examination& in) {
  for (const PartitionTree& tree : in.facts.trees) {
    const PartitionMember& root = tree.members[0];
    const bool none = root.table && root.table->statistics == std::optional(false);
    bool read = false;
    for (int id = miss.node; id < subtree_end(in.plan, miss.node); ++id) {
      const Object& object = at(in.plan, id).object;
      const RelationFacts* facts = in.facts.find(object.schema, object.relation);
      read |= facts && facts->tree != kNone &&
              &in.facts.trees[static_cast<size_t>(facts->tree)] == &tree;
    }
    if (!none || !read || scans_table(at(in.plan, miss.node))) continue;
    const std::string name = pg::qualified(root.schema, root.name);
    return analyze_remedy(
        "D7",
        cat("partitioned table ", printable(name),
            " has no statistics of its own: autovacuum analyzes its partitions only"),
        "ANALYZE it now and then, by a job of your own", name);
  }
  return {};
}

// D10: the plan was made for any value.
std::optional<Remedy> generic_plan_remedy(const Misestimate& miss, const Examination& in) {
  const bool init_plans = std::ranges::any_of(
      in.plan.nodes, [](const Node& node) { return node.relation == Relation::InitPlan; });
  const bool parameter = std::ranges::any_of(miss.predicates, [](const sql::Predicate& predicate) {
    return predicate.other == sql::OtherSide::Parameter && predicate.value.starts_with('$');
  });
  if (init_plans || !parameter) return {};
  return Remedy{"D10",
                "the plan is a generic one, made for any value of its parameters",
                "let this statement or role plan for the values it has; partial indexes on rare "
                "values help as well",
                {"SET LOCAL plan_cache_mode = force_custom_plan"},
                {}};
}

// Whether the counters, which know of all rows, say that they were written since the last ANALYZE,
// although it has seen them: a session that loads a table and analyzes it at once sends its
// counters afterwards.
bool counted_late(const RelationFacts& facts) {
  const facts::TableFacts& table = *facts.table;
  const facts::TableCounters& counters = table.counters;
  const auto last = [](const std::optional<double>& a, const std::optional<double>& b) {
    constexpr double kNever = 1e18;
    return std::min(a.value_or(kNever), b.value_or(kNever));
  };
  // VACUUM counts the rows, too.
  const bool rows_of_analyze =
      table.reltuples > 0 && last(table.age.analyze, table.age.autoanalyze) <=
                                 last(table.age.vacuum, table.age.autovacuum);
  const bool know_all = static_cast<double>(counters.inserted) >= kKnownShareMin * table.reltuples;
  return rows_of_analyze && know_all &&
         std::ranges::any_of(
             facts.columns,
             [](const facts::ColumnFacts& column) { return column.stats.has_value(); }) &&
         counters.modified_since_analyze >= counters.inserted + counters.updated + counters.deleted;
}

double written_since_analyze(const RelationFacts& facts) {
  const auto counted_rows = static_cast<double>(facts.table->counters.modified_since_analyze);
  return counted_late(facts) ? counted_rows - facts.table->reltuples : counted_rows;
}

// D5: what was written since the last ANALYZE explains what nobody expected.
std::optional<Remedy> stale_remedy(const Misestimate& miss) {
  if (!miss.facts || !miss.facts->table || !miss.facts->table->counters.present) return {};
  const facts::TableFacts& table = *miss.facts->table;
  const double fresh = written_since_analyze(*miss.facts);
  const double surprise = std::abs(miss.rows.actual - miss.rows.estimate);
  if (fresh < kFreshShareMin * surprise) return {};
  Remedy out = analyze_remedy(
      "D5",
      cat("the statistics are old: ", counted(fresh),
          " rows were written since, and the planner knows nothing of them"),
      "analyze it, and sooner from now on; a window that moves with the clock needs it often",
      table.qualified());
  if (table.kind == 'r') {
    out.statements.push_back(
        cat("ALTER TABLE ", table.qualified(), " SET (autovacuum_analyze_scale_factor = 0.01)"));
  }
  return out;
}

// The columns that have a condition of their own, each once.
std::vector<std::string> plain_columns(const Misestimate& miss) {
  std::vector<std::string> out;
  for (const sql::Predicate& predicate : miss.predicates) {
    const bool plain =
        !predicate.column.empty() && predicate.other != sql::OtherSide::PerRow &&
        (predicate.wrapping == sql::Wrapping::None || predicate.wrapping == sql::Wrapping::Cast);
    if (plain && std::ranges::find(out, predicate.column) == out.end()) {
      out.push_back(predicate.column);
    }
  }
  return out;
}

bool has_statistics(const RelationFacts& facts, const std::vector<std::string>& columns) {
  return std::ranges::any_of(facts.statistics, [&](const ExtendedStatistics& made) {
    return std::ranges::all_of(columns, [&](const std::string& column) {
      return std::ranges::find(made.columns, column) != made.columns.end();
    });
  });
}

std::string quoted_list(const std::vector<std::string>& columns) {
  std::vector<std::string> out;
  for (const std::string& column : columns) out.push_back(pg::ident(column));
  return join(out, ", ");
}

std::string printable_list(const std::vector<std::string>& columns) {
  std::vector<std::string> out;
  for (const std::string& column : columns) out.push_back(printable(column));
  return join(out, ", ");
}

// "CREATE STATISTICS … ON … FROM table" and ANALYZE.
std::vector<std::string> make_statistics(const std::string& kinds, const std::string& what,
                                         const std::string& name, const std::string& table) {
  return {cat("CREATE STATISTICS ", pg::ident(name), " ", kinds, "ON ", what, " FROM ", table),
          cat("ANALYZE ", table)};
}

std::string statistics_name(const Misestimate& miss, const Plan& plan, std::string_view tail) {
  constexpr size_t kRoom = 40;
  std::string name(at(plan, miss.node).object.relation);
  while (name.size() > kRoom ||
         (!name.empty() && (static_cast<unsigned char>(name.back()) & 0xC0) == 0x80 &&
          name.size() >= kRoom))
    name.pop_back();
  return cat(name, "_", tail, "_stats");
}

// D2: conditions that the planner takes for independent.
std::optional<Remedy> correlated_remedy(const Misestimate& miss, const Examination& in) {
  const std::vector<std::string> columns = plain_columns(miss);
  if (columns.size() < 2 || columns.size() > kStatisticsColumnsMax) return {};
  if (miss.facts && has_statistics(*miss.facts, columns)) return {};
  const std::string table = statistics_table(miss, in);
  const bool equal = std::ranges::all_of(miss.predicates, [](const sql::Predicate& predicate) {
    return predicate.operators == sql::OperatorClass::Equality;
  });
  const std::string kinds = equal ? "(dependencies, mcv) " : "(mcv) ";
  Remedy out{"D2",
             cat("the planner multiplies the shares of ", printable_list(columns),
                 " as if they had nothing to do with each other"),
             "extended statistics tell it how they go together",
             make_statistics(kinds, quoted_list(columns),
                             statistics_name(miss, in.plan, "correlated"), table),
             make_statistics(kinds, quoted_list(columns), "pgtend_trial_stats", table)};
  return out;
}

// D3: the planner has no statistics on an expression, and takes a constant share.
std::optional<Remedy> expression_remedy(const Misestimate& miss, const Examination& in) {
  for (const sql::Predicate& predicate : miss.predicates) {
    const bool wrapped = predicate.wrapping == sql::Wrapping::Function ||
                         predicate.wrapping == sql::Wrapping::Operator;
    if (!wrapped || predicate.expression.empty()) continue;
    const std::string table = statistics_table(miss, in);
    Remedy out{"D3",
               cat("the planner has no statistics on ", printable(predicate.expression),
                   " and assumes a constant share"),
               {},
               {},
               {}};
    if (in.facts.version != 0 && in.facts.version < kExpressionStatistics) {
      out.advice =
          "an index on the expression has statistics, too (PostgreSQL 14 can have them "
          "without one)";
      return out;
    }
    const std::string what = cat("(", predicate.expression, ")");
    out.advice = "statistics on the expression tell it";
    out.statements = make_statistics("", what, statistics_name(miss, in.plan, "expr"), table);
    out.trial = make_statistics("", what, "pgtend_trial_stats", table);
    return out;
  }
  return {};
}

// D1: one column whose common values or ranges the statistics are too coarse for.
std::optional<Remedy> column_remedy(const Misestimate& miss, const Examination& in) {
  const std::vector<std::string> columns = plain_columns(miss);
  if (columns.size() != 1 || !miss.facts || !miss.facts->column(columns[0])) return {};
  const std::string table = statistics_table(miss, in), column = pg::ident(columns[0]);
  const std::vector<std::string> sql = {
      cat("ALTER TABLE ", table, " ALTER COLUMN ", column, " SET STATISTICS 1000"),
      cat("ANALYZE ", table, " (", column, ")")};
  return Remedy{"D1",
                cat("the statistics on ", printable(columns[0]),
                    " are too coarse for how its values are spread"),
                "more of them tell rare and common values apart", sql, sql};
}

Remedy scan_remedy(const Misestimate& miss, const Examination& in) {
  if (auto found = never_analyzed(miss)) return *std::move(found);
  if (auto found = generic_plan_remedy(miss, in)) return *std::move(found);
  if (auto found = stale_remedy(miss)) return *std::move(found);
  if (auto found = expression_remedy(miss, in)) return *std::move(found);
  if (auto found = correlated_remedy(miss, in)) return *std::move(found);
  if (auto found = column_remedy(miss, in)) return *std::move(found);
  return {};
}

// The plain columns of one table that an aggregate groups by; nothing when they are not all that.
struct Grouping {
  int scan = kNone;
  std::vector<std::string> columns = {};
};
Grouping grouping_of(const Plan& plan, int id) {
  const Value* list = at(plan, id).properties.if_contains("Group Key");
  if (!list || !list->is_array()) return {};
  const Aliases aliases(plan);
  Grouping out;
  for (const Value& entry : list->get_array()) {
    if (!entry.is_string()) return {};
    const auto key = sql::sort_key(entry.get_string());
    if (!key || key->column.empty()) return {};
    const int scan = aliases.scan(key->qualifier);
    if (scan == kNone || (out.scan != kNone && scan != out.scan)) return {};
    out.scan = scan;
    out.columns.push_back(key->column);
  }
  return out;
}

// D4: how many groups there are.
Remedy group_remedy(Misestimate& miss, const Examination& in) {
  if (auto found = parent_never_analyzed(miss, in)) return *std::move(found);
  const Grouping grouping = grouping_of(in.plan, miss.node);
  if (grouping.scan == kNone) return {};
  const Node& scan = at(in.plan, grouping.scan);
  miss.facts = in.facts.find(scan.object.schema, scan.object.relation);
  Misestimate of_scan = miss;
  of_scan.node = grouping.scan;
  if (auto found = never_analyzed(of_scan)) return *std::move(found);
  const std::string table = statistics_table(of_scan, in);
  Remedy out{"D4",
             cat("the planner cannot tell how many different values of ",
                 printable_list(grouping.columns), " there are"),
             {},
             {},
             {}};
  if (grouping.columns.size() > kStatisticsColumnsMax) return {};
  if (grouping.columns.size() > 1) {
    if (miss.facts && has_statistics(*miss.facts, grouping.columns)) return {};
    const std::string what = quoted_list(grouping.columns);
    out.advice = "extended statistics count the combinations";
    out.statements =
        make_statistics("(ndistinct) ", what, statistics_name(of_scan, in.plan, "groups"), table);
    out.trial = make_statistics("(ndistinct) ", what, "pgtend_trial_stats", table);
    return out;
  }
  const double rows = miss.facts && miss.facts->table ? miss.facts->table->rows() : 0;
  if (rows <= 0) return {};
  // A share of the rows when they grow with the table, as the planner's own ANALYZE would say.
  const double groups = miss.rows.actual;
  const double distinct = groups > 0.1 * rows ? -std::min(1.0, groups / rows) : groups;
  out.advice = "tell it the number, which a sample cannot see";
  out.statements = {cat("ALTER TABLE ", table, " ALTER COLUMN ", pg::ident(grouping.columns[0]),
                        " SET (n_distinct = ", std::round(distinct * 1000) / 1000, ")"),
                    cat("ANALYZE ", table, " (", pg::ident(grouping.columns[0]), ")")};
  out.trial = out.statements;
  return out;
}

// B14: a join on several columns, whose shares are multiplied like those of D2.
Remedy join_remedy(const Misestimate& miss, const Examination& in) {
  if (auto found = parent_never_analyzed(miss, in)) return *std::move(found);
  const Node& node = at(in.plan, miss.node);
  std::string_view text = node.text("Hash Cond");
  if (text.empty()) text = node.text("Merge Cond");
  if (text.empty() || miss.rows.over) return {};
  const auto list = sql::conditions(text);
  if (!list || list->size() < 2) return {};
  const bool equal = std::ranges::all_of(
      *list, [](const sql::Predicate& predicate) { return predicate.op == "="; });
  if (!equal) return {};
  return {
      "B14",
      "the join compares several columns, and the planner multiplies their shares as if they "
      "had nothing to do with each other",
      "a composite foreign key tells it that each row finds its partner, one column that stands "
      "for the combination does, too; extended statistics do not reach over joins",
      {},
      {}};
}

Remedy remedy_of(Misestimate& miss, const Examination& in) {
  const Node& node = at(in.plan, miss.node);
  if (scans_table(node)) return scan_remedy(miss, in);
  if (node.type == "Aggregate" || node.type == "Group" || node.type == "Unique") {
    return group_remedy(miss, in);
  }
  return join_remedy(miss, in);
}

// Of a wrong estimate whose cause is not known: what it led to.
Remedy consequence_of(const Misestimate& miss) {
  const bool trap = miss.rows.estimate <= 1.5 && miss.rows.actual >= kTrapRowsMin;
  return {trap ? "D9" : "B1",
          trap ? "one row was expected, the least that there can be"
               : "the nested loop was chosen for few rows",
          "correct the estimate: ANALYZE the tables, then more or extended statistics; the planner "
          "then joins in another way by itself",
          {},
          {}};
}

std::string place_of(const Node& node) {
  if (!node.object.relation.empty()) return cat(node.type, " on ", node.object.relation);
  return std::string(node.type);
}

// A wrong estimate of a scan that nothing was chosen by costs nothing.
bool harmless(const Misestimate& miss, const Plan& plan) {
  return scans_table(at(plan, miss.node)) && miss.loop == kNone && miss.affected == miss.node;
}

void report_misestimate(Misestimate miss, const Examination& in, Diagnosis& out) {
  if (harmless(miss, in.plan)) return;
  Remedy remedy = remedy_of(miss, in);
  if (remedy.id.empty() && miss.loop != kNone) remedy = consequence_of(miss);
  if (remedy.id.empty()) return;
  const Node& node = at(in.plan, miss.node);
  Diagnosis::Entry entry;
  care::Finding& finding = entry.finding;
  finding.id = remedy.id;
  finding.object = scans_table(node) ? table_of(miss, in.plan) : node.type;
  finding.what = cat("the planner expected ", counted(miss.rows.estimate), " rows of ",
                     printable(place_of(node)), " and met ", counted(miss.rows.actual), " (×",
                     counted(miss.rows.factor), "): ", remedy.why);
  finding.severity = miss.loop != kNone && miss.affected_share >= 0.5 ? care::Severity::Warning
                                                                      : care::Severity::Notice;
  finding.why = cat("what was chosen by it takes ", milliseconds_text(miss.affected_ms),
                    " of the statement (", percent(miss.affected_share), ")");
  if (miss.loop != kNone) {
    finding.why +=
        cat("; a nested loop for it runs its inner side ", counted(miss.loops), " times");
    // Another join would read both sides once.
    entry.saving_ms = miss.affected_ms * (1 - 1 / std::max(miss.rows.factor, 1.0));
  }
  finding.saved_seconds_per_day = entry.saving_ms / 1000 * in.policy.calls_per_day;
  finding.evidence.push_back(
      {"plan node", cat("#", miss.node + 1, " ", printable(place_of(node)))});
  finding.prediction = remedy.advice;
  finding.statements = std::move(remedy.statements);
  entry.nodes = {miss.node};
  if (miss.loop != kNone) entry.nodes.push_back(miss.loop);
  if (!remedy.trial.empty()) {
    entry.trial = {.kind = TrialKind::Statistics,
                   .sql = std::move(remedy.trial),
                   .pages = table_pages(miss, in),
                   .node = miss.node};
  }
  out.entries.push_back(std::move(entry));
}

void find_misestimates(const Examination& in, Diagnosis& out) {
  for (Misestimate& miss : lowest_misestimates(in)) report_misestimate(std::move(miss), in, out);
}

constexpr Rule kEstimateRules[] = {
    {"B1", "Nested loop from an under-estimate",
     "the outer side of a nested loop has ten times the rows that were expected, the inner side "
     "runs 1,000 times or more, and no rule below knows the cause of the lowest wrong estimate",
     "what is cheap for few rows is not for many", "the lowest wrong estimate", find_misestimates},
    {"B14", "Join on several columns under-estimated",
     "a join that compares two columns or more returns ten times the rows that were expected, its "
     "inputs having been expected right",
     "the shares of the columns are multiplied", "a composite foreign key, or one column for them",
     nullptr},
    {"D1", "Column distribution",
     "a scan with a condition on one column is wrong by ten times or more, and a join, sort or "
     "hash "
     "above was chosen by it (so for all of D1 to D10)",
     "the statistics are too coarse for rare or frequent values", "SET STATISTICS, ANALYZE",
     nullptr},
    {"D2", "Correlated columns",
     "a scan with conditions on several columns is wrong by ten times or more",
     "the planner takes them for independent", "CREATE STATISTICS (dependencies, mcv)", nullptr},
    {"D3", "Expression without statistics",
     "a scan with a condition on an expression is wrong by ten times or more",
     "the planner assumes a constant share", "CREATE STATISTICS on the expression", nullptr},
    {"D4", "Number of groups",
     "groups or distinct rows are wrong by ten times or more, what is grouped being expected right",
     "memory and plan above follow the number", "CREATE STATISTICS (ndistinct), or n_distinct",
     nullptr},
    {"D5", "Stale statistics",
     "a scan is wrong by ten times or more, and as many rows were written since the last ANALYZE "
     "as explain half of it",
     "the planner knows nothing of what is newer", "ANALYZE, and sooner", nullptr},
    {"D6", "Never analyzed", "a scan of a table without statistics is wrong by ten times or more",
     "the planner assumes", "ANALYZE", nullptr},
    {"D7", "Partitioned parent not analyzed",
     "a join or group over a partitioned table without statistics of its own is wrong by ten times "
     "or more",
     "autovacuum analyzes partitions only", "ANALYZE of the parent, by a job", nullptr},
    {"D8", "Temporary table not analyzed",
     "a scan of a temporary table without statistics is wrong by ten times or more",
     "autovacuum cannot see it", "ANALYZE after filling it", nullptr},
    {"D9", "The trap of one row",
     "one row was expected on the outer side of a nested loop, 100 or more came, and no rule above "
     "knows why",
     "a nested loop over one row costs nothing, whatever its inner side", "as D1 to D5", nullptr},
    {"D10", "Generic plan",
     "a scan with a condition on a parameter ($1) is wrong by ten times or more; or, for a "
     "statement "
     "with values, the generic plan has another shape",
     "the plan was made for any value", "plan_cache_mode = force_custom_plan", nullptr},
};

}  // namespace

std::span<const Rule> estimate_rules() { return kEstimateRules; }

}  // namespace pgtend::explain
