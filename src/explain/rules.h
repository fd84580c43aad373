// The table of diagnoses. A rule is a pure function from an examined plan to findings.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "care/finding.h"
#include "explain/advice.h"
#include "explain/scans.h"

namespace pgtend::explain {

// What all rules leave behind.
struct Diagnosis {
  // A finding with what verification needs to check it.
  struct Entry {
    care::Finding finding = {};
    std::vector<int> nodes = {};                // in the plan
    double saving_ms = 0;                       // for ranking: what the first action would save
    std::vector<Candidate> candidates = {};     // one an action of the finding, in its order
    std::vector<std::string> predictions = {};  // one a candidate
    std::string target = {};  // table to index, quoted; "" when there is no index to build
    double scan_pages = 0;
    double scan_ms = 0;
  };
  std::vector<Entry> entries = {};  // by saving, largest first
  std::vector<std::string> warnings = {};
};

struct Rule {
  std::string_view id;
  std::string_view title;
  std::string_view signal;  // when it speaks
  std::string_view why;
  std::string_view fix;
  void (*find)(const Examination& examination, Diagnosis& out);
};

// All rules, in the order they run.
std::span<const Rule> rules();

// Runs all rules. Thread: any.
Diagnosis diagnose(const Examination& examination);

}  // namespace pgtend::explain
