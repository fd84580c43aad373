// A: what scans of a plan show by themselves.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

#include "base/text.h"
#include "explain/plan_findings.h"
#include "explain/plan_rules.h"
#include "explain/rows.h"
#include "explain/words.h"
#include "pg/quote.h"
#include "sql/conditions.h"
#include "sql/expression.h"

namespace pgtend::explain {
namespace {

constexpr double kScatteredRowsMin = 1000;   // A4
constexpr double kPagesARowMin = 0.8;        // A4
constexpr double kReadShareMin = 0.1;        // A4: of its pages; what is all cached is cheap
constexpr double kOrRemovedMin = 0.9;        // A9, of the rows
constexpr double kCountedRowsMin = 100'000;  // A20
constexpr double kRowOverhead = 28;          // A21: a row's head and its pointer
constexpr double kPageRoom = 8168;           // A21: of a page, for rows
constexpr double kTablePagesMin = 1000;      // A21
constexpr double kTableFactor = 3;           // A21
constexpr double kEntryBytes = 40;           // A22: more than an entry of usual keys takes
constexpr double kBloatFactor = 10;          // A22
constexpr double kDeadPagesMin = 200;        // A23
constexpr double kPagesAFoundRow = 100;      // A23
constexpr double kWideBytes = 2000;          // A24
constexpr double kWideRowsMin = 10'000;      // A24
constexpr size_t kListElementsMin = 1000;    // A25

// Not run again and again by a join above, where each look-up takes some pages.
bool scanned_once(const Plan& plan, const Node& node) {
  if (node.actual->loops <= 1) return true;
  if (node.gather == kNone) return false;
  return node.actual->loops <= number_in(at(plan, node.gather), "Workers Launched") + 1;
}

// Rows that an index scan has found, kept or not.
double rows_found(const Plan& plan, int id) {
  return rows_total(at(plan, id)) + removed_rows(plan, id, "Rows Removed by Filter").total +
         removed_rows(plan, id, "Rows Removed by Index Recheck").total;
}

void find_a4(const Examination& in, Diagnosis& out) {
  each_run(in, "Index Scan", [&](int id, const Node& node) {
    if (!node.blocks || !scanned_once(in.plan, node)) return;
    const double found = rows_found(in.plan, id);
    const double pages = time_of(in, id).self_blocks;
    if (found < kScatteredRowsMin || pages < kPagesARowMin * found) return;
    if (node.blocks->read < kReadShareMin * node.blocks->shared()) return;
    const auto weight = weigh(in, self_of(in, id));
    if (!weight || is_told(out, id)) return;
    care::Finding& finding = add_finding(in, out, "A4", {id}, *weight);
    finding.what = cat("the index scan touches ", counted(pages), " pages of the table for ",
                       counted(found), " rows: almost each lies on a page of its own");
    finding.prediction =
        "an index that holds all columns the statement needs (INCLUDE) spares the table; CLUSTER "
        "or pg_repack by this index puts the rows side by side; BRIN would not help";
  });
}

void find_a9(const Examination& in, Diagnosis& out) {
  each_run(in, "", [&](int id, const Node& node) {
    const bool scan = node.type == "Seq Scan";
    if (!scan && node.type != "Nested Loop") return;
    const std::string_view text = node.text(scan ? "Filter" : "Join Filter");
    if (text.empty()) return;
    const double removed =
        removed_rows(in.plan, id, scan ? "Rows Removed by Filter" : "Rows Removed by Join Filter")
            .total;
    const double share = removed / std::max(removed + rows_total(node), 1.0);
    if (share < kOrRemovedMin) return;
    Spent spent = self_of(in, id);
    if (scan && time_of(in, id).self_blocks < in.policy.pages_min && node.blocks) return;
    if (!scan && node.children.size() == 2) spent = spent + whole_of(in, node.children[1]);
    const auto weight = weigh(in, spent * share);
    if (!weight || is_told(out, id)) return;
    const auto tree = sql::parse_expression(text);
    if (!tree) return;
    const sql::ConditionShape shape = sql::shape_of(*tree);
    // A join by OR of two equalities cannot be hashed; of one relation, columns must differ.
    if (scan ? !shape.or_of_columns : !shape.has_or || shape.equates_relations) return;
    care::Finding& finding = add_question(in, out, "A9", {id}, *weight);
    finding.what = cat(scan ? "the scan keeps rows by one column OR another"
                            : "the join pairs rows by one condition OR another",
                       ", and drops ", counted(removed), " (", percent(share), ")");
    finding.prediction =
        "UNION of one statement for each side of the OR: each can use an index or a hash of its "
        "own. Compare both forms with EXCEPT ALL, both ways";
  });
}

bool counts_only(const Node& node) {
  const Value* output = find_member(node.properties, "Output");
  if (output == nullptr || !output->is_array() || output->get_array().empty()) return false;
  return std::ranges::all_of(output->get_array(), [](const Value& entry) {
    return entry.is_string() &&
           (entry.get_string() == "count(*)" || entry.get_string() == "PARTIAL count(*)");
  });
}

bool is_whole_scan(const Node& node) {
  if (node.type != "Seq Scan" && node.type != "Index Only Scan") return false;
  return node.text("Filter").empty() && node.text("Index Cond").empty();
}

// Whether `id` counts whole tables and nothing else, and no other rule speaks of them.
bool counts_whole_tables(const Examination& in, int id, const Diagnosis& out) {
  int below = input_of(in.plan, id);
  while (below != kNone && (is_gather(at(in.plan, below)) || counts_only(at(in.plan, below)))) {
    below = input_of(in.plan, below);
  }
  if (below == kNone) return false;
  const auto fits = [&](int scan) { return is_whole_scan(at(in.plan, scan)); };
  const Node& node = at(in.plan, below);
  if (node.type != "Append") return fits(below) && !is_told(out, below);
  return !node.children.empty() && std::ranges::all_of(node.children, fits) &&
         !is_told(out, node.children[0]);
}

void find_a20(const Examination& in, Diagnosis& out) {
  each_run(in, "Aggregate", [&](int id, const Node& node) {
    if (node.text("Strategy") != "Plain" || node.text("Partial Mode") == "Partial") return;
    const auto weight = weigh(in, whole_of(in, id));
    if (!weight || !counts_only(node) || !counts_whole_tables(in, id, out)) return;
    int below = input_of(in.plan, id);
    while (is_gather(at(in.plan, below)) || at(in.plan, below).type == "Aggregate") {
      below = input_of(in.plan, below);
    }
    const double rows = rows_total(at(in.plan, below));
    if (rows < kCountedRowsMin) return;
    care::Finding& finding = add_question(in, out, "A20", {id}, *weight);
    finding.what = cat("count(*) reads all ", counted(rows), " rows of ",
                       printable(node_name(at(in.plan, below))));
    finding.prediction =
        "if an estimate will do, pg_class.reltuples has it for nothing; an exact count at hand "
        "needs a counter table; vacuumed, an index-only scan reads less";
  });
}

// Pages that `rows` rows of the table take when nothing is lost between them; 0 when unknown.
double pages_needed(const RelationFacts& facts, double rows) {
  if (facts.row_width <= 0 || !facts.table) return 0;
  const auto option = facts.table->options.find("fillfactor");
  double fill = 1;
  if (option != facts.table->options.end()) {
    fill = std::clamp(std::atof(option->second.c_str()) / 100, 0.1, 1.0);
  }
  const double row = std::ceil((facts.row_width + kRowOverhead) / 8) * 8;
  return std::ceil(rows / std::max(std::floor(kPageRoom * fill / row), 1.0));
}

void find_a21(const Examination& in, Diagnosis& out) {
  each_run(in, "Seq Scan", [&](int id, const Node& node) {
    const RelationFacts* facts = in.facts.find(node.object.schema, node.object.relation);
    if (!facts || !node.blocks || !scanned_once(in.plan, node)) return;
    // Stopped early, it has not shown all of the table.
    if (!count_rows(in.plan, id).excuse.empty()) return;
    const double rows = rows_found(in.plan, id), pages = time_of(in, id).self_blocks;
    const double needed = pages_needed(*facts, rows);
    if (needed <= 0 || pages < kTablePagesMin || pages < kTableFactor * needed) return;
    const auto weight = weigh(in, self_of(in, id) * (1 - needed / pages));
    if (!weight) return;
    care::Finding& finding = add_finding(in, out, "A21", {id}, *weight);
    const std::string table = facts->table->qualified();
    finding.what = cat("table ", printable(table), " takes ", counted(pages), " pages for ",
                       counted(rows), " rows; about ", counted(needed), " would hold them");
    finding.evidence.push_back({"bytes of a row", counted(facts->row_width)});
    finding.prediction =
        "VACUUM lets new rows have the room, unless an old transaction or slot needs the dead ones "
        "still; pg_repack, pg_squeeze or, with the table locked, VACUUM FULL give it back";
    finding.statements = {cat("VACUUM (ANALYZE) ", table)};
  });
}

void find_a22(const Examination& in, Diagnosis& out) {
  each_run(in, "Index Only Scan", [&](int id, const Node& node) {
    if (!node.text("Index Cond").empty() || !scanned_once(in.plan, node)) return;
    const double entries = rows_found(in.plan, id);
    const double pages = time_of(in, id).self_blocks - number_in(node, "Heap Fetches");
    const double expected = entries * (kEntryBytes + node.estimate.width) / 8192 + 1;
    if (pages < in.policy.pages_min || pages < kBloatFactor * expected) return;
    // Stopped early, it has not shown how much of the index is empty.
    if (!count_rows(in.plan, id).excuse.empty()) return;
    const auto weight = weigh(in, self_of(in, id) * (1 - expected / pages));
    if (!weight) return;
    const std::string index = node.object.schema.empty()
                                  ? pg::ident(node.object.index)
                                  : pg::qualified(node.object.schema, node.object.index);
    care::Finding& finding = add_finding(in, out, "A22", {id}, *weight);
    finding.what = cat("index ", printable(index), " takes ", counted(pages), " pages for ",
                       counted(entries), " entries; about ", counted(expected), " would hold them");
    finding.prediction = "rebuild the index; it stays in use meanwhile";
    finding.statements = {cat("REINDEX INDEX CONCURRENTLY ", index)};
  });
}

void find_a23(const Examination& in, Diagnosis& out) {
  each_run(in, "", [&](int id, const Node& node) {
    if (node.type != "Index Scan" && node.type != "Index Only Scan") return;
    if (!scanned_once(in.plan, node)) return;
    // A skip scan descends again and again: that is no crawl.
    if (number_in(node, "Index Searches") > 2 * node.actual->loops) return;
    const double found = rows_found(in.plan, id);
    const double pages = time_of(in, id).self_blocks;
    if (pages < kDeadPagesMin || pages < kPagesAFoundRow * (found + 1)) return;
    const auto weight = weigh(in, self_of(in, id));
    if (!weight || is_told(out, id)) return;
    care::Finding& finding = add_finding(in, out, "A23", {id}, *weight);
    finding.what = cat("the index scan on ", printable(table_name(node)), " goes through ",
                       counted(pages), " pages to find ", counted(found),
                       found == 1 ? " row" : " rows", ": it crawls over dead rows");
    finding.prediction =
        "VACUUM removes them, unless an old transaction or slot needs them still; a queue stays "
        "fast when partitions are dropped instead of rows deleted. If the table has no dead rows, "
        "the condition is not on the index's first column";
    finding.statements = {cat("VACUUM (ANALYZE) ", table_name(node))};
  });
}

void find_a24(const Examination& in, Diagnosis& out) {
  const Node& root = in.plan.root();
  const double rows = rows_total(root);
  if (!root.actual || root.type == "ModifyTable" || in.plan.serialization_ms) return;
  if (root.estimate.width < kWideBytes || rows < kWideRowsMin) return;
  care::Finding& finding = add_hint(in, out, "A24", {0}, {});
  finding.what = cat(counted(rows), " rows of about ", counted(root.estimate.width),
                     " bytes each are the result");
  finding.why =
      "reading, decompressing and sending wide values is not in this plan: the client waits longer "
      "than it says";
  finding.prediction =
      "select the columns that are needed; EXPLAIN (ANALYZE, SERIALIZE) of PostgreSQL 17 measures "
      "it; lz4 decompresses faster";
}

void find_a25(const Examination& in, Diagnosis& out) {
  constexpr std::array<std::string_view, 3> kConditions = {"Index Cond", "Filter", "Recheck Cond"};
  each_run(in, "", [&](int id, const Node& node) {
    const auto weight = weigh(in, self_of(in, id));
    if (!weight || node.type == "Bitmap Heap Scan") return;
    for (const std::string_view name : kConditions) {
      const std::string_view text = node.text(name);
      if (text.size() < 2 * kListElementsMin) continue;  // a parse is not for nothing
      const auto tree = sql::parse_expression(text);
      const size_t elements = tree ? sql::shape_of(*tree).elements_max : 0;
      if (elements < kListElementsMin) continue;
      care::Finding& finding = add_question(in, out, "A25", {id}, *weight);
      finding.what =
          cat("the condition holds a list of ", grouped(static_cast<int64_t>(elements)), " values");
      finding.prediction =
          "send them as one array parameter and join unnest($1) or a temporary table: planning "
          "is cheaper, and the planner may hash it";
      return;
    }
  });
}

constexpr Rule kScanRules[] = {
    {"A4", "Scattered heap fetches",
     "an index scan touches 0.8 pages or more a row, of 1,000 rows at least, not all cached",
     "the rows lie apart", "a covering index, or CLUSTER", find_a4},
    {"A9", "OR over different columns",
     "a scan or a nested loop drops 90 % of its rows by an OR that no one index serves",
     "neither index nor hash can be used", "UNION", find_a9},
    {"A20", "count(*) of everything", "count(*) over whole tables of 100,000 rows or more",
     "each row must be seen", "an estimate, or a counter", find_a20},
    {"A21", "Table bloat",
     "a sequential scan of 1,000 pages or more reads three times the pages that its rows need by "
     "their width in the statistics",
     "most of the room is that of rows which are gone", "VACUUM; pg_repack, VACUUM FULL", find_a21},
    {"A22", "Index bloat",
     "an index-only scan of a whole index reads ten times the pages that its entries need",
     "its pages are mostly empty", "REINDEX CONCURRENTLY", find_a22},
    {"A23", "Dead-row crawl",
     "an index scan reads 200 pages or more, 100 or more for each row found",
     "dead rows are looked at again and again", "VACUUM; partitions for queues", find_a23},
    {"A24", "Wide result", "10,000 rows or more of 2,000 bytes or more each are the result",
     "EXPLAIN does not read wide values, the client's statement does", "fewer columns", find_a24},
    {"A25", "Huge list", "a condition holds a list of 1,000 values or more",
     "it is parsed, planned and compared each time", "a join with unnest()", find_a25},
};

}  // namespace

std::span<const Rule> scan_rules() { return kScanRules; }

}  // namespace pgtend::explain
