#include "facts/progress.h"

#include <algorithm>

#include "base/text.h"

namespace pgtend::facts {
namespace {

// One query for all three commands: command, phase, done, total, unit, note.
std::string progress_sql(int version) {
  const std::string_view index_done = version >= 170000
                                          ? "when 'vacuuming indexes' then indexes_processed "
                                            "when 'cleaning up indexes' then indexes_processed "
                                          : "";
  const std::string_view index_total = version >= 170000
                                           ? "when 'vacuuming indexes' then indexes_total "
                                             "when 'cleaning up indexes' then indexes_total "
                                           : "";
  return cat(R"(
select 'VACUUM', phase,
       case phase when 'scanning heap' then heap_blks_scanned
                  when 'vacuuming heap' then heap_blks_vacuumed )",
             index_done, R"( else 0 end::bigint,
       case when phase in ('scanning heap', 'vacuuming heap') then heap_blks_total
            else case phase )",
             index_total.empty() ? "when '' then 0 " : index_total, R"( else 0 end end::bigint,
       case when phase like '%indexes' then 'indexes' else 'pages' end,
       case when index_vacuum_count > 0 then 'after index pass ' || index_vacuum_count
            else '' end
from pg_stat_progress_vacuum where pid = $1
union all
select 'ANALYZE', phase,
       case phase when 'computing extended statistics' then ext_stats_computed
                  when 'acquiring inherited sample rows' then child_tables_done
                  else sample_blks_scanned end,
       case phase when 'computing extended statistics' then ext_stats_total
                  when 'acquiring inherited sample rows' then child_tables_total
                  else sample_blks_total end,
       case phase when 'computing extended statistics' then 'statistics'
                  when 'acquiring inherited sample rows' then 'tables' else 'pages' end,
       ''
from pg_stat_progress_analyze where pid = $1
union all
select 'CREATE INDEX', phase,
       case when phase like 'waiting%' then lockers_done
            when tuples_total > 0 then tuples_done else blocks_done end,
       case when phase like 'waiting%' then lockers_total
            when tuples_total > 0 then tuples_total else blocks_total end,
       case when phase like 'waiting%' then 'transactions'
            when tuples_total > 0 then 'rows' else 'pages' end,
       case when phase like 'waiting%' and current_locker_pid > 0
            then 'waiting for pid ' || current_locker_pid else '' end
from pg_stat_progress_create_index where pid = $1
limit 1)");
}

}  // namespace

Result<std::optional<Progress>> load_progress(pg::Connection& conn, int pid) {
  const pg::Rows rows =
      TRY_DURING(conn.query(progress_sql(conn.server_version()), {cat(pid)}), "reading progress");
  if (rows.empty()) return std::optional<Progress>();
  const pg::Row row = rows[0];
  Progress progress;
  progress.command = row.text(0);
  progress.phase = row.text(1);
  progress.done = TRY(row.get<std::optional<int64_t>>(2)).value_or(0);
  progress.total = TRY(row.get<std::optional<int64_t>>(3)).value_or(0);
  progress.unit = row.text(4);
  progress.note = row.text(5);
  return std::optional<Progress>(std::move(progress));
}

Pace::Estimate Pace::add(const Progress& progress, SteadyTime now) {
  const std::string phase = cat(progress.command, '/', progress.phase, '/', progress.note);
  if (phase != phase_ || progress.done < first_) {
    phase_ = phase;
    since_ = now;
    first_ = progress.done;
  }
  Estimate estimate;
  if (progress.total > 0) {
    estimate.share = std::clamp(
        static_cast<double>(progress.done) / static_cast<double>(progress.total), 0.0, 1.0);
  }
  const double elapsed = std::chrono::duration<double>(now - since_).count();
  const auto moved = static_cast<double>(progress.done - first_);
  if (elapsed <= 0 || moved <= 0) return estimate;
  estimate.per_second = moved / elapsed;
  if (progress.total > 0) {
    const auto left = static_cast<double>(std::max<int64_t>(progress.total - progress.done, 0));
    estimate.remaining = milliseconds(static_cast<int64_t>(1000 * left / estimate.per_second));
  }
  return estimate;
}

}  // namespace pgtend::facts
