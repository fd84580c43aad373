#include "vacuum/simulate_table.h"

#include <algorithm>
#include <cmath>

#include "vacuum/server_rules.h"

namespace pgtend::vacuum {
namespace {

constexpr int kVersionEarlyFreeze = 160000;    // when pruning has logged the page anyway
constexpr int kVersionFrozenPages = 180000;    // pg_class.relallfrozen
constexpr double kArrayBytesMax = 1073741823;  // the array is one allocation
constexpr double kSkipRun = 32;                // pages
constexpr double kBypassTids = 32.0 * 1024 * 1024 / kTidBytes;
constexpr double kRowsPerPage = 100;  // of a table that was never seen with rows
constexpr double kDoubled = 1.5;
constexpr double kUpdateTouches = 1.5;  // pages: that of the old row and often another

// Pages that `touches` at random places reach, of `pages`.
double pages_reached(double pages, double touches) {
  return pages <= 0 ? 0 : pages * -std::expm1(-touches / pages);
}

// Rows that the table holds. The counter is off where a session ran VACUUM or ANALYZE right after
// writes that it had not told of yet: they count twice. A table cannot hold them in as many pages.
double rows_at_first(const facts::TableFacts& facts) {
  const double known = std::max(facts.reltuples, 0.0);
  if (!facts.counters.present) return known;
  const auto counted = static_cast<double>(facts.counters.rows_live);
  const bool grown = facts.size.pages > facts.size.pages_known;
  return known > 0 && !grown && counted > kDoubled * known ? known : counted;
}

int64_t whole(double number) { return std::llround(std::max(number, 0.0)); }

}  // namespace

double RunWork::cost_units(const ModelSettings& model) const {
  if (failsafe) return 0;
  const facts::VacuumCosts& costs = model.costs;
  const double cached = model.assumed.cached;
  return pages_read * (cached * costs.page_hit + (1 - cached) * costs.page_miss) +
         pages_dirtied * costs.page_dirty;
}

double RunWork::work_s(const ModelSettings& model) const {
  const Assumptions& assumed = model.assumed;
  const double read = pages_read * (1 - assumed.cached) *
                      static_cast<double>(model.costs.block_size) / (assumed.read_mb_s * 1e6);
  return read + pages_read * assumed.page_work_us / 1e6;
}

double tids_max(const ModelSettings& model, double per_page) {
  const double bytes = model.costs.effective_memory_bytes();
  if (model.server.version < kVersionTidStore) return std::min(bytes, kArrayBytesMax) / kTidBytes;
  // A slot of the tree, and for more than three rows an entry with a bit for each row of the page
  // in words of 64. Seen on 17: 1 MB holds 22,000 to 44,000 pages of 14 dead rows among 136.
  const double entry = per_page <= 3 ? 10 : 10 + 8 + 8 * 2;
  return bytes / entry * std::max(per_page, 1.0);
}

double estimated_rows(const RowEstimate& in, int version) {
  if (in.scanned >= in.pages) return in.counted;
  if (in.scanned <= 0) return in.rows_before;
  // A table that has not grown is not judged by a few pages, which would be the same ones each
  // time.
  const bool few = in.pages == in.pages_before && in.scanned < in.pages * 0.02;
  if (version >= kVersionBypass && in.rows_before >= 0 && (few || in.scanned <= 1)) {
    return in.rows_before;
  }
  if (in.rows_before < 0 || in.pages_before <= 0) {
    return std::floor(in.counted / in.scanned * in.pages + 0.5);
  }
  const double density = in.rows_before / in.pages_before;
  return std::floor(density * (in.pages - in.scanned) + in.counted + 0.5);
}

double pages_not_skipped(double pages, double touched) {
  if (pages <= kSkipRun || touched >= pages) return pages;
  const double clean = 1 - touched / pages;
  // A clean page is skipped when the run of clean pages that it stands in has at least 32.
  const double skipped = std::pow(clean, kSkipRun - 1) * (kSkipRun - (kSkipRun - 1) * clean);
  return pages - pages * clean * std::min(skipped, 1.0);
}

TableModel::TableModel(const TraceTable& table, const TableWorkload& workload, const XidCurve& xids,
                       const ModelSettings& model)
    : workload_(workload),
      xids_(xids),
      model_(model),
      facts_(table.facts),
      indexes_(table.indexes) {
  const facts::TableCounters& counters = facts_.counters;
  live_ = static_cast<double>(counters.rows_live);
  dead_ = static_cast<double>(counters.rows_dead);
  inserted_ = static_cast<double>(counters.inserted_since_vacuum);
  changed_ = static_cast<double>(counters.modified_since_analyze);
  live_start_ = rows_at_first(facts_);
  dead_gone_ = -dead_;
  pages_ = static_cast<double>(facts_.size.pages);
  if (pages_ > 0 && live_start_ + dead_ > 0) rows_per_page_ = (live_start_ + dead_) / pages_;
  not_visible_ = std::max(pages_ - static_cast<double>(facts_.size.pages_visible), 0.0);
  not_frozen_ = std::max(pages_ - static_cast<double>(facts_.size.pages_frozen.value_or(0)), 0.0);
  index_pages_ = static_cast<double>(facts_.size.indexes.count / model.costs.block_size);
  frozen_xid_ = xids.xid_at(0) - static_cast<double>(facts_.xid_age);
  const auto option = [&](const char* name, double otherwise) {
    return option_number(facts_, name).value_or(otherwise);
  };
  const auto delay = option_number(facts_, "autovacuum_vacuum_cost_delay");
  const auto limit = option_number(facts_, "autovacuum_vacuum_cost_limit");
  own_costs_ = (delay && *delay >= 0) || (limit && *limit > 0);
  delay_ms_ = delay && *delay >= 0 ? *delay : model.costs.effective_delay_ms();
  cost_limit_ = limit && *limit > 0 ? *limit : model.costs.effective_limit();
  const auto most = static_cast<double>(model.server.autovacuum.freeze_age_max);
  freeze_min_age_ =
      std::min(option("autovacuum_freeze_min_age", static_cast<double>(model.costs.freeze_min_age)),
               most / 2);
  freeze_table_age_ = std::min(
      option("autovacuum_freeze_table_age", static_cast<double>(model.costs.freeze_table_age)),
      most * 0.95);
  limits_ = triggers(facts_, model.server);
}

double TableModel::rows_dead_true() const { return std::max(sums_.dead - dead_gone_, 0.0); }

double TableModel::xid_age() const { return xids_.xid_at(now_) - frozen_xid_; }

// What writes do to the pages: rows that find no room append, the others reach pages anywhere.
void TableModel::touch(const Writes& before, const Writes& now) {
  const double rows = std::max(live_start_ + now.live, 0.0) + rows_dead_true();
  if (rows_per_page_ <= 0 && rows > 0) {
    rows_per_page_ = kRowsPerPage;
    for (const auto& [at, pages] : workload_.pages) {
      if (pages <= 0) continue;
      const Writes then = workload_.writes.at(at);
      const double stored = live_start_ + then.live + std::max(then.dead - dead_gone_, 0.0);
      if (stored > 0) rows_per_page_ = stored / static_cast<double>(pages);
      break;
    }
  }
  const double needed = rows_per_page_ > 0 ? std::ceil(rows / rows_per_page_) : 0;
  const double grown = std::max(needed - pages_, 0.0);
  double touches = kUpdateTouches * (now.updated - before.updated) + now.deleted - before.deleted;
  if (grown <= 0 && rows_per_page_ > 0) {
    touches += (now.inserted - before.inserted) / rows_per_page_;
  }
  const auto reach = [&](double not_clean) {
    const double clean = std::max(pages_ - not_clean, 0.0);
    return clean - (pages_ > 0 ? clean * std::exp(-touches / pages_) : 0) + not_clean + grown;
  };
  not_visible_ = reach(not_visible_);
  not_frozen_ = reach(not_frozen_);
  pages_ += grown;
}

void TableModel::advance(double time) {
  now_ = time;
  const Writes next = workload_.writes.at(time);
  const Writes before = sums_;
  sums_ = next;
  if (next.inserted != before.inserted || next.updated != before.updated ||
      next.deleted != before.deleted || next.dead != before.dead || next.live != before.live) {
    live_ = std::max(live_ + next.live - before.live, 0.0);
    dead_ = std::max(dead_ + next.dead - before.dead, 0.0);
    inserted_ += next.inserted - before.inserted;
    changed_ += next.changed - before.changed;
    touch(before, next);
  }
  publish();
}

void TableModel::publish() {
  facts_.counters.rows_live = whole(live_);
  facts_.counters.rows_dead = whole(dead_);
  facts_.counters.inserted_since_vacuum = whole(inserted_);
  facts_.counters.modified_since_analyze = whole(changed_);
  facts_.size.pages = whole(pages_);
  facts_.xid_age = whole(xid_age());
}

Forecast TableModel::forecast() const {
  return vacuum::forecast(facts_, limits_, model_.server.autovacuum.enabled);
}

void TableModel::plan_indexes(RunWork& work) const {
  // A row that a HOT update made dead has no index entry and goes while its page is pruned.
  const Writes until = workload_.writes.at(std::max(work.removable_until, 0.0));
  const double all = until.updated + until.deleted - sums_gone_all_;
  const double hot = until.updated_hot - sums_gone_hot_;
  const double first = std::max(-dead_gone_, 0.0);  // died before the trace began
  work.tids = std::min(work.rows_removed, std::max(all - hot, 0.0) + first) + stubs_;
  if (indexes_ == 0) work.tids = 0;
  const double pages = pages_reached(pages_, work.tids);
  work.bypass = work.tids > 0 && model_.server.version >= kVersionBypass &&
                pages < kBypassShare * pages_ && work.tids < kBypassTids;
  if (work.tids <= 0 || work.bypass || work.failsafe) return;
  work.index_passes = std::ceil(work.tids / tids_max(model_, work.tids / std::max(pages, 1.0)));
  work.pages_read += pages + work.index_passes * index_pages_;
  const double per_index = indexes_ > 0 ? index_pages_ / static_cast<double>(indexes_) : 0;
  work.pages_dirtied += (1 - model_.assumed.cached) * pages +
                        static_cast<double>(indexes_) * work.index_passes *
                            pages_reached(per_index, work.tids / work.index_passes);
}

// Dead rows that died before `until` and are still there: readers prune the oldest first.
double TableModel::removable(double until) const {
  if (until < 0) return 0;
  const Writes then = workload_.writes.at(until);
  const auto pruned = [](const Writes& sums) { return sums.updated + sums.deleted - sums.dead; };
  const double since = std::max(pruned(sums_) - pruned(then), 0.0);
  return std::clamp(then.dead - since - dead_gone_, 0.0, rows_dead_true());
}

RunWork TableModel::begin_vacuum() const {
  RunWork work{.started = now_};
  work.removable_until = xids_.removable_until(now_);
  work.rows_removed = removable(work.removable_until);
  const Forecast due = forecast();
  const bool forced = (due.xid_age && due.xid_age->due) || (due.mxid_age && due.mxid_age->due);
  work.aggressive = forced || xid_age() > freeze_table_age_;
  const auto& costs = model_.costs;
  work.failsafe =
      model_.server.version >= kVersionBypass &&
      xid_age() > std::max(static_cast<double>(costs.failsafe_age),
                           1.05 * static_cast<double>(model_.server.autovacuum.freeze_age_max));
  work.pages_scanned = work.aggressive ? std::max(not_frozen_, not_visible_)
                                       : pages_not_skipped(pages_, not_visible_);
  work.pages_scanned = std::min(work.pages_scanned, pages_);
  work.pages_read = work.pages_scanned;
  work.pages_dirtied =
      work.aggressive ? work.pages_scanned : std::min(work.pages_scanned, not_visible_);
  work.not_visible_before = not_visible_;
  work.freeze_xid =
      std::min(xids_.xid_at(now_), xids_.xid_at(std::max(work.removable_until, 0.0))) -
      freeze_min_age_;
  plan_indexes(work);
  return work;
}

// What a VACUUM takes for the number of rows, of which there are `live`: the pages that it skips
// count as full as the table was when the catalog's numbers were made.
double TableModel::counted_live(const RunWork& work, double live) const {
  const auto pages_before = static_cast<double>(facts_.size.pages_known);
  const double unscanned = std::max(pages_ - work.pages_scanned, 0.0);
  const double density =
      pages_before > 0 && facts_.reltuples > 0 ? facts_.reltuples / pages_before : rows_per_page_;
  const double rows = estimated_rows({.pages = pages_,
                                      .scanned = work.pages_scanned,
                                      .counted = std::max(live - density * unscanned, 0.0),
                                      .pages_before = pages_before,
                                      .rows_before = facts_.reltuples},
                                     model_.server.version);
  return std::max(rows, 0.0);
}

void TableModel::end_vacuum(const RunWork& work) {
  const WriteCurve& writes = workload_.writes;
  // Rows that die behind the scan are not seen by it: on average those of its second half.
  const double seen_until = (work.started + now_) / 2;
  const Writes seen = writes.at(seen_until);
  const Writes gone = writes.at(std::max(work.removable_until, 0.0));
  if (work.removable_until >= 0) {
    dead_gone_ += work.rows_removed;
    sums_gone_all_ = gone.updated + gone.deleted;
    sums_gone_hot_ = gone.updated_hot;
  }
  dead_ = std::max(seen.dead - dead_gone_, 0.0);
  stubs_ = work.bypass || work.failsafe ? work.tids : 0;
  inserted_ = 0;
  const double unscanned = std::max(pages_ - work.pages_scanned, 0.0);
  live_ = counted_live(work, std::max(live_start_ + seen.live, 0.0));
  const double kept = pages_reached(pages_, dead_);
  not_visible_ =
      std::clamp(not_visible_ - work.not_visible_before + kept, 0.0, std::max(pages_, 0.0));
  freeze_pages(work, unscanned);
  facts_.reltuples = static_cast<float>(live_);
  facts_.size.pages_known = whole(pages_);
  facts_.size.pages_visible = whole(pages_ - not_visible_);
  if (facts_.size.pages_frozen || model_.server.version >= kVersionFrozenPages) {
    facts_.size.pages_frozen = whole(pages_ - not_frozen_);
  }
  publish();
  limits_ = triggers(facts_, model_.server);
}

void TableModel::freeze_pages(const RunWork& work, double unscanned) {
  const bool early = model_.server.version >= kVersionEarlyFreeze &&
                     model_.costs.full_page_writes && model_.costs.checksums;
  if (early) not_frozen_ = std::min(not_frozen_, not_visible_ + unscanned);
  if (work.aggressive) {
    const Writes old = workload_.writes.at(std::max(xids_.time_of(work.freeze_xid), 0.0));
    const double young = rows_per_page_ > 0 ? (sums_.inserted - old.inserted) / rows_per_page_ : 0;
    not_frozen_ = std::min(
        not_frozen_, young + not_visible_ +
                         pages_reached(pages_, kUpdateTouches * (sums_.updated - old.updated)));
    frozen_xid_ = std::max(frozen_xid_, work.freeze_xid);
  } else if (work.pages_scanned >= pages_) {
    frozen_xid_ = std::max(frozen_xid_, work.freeze_xid);
  }
}

RunWork TableModel::begin_analyze() const {
  RunWork work{.started = now_};
  const double sample = kSampleRowsPerTarget * static_cast<double>(model_.server.statistics_target);
  work.pages_scanned = work.pages_read = std::min(pages_, sample);
  return work;
}

void TableModel::end_analyze() {
  live_ = std::max(live_start_ + sums_.live, 0.0);
  dead_ = rows_dead_true() + stubs_;
  changed_ = 0;
  facts_.reltuples = static_cast<float>(std::round(live_));
  facts_.size.pages_known = whole(pages_);
  facts_.size.pages_visible = whole(pages_ - not_visible_);
  publish();
  limits_ = triggers(facts_, model_.server);
}

void TableModel::reset() {
  live_ = dead_ = inserted_ = changed_ = 0;
  publish();
}

}  // namespace pgtend::vacuum
