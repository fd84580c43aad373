// A6: an index that holds nearly all that the statement needs of the table.
#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/text.h"
#include "explain/conditions.h"
#include "explain/create_index.h"
#include "explain/index_model.h"
#include "explain/index_rules.h"
#include "explain/plan_findings.h"
#include "explain/rows.h"
#include "explain/words.h"
#include "pg/quote.h"

namespace pgtend::explain {
namespace {

constexpr double kCoveredRowsMin = 1000;
constexpr double kScatteredShareMin = 0.5;  // pages a row: else reading the rows is the work
constexpr size_t kIncludedColumnsMax = 3;   // to add
constexpr double kIncludedWidthMax = 64;    // of them, bytes
constexpr double kCoveredPagesShareMax =
    0.5;                                  // of the pages read now, that the index may still read
constexpr double kVisibleShareMin = 0.8;  // of the table's pages: others are visited all the same
constexpr double kUpdatedShareMax = 0.1;  // of the rows: their updates must stay cheap
constexpr double kDescentPages = 4;       // pages of a look-up beside the leaves of its rows
constexpr double kEntryOverhead = 20;     // bytes of an entry beside its columns

// A node that hands on the columns of what is below it, needed or not.
bool hands_on(const Node& node) {
  return is_gather(node) || node.type == "Limit" || node.type.ends_with("Sort") ||
         node.type == "Unique" || node.type == "Materialize" || node.type == "Hash" ||
         node.type == "Memoize";
}

// The columns of the scan's table that the statement needs, as EXPLAIN (VERBOSE) tells. A scan
// below a join or an aggregate may print all columns of its table, so that those are taken which
// the other nodes name. Nullopt when that cannot be told.
class NeededColumns {
 public:
  NeededColumns(const Plan& plan, int scan) : plan_(plan), scan_(scan), aliases_(plan) {}

  std::optional<std::set<std::string>> collect() {
    if (find_member(at(plan_, scan_).properties, "Output") == nullptr || !alone()) return {};
    std::set<int> chain = {scan_};
    int up = at(plan_, scan_).parent;
    for (; up != kNone && hands_on(at(plan_, up)); up = at(plan_, up).parent) chain.insert(up);
    const bool exact = up == kNone || at(plan_, up).type.ends_with("Append");
    if (exact) {
      if (!take_all(scan_)) return {};
      return columns_;
    }
    if (!take(at(plan_, scan_).text("Filter"))) return {};
    for (int id = 0; id < static_cast<int>(plan_.nodes.size()); ++id) {
      if (!chain.contains(id) && !take_all(id)) return {};
    }
    return columns_;
  }

 private:
  // Whether no other scan goes by the same name.
  bool alone() const {
    return std::ranges::count_if(plan_.nodes, [&](const Node& node) {
             return scans_table(node) && node.object.alias == at(plan_, scan_).object.alias;
           }) == 1;
  }
  bool take_all(int id) {
    const auto texts = at(plan_, id).expressions();
    return std::ranges::all_of(texts, [&](std::string_view text) { return take(text); });
  }
  bool take(std::string_view text) {
    if (text.empty()) return true;
    if (text.ends_with(".*")) return false;
    const auto used = sql::used_columns(text);
    if (!used) return false;
    for (const sql::ColumnUse& use : *used) {
      if (aliases_.scan(use.qualifier) == scan_) columns_.insert(use.column);
    }
    return true;
  }

