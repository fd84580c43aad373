#include "vacuum/workload.h"

#include <algorithm>

namespace pgtend::vacuum {
namespace {

// Samples closer than this share of a naptime show the counters as autovacuum sees them.
constexpr double kJumpNaps = 0.5;

double between(double low, double high, double share) { return low + (high - low) * share; }

}  // namespace

void WriteCurve::add(double at, const Writes& sums, double quiet_until, bool jump) {
  if (points_.back().at < quiet_until) points_.push_back({quiet_until, points_.back().sums});
  points_.push_back({at, sums, jump});
}

Writes WriteCurve::at(double time) const {
  const auto next = std::ranges::upper_bound(points_, time, {}, &Point::at);
  if (next == points_.end()) return points_.back().sums;
  if (next == points_.begin()) return next->sums;
  const Point& low = *(next - 1);
  if (next->jump) return low.sums;
  const double share = (time - low.at) / (next->at - low.at);
  const auto sum = [&](double Writes::*member) {
    return between(low.sums.*member, next->sums.*member, share);
  };
  return {.inserted = sum(&Writes::inserted),
          .updated = sum(&Writes::updated),
          .updated_hot = sum(&Writes::updated_hot),
          .deleted = sum(&Writes::deleted),
          .live = sum(&Writes::live),
          .dead = sum(&Writes::dead),
          .changed = sum(&Writes::changed)};
}

double WriteCurve::dead_at(double time) const { return at(time).dead; }

void XidCurve::add(double at, int64_t xid) {
  points_.push_back({.at = at, .xid = static_cast<double>(xid)});
}

void XidCurve::look(double at, int64_t xid, int64_t horizon) {
  looks_.push_back(
      {.at = at, .xid = static_cast<double>(xid), .horizon = static_cast<double>(horizon)});
}

double XidCurve::xid_at(double time) const {
  if (points_.empty()) return 0;
  const auto next = std::ranges::upper_bound(points_, time, {}, &Point::at);
  if (next == points_.begin()) return points_.front().xid;
  if (next == points_.end()) return points_.back().xid;
  const Point& low = *(next - 1);
  return between(low.xid, next->xid, (time - low.at) / (next->at - low.at));
}

double XidCurve::time_of(double xid) const {
  const auto next = std::ranges::upper_bound(points_, xid, {}, &Point::xid);
  if (next == points_.begin()) return -1;
  if (next == points_.end()) return points_.back().at;
  const Point& low = *(next - 1);
  return between(low.at, next->at, (xid - low.xid) / (next->xid - low.xid));
}

double XidCurve::removable_until(double time) const {
  const auto next = std::ranges::upper_bound(looks_, time, {}, &Point::at);
  // Whoever was seen holding more than what came since the look before stays until the next look;
  // of who came and went between two looks only the later one tells.
  if (next != looks_.begin()) {
    const Point& last = *(next - 1);
    const double before = next - looks_.begin() >= 2 ? (next - 2)->xid : last.xid;
    if (last.horizon < before) return std::min(time, time_of(last.horizon));
  }
  if (next != looks_.end() && next->horizon < xid_at(time)) {
    return std::min(time, time_of(next->horizon));
  }
  return time;
}

double XidCurve::rate() const {
  if (points_.size() < 2 || points_.back().at <= points_.front().at) return 0;
  return (points_.back().xid - points_.front().xid) / (points_.back().at - points_.front().at);
}

Workload workload_of(const Trace& trace) {
  Workload out;
  out.tables.resize(trace.tables.size());
  std::map<uint32_t, size_t> places;
  for (size_t i = 0; i < trace.tables.size(); ++i) places[trace.tables[i].facts.oid] = i;
  double last = 0;
  for (const Sample& sample : trace.samples) {
    out.xids.add(sample.at, sample.xid);
    if (sample.horizon) out.xids.look(sample.at, sample.xid, *sample.horizon);
    const bool jump = sample.at - last <= kJumpNaps * trace.settings.autovacuum.naptime_s;
    for (const TableSample& one : sample.tables) {
      const auto place = places.find(one.oid);
      if (place == places.end()) continue;
      TableWorkload& table = out.tables[place->second];
      if (sample.at > 0) table.writes.add(sample.at, one.writes, last, jump);
      if (one.reset) table.events.push_back({sample.at, TableEvent::Kind::Reset});
      if (one.vacuum_at) table.events.push_back({*one.vacuum_at, TableEvent::Kind::Vacuum});
      if (one.analyze_at) table.events.push_back({*one.analyze_at, TableEvent::Kind::Analyze});
      if (one.pages) table.pages.emplace_back(sample.at, *one.pages);
    }
    last = sample.at;
  }
  for (TableWorkload& table : out.tables) {
    std::ranges::stable_sort(table.events, {}, &TableEvent::at);
  }
  return out;
}

}  // namespace pgtend::vacuum
