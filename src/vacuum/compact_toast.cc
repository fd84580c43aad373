#include "vacuum/compact_toast.h"

#include <algorithm>

#include "base/text.h"
#include "base/units.h"

namespace pgtend::vacuum {
namespace {

constexpr int kVersionChunkId = 170000;  // has pg_column_toast_chunk_id
constexpr int kVersionTidRanges = 140000;
constexpr int64_t kReadPages = 64;
// Before 17 nobody tells where a value is kept. A row that has one outside was longer than 2,000
// bytes when it was written; other columns may have become shorter since.
constexpr int64_t kRowBytesMin = 500;
constexpr int64_t kValueBytesMin = 24;  // shorter ones the server never keeps outside
constexpr size_t kDoneMax = 4'000'000;
constexpr size_t kIncompleteMax = 100'000;
constexpr int kRetries = 5;
constexpr milliseconds kRetryPause{200};
constexpr milliseconds kStoreTellEvery{100};
constexpr std::pair<std::string_view, std::string_view> kStoreSettings[] = {
    {"enable_seqscan", "off"},       {"enable_indexscan", "off"},
    {"enable_bitmapscan", "off"},    {"jit", "off"},
    {"enable_indexonlyscan", "off"}, {"plan_cache_mode", "force_generic_plan"}};

std::string size_of(const ToastColumn& column) {
  return cat("coalesce(pg_column_size(", column.name, "), 0)");
}

bool tells_chunks(const ToastTarget& target) { return target.version >= kVersionChunkId; }

std::string is_outside(const ToastTarget& target, const ToastColumn& column) {
  return tells_chunks(target) ? cat("pg_column_toast_chunk_id(", column.name, ") IS NOT NULL")
                              : cat("pg_column_size(", column.name, ") > ", kValueBytesMin);
}

// The same value as one that is not stored yet. An array that is put together holds no references,
// whatever the type of its elements; one that is appended to is taken out of its TOAST.
std::string as_new(const ToastColumn& column) {
  return column.array ? cat("pg_catalog.array_cat(", column.name, ", '{}')")
                      : cat("(ARRAY[", column.name, "])[1]");
}

std::string bytes_outside(const ToastTarget& target) {
  std::vector<std::string> parts;
  for (const ToastColumn& column : target.fit.columns) {
    parts.push_back(tells_chunks(target) ? cat("CASE WHEN ", is_outside(target, column), " THEN ",
                                               size_of(column), " ELSE 0 END")
                                         : size_of(column));
  }
  return join(parts, " + ");
}

std::string array_of(const std::vector<std::string>& tids) {
  std::vector<std::string> quoted;
  quoted.reserve(tids.size());
  for (const std::string& tid : tids) quoted.push_back(cat("\"", tid, "\""));
  return cat("{", join(quoted, ","), "}");
}

}  // namespace

std::string store_statement(const ToastTarget& target) {
  std::vector<std::string> sets;
  for (const ToastColumn& column : target.fit.columns) {
    sets.push_back(cat(column.name, " = CASE WHEN ", is_outside(target, column), " THEN ",
                       as_new(column), " ELSE ", column.name, " END"));
  }
  // A value in a key counts as changed, since it is stored elsewhere: that takes the stronger lock.
  return cat("UPDATE ONLY ", target.table, " SET ", join(sets, ", "),
             " WHERE ctid = ANY (ARRAY(SELECT ctid FROM ONLY ", target.table,
             " WHERE ctid = ANY ($1) AND tableoid = ", target.oid,
             target.fit.indexed ? " FOR UPDATE" : " FOR NO KEY UPDATE",
             " SKIP LOCKED)) RETURNING ctid");
}

std::vector<std::string> store_preparation(const ToastTarget& target) {
  std::vector<std::string> out;
  for (const auto& [setting, value] : kStoreSettings) {
    out.push_back(cat("SET ", setting, " = ", value));
  }
  if (target.fit.replica_role) out.emplace_back("SET session_replication_role = replica");
  out.push_back(cat("PREPARE pgtend_store (tid[]) AS ", store_statement(target)));
  return out;
}

std::string stored_outside(const ToastTarget& target) {
  std::vector<std::string> conditions;
  for (const ToastColumn& column : target.fit.columns) {
    conditions.push_back(is_outside(target, column));
  }
  const std::string which = tells_chunks(target) ? cat("(", join(conditions, " OR "), ")")
                                                 : cat(bytes_outside(target), " > ", kRowBytesMin);
  const std::string range =
      target.version >= kVersionTidRanges
          ? std::string("ctid >= $1 AND ctid < $2")
          : cat("ctid = ANY (ARRAY(SELECT ('(' || page || ',' || item || ')')::tid FROM ",
                "generate_series(($1::text::point)[0]::int8, ($2::text::point)[0]::int8 - 1) page, "
                "generate_series(1, ",
                rows_of_page(target.block_size), ") item))");
  return cat("SELECT ctid, ", bytes_outside(target), " FROM ONLY ", target.table, " WHERE ", range,
             " AND tableoid = ", target.oid, " AND ", which, " ORDER BY ctid");
}

Status ToastMover::read(const PageRange& range, std::deque<Row>& out) {
  const pg::Rows rows = TRY(rounds_.connection().query(
      stored_outside(target_), {cat("(", range.first, ",0)"), cat("(", range.last + 1, ",0)")}));
  for (const pg::Row row : rows) {
    std::string tid(row.text(0));
    if (done_.erase(tid) > 0) continue;
    out.push_back({std::move(tid), TRY(row.get<int64_t>(1))});
  }
  return ok();
}

// How many of the rows were stored anew.
Result<int64_t> ToastMover::store(const std::vector<Row>& rows, const PageRange& range) {
  std::vector<std::string> tids;
  tids.reserve(rows.size());
  int64_t bytes = 0;
  for (const Row& row : rows) {
    tids.push_back(row.tid);
    bytes += row.bytes;
  }
  std::vector<std::string> landed;
  TRY(throttle_.begin());
  const SteadyTime start = rounds_.clock().steady();
  const auto update = [&](pg::Connection& conn) -> Result<care::RoundEnd> {
    landed.clear();
    const pg::Rows moved = TRY(conn.query(cat("EXECUTE pgtend_store ('", array_of(tids), "')")));
    for (const pg::Row row : moved) landed.emplace_back(row.text(0));
    return care::RoundEnd::Commit;
  };
  TRY(rounds_.round(update));
  size_.ran(bytes / target_.block_size + 1,
            std::chrono::duration_cast<microseconds>(rounds_.clock().steady() - start));
  TRY(throttle_.end());
  for (std::string& tid : landed) {
    const int64_t page = TRY(page_of(tid));
    if (page > range.last && page < target_.pages && done_.size() < kDoneMax) {
      done_.insert(std::move(tid));
    }
  }
  totals_.rows += static_cast<int64_t>(landed.size());
  totals_.bytes += bytes;
  in_batch_ += bytes;
  return static_cast<int64_t>(landed.size());
}

void ToastMover::tell(int64_t page) {
  const SteadyTime now = rounds_.clock().steady();
  if (now - told_ < kStoreTellEvery) return;
  told_ = now;
  rounds_.tell(cat("storing values anew, page ", grouped(page), " of ", grouped(target_.pages),
                   ", ", human(Bytes{totals_.bytes}), " stored"));
}

// In rounds of what fits in the wanted time. False: it is of no use to go on.
Result<bool> ToastMover::work_off(std::deque<Row>& rows, const PageRange& range) {
  while (!rows.empty()) {
    std::vector<Row> now;
    int64_t room = size_.pages() * target_.block_size;
    do {
      room -= rows.front().bytes;
      now.push_back(std::move(rows.front()));
      rows.pop_front();
    } while (!rows.empty() && room >= rows.front().bytes);
    const int64_t stored = TRY(store(now, range));
    const bool whole = stored == static_cast<int64_t>(now.size());
    if (!whole && incomplete_.size() < kIncompleteMax) incomplete_.push_back(std::move(now));
    tell(range.first);
    TRY(throttle_.rest(size_.rest()));
    if (in_batch_ < target_.batch_bytes) continue;
    in_batch_ = 0;
    if (!TRY(make_room_())) return false;
  }
  return true;
}

// The rows of such a round that were stored are not at their addresses any more: what is left are
// those that others held.
Status ToastMover::retry(const PageRange& range) {
  for (int i = 0; i < kRetries && !incomplete_.empty(); ++i) {
    TRY(throttle_.rest(kRetryPause));
    std::vector<std::vector<Row>> again;
    again.swap(incomplete_);
    totals_.skipped = 0;
    for (std::vector<Row>& round : again) {
      std::vector<std::string> tids;
      for (const Row& row : round) tids.push_back(row.tid);
      const pg::Rows left = TRY(rounds_.connection().query(
          cat("SELECT ctid FROM ONLY ", target_.table, " WHERE ctid = ANY ($1::tid[])"),
          {array_of(tids)}));
      std::vector<Row> rows;
      for (const pg::Row row : left) {
        const auto same = std::ranges::find(round, row.text(0), &Row::tid);
        if (same != round.end()) rows.push_back(*same);
      }
      if (rows.empty()) continue;
      const int64_t stored = TRY(store(rows, range));
      totals_.skipped += static_cast<int64_t>(rows.size()) - stored;
      if (stored < static_cast<int64_t>(rows.size())) incomplete_.push_back(std::move(rows));
    }
  }
  return ok();
}

Status ToastMover::pass() {
  pg::Connection& conn = rounds_.connection();
  for (const std::string& sql : store_preparation(target_)) TRY(conn.query(sql));
  PageRange range;
  bool useful = true;
  for (int64_t page = 0; page < target_.pages && useful; page += kReadPages) {
    range = {page, std::min(page + kReadPages, target_.pages) - 1};
    std::deque<Row> rows;
    TRY(read(range, rows));
    useful = TRY(work_off(rows, range));
    tell(page);
    if (rows.empty()) TRY(rounds_.pause(microseconds(0)));
  }
  range.last = target_.pages;
  if (useful) TRY(retry(range));
  TRY(conn.exec("DEALLOCATE pgtend_store"));
  for (const auto& [setting, value] : kStoreSettings) TRY(conn.exec(cat("RESET ", setting)));
  return target_.fit.replica_role ? conn.exec("RESET session_replication_role") : ok();
}

}  // namespace pgtend::vacuum
