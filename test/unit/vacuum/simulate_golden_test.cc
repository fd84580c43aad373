// test/golden/vacuum_simulate/<case>: load.json describes a load, sets.txt has one variant of the
// settings a line, want.txt is what the simulator makes of each. UPDATE_GOLDEN=1 rewrites it.
#include <fmt/core.h>

#include "base/text.h"
#include "base/units.h"
#include "golden/golden.h"
#include "vacuum/simulate_report.h"
#include "vacuum/trace_generate.h"

namespace pgtend::vacuum {
namespace {

std::string hours(double seconds) { return fmt::format("{:.1f} h", seconds / 3600); }

std::string text_of(const Variant& variant) {
  std::string out = cat(variant.name, "\n");
  for (size_t i = 0; i < variant.replay.tables.size(); ++i) {
    const TableOutcome& table = variant.replay.tables[i];
    out += cat("  ", variant.trace.tables[i].facts.qualified(), ": vacuums ", table.vacuums,
               " (forced ", table.forced, ", useless ", table.useless, "), analyzes ",
               table.analyzes, ", dead rows at most ", compact(table.dead_peak), ", on average ",
               compact(table.dead_average), "\n");
  }
  out += cat("  longest vacuum ", hours(variant.longest_vacuum_s[1]), " if all is cached, ",
             hours(variant.longest_vacuum_s[0]), " if nothing is\n");
  size_t shown = 0;
  for (const SimulatedRun& run : variant.replay.runs) {
    if (++shown > 6) break;
    out += cat("  after ", hours(run.ended), ": ", run.analyze ? "analyze" : "vacuum", " for ",
               name(run.cause), ", took ", hours(run.ended - run.started), ", scanned ",
               compact(run.work.pages_scanned), " pages, removed ", compact(run.work.rows_removed),
               ", index passes ", run.work.index_passes, "\n");
  }
  return out;
}

class VacuumSimulateGolden : public golden::Test {};

TEST_P(VacuumSimulateGolden, SettingsCompareAsWrittenDown) {
  const auto load = read_load(file("load.json"));
  ASSERT_TRUE(load) << load.error().message;
  const auto trace = generate(*load);
  ASSERT_TRUE(trace) << trace.error().message;
  std::string out;
  const std::string sets = file("sets.txt");
  for (const std::string_view line : split(trim(sets), '\n')) {
    Trace changed = *trace;
    if (line != "as it is") {
      const auto status = apply_setting(changed, line);
      ASSERT_TRUE(status) << status.error().message;
    }
    const auto variant = simulate(std::string(line), changed, {});
    ASSERT_TRUE(variant) << variant.error().message;
    out += text_of(*variant);
  }
  expect_text(out);
}

PGTEND_GOLDEN_CASES(VacuumSimulateGolden, "vacuum_simulate");

}  // namespace
}  // namespace pgtend::vacuum
