#include "cli/vacuum_variants.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "base/text.h"
#include "base/units.h"
#include "vacuum/trace_generate.h"

namespace pgtend::cli {

using vacuum::Variant;

std::string time_text(double seconds) {
  if (!std::isfinite(seconds)) return "never";
  return human(nanoseconds(static_cast<int64_t>(std::min(seconds, 9e9) * 1e9)));
}
std::string time_text(const std::optional<double>& seconds) {
  return seconds ? time_text(*seconds) : "unknown";
}

namespace {

constexpr size_t kReadBytes = size_t{1} << 20;

std::string span_text(const double (&low_high)[2]) {
  return cat(time_text(low_high[1]), " to ", time_text(low_high[0]));
}

// What a line of the comparison shows of each variant.
struct Row {
  std::string_view what;
  std::string (*value)(const Variant& variant);
};

template <class Member>
double sum_of(const Variant& variant, Member member) {
  double sum = 0;
  for (const vacuum::TableOutcome& table : variant.replay.tables) {
    sum += static_cast<double>(table.*member);
  }
  return sum;
}

constexpr Row kRows[] = {
    {"vacuums",
     [](const Variant& v) { return compact(sum_of(v, &vacuum::TableOutcome::vacuums)); }},
    {"  by age",
     [](const Variant& v) { return compact(sum_of(v, &vacuum::TableOutcome::forced)); }},
    {"  that removed nothing",
     [](const Variant& v) { return compact(sum_of(v, &vacuum::TableOutcome::useless)); }},
    {"analyzes",
     [](const Variant& v) { return compact(sum_of(v, &vacuum::TableOutcome::analyzes)); }},
    {"dead rows, average",
     [](const Variant& v) { return compact(sum_of(v, &vacuum::TableOutcome::dead_average)); }},
    {"dead rows, sum of peaks",
     [](const Variant& v) { return compact(sum_of(v, &vacuum::TableOutcome::dead_peak)); }},
    {"longest vacuum, all cached to none",
     [](const Variant& v) { return span_text(v.longest_vacuum_s); }},
    {"longest analyze", [](const Variant& v) { return span_text(v.longest_analyze_s); }},
    {"index passes of one vacuum",
     [](const Variant& v) {
       double most = 0;
       for (const auto& run : v.replay.runs) most = std::max(most, run.work.index_passes);
       return compact(most);
     }},
    {"time above limits",
     [](const Variant& v) { return time_text(sum_of(v, &vacuum::TableOutcome::above_limit_s)); }},
    {"workers at work", [](const Variant& v) { return time_text(v.replay.worker_s); }},
    {"all workers busy", [](const Variant& v) { return time_text(v.replay.all_busy_s); }},
    {"tables due at once", [](const Variant& v) { return cat(v.replay.queue_max); }},
    {"starved by another database", [](const Variant& v) { return time_text(v.replay.starved_s); }},
    {"cost budget used",
     [](const Variant& v) { return fmt::format("{:.1f} %", 100 * v.replay.cost_share); }},
    {"oldest age at the end", [](const Variant& v) { return compact(v.replay.xid_age_end); }},
    {"until a forced vacuum",
     [](const Variant& v) { return time_text(vacuum::runway_of(v).forced_s); }},
    {"until failsafe", [](const Variant& v) { return time_text(vacuum::runway_of(v).failsafe_s); }},
    {"until the server stops",
     [](const Variant& v) { return time_text(vacuum::runway_of(v).stop_s); }},
};

}  // namespace

void print_variants(Output& output, const std::vector<Variant>& variants) {
  Table table{.headings = {""}, .align = {Align::Left}, .rows = {}};
  for (const Variant& variant : variants) {
    table.headings.push_back(variant.name);
    table.align.push_back(Align::Right);
  }
  for (const Row& row : kRows) {
    std::vector<std::string> cells = {std::string(row.what)};
    for (const Variant& variant : variants) cells.push_back(row.value(variant));
    table.rows.push_back(std::move(cells));
  }
  output.table(table);
}

Result<vacuum::Trace> load_trace(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{ErrorCode::NotFound, cat("cannot open ", path)};
  const vacuum::TraceLimits limits;
  std::string text;
  std::string piece(kReadBytes, '\0');
  while (file && text.size() <= limits.bytes_max) {
    file.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    text.append(piece, 0, static_cast<size_t>(file.gcount()));
  }
  if (vacuum::is_load_description(text)) {
    const vacuum::LoadDescription load = TRY_DURING(vacuum::read_load(text), path);
    return TRY_DURING(vacuum::generate(load), path);
  }
  return TRY_DURING(vacuum::read_trace(text, limits), path);
}

}  // namespace pgtend::cli
