#include "explain/rules.h"

#include <algorithm>

#include "explain/estimate_rules.h"
#include "explain/index_rules.h"
#include "explain/partition_rules.h"
#include "explain/plan_rules.h"

namespace pgtend::explain {
namespace {

bool overlaps(const std::vector<int>& a, const std::vector<int>& b) {
  return std::ranges::any_of(a, [&](int id) { return std::ranges::find(b, id) != b.end(); });
}

// One cause is told once: by the first of two findings of a rule about the same node.
void fold(std::vector<Diagnosis::Entry>& entries) {
  std::vector<Diagnosis::Entry> out;
  for (Diagnosis::Entry& entry : entries) {
    const bool told = std::ranges::any_of(out, [&](const Diagnosis::Entry& other) {
      return other.finding.id == entry.finding.id && overlaps(other.nodes, entry.nodes);
    });
    if (!told) out.push_back(std::move(entry));
  }
  entries = std::move(out);
}

}  // namespace

std::span<const Rule> rules() {
  static const std::vector<Rule> all = [] {
    std::vector<Rule> list(partition_rules().begin(), partition_rules().end());
    for (const std::span<const Rule> more :
         {index_rules(), covering_rules(), estimate_rules(), foreign_key_rules(), plan_rules()}) {
      list.insert(list.end(), more.begin(), more.end());
    }
    return list;
  }();
  return all;
}

Diagnosis diagnose(const Examination& examination) {
  Diagnosis out;
  for (const Rule& rule : rules()) {
    if (rule.find) rule.find(examination, out);
  }
  fold(out.entries);
  std::ranges::stable_sort(out.entries, std::ranges::greater(), &Diagnosis::Entry::saving_ms);
  return out;
}

}  // namespace pgtend::explain
