// What statistics make the planner expect of a table, against what is true: conditions on columns
// whose statistics jumped, and statements that pg_stat_statements knows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "facts/columns.h"
#include "facts/tables.h"
#include "pg/connection.h"
#include "vacuum/jumps.h"

namespace pgtend::vacuum {

// Rows that a condition or a statement gives.
struct Probe {
  std::string column = {};            // "" of a statement
  std::string what = {};              // printable: "note = 'x'", "statement 4711"
  std::string sql = {};               // to be explained; of a condition it reads the table alone
  std::optional<double> before = {};  // expected with the statistics of before the ANALYZE,
  std::optional<double> after = {};   // with those that it made,
  std::optional<double> second = {};  // and with those of a larger sample
  std::optional<double> truth = {};   // counted; of a statement the mean of its past runs
  bool more = false;                  // counting ended at its limit: `truth` or more
  bool old_value = false;             // a value that the statistics of before have seen

  // The table no longer has a value that it had: it was changed since.
  bool vanished() const { return old_value && truth && *truth == 0; }

  // How many times too high or too low an expectation is, as a logarithm; 0 when it may be right.
  double error(double expected, double real) const;
};

// Conditions for the columns that jumped: values, the most common ones and some from all over, as
// the statistics of before and after know them; what is beyond the old end of a histogram; whether
// there is a value at all. At most 16 a column. Pure.
std::vector<Probe> probes_of(const facts::TableFacts& table, const std::vector<Jump>& odd,
                             const std::vector<facts::ColumnFacts>& before,
                             const std::vector<facts::ColumnFacts>& after);

// Adds the statements of this database that read the table and need no value to be explained
// (GENERIC_PLAN), at most 10, those with most time first; none before version 16 or where
// pg_stat_statements is not to be read. Errors: those of the connection.
Status add_statements(pg::Connection& conn, const facts::TableFacts& table,
                      std::vector<Probe>& probes);

// Asks the planner; what cannot be explained stays unknown. Executes nothing. Errors: the link was
// lost.
using Expectation = std::optional<double> Probe::*;
Status expect(pg::Connection& conn, std::vector<Probe>& probes, Expectation where);

// Counts what conditions give, each through an index alone, for at most 10,000 rows and 300 ms; all
// within 3 s. What no index leads to stays unknown. Read only. Errors: the link was lost.
Status count_truth(pg::Connection& conn, const Clock& clock, std::vector<Probe>& probes);

enum class Verdict : uint8_t {
  Odd,   // the statistics of before are nearer to the truth, and nowhere further from it
  True,  // those of the ANALYZE are
  Open,  // both here and there, or nothing is known
};
// By what was counted; statements do not count, since their past is not the present. Never Odd when
// one of the old values has vanished: then the table did change.
Verdict by_count(const std::vector<Probe>& probes, const std::string& column);
// By the larger sample in place of a count where there is none; values that vanished say nothing.
Verdict by_sample(const std::vector<Probe>& probes, const std::string& column);

// The condition of the column that tells most for `verdict`; nullptr: none does.
const Probe* witness(const std::vector<Probe>& probes, const std::string& column);

json::object to_json(const Probe& probe);

}  // namespace pgtend::vacuum
