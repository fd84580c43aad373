// One table in a replay: its counters as the server would show them, what is true of its rows and
// pages, and what VACUUM and ANALYZE make of both. Pure; time is seconds since the trace began.
#pragma once

#include <cstdint>
#include <optional>

#include "facts/settings.h"
#include "facts/vacuum_costs.h"
#include "vacuum/triggers.h"
#include "vacuum/workload.h"

namespace pgtend::vacuum {

// What no trace tells; the simulator states what follows from it as assumed.
struct Assumptions {
  double cached = 0.5;      // share of the pages that a run finds in memory
  double read_mb_s = 500;   // of the others, from disk
  double page_work_us = 5;  // processor time a page
};

// All that a replay goes by beside the writes.
struct ModelSettings {
  facts::ServerSettings server = {};
  facts::VacuumCosts costs = {};
  Assumptions assumed = {};
};

// What one VACUUM or ANALYZE will read and write. Pages and rows, as expected values.
struct RunWork {
  double started = 0;
  double pages_scanned = 0;  // of the heap, first pass
  double pages_read = 0;     // all reads: heap, second pass, indexes
  double pages_dirtied = 0;
  double index_passes = 0;
  double rows_removed = 0;     // dead rows that nobody sees any more
  double tids = 0;             // dead item identifiers to be taken out of the indexes
  double removable_until = 0;  // rows that died later stay
  bool aggressive = false;     // visits all pages that are not frozen
  bool failsafe = false;       // 14 and later: no delay, no indexes
  bool bypass = false;         // 14 and later: so few dead rows that indexes are left alone
  double not_visible_before = 0;
  double freeze_xid = 0;  // rows older than it are frozen

  double cost_units(const ModelSettings& model) const;
  // Without any delay.
  double work_s(const ModelSettings& model) const;
};

// How many dead item identifiers fit in memory before the indexes have to be passed. Up to 16: 6
// bytes each and at most 1 GB; from 17 on bitmaps by page, `per_page` of them on each.
double tids_max(const ModelSettings& model, double per_page);

// vac_estimate_reltuples(): rows of a table of `pages`, of which `scanned` hold `counted` rows.
struct RowEstimate {
  double pages = 0;
  double scanned = 0;
  double counted = 0;
  double pages_before = 0;  // pg_class
  double rows_before = -1;
};
double estimated_rows(const RowEstimate& in, int version);

// Pages that a VACUUM reads of those that it may skip: runs of fewer than 32 are read through.
// `touched` pages of `pages` lie anywhere.
double pages_not_skipped(double pages, double touched);

class TableModel {
 public:
  // Borrows all; `model` may be changed by no one.
  TableModel(const TraceTable& table, const TableWorkload& workload, const XidCurve& xids,
             const ModelSettings& model);

  // Moves to `time`, which is not before the last.
  void advance(double time);
  // What autovacuum would do now.
  Forecast forecast() const;
  double xid_age() const;
  // The limits as they stand.
  const Triggers& limits() const { return limits_; }
  // Counters, reltuples and pages as the server would show them now.
  const facts::TableFacts& facts() const { return facts_; }
  double rows_dead() const { return dead_; }  // the counter
  double rows_dead_true() const;              // rows that a VACUUM would find
  double pages() const { return pages_; }
  // Own cost settings: such a table leaves the balance. Its delay (ms) and limit.
  bool own_costs() const { return own_costs_; }
  double delay_ms() const { return delay_ms_; }
  double cost_limit() const { return cost_limit_; }

  RunWork begin_vacuum() const;
  void end_vacuum(const RunWork& work);
  RunWork begin_analyze() const;
  void end_analyze();
  void reset();  // the server lost the counters

 private:
  void touch(const Writes& before, const Writes& now);
  void publish();
  double removable(double until) const;
  void plan_indexes(RunWork& work) const;
  double counted_live(const RunWork& work, double live) const;
  void freeze_pages(const RunWork& work, double unscanned);

  const TableWorkload& workload_;
  const XidCurve& xids_;
  const ModelSettings& model_;
  facts::TableFacts facts_;
  Triggers limits_;
  double now_ = 0;
  Writes sums_ = {};  // at now_
  double live_ = 0;   // the server's counters
  double dead_ = 0;
  double inserted_ = 0;
  double changed_ = 0;
  double live_start_ = 0;  // rows when the trace began
  double dead_gone_ = 0;   // of the sum of dead rows: removed by VACUUM so far; negative at first
  double stubs_ = 0;       // dead items that a VACUUM left because it bypassed the indexes
  double sums_gone_hot_ = 0;  // sums when the last rows were removed, to know the share of HOT
  double sums_gone_all_ = 0;
  double rows_per_page_ = 0;
  double pages_ = 0;
  double not_visible_ = 0;
  double not_frozen_ = 0;
  double index_pages_ = 0;
  double frozen_xid_ = 0;  // relfrozenxid on the scale of the trace
  int64_t indexes_ = 0;
  bool own_costs_ = false;
  double delay_ms_ = 0;
  double cost_limit_ = 0;
  double freeze_min_age_ = 0;
  double freeze_table_age_ = 0;
};

}  // namespace pgtend::vacuum
