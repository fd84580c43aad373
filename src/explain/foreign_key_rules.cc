// G4: a foreign key whose referencing columns have no index, by its trigger's time and the catalog.
#include <algorithm>
#include <utility>

#include "base/text.h"
#include "explain/create_index.h"
#include "explain/index_model.h"
#include "explain/partition_rules.h"
#include "explain/words.h"
#include "pg/quote.h"

namespace pgtend::explain {
namespace {

constexpr double kCheckMsMin = 1;  // a row

const ForeignKey* key_of(const TriggerTime& trigger, const Facts& facts) {
  const auto found = std::ranges::find(facts.foreign_keys, trigger.constraint, &ForeignKey::name);
  return found == facts.foreign_keys.end() ? nullptr : &*found;
}

// The index on the referencing columns; nothing when they are not known.
void add_index(Diagnosis::Entry& entry, const ForeignKey& key) {
  const Heap heap{key.pages, key.rows, 0};
  Candidate candidate{.method = "btree"};
  for (const std::string& column : key.columns) candidate.keys.push_back({.column = column});
  candidate.size = btree_size(heap, {8.0 * static_cast<double>(key.columns.size()), 0, true});
  candidate.build_seconds = build_seconds(heap, true);
  const IndexTarget target{key.schema, key.table, nullptr, key.names_taken};
  auto action = create_index(candidate, target);
  if (!action) return;
  entry.finding.actions.push_back(std::move(*action));
  entry.finding.evidence.push_back({"btree index, predicted size", human(candidate.size)});
}

void find_unindexed_keys(const Examination& in, Diagnosis& out) {
  for (const TriggerTime& trigger : in.plan.triggers) {
    if (trigger.constraint.empty() || trigger.calls <= 0 || !in.plan.timed()) continue;
    const double a_call = trigger.ms / trigger.calls;
    const double share =
        in.timing.total_ms > 0 ? std::min(trigger.ms / in.timing.total_ms, 1.0) : 0;
    const ForeignKey* key = key_of(trigger, in.facts);
    if (a_call < kCheckMsMin || share < in.policy.saving_share_min || (key && key->indexed)) {
      continue;
    }
    Diagnosis::Entry entry;
    care::Finding& finding = entry.finding;
    const std::string name = printable(trigger.constraint);
    finding.id = "G4";
    finding.object = key ? pg::qualified(key->schema, key->table) : name;
    finding.severity = share >= 0.5 ? care::Severity::Warning : care::Severity::Notice;
    finding.what = cat("foreign key ", name, " takes ", milliseconds_text(a_call), " a row, ",
                       counted(trigger.calls), " times");
    finding.why = cat(milliseconds_text(trigger.ms), " of the statement (", percent(share), ")");
    finding.prediction =
        key ? cat("no index of ", printable(finding.object),
                  " begins with its columns: with one, "
                  "each row's check reads a few pages instead of ",
                  counted(key->pages))
            : "its columns have no index on the referencing table: create one (CONCURRENTLY) on "
              "them";
    if (key) add_index(entry, *key);
    entry.saving_ms = trigger.ms;
    finding.saved_seconds_per_day = trigger.ms / 1000 * in.policy.calls_per_day;
    out.entries.push_back(std::move(entry));
  }
}

constexpr Rule kForeignKeyRules[] = {
    {"G4", "Foreign key without index",
     "a constraint's trigger takes at least 1 ms a row, and no index begins with its columns",
     "each row looks for referencing rows in the whole table",
     "an index on the referencing columns", find_unindexed_keys},
};

}  // namespace

std::span<const Rule> foreign_key_rules() { return kForeignKeyRules; }

}  // namespace pgtend::explain
