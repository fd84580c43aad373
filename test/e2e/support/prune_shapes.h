// Statements about a table `readings (id, meter_id, ts, v)` that is to be divided by months of
// `ts`, each with when partitions are left out. The unit test predicts it, the end-to-end test asks
// the planner. `o (a, b, k)` is another table, of one row.
#pragma once

#include <string_view>

#include "partition/shapes.h"

namespace pgtend::e2e {

struct PruneShape {
  std::string_view sql;
  partition::Prunes prunes;
  // What its rewriting gains; NotRead when there is none.
  partition::Prunes rewritten = partition::Prunes::NotRead;
  // For $1 and $2 when rows are compared.
  std::string_view first = {};
  std::string_view second = {};
  int since = 0;  // server version; before it partitions are never left out
};

#define PGTEND_READ "SELECT * FROM readings WHERE "
constexpr auto kPlan = partition::Prunes::AtPlan;
constexpr auto kStart = partition::Prunes::AtStart;
constexpr auto kRunning = partition::Prunes::WhileRunning;
constexpr auto kNever = partition::Prunes::Never;
constexpr auto kMixed = partition::Prunes::Mixed;
constexpr auto kNone = partition::Prunes::NotRead;
constexpr int kWritesPrune = 140000;

inline constexpr PruneShape kPruneShapes[] = {
    // at plan time
    {PGTEND_READ "ts >= '2025-03-01' AND ts < '2025-03-02'", kPlan},
    {PGTEND_READ "ts = '2025-03-01 10:00+01'", kPlan},
    {PGTEND_READ "ts IN ('2025-03-01', '2025-04-01')", kPlan},
    {PGTEND_READ "ts = ANY ('{2025-03-01,2025-04-01}')", kPlan},
    {PGTEND_READ "ts = ANY (ARRAY['2025-03-01', '2025-04-01']::timestamptz[])", kPlan},
    {PGTEND_READ "NOT (ts < '2026-06-01')", kPlan},
    {PGTEND_READ "ts BETWEEN '2025-03-01' AND '2025-04-01'", kPlan},
    {PGTEND_READ "ts BETWEEN SYMMETRIC '2025-03-09' AND '2025-03-02'", kPlan},
    {PGTEND_READ "ts NOT BETWEEN '2025-01-05' AND '2026-06-01'", kPlan},
    {PGTEND_READ "timestamptz '2026-06-01' < ts", kPlan},
    {PGTEND_READ "ts >= '2026-06-01'::timestamptz", kPlan},
    {PGTEND_READ "(ts, id) = ('2025-03-01', 5)", kPlan},
    {PGTEND_READ "(id, ts) IN ((5, '2025-03-01'), (6, '2025-03-02'))", kPlan},
    {PGTEND_READ "ts IS NULL", kPlan},
    {PGTEND_READ "ts < '2025-02-01' OR ts >= '2026-06-01' AND id > 4", kPlan},
    {PGTEND_READ "NOT (ts < '2026-06-01' OR id = 4)", kPlan},
    {PGTEND_READ "ts >= '2025-03-01' AND ts < now()", kPlan},
    {PGTEND_READ "ts >= to_timestamp(1767225600)", kPlan},
    {PGTEND_READ "ts >= timestamp '2026-06-01' AT TIME ZONE 'UTC'", kPlan},
    {PGTEND_READ "ts < '2025-03-01' FOR UPDATE", kPlan},
    {"SELECT count(*), max(v) FROM public.readings r WHERE r.ts < '2025-03-01'", kPlan},
    {"SELECT * FROM (SELECT ts, v FROM readings) x WHERE ts < '2025-03-01'", kPlan},
    {"SELECT * FROM (SELECT * FROM (SELECT ts AS at FROM readings) y) x WHERE at < '2025-03-01'",
     kPlan},
    {"WITH x AS (SELECT * FROM readings) SELECT * FROM x WHERE ts < '2025-03-01'", kPlan},
    {"SELECT * FROM (SELECT ts FROM readings UNION ALL SELECT a FROM o) x WHERE ts < '2025-03-01'",
     kPlan},
    {"SELECT * FROM (SELECT *, rank() OVER (PARTITION BY ts ORDER BY id) FROM readings) x "
     "WHERE ts < '2025-03-01'",
     kPlan},
    {"SELECT * FROM (SELECT DISTINCT ts FROM readings) x WHERE ts < '2025-03-01'", kPlan},
    {"SELECT ts, count(*) FROM readings GROUP BY ts HAVING ts < '2025-03-01'", kPlan},
    {"SELECT * FROM o LEFT JOIN readings r ON r.ts < '2025-03-01'", kPlan},
    {"SELECT * FROM readings x JOIN readings y ON x.ts = y.ts WHERE x.ts = '2025-03-01'", kPlan},
    {"SELECT * FROM readings r JOIN o ON r.ts = o.a WHERE o.a = '2025-03-01'", kPlan},
    {"SELECT v FROM readings WHERE ts < '2025-03-01' AND EXISTS (SELECT FROM o WHERE k = meter_id)",
     kPlan},
    {"UPDATE readings SET v = 1 WHERE ts = '2025-03-01' AND id = 4", kPlan},
    {"DELETE FROM readings WHERE ts < '2025-03-01'", kPlan},
    {"INSERT INTO o (a) SELECT ts FROM readings WHERE ts < '2025-03-01'", kPlan},
    // at executor start
    {PGTEND_READ "ts > now() - interval '600 days'", kStart, kPlan},
    {PGTEND_READ "ts >= current_date - 600", kStart, kPlan},
    {PGTEND_READ "ts >= '2025-06-01'::date", kStart, kPlan},
    {PGTEND_READ "ts < '2025-03-30 02:30'::timestamp", kStart, kPlan},
    {PGTEND_READ "ts < '2025-03-01'::timestamptz + interval '1 month'", kStart, kPlan},
    {PGTEND_READ "ts BETWEEN '2025-03-01'::date AND '2025-03-31'::date", kStart, kPlan},
    {PGTEND_READ "ts >= make_timestamptz(2025, 6, 1, 0, 0, 0)", kStart, kPlan},
    {PGTEND_READ "ts >= date_trunc('day', now() - interval '500 days')", kStart, kPlan},
    {PGTEND_READ "ts < localtimestamp - interval '500 days'", kStart, kPlan},
    {PGTEND_READ "ts >= $1", kStart},
    {PGTEND_READ "ts >= $1 AND ts < $2 AND meter_id = 3", kStart},
    {PGTEND_READ "ts BETWEEN $1 AND $2", kStart},
    {PGTEND_READ "ts = $1::date", kStart},
    {PGTEND_READ "ts >= $1::timestamp", kStart},
    {PGTEND_READ "ts IN ($1, $2)", kStart},
    {PGTEND_READ "ts = $1 OR ts = '2025-03-01'", kStart},
    {PGTEND_READ "ts >= coalesce($1::timestamptz, '-infinity')", kStart},
    {"UPDATE readings SET v = 1 WHERE ts = $1", kStart, kNone, {}, {}, kWritesPrune},
    {"DELETE FROM readings WHERE ts < $1", kStart, kNone, {}, {}, kWritesPrune},
    // while running
    {PGTEND_READ "ts >= (SELECT max(a) FROM o)", kRunning},
    {PGTEND_READ "ts = (SELECT max(a) FROM o) OR ts = '2025-05-01'", kRunning},
    {PGTEND_READ "ts IN (SELECT a FROM o)", kRunning},
    {"SELECT * FROM readings r WHERE EXISTS (SELECT FROM o WHERE o.a = r.ts)", kRunning},
    {"SELECT (SELECT max(v) FROM readings r WHERE r.ts = o.a) FROM o", kRunning},
    {"SELECT * FROM readings r JOIN o ON r.ts = o.a", kRunning},
    {"SELECT * FROM o JOIN readings r ON r.ts >= o.a AND r.ts < o.b", kRunning},
    {"SELECT * FROM readings r JOIN o ON r.meter_id = o.k AND r.ts >= o.a", kRunning},
    {"SELECT * FROM o, LATERAL (SELECT * FROM readings r WHERE r.ts < o.a LIMIT 1) x", kRunning},
    {"SELECT * FROM readings ORDER BY ts LIMIT 5", kRunning},
    {PGTEND_READ "meter_id = 3 ORDER BY ts DESC LIMIT 1", kRunning},
    {"SELECT max(ts) FROM readings", kRunning},
    {"SELECT min(ts), max(ts) FROM readings WHERE meter_id = 4", kRunning},
    {"UPDATE readings SET v = 1 WHERE ts >= (SELECT max(a) FROM o)",
     kRunning,
     kNone,
     {},
     {},
     kWritesPrune},
    // never
    {PGTEND_READ "date_trunc('day', ts) = '2025-03-30'", kNever, kPlan},
    {PGTEND_READ "date_trunc('month', ts) >= '2026-06-01'", kNever, kPlan},
    {PGTEND_READ "date_trunc('month', ts) <= '2025-03-15'", kNever, kPlan},
    {PGTEND_READ "date_trunc('week', ts) = $1", kNever, kStart, "'2025-03-31'::timestamptz"},
    {PGTEND_READ "date_trunc('day', ts, 'America/New_York') = '2025-03-09 00:00-05'", kNever,
     kPlan},
    {PGTEND_READ "date_trunc('month', ts)::date = '2025-11-01'", kNever, kPlan},
    {PGTEND_READ "ts::date = '2025-11-02'", kNever, kPlan},
    {PGTEND_READ "date(ts) < '2025-11-02'", kNever, kPlan},
    {PGTEND_READ "'2025-11-02' <= ts::date", kNever, kPlan},
    {PGTEND_READ "ts::date IN ('2025-03-30', '2025-11-02')", kNever, kPlan},
    {PGTEND_READ "ts::date BETWEEN '2025-03-29' AND '2025-03-30'", kNever, kPlan},
    {PGTEND_READ "ts::date = $1", kNever, kStart, "'2025-11-02'::date"},
    {PGTEND_READ "ts::date = $1", kNever, kStart, "NULL::date"},
    {PGTEND_READ "ts::date > current_date - 600", kNever, kPlan},
    {PGTEND_READ "extract(year FROM ts) = 2025", kNever, kPlan},
    {PGTEND_READ "date_part('year', ts) IN (2025, 2027)", kNever, kPlan},
    {PGTEND_READ "extract(epoch FROM ts) >= 1767225600", kNever, kPlan},
    {PGTEND_READ "to_char(ts, 'YYYY-MM-DD') = '2025-11-02'", kNever, kPlan},
    {PGTEND_READ "to_char(ts, 'YYYYMM') = '202503'", kNever, kPlan},
    {PGTEND_READ "ts AT TIME ZONE 'Europe/Berlin' >= '2026-06-01'", kNever, kPlan},
    {PGTEND_READ "ts AT TIME ZONE 'Europe/Berlin' < '2025-10-26 02:30'", kNever, kPlan},
    {PGTEND_READ "(ts AT TIME ZONE 'Europe/Berlin')::date = '2025-03-30'", kNever, kPlan},
    {PGTEND_READ "ts::timestamp < '2025-10-26 02:30'", kNever, kPlan},
    {PGTEND_READ "ts IS NOT DISTINCT FROM '2025-03-30 00:00+01'", kNever, kPlan},
    {PGTEND_READ "(ts, id) >= ('2026-06-01', 5) ORDER BY ts, id", kNever, kPlan},
    {PGTEND_READ "(ts, id) < ($1, $2)", kNever, kStart, "'2025-03-30'::timestamptz", "100"},
    {PGTEND_READ "($1::timestamptz IS NULL OR ts >= $1)", kNever, kStart,
     "'2025-03-30'::timestamptz"},
    {PGTEND_READ "($1::timestamptz IS NULL OR ts < $1)", kNever, kStart, "NULL::timestamptz"},
    {PGTEND_READ "ts = ANY ($1)", kNever, kRunning, "'{2025-03-30 00:00+01,NULL}'::timestamptz[]"},
    {PGTEND_READ "ts = ANY (ARRAY(SELECT a FROM o))", kNever},
    {PGTEND_READ "ts >= '2025-03-01' OR id = 5", kNever},
    {PGTEND_READ "ts <> '2025-03-01'", kNever},
    {PGTEND_READ "ts NOT IN ('2025-03-01', '2025-04-01')", kNever},
    {PGTEND_READ "ts IS NOT NULL", kNever},
    {PGTEND_READ "id = 5", kNever},
    {PGTEND_READ "ts < clock_timestamp() - interval '500 days'", kNever},
    {PGTEND_READ "CASE WHEN ts < '2025-03-01' THEN true ELSE false END", kNever},
    {PGTEND_READ "ts <@ tstzrange('2025-03-01', '2025-03-02')", kPlan, kNone, {}, {}, 170000},
    {PGTEND_READ "(ts < '2025-03-01') IS TRUE", kNever},
    {PGTEND_READ "ts + interval '1 day' > '2026-06-01'", kNever},
    {PGTEND_READ "ts::text LIKE '2025-03%'", kNever},
    {PGTEND_READ "id = 5 LIMIT 1", kNever},
    {"SELECT count(*) FROM readings", kNever},
    {"SELECT * FROM readings ORDER BY v LIMIT 1", kNever},
    {"SELECT * FROM readings r JOIN o ON r.v = o.k", kNever},
    {"SELECT * FROM readings r LEFT JOIN o ON r.ts < '2025-03-01'", kNever},
    {"WITH x AS MATERIALIZED (SELECT * FROM readings) SELECT * FROM x WHERE ts < '2025-03-01'",
     kNever},
    {"SELECT * FROM (SELECT *, rank() OVER (PARTITION BY meter_id ORDER BY ts) FROM readings) x "
     "WHERE ts < '2025-03-01'",
     kNever},
    {"SELECT * FROM (SELECT date_trunc('day', ts) d, sum(v) FROM readings GROUP BY 1) x "
     "WHERE d = '2025-03-01'",
     kNever},
    {"SELECT * FROM (SELECT ts FROM readings EXCEPT SELECT a FROM o) x WHERE ts < '2025-03-01'",
     kNever},
    {"SELECT * FROM (SELECT * FROM readings LIMIT 5) x WHERE ts < '2025-03-01'", kNever},
    {"DELETE FROM readings WHERE id = 5", kNever},
    // more than once
    {"SELECT ts FROM readings WHERE ts < '2025-03-01' UNION ALL SELECT ts FROM readings", kMixed},
    {PGTEND_READ "ts < '2025-03-01' AND v > (SELECT avg(v) FROM readings)", kMixed},
    {"INSERT INTO readings (id, meter_id, ts) VALUES (1, 2, '2025-03-01')", kNone},
};
#undef PGTEND_READ

}  // namespace pgtend::e2e
