#include "vacuum/eta.h"

#include <algorithm>
#include <cmath>

#include "vacuum/server_rules.h"

namespace pgtend::vacuum {
namespace {

constexpr double kSeenMin = 0.01;  // of the table, to tell from what was seen

using facts::VacuumWork;

int64_t index_pages_done(const VacuumWork& work) {
  int64_t done = work.passes * work.index_pages;
  if (work.indexes_total > 0) done += work.index_pages * work.indexes_done / work.indexes_total;
  return done;
}

int64_t pages_done(const VacuumWork& work) {
  return work.heap_scanned + work.heap_vacuumed + index_pages_done(work);
}

// Passes over the indexes from the beginning to the end of the VACUUM.
int64_t passes_expected(const facts::Running& now, int version) {
  const VacuumWork& work = *now.work;
  const bool pass_runs = now.phase == "vacuuming indexes";
  if (now.phase != "scanning heap" && now.phase != "initializing") {
    const bool more = work.heap_scanned < work.heap_total;
    return work.passes + (pass_runs ? 1 : 0) + (more ? 1 : 0);
  }
  const double seen = work.heap_total > 0 ? static_cast<double>(work.heap_scanned) /
                                                static_cast<double>(work.heap_total)
                                          : 1;
  if (seen < kSeenMin) return work.passes + (work.dead > 0 ? 1 : 0);
  const double dead_in_all = static_cast<double>(work.dead) / seen;
  const bool few = work.passes == 0 && version >= kVersionBypass &&
                   dead_in_all < kBypassShare * static_cast<double>(work.heap_total);
  if (work.dead == 0 || few) return work.passes;
  const double fillings = (static_cast<double>(work.passes) + work.dead_full) / seen;
  return std::max(work.passes + 1, static_cast<int64_t>(std::ceil(fillings - 1e-9)));
}

}  // namespace

double Eta::share() const {
  const double all = static_cast<double>(pages_done + pages_left);
  return all > 0 ? static_cast<double>(pages_done) / all : 1;
}

std::optional<Eta> eta(const facts::Running& now, int version, const facts::Running* before,
                       double before_s) {
  if (!now.work) return {};
  const VacuumWork& work = *now.work;
  Eta out;
  out.pages_done = pages_done(work);
  const int64_t passes = passes_expected(now, version);
  out.passes_left = passes - work.passes;
  const bool cleanup = now.phase == "cleaning up indexes";
  const bool ends =
      cleanup || now.phase == "truncating heap" || now.phase == "performing final cleanup";
  if (cleanup) {
    const int64_t all = work.index_pages;
    out.pages_left =
        work.indexes_total > 0 ? all - all * work.indexes_done / work.indexes_total : all;
  } else if (!ends) {
    out.pages_left =
        work.heap_total - work.heap_scanned + passes * work.index_pages - index_pages_done(work);
    if (passes > 0) out.pages_left += work.heap_total - work.heap_vacuumed;
  }
  out.pages_left = std::max<int64_t>(out.pages_left, 0);
  double pace = 0;
  if (before != nullptr && before->work && before_s > 0) {
    pace = static_cast<double>(out.pages_done - pages_done(*before->work)) / before_s;
  }
  if (pace <= 0 && now.runs_s.value_or(0) > 0) {
    pace = static_cast<double>(out.pages_done) / *now.runs_s;
  }
  if (pace > 0) out.left_s = static_cast<double>(out.pages_left) / pace;
  return out;
}

json::object to_json(const Eta& eta) {
  return {{"pages_done", eta.pages_done},
          {"pages_left", eta.pages_left},
          {"passes_left", eta.passes_left},
          {"share", eta.share()},
          {"left_s", eta.left_s ? json::value(*eta.left_s) : json::value(nullptr)}};
}

}  // namespace pgtend::vacuum
