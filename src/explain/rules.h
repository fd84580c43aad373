// The table of diagnoses. A rule is a pure function from an examined plan to findings.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "care/finding.h"
#include "explain/access.h"
#include "explain/advice.h"

namespace pgtend::explain {

// How a finding can be tried on the server without leaving anything behind.
enum class TrialKind : uint8_t {
  None,
  Settings,    // its statements are SET LOCAL: planned, and with consent run, with them
  Statistics,  // `sql` in a transaction that is rolled back, then planned again; with consent only
};
struct Trial {
  TrialKind kind = TrialKind::None;
  std::string index = {};             // that the plan must then read, "" if none
  std::vector<std::string> sql = {};  // for Statistics
  double pages = 0;                   // of the table that `sql` locks and reads
  int node = kNone;                   // whose estimate must then be right
};

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
    Trial trial = {};
    bool refuted = false;  // the planner would not do what the finding proposes
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
  // nullptr when an earlier rule's function finds it, too, or what sums up a log does.
  void (*find)(const Examination& examination, Diagnosis& out);
};

// All rules, in the order they run.
std::span<const Rule> rules();

// Runs all rules. Thread: any.
Diagnosis diagnose(const Examination& examination);

}  // namespace pgtend::explain