  const Plan& plan_;
  int scan_;
  Aliases aliases_;
  std::set<std::string> columns_;
};

const facts::IndexFacts* plain_index(const RelationFacts& facts, std::string_view name) {
  const auto found = std::ranges::find(facts.indexes, name, &facts::IndexFacts::name);
  if (found == facts.indexes.end()) return nullptr;
  const bool plain = found->method == "btree" && found->predicate.empty() &&
                     found->default_classes && found->default_collations &&
                     std::ranges::none_of(found->keys, &std::string::empty);
  return plain ? &*found : nullptr;
}

bool often_changed(const facts::TableFacts& table) {
  const facts::TableCounters& counters = table.counters;
  const double rows = std::max(table.rows(), static_cast<double>(counters.inserted));
  return static_cast<double>(counters.updated) > kUpdatedShareMax * rows;
}

bool mostly_visible(const facts::TableFacts& table) {
  return static_cast<double>(table.size.pages_visible) >=
         kVisibleShareMin * static_cast<double>(table.size.pages);
}

// Scans of one table (with all its partitions) that want the same columns.
struct Covering {
  std::vector<int> nodes = {};
  const RelationFacts* facts = nullptr;
  const facts::IndexFacts* index = nullptr;
  std::vector<std::string> missing = {};
  double rows = 0;
  double pages = 0;
  double pages_after = 0;
  Spent saved = {};
};

// The columns that the index lacks; nothing when they are none, too many or too wide.
std::vector<std::string> missing_columns(const RelationFacts& facts, const facts::IndexFacts& index,
                                         const std::set<std::string>& needed) {
  std::vector<std::string> out;
  double width = 0;
  for (const std::string& name : needed) {
    const auto held = [&](const std::vector<std::string>& list) {
      return std::ranges::find(list, name) != list.end();
    };
    if (held(index.keys) || held(index.include)) continue;
    const facts::ColumnFacts* column = facts.column(name);
    if (!column || !column->stats) return {};
    width += column->stats->avg_width;
    out.push_back(name);
  }
  if (out.size() > kIncludedColumnsMax || width > kIncludedWidthMax) return {};
  return out;
}

double widths(const RelationFacts& facts, const std::vector<std::string>& columns) {
  double out = 0;
  for (const std::string& name : columns) {
    const facts::ColumnFacts* column = facts.column(name);
    out += column && column->stats ? column->stats->avg_width : 8;
  }
  return out;
}

std::optional<Covering> almost_covered(const Examination& in, int id) {
  const Node& node = at(in.plan, id);
  Covering out{.nodes = {id}};
  out.facts = in.facts.find(node.object.schema, node.object.relation);
  out.rows = rows_total(node) + removed_rows(in.plan, id, "Rows Removed by Filter").total;
  out.pages = node.blocks ? time_of(in, id).self_blocks : 0;
  if (!out.facts || !out.facts->table || out.rows < kCoveredRowsMin) return {};
  if (out.pages < in.policy.pages_min || out.pages < kScatteredShareMin * out.rows) return {};
  out.index = plain_index(*out.facts, node.object.index);
  const facts::TableFacts& table = *out.facts->table;
  if (!out.index || often_changed(table) || !mostly_visible(table)) return {};
  // Material at all: what follows looks at the whole plan.
  if (!weigh(in, self_of(in, id))) return {};
  const auto needed = NeededColumns(in.plan, id).collect();
  if (!needed) return {};
  out.missing = missing_columns(*out.facts, *out.index, *needed);
  if (out.missing.empty()) return {};
  const double entry =
      kEntryOverhead + widths(*out.facts, out.index->keys) + widths(*out.facts, out.missing);
  out.pages_after = node.actual->loops * kDescentPages + out.rows * entry / 8192;
  if (out.pages_after > kCoveredPagesShareMax * out.pages) return {};
  out.saved = self_of(in, id) * (1 - out.pages_after / out.pages);
  return out;
}

std::string included_columns(const std::vector<std::string>& columns) {
  std::vector<std::string> out;
  for (const std::string& name : columns) out.push_back(pg::ident(name));
  return join(out, ", ");
}

Candidate covering_candidate(const Covering& found) {
  const facts::TableFacts& table = *found.facts->table;
  Candidate out{.method = "btree"};
  for (size_t i = 0; i < found.index->keys.size(); ++i) {
    const bool down = i < found.index->descending.size() && found.index->descending[i];
    out.keys.push_back({.column = found.index->keys[i], .descending = down, .nulls_first = down});
  }
  out.include = found.index->include;
  out.include.insert(out.include.end(), found.missing.begin(), found.missing.end());
  const Heap heap{static_cast<double>(table.size.pages), table.rows(), 0};
  const double width = widths(*found.facts, found.index->keys) + widths(*found.facts, out.include);
  out.size = btree_size(heap, {width, table.rows(), false});
  out.query_pages = out.query_pages_max = found.pages_after;
  out.build_seconds = build_seconds(heap, true);
  out.reason = cat("it holds all that the statement needs; index ", printable(found.index->name),
                   found.index->unique ? " stays for its uniqueness" : " can go then",
                   ". Each insert writes the columns once more, and an update of them is no "
                   "longer HOT");
  return out;
}

void report_covering(const Covering& found, const Examination& in, Diagnosis& out) {
  const auto weight = weigh(in, found.saved);
  if (!weight) return;
  IndexTarget target{found.facts->table->schema, found.facts->table->name, nullptr,
                     found.facts->names_taken};
  if (found.facts->tree != kNone) {
    target.tree = &in.facts.trees[static_cast<size_t>(found.facts->tree)];
    target.schema = target.tree->members[0].schema;
    target.table = target.tree->members[0].name;
  }
  const Candidate candidate = covering_candidate(found);
  auto action = create_index(candidate, target);
  if (!action) return;
  care::Finding& finding = add_question(in, out, "A6", found.nodes, *weight);
  finding.object = pg::qualified(target.schema, target.table);
  finding.what = cat("index ", printable(found.index->name), " finds ", counted(found.rows),
                     " rows, and ", counted(found.pages), " pages are read for them, only for ",
                     printable(included_columns(found.missing)));
  finding.evidence.push_back({"covering index, predicted size", human(candidate.size)});
  finding.evidence.push_back({"covering index", candidate.reason});
  finding.prediction =
      cat("about ", counted(found.pages_after), " pages instead of ", counted(found.pages),
          ", as long as VACUUM keeps the pages marked all-visible");
  finding.actions.push_back(std::move(*action));
  Diagnosis::Entry& entry = out.entries.back();
  entry.candidates = {candidate};
  entry.predictions = {finding.prediction};
  entry.target = finding.object;
  entry.scan_pages = found.pages;
  entry.scan_ms = found.saved.ms;
}

void find_a6(const Examination& in, Diagnosis& out) {
  std::map<std::string, Covering> causes;
  each_run(in, "Index Scan", [&](int id, const Node& node) {
    if (is_told(out, id)) return;
    auto found = almost_covered(in, id);
    if (!found) return;
    const std::string table = found->facts->tree == kNone
                                  ? cat(node.object.schema, "\n", node.object.relation)
                                  : cat("tree ", found->facts->tree);
    const auto [place, added] = causes.try_emplace(
        cat(table, "\n", join(found->index->keys, "\n"), "\n\n", join(found->missing, "\n")),
        *found);
    if (added) return;
    Covering& cause = place->second;
    cause.nodes.push_back(id);
    cause.rows += found->rows;
    cause.pages += found->pages;
    cause.pages_after += found->pages_after;
    cause.saved = cause.saved + found->saved;
  });
  for (const auto& [key, cause] : causes) report_covering(cause, in, out);
}

constexpr Rule kCoveringRules[] = {
    {"A6", "Almost index-only",
     "an index scan of 1,000 rows or more reads a page for every two rows or fewer, for three "
     "narrow columns at most that the index lacks, and an index with them would read half of the "
     "pages at most; the table is vacuumed and its rows are seldom updated",
     "the table is read for little", "an index that includes them", find_a6},
};

}  // namespace

std::span<const Rule> covering_rules() { return kCoveringRules; }

}  // namespace pgtend::explain
