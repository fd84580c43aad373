#include "explain/index_rules.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "base/text.h"
#include "explain/access.h"
#include "explain/advice.h"
#include "explain/create_index.h"
#include "explain/rows.h"
#include "explain/words.h"
#include "pg/quote.h"

namespace pgtend::explain {
namespace {

constexpr double kWorthPagesShare = 0.5;      // of the pages read now, that an index may still read
constexpr double kEstimateFactorMax = 3;      // A18: beyond it the estimate is the cause
constexpr double kRandomKeptShareMax = 0.02;  // A18: of the rows, for random reads to be cheaper

IndexTarget target_of(const Access& access, const Examination& in) {
  const Node& node = at(in.plan, access.nodes[0]);
  auto [schema, table] = node.object.table();
  IndexTarget out{std::move(schema), std::move(table), nullptr, {}};
  if (!access.facts || !access.facts->table) return out;
  out.schema = access.facts->table->schema;
  out.table = access.facts->table->name;
  out.names_taken = access.facts->names_taken;
  if (access.facts->tree != kNone) {
    out.tree = &in.facts.trees[static_cast<size_t>(access.facts->tree)];
    out.schema = out.tree->members[0].schema;
    out.table = out.tree->members[0].name;
  }
  return out;
}

std::string object_name(const IndexTarget& target) {
  return target.schema.empty() ? pg::ident(target.table)
                               : pg::qualified(target.schema, target.table);
}

std::string index_text(const Access& access) {
  return access.index.empty() ? std::string("an index") : cat("index ", printable(access.index));
}

std::string first_key(const Access& access) {
  if (!access.facts) return "its first column";
  const auto found =
      std::ranges::find(access.facts->indexes, access.index, &facts::IndexFacts::name);
  const bool known = found != access.facts->indexes.end() && !found->keys.empty();
  return known ? printable(found->keys[0]) : std::string("its first column");
}

std::string cause_text(const Access& access, const std::string& object) {
  const std::string table = printable(object);
  const std::string partitions =
      access.relations.size() > 1 ? cat(" of ", access.relations.size(), " partitions") : "";
  const double rows = access.kept + access.removed;
  const std::string keeps =
      cat(" to keep ", counted(access.kept), " (", percent(access.kept_share()), ")");
  switch (access.kind) {
    case AccessKind::SequentialScan:
      return cat("the sequential scan on ", table, " reads ", counted(rows), " rows", partitions,
                 keeps);
    case AccessKind::IndexScan:
      return cat("the scan of ", table, " through ", index_text(access), " reads ", counted(rows),
                 " rows", partitions, keeps, ": the rest is dropped by the filter");
    case AccessKind::LimitedOrder:
      return cat(index_text(access), " gives the order that LIMIT wants, but ", counted(rows),
                 " rows of ", table, " are read through it", keeps);
    case AccessKind::Sort:
      return cat(counted(access.kept), " rows of ", table, partitions,
                 " are read and sorted to return ", counted(access.wanted));
    case AccessKind::Inner:
      return cat(table, " is searched from end to end ", counted(access.probes),
                 " times, once for each row of the other side, to find ", counted(access.wanted),
                 " rows");
    case AccessKind::Bitmaps:
      return cat("the bitmaps of several indexes are intersected to find ", counted(access.kept),
                 " rows of ", table);
    case AccessKind::TrailingKeys:
      return cat(index_text(access), " on ", table, " is searched without a condition on ",
                 first_key(access), ", its first column");
  }
  return {};
}

std::string weight_text(const Access& access) {
  if (access.timed) {
    return cat(milliseconds_text(access.self_ms), " of the statement (", percent(access.time_share),
               ") and ", counted(access.pages), " pages; the cost grows with the table");
  }
  if (access.measured) {
    return cat(counted(access.pages), " pages, ", percent(access.time_share),
               " of all the statement touches; the cost grows with the table");
  }
  return cat("estimate only (no ANALYZE): ", percent(access.time_share), " of the planner's cost, ",
             counted(access.pages), " pages; the cost grows with the table");
}

// Never "100 %" of something that is not nothing.
std::string less_text(double share) {
  return share > 0.995 && share < 1 ? std::string("over 99 %") : percent(share);
}

bool is_range(const Candidate& candidate) {
  return candidate.query_pages_max > 1.2 * candidate.query_pages;
}

std::string prediction_text(const Access& access, const Candidate& candidate) {
  if (candidate.query_pages <= 0) {
    return cat("the ", candidate.method,
               " index finds the rows without reading the table; how much it reads depends on the "
               "values");
  }
  if (access.kind == AccessKind::Inner) {
    return cat("each search reads about ",
               counted(candidate.query_pages_max / std::max(access.probes, 1.0)), " pages of it");
  }
  const double pages = std::max(access.pages, 1.0);
  const double low = std::min(candidate.query_pages / pages, 1.0);
  const double high = std::min(candidate.query_pages_max / pages, 1.0);
  const bool range = is_range(candidate);
  std::string out = cat("about ", counted(candidate.query_pages));
  if (range) {
    out += cat(" to ", counted(candidate.query_pages_max), " pages, by how the rows lie,");
  } else {
    out += " pages";
  }
  out += cat(" instead of ", counted(access.pages));
  if (!range) out += cat(" (", less_text(1 - low), " less)");
  if (!access.timed) return out;
  const bool filters =
      access.kind == AccessKind::SequentialScan || access.kind == AccessKind::IndexScan;
  out += cat(filters ? ", the scan's " : ", the ", milliseconds_text(access.self_ms),
             " become about ", milliseconds_text(access.self_ms * low));
  if (range) out += cat(" to ", milliseconds_text(access.self_ms * high));
  return out;
}

void add_columns(care::Finding& finding, const Access& access) {
  for (const sql::Predicate& predicate : access.predicates) {
    const facts::ColumnFacts* column =
        access.facts ? access.facts->column(predicate.column) : nullptr;
    if (!column || predicate.operators == sql::OperatorClass::Other) continue;
    const bool known = column->stats && column->stats->correlation;
    finding.evidence.push_back(
        {cat("correlation of ", printable(column->name)),
         known ? cat(*column->stats->correlation)
               : cat("unknown: ",
                     column->stats ? "no order for this type" : printable(column->stats_why_not))});
  }
}

void add_evidence(care::Finding& finding, const Access& access, const Examination& in) {
  const Node& node = at(in.plan, access.nodes[0]);
  finding.evidence.push_back({"plan node", cat("#", access.nodes[0] + 1, " ",
                                               node.parallel_aware ? "Parallel " : "", node.type)});
  if (!node.text("Filter").empty()) {
    finding.evidence.push_back({"filter", printable(node.text("Filter"))});
  }
  finding.evidence.push_back({"rows removed", counted(access.removed)});
  finding.evidence.push_back({"rows kept", counted(access.kept)});
  finding.evidence.push_back(
      {"pages read", cat(counted(access.pages),
                         access.pages_estimated ? " (estimated: no BUFFERS in the plan)" : "")});
  add_columns(finding, access);
}

std::string pages_text(const Candidate& candidate) {
  return cat(counted(candidate.query_pages),
             is_range(candidate) ? cat(" to ", counted(candidate.query_pages_max)) : "");
}

void add_candidates(Diagnosis::Entry& entry, const Access& access, const Advice& advice,
                    const IndexTarget& target, Diagnosis& out) {
  care::Finding& finding = entry.finding;
  for (const Candidate& candidate : advice.candidates) {
    auto action = create_index(candidate, target);
    if (!action) {
      out.warnings.push_back(cat("no action for ", printable(object_name(target)),
                                 ": one of its partitions cannot be indexed or was not read"));
      continue;
    }
    finding.actions.push_back(std::move(*action));
    const std::string label =
        cat(candidate.predicate.empty() ? "" : "partial ", candidate.method, " index");
    if (candidate.size.count > 0) {
      finding.evidence.push_back({cat(label, ", predicted size"), human(candidate.size)});
      finding.evidence.push_back({cat(label, ", predicted pages"), pages_text(candidate)});
    }
    if (!candidate.reason.empty()) finding.evidence.push_back({label, candidate.reason});
  }
  if (finding.actions.empty()) return;
  entry.candidates = advice.candidates;
  for (const Candidate& candidate : advice.candidates) {
    entry.predictions.push_back(prediction_text(access, candidate));
  }
  entry.target = object_name(target);
}

// The rows are found to be changed, and stay locked until the transaction ends.
bool modifies(const Plan& plan, int id) {
  for (int up = at(plan, id).parent; up != kNone; up = at(plan, up).parent) {
    const std::string_view operation = at(plan, up).text("Operation");
    if (operation == "Update" || operation == "Delete" || operation == "Merge") return true;
  }
  return false;
}

// I7: other partitions have the index, of those that are read in full not all.
bool missing_on_some(const Access& access, const Advice& advice, const Examination& in) {
  if (!access.facts || access.facts->tree == kNone || advice.candidates.empty()) return false;
  const PartitionTree& tree = in.facts.trees[static_cast<size_t>(access.facts->tree)];
  const KeyPart& first = advice.candidates[0].keys[0];
  return !first.column.empty() &&
         std::ranges::any_of(tree.members, [&](const PartitionMember& member) {
           return member.kind == 'r' &&
                  std::ranges::any_of(member.indexes, [&](const facts::IndexFacts& index) {
                    return index.valid && index.predicate.empty() && !index.keys.empty() &&
                           index.method == "btree" && index.keys[0] == first.column;
                  });
         });
}

std::string_view rule_of(const Access& access, const Advice& advice, const Examination& in) {
  switch (access.kind) {
    case AccessKind::IndexScan:
      return "A3";
    case AccessKind::LimitedOrder:
      return "A10";
    case AccessKind::Sort:
      return "A11";
    case AccessKind::Inner:
      return at(in.plan, access.nodes.back()).relation == Relation::SubPlan ? "C1" : "B2";
    case AccessKind::Bitmaps:
      return "A8";
    case AccessKind::TrailingKeys:
      return "A16";
    case AccessKind::SequentialScan:
      break;
  }
  // Whether what is proposed is for the condition that a plain index does not serve.
  const bool around = advice.candidates.empty() || !advice.candidates[0].hypothetical() ||
                      !advice.candidates[0].keys.back().opclass.empty() ||
                      advice.candidates[0].keys.back().column.empty();
  if (!advice.broken.empty() || !advice.unusable.empty()) return "A19";
  if (!advice.blocked_id.empty() && (around || advice.blocked_id == "A14")) {
    return advice.blocked_id;
  }
  if (missing_on_some(access, advice, in)) return "I7";
  if (modifies(in.plan, access.nodes[0])) return "J2";
  if (advice.partial) return "A17";
  return advice.time_window ? "A2" : "A1";
}

// The finding without what it proposes.
Diagnosis::Entry begin_entry(std::string_view id, const Access& access, const std::string& object,
                             const Examination& in) {
  Diagnosis::Entry entry;
  care::Finding& finding = entry.finding;
  finding.id = id;
  finding.object = object;
  finding.severity = access.time_share >= 0.5 ? care::Severity::Warning : care::Severity::Notice;
  finding.what = cause_text(access, object);
  finding.why = weight_text(access);
  if (id == "J2") finding.why += "; rows stay locked as long as it takes";
  add_evidence(finding, access, in);
  entry.nodes = access.nodes;
  const bool filters =
      access.kind == AccessKind::SequentialScan || access.kind == AccessKind::IndexScan;
  entry.saving_ms = access.self_low_ms * (filters ? 1 - access.kept_share() : 1);
  finding.saved_seconds_per_day = entry.saving_ms / 1000 * in.policy.calls_per_day;
  entry.scan_pages = access.pages;
  entry.scan_ms = access.self_ms;
  return entry;
}

// A18: an index serves, the planner's figures are right, and it reads the table all the same.
void report_dear_random_reads(const Access& access, const Advice& advice, const std::string& object,
                              const Examination& in, Diagnosis& out) {
  const RowCount rows = count_rows(in.plan, access.nodes[0]);
  const bool believed = access.measured && rows.factor <= kEstimateFactorMax;
  if (!believed || access.wanted_share() > kRandomKeptShareMax) {
    out.warnings.push_back(cat("the planner reads ", printable(object), " in full although index ",
                               printable(advice.existing),
                               " serves the condition: no new index is proposed"));
    return;
  }
  Diagnosis::Entry entry = begin_entry("A18", access, object, in);
  care::Finding& finding = entry.finding;
  finding.what += cat(", although index ", printable(advice.existing), " finds them");
  finding.prediction =
      "the planner thinks that random reads cost more than reading all: on solid-state disks "
      "random_page_cost is 1.1 to 2, and effective_cache_size what the machine caches. It counts "
      "for all statements: try them before";
  finding.statements = {"SET LOCAL random_page_cost = 1.1"};
  entry.trial = {.kind = TrialKind::Settings, .index = advice.existing};
  out.entries.push_back(std::move(entry));
}

// Reading through it must be clearly less than what is read now, where that is known.
bool pays(const Access& access, const Advice& advice) {
  const bool counted_pages = access.kind != AccessKind::SequentialScan &&
                             access.kind != AccessKind::Inner && access.pages > 0;
  if (!counted_pages || advice.candidates.empty()) return true;
  return advice.candidates[0].query_pages_max <= kWorthPagesShare * access.pages;
}

void propose(Diagnosis::Entry& entry, const Access& access, const Advice& advice,
             const IndexTarget& target, Diagnosis& out) {
  care::Finding& finding = entry.finding;
  if (!advice.broken.empty()) {
    finding.prediction = cat("index ", printable(advice.broken),
                             " would serve but is INVALID: if nobody is building it now, REINDEX "
                             "INDEX CONCURRENTLY it or drop it");
    if (!target.schema.empty()) {
      finding.statements = {
          cat("REINDEX INDEX CONCURRENTLY ", pg::qualified(target.schema, advice.broken))};
    }
  } else if (advice.candidates.empty()) {
    finding.prediction = advice.blocked;
  } else {
    add_candidates(entry, access, advice, target, out);
    finding.prediction = prediction_text(access, advice.candidates[0]);
    if (finding.id == advice.blocked_id) {
      finding.what += cat(": ", advice.blocked);
    } else if (!advice.blocked.empty()) {
      finding.evidence.push_back({"not served", advice.blocked});
    }
  }
  if (!advice.unusable.empty()) finding.evidence.push_back({"existing", advice.unusable});
  for (const std::string& note : advice.notes) finding.evidence.push_back({"note", note});
}

// Partitions that a bare key would leave out are not to be indexed: I1 has told it.
bool told_as_unpruned(const Access& access, const Diagnosis& out) {
  return std::ranges::any_of(out.entries, [&](const Diagnosis::Entry& entry) {
    return entry.finding.id == "I1" &&
           std::ranges::find(entry.nodes, access.nodes[0]) != entry.nodes.end();
  });
}

void report_access(const Access& access, const Examination& in, Diagnosis& out) {
  if (told_as_unpruned(access, out)) return;
  const Advice advice = advise(access, in);
  const IndexTarget target = target_of(access, in);
  const std::string object = object_name(target);
  const bool sequential = access.kind == AccessKind::SequentialScan;
  if (!advice.existing.empty()) {
    if (sequential) report_dear_random_reads(access, advice, object, in, out);
    return;
  }
  const bool nothing = advice.candidates.empty() && advice.broken.empty();
  if (nothing && (advice.blocked.empty() || !sequential)) return;
  if (!pays(access, advice)) return;
  Diagnosis::Entry entry = begin_entry(rule_of(access, advice, in), access, object, in);
  propose(entry, access, advice, target, out);
  out.entries.push_back(std::move(entry));
}

void find_accesses(const Examination& in, Diagnosis& out) {
  for (const Access& access : wasteful_accesses(in, out.warnings)) report_access(access, in, out);
}

constexpr Rule kIndexRules[] = {
    {"A1", "Sequential scan throws most rows away",
     "a sequential scan with a filter removes at least 90 % of what it reads, from at least 100 "
     "pages, at 5 % of the statement or more",
     "the whole table is read to keep few rows", "an index on the compared columns", find_accesses},
    {"A2", "Time window on an append-only table", "A1 where the filter is a range over time",
     "only the window is needed; the cost grows with the history",
     "a btree or BRIN index on the time column, by physical order and size; or range partitions",
     nullptr},
    {"A3", "Index scan with a heavy filter",
     "an index or bitmap scan's filter removes at least 90 % of what the index finds, from at "
     "least 100 pages; not when the index finds one row by a unique key",
     "the index leads to rows that are read and dropped",
     "one index on the searched and the filtered columns", nullptr},
    {"A8", "Two bitmaps intersected",
     "a BitmapAnd where each index finds ten times the rows that remain",
     "both indexes are read for rows that the other one drops", "one index on all the columns",
     nullptr},
    {"A10", "Index in the order of LIMIT",
     "an index is read from its end, without a condition, until LIMIT has its rows, and the filter "
     "removes 1,000 rows for each that it keeps",
     "the planner hopes to meet the rows soon; they lie elsewhere",
     "an index on the filtered columns, then the order", nullptr},
    {"A11", "Sort that an index could give",
     "a LIMIT takes one of at least 1,000 rows of one table that were read and sorted for it",
     "all are read to return the first few", "an index on the compared columns, then the sort keys",
     nullptr},
    {"A12", "Function or cast on the column",
     "A1 where the condition wraps the column in a function, cast or operator, or calls a volatile "
     "function",
     "an index on the column cannot be searched for it",
     "the bare column against a range; an index on the expression, if it is immutable", nullptr},
    {"A13", "Implicit type conversion",
     "A1 where the column is converted to the wider type of the value",
     "each row is converted before it is compared", "the value in the column's own type", nullptr},
    {"A14", "Pattern search", "A1 where the condition is LIKE or ILIKE with a constant pattern",
     "a btree in the order of a language finds no prefixes, and none finds what is inside",
     "a *_pattern_ops index for prefixes; an index on trigrams (pg_trgm) for the rest", nullptr},
    {"A15", "JSON, array, range or document",
     "A1 where the condition looks inside a value (@>, ?, ->>, &&, @@)",
     "a btree compares whole values", "GIN, GiST for ranges, or an index on the expression",
     nullptr},
    {"A16", "Leading column unused",
     "an index is searched without a condition on its first column, and a shorter way would read "
     "half of the pages at most",
     "the whole index is read", "an index that begins with the searched columns", nullptr},
    {"A17", "Partial index opportunity",
     "A1 where the only condition is one that each call has in the same words (IS NULL, a boolean) "
     "and 5 % of the rows pass; as a second choice for rare values of few",
     "an index on all rows would mostly hold the others", "a partial index", nullptr},
    {"A18", "Random reads thought dear",
     "A1 where an index serves, at most 2 % of the rows are wanted and the planner's estimate is "
     "right",
     "the planner's price of a random page is that of a spinning disk",
     "random_page_cost, effective_cache_size", nullptr},
    {"A19", "Index there but unusable",
     "A1 where an index of the column exists, but is invalid, has another operator class or "
     "collation, leaves out rows that the condition wants, or is a hash index for a range",
     "the index is kept up to date and not used", "REINDEX, or one that fits", nullptr},
    {"B2", "Inner side not indexed",
     "a nested loop reads a table of at least 1,000 rows from end to end at least 100 times, and "
     "compares for equality; as C1, when a sub-select does",
     "each row of the outer side costs a scan of the inner one", "an index on the inner join key",
     nullptr},
    {"I7", "Index missing on some partitions",
     "A1 on partitions while others of the same table have a btree index on the column",
     "the partitions without it are read in full", "the index on the parent and on each partition",
     nullptr},
    {"J2", "UPDATE or DELETE by sequential scan", "A1 below a statement that changes rows",
     "the rows are also locked for longer", "an index on the compared columns", nullptr},
};

}  // namespace

std::span<const Rule> index_rules() { return kIndexRules; }

}  // namespace pgtend::explain
