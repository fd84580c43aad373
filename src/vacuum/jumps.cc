#include "vacuum/jumps.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "base/units.h"

namespace pgtend::vacuum {
namespace {

using facts::ColumnFacts;
using facts::ColumnStats;

constexpr double kNullsMoved = 0.2;
constexpr double kDistinctFactor = 5;
constexpr double kCommonMin = 0.05;
constexpr double kCommonFactor = 3;
constexpr double kAllChanged = 0.5;  // then anything may be true

std::string in_percent(double share) {
  const double hundredths = std::round(share * 10'000);
  const auto whole = static_cast<int64_t>(hundredths);
  if (whole == 10'000 && share < 1) return "almost 100 %";
  if (whole % 100 == 0) return cat(whole / 100, " %");
  return cat(whole / 100, '.', whole % 100 < 10 ? "0" : "", whole % 100, " %");
}

// What happened between the two, "" for nothing odd.
std::string odd_change(const ColumnStats& before, const ColumnStats& after, double rows,
                       double changed_share) {
  if (before.null_frac < 1 && after.null_frac >= 1) {
    return cat("NULLs ", in_percent(before.null_frac), " -> 100 %");
  }
  if (changed_share >= kAllChanged) return "";
  const double moved = std::abs(after.null_frac - before.null_frac);
  if (moved > kNullsMoved + changed_share) {
    return cat("NULLs ", in_percent(before.null_frac), " -> ", in_percent(after.null_frac));
  }
  const double old_distinct = before.distinct(rows);
  const double new_distinct = after.distinct(rows);
  const double factor = std::max(old_distinct, new_distinct) / std::min(old_distinct, new_distinct);
  const double could_be_new = changed_share * rows;
  if (factor >= kDistinctFactor && std::abs(new_distinct - old_distinct) > could_be_new) {
    return cat("distinct values ", pgtend::compact(old_distinct), " -> ",
               pgtend::compact(new_distinct));
  }
  for (size_t i = 0; i < before.common_values.size() && i < before.common_frequencies.size(); ++i) {
    const double was = before.common_frequencies[i];
    if (was < kCommonMin) break;
    const double is = after.frequency(before.common_values[i], rows);
    if (is * kCommonFactor < was - changed_share) {
      return cat("the value ", printable(before.common_values[i]), " from ", in_percent(was),
                 " to ", in_percent(is));
    }
  }
  return "";
}

}  // namespace

std::vector<Jump> jumps(const std::vector<ColumnFacts>& before,
                        const std::vector<ColumnFacts>& after, double rows, double changed) {
  const double all = std::max(rows, 1.0);
  const double share = std::clamp(changed / all, 0.0, 1.0);
  std::vector<Jump> out;
  for (const ColumnFacts& old : before) {
    const auto now = std::ranges::find(after, old.name, &ColumnFacts::name);
    if (now == after.end() || !old.stats || !now->stats) continue;
    std::string what = odd_change(*old.stats, *now->stats, all, share);
    if (!what.empty()) out.push_back({old.name, std::move(what)});
  }
  return out;
}

}  // namespace pgtend::vacuum
