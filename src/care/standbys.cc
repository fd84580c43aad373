#include "care/standbys.h"

#include <algorithm>

namespace pgtend::care {
namespace {

constexpr size_t kSeenMax = 2'048;

}  // namespace

const char* const kStandbysSql = R"(
select case when pg_is_in_recovery() then 0 else (pg_current_wal_lsn() - '0/0')::int8 end,
       r.pid, coalesce(r.application_name, ''), (r.replay_lsn - '0/0')::int8,
       (extract(epoch from r.replay_lag) * 1000)::int8, r.state is null
from (select) one left join pg_stat_replication r
  on (r.state is null or r.replay_lsn is not null)
 and not exists (select from pg_replication_slots s
                 where s.active_pid = r.pid and s.slot_type = 'logical')
order by 3, 2)";

Result<Standbys> read_standbys(const pg::Rows& rows) {
  Standbys out;
  for (const pg::Row row : rows) {
    out.position = TRY(row.get<int64_t>(0));
    if (!TRY(row.get<std::optional<int64_t>>(1))) continue;
    Standby standby{.name = std::string(row.text(2)),
                    .replayed = TRY(row.get<std::optional<int64_t>>(3))};
    const auto delay = TRY(row.get<std::optional<int64_t>>(4));
    if (delay) standby.delay = milliseconds(*delay);
    out.hidden = TRY(row.get<bool>(5)) || out.hidden;
    out.list.push_back(std::move(standby));
  }
  return out;
}

Result<Standbys> load_standbys(pg::Connection& conn) {
  return read_standbys(TRY(conn.query(kStandbysSql)));
}

void ReplayLag::at(int64_t position, SteadyTime now) {
  if (!seen_.empty() && position <= seen_.back().position) return;
  seen_.push_back({position, now});
  if (seen_.size() > kSeenMax) seen_.pop_front();
}

milliseconds ReplayLag::behind(const Standby& standby, SteadyTime now) const {
  if (!standby.replayed) return milliseconds(0);
  const auto missing =
      std::ranges::upper_bound(seen_, *standby.replayed, std::less<>(), &Seen::position);
  if (missing == seen_.end()) return milliseconds(0);
  const auto seen = std::chrono::duration_cast<milliseconds>(now - missing->at);
  return std::max(seen, standby.delay.value_or(milliseconds(0)));
}

}  // namespace pgtend::care
