#include "explain/rules.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/text.h"
#include "explain/create_index.h"
#include "explain/plan_rules.h"
#include "explain/words.h"
#include "pg/quote.h"

namespace pgtend::explain {
namespace {

IndexTarget target_of(const WastefulScan& scan, const Examination& in) {
  const Node& node = in.plan.nodes[static_cast<size_t>(scan.nodes[0])];
  IndexTarget out{node.object.schema, node.object.relation, nullptr, {}};
  if (!scan.facts || !scan.facts->table) return out;
  out.schema = scan.facts->table->schema;
  out.table = scan.facts->table->name;
  out.names_taken = scan.facts->names_taken;
  if (scan.facts->tree != kNone) {
    out.tree = &in.facts.trees[static_cast<size_t>(scan.facts->tree)];
    out.schema = out.tree->members[0].schema;
    out.table = out.tree->members[0].name;
  }
  return out;
}

std::string object_name(const IndexTarget& target) {
  return target.schema.empty() ? pg::ident(target.table)
                               : pg::qualified(target.schema, target.table);
}

std::string cause_text(const WastefulScan& scan, const std::string& object) {
  const double rows = scan.kept + scan.removed;
  return cat("the sequential scan on ", printable(object), " reads ", counted(rows), " rows",
             scan.relations.size() > 1 ? cat(" of ", scan.relations.size(), " partitions") : "",
             " to keep ", counted(scan.kept), " (", percent(scan.kept_share()), ")");
}

std::string weight_text(const WastefulScan& scan) {
  if (scan.timed) {
    return cat(milliseconds_text(scan.self_ms), " of the statement (", percent(scan.time_share),
               ") and ", counted(scan.pages), " pages; the cost grows with the table");
  }
  if (scan.measured) {
    return cat(counted(scan.pages), " pages, ", percent(scan.time_share),
               " of all the statement touches; the cost grows with the table");
  }
  return cat("estimate only (no ANALYZE): ", percent(scan.time_share), " of the planner's cost, ",
             counted(scan.pages), " pages; the cost grows with the table");
}

// Never "100 %" of something that is not nothing.
std::string less_text(double share) {
  return share > 0.995 && share < 1 ? std::string("over 99 %") : percent(share);
}

std::string prediction_text(const WastefulScan& scan, const Candidate& candidate) {
  const double pages = std::max(scan.pages, 1.0);
  const double low = std::min(candidate.query_pages / pages, 1.0);
  const double high = std::min(candidate.query_pages_max / pages, 1.0);
  const bool range = candidate.query_pages_max > 1.2 * candidate.query_pages;
  std::string out = cat("about ", counted(candidate.query_pages));
  if (range)
    out += cat(" to ", counted(candidate.query_pages_max), " pages, by how the rows lie,");
  else
    out += " pages";
  out += cat(" instead of ", counted(scan.pages));
  if (!range) out += cat(" (", less_text(1 - low), " less)");
  if (!scan.timed) return out;
  out += cat(", the scan's ", milliseconds_text(scan.self_ms), " become about ",
             milliseconds_text(scan.self_ms * low));
  if (range) out += cat(" to ", milliseconds_text(scan.self_ms * high));
  return out;
}

void add_evidence(care::Finding& finding, const WastefulScan& scan, const Examination& in) {
  const Node& node = in.plan.nodes[static_cast<size_t>(scan.nodes[0])];
  finding.evidence.push_back({"plan node", cat("#", scan.nodes[0] + 1, " ",
                                               node.parallel_aware ? "Parallel " : "", node.type)});
  finding.evidence.push_back({"filter", printable(node.text("Filter"))});
  finding.evidence.push_back({"rows removed", counted(scan.removed)});
  finding.evidence.push_back({"rows kept", counted(scan.kept)});
  finding.evidence.push_back(
      {"pages read", cat(counted(scan.pages),
                         scan.pages_estimated ? " (estimated: no BUFFERS in the plan)" : "")});
  for (const sql::Predicate& predicate : scan.predicates) {
    const facts::ColumnFacts* column = scan.facts ? scan.facts->column(predicate.column) : nullptr;
    if (!column || predicate.operators == sql::OperatorClass::Other) continue;
    const bool known = column->stats && column->stats->correlation;
    finding.evidence.push_back(
        {cat("correlation of ", printable(column->name)),
         known ? cat(*column->stats->correlation)
               : cat("unknown: ",
                     column->stats ? "no order for this type" : printable(column->stats_why_not))});
  }
}

std::string pages_text(const Candidate& candidate) {
  const bool range = candidate.query_pages_max > 1.2 * candidate.query_pages;
  return cat(counted(candidate.query_pages),
             range ? cat(" to ", counted(candidate.query_pages_max)) : "");
}

void add_candidates(care::Finding& finding, const Advice& advice, const IndexTarget& target,
                    Diagnosis& out) {
  for (const Candidate& candidate : advice.candidates) {
    auto action = create_index(candidate, target);
    if (!action) {
      out.warnings.push_back(cat("no action for ", printable(object_name(target)),
                                 ": one of its partitions cannot be indexed or was not read"));
      continue;
    }
    finding.actions.push_back(std::move(*action));
    const std::string label = cat(candidate.method, " index");
    finding.evidence.push_back({cat(label, ", predicted size"), human(candidate.size)});
    finding.evidence.push_back({cat(label, ", predicted pages"), pages_text(candidate)});
    if (!candidate.reason.empty()) finding.evidence.push_back({label, candidate.reason});
  }
}

// The finding of one scan, or nothing when an index already serves it.
void report_scan(std::string_view id, const WastefulScan& scan, const Advice& advice,
                 const Examination& in, Diagnosis& out) {
  const IndexTarget target = target_of(scan, in);
  const std::string object = object_name(target);
  if (!advice.existing.empty()) {
    out.warnings.push_back(cat("the planner reads ", printable(object), " in full although index ",
                               printable(advice.existing),
                               " serves the condition: no new index is proposed"));
    return;
  }
  if (advice.candidates.empty() && advice.blocked.empty() && advice.broken.empty()) return;
  Diagnosis::Entry entry;
  care::Finding& finding = entry.finding;
  finding.id = id;
  finding.object = object;
  finding.severity = scan.time_share >= 0.5 ? care::Severity::Warning : care::Severity::Notice;
  finding.what = cause_text(scan, object);
  finding.why = weight_text(scan);
  add_evidence(finding, scan, in);
  if (!advice.broken.empty()) {
    finding.prediction = cat("index ", printable(advice.broken),
                             " would serve but is INVALID: if nobody is building it now, REINDEX "
                             "INDEX CONCURRENTLY it or drop it");
  } else if (advice.candidates.empty()) {
    finding.prediction = advice.blocked;
  } else {
    add_candidates(finding, advice, target, out);
    finding.prediction = prediction_text(scan, advice.candidates[0]);
    if (!advice.blocked.empty()) finding.evidence.push_back({"not served", advice.blocked});
  }
  for (const std::string& note : advice.notes) finding.evidence.push_back({"note", note});
  entry.nodes = scan.nodes;
  entry.saving_ms = scan.self_low_ms * (1 - scan.kept_share());
  finding.saved_seconds_per_day = entry.saving_ms / 1000 * in.policy.calls_per_day;
  if (!finding.actions.empty()) {
    entry.candidates = advice.candidates;
    for (const Candidate& candidate : advice.candidates) {
      entry.predictions.push_back(prediction_text(scan, candidate));
    }
    entry.target = object;
  }
  entry.scan_pages = scan.pages;
  entry.scan_ms = scan.self_ms;
  out.entries.push_back(std::move(entry));
}

void find_scans(std::string_view id, bool time_window, const Examination& in, Diagnosis& out) {
  // Warnings about scans that cannot be judged come once, with A1.
  std::vector<std::string> ignored;
  for (const WastefulScan& scan : wasteful_scans(in, time_window ? ignored : out.warnings)) {
    const Advice advice = advise(scan, in);
    if (advice.time_window == time_window) report_scan(id, scan, advice, in, out);
  }
}

void find_a1(const Examination& in, Diagnosis& out) { find_scans("A1", false, in, out); }
void find_a2(const Examination& in, Diagnosis& out) { find_scans("A2", true, in, out); }

constexpr Rule kRules[] = {
    {"A1", "Sequential scan throws most rows away",
     "a sequential scan with a filter removes at least 90 % of what it reads, from at least 100 "
     "pages, at 5 % of the statement or more",
     "the whole table is read to keep few rows", "an index on the compared columns", find_a1},
    {"A2", "Time window on an append-only table", "A1 where the filter is a range over time",
     "only the window is needed; the cost grows with the history",
     "a btree or BRIN index on the time column, by physical order and size; or range partitions",
     find_a2},
};

}  // namespace

std::span<const Rule> rules() {
  static const std::vector<Rule> all = [] {
    std::vector<Rule> list(std::begin(kRules), std::end(kRules));
    list.insert(list.end(), plan_rules().begin(), plan_rules().end());
    return list;
  }();
  return all;
}

Diagnosis diagnose(const Examination& examination) {
  Diagnosis out;
  for (const Rule& rule : rules()) rule.find(examination, out);
  std::ranges::stable_sort(out.entries, std::ranges::greater(), &Diagnosis::Entry::saving_ms);
  return out;
}

}  // namespace pgtend::explain
