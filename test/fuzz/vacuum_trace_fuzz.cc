// Any bytes as a trace or as the description of a load: read, written and read again, replayed
// where that is little work, or refused.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "vacuum/simulate_report.h"
#include "vacuum/trace_generate.h"

namespace {
constexpr double kVisitsMax = 300;

void replay(const pgtend::vacuum::Trace& trace) {
  const double naptime = trace.settings.autovacuum.naptime_s;
  const auto tables = static_cast<double>(trace.tables.size() + 1);
  if (trace.duration_s() / naptime * tables > kVisitsMax || trace.others.size() > 10) return;
  pgtend::vacuum::ReplaySetup setup;
  setup.phases = 1;
  setup.probes = pgtend::vacuum::probe_times(trace);
  const auto variant = pgtend::vacuum::simulate("fuzz", trace, setup);
  if (!variant) return;
  (void)pgtend::vacuum::to_json(*variant, 10);
  (void)pgtend::vacuum::compare(trace, variant->replay, naptime);
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const pgtend::vacuum::TraceLimits limits{
      .bytes_max = 100'000, .line_bytes_max = 20'000, .tables_max = 10, .table_samples_max = 200};
  if (const auto trace = pgtend::vacuum::read_trace(text, limits)) {
    const auto again = pgtend::vacuum::read_trace(pgtend::vacuum::write_trace(*trace));
    if (!again || again->samples.size() != trace->samples.size()) std::abort();
    replay(*trace);
  }
  const auto load = pgtend::vacuum::read_load(text);
  if (!load || load->duration_s / load->every_s > 100) return 0;
  if (const auto made = pgtend::vacuum::generate(*load)) replay(*made);
  return 0;
}
