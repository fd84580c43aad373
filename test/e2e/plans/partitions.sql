--- append
EXPLAIN SELECT * FROM part
--- append-filter
EXPLAIN SELECT * FROM part WHERE dev = 3 AND v > 10
--- pruned-to-one
EXPLAIN SELECT * FROM part WHERE ts = '2024-01-05'
--- pruned-to-two
EXPLAIN SELECT * FROM part WHERE ts BETWEEN '2024-01-20' AND '2024-02-10'
--- pruned-at-start
EXPLAIN SELECT * FROM part WHERE ts > (now() - interval '20 years')::date AND ts < ('2024-01-31'::timestamptz + (now() - now()))::date
--- pruned-at-start-index
SET LOCAL enable_seqscan = off;
EXPLAIN SELECT * FROM part WHERE ts = (now() - (now() - '2024-01-05'::timestamptz))::date
--- pruned-all
EXPLAIN SELECT * FROM part WHERE ts = '2024-01-05' AND ts = '2024-02-05'
--- pruned-generic
SET LOCAL plan_cache_mode = force_generic_plan;
PREPARE p (date) AS SELECT * FROM part WHERE ts = $1;
EXPLAIN EXECUTE p ('2024-01-09')
--- pruned-at-run
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off;
EXPLAIN SELECT * FROM (SELECT DISTINCT ts FROM other WHERE ts < '2024-01-05') o JOIN part p ON p.ts = o.ts
--- pruned-by-init-plan
EXPLAIN SELECT * FROM part WHERE ts = (SELECT min(ts) FROM other)
--- merge-append
SET LOCAL enable_seqscan = off;
EXPLAIN SELECT * FROM part ORDER BY ts, dev, v
--- append-ordered
EXPLAIN SELECT * FROM other ORDER BY ts LIMIT 4
--- merge-append-limit
SET LOCAL enable_seqscan = off;
EXPLAIN SELECT ts, dev FROM part WHERE dev > 1 ORDER BY ts DESC LIMIT 4
--- partition-wise-join
SET LOCAL enable_partitionwise_join = on;
EXPLAIN SELECT * FROM other a JOIN other b USING (ts)
--- partition-wise-aggregate
SET LOCAL enable_partitionwise_aggregate = on;
EXPLAIN SELECT ts, count(*) FROM other GROUP BY ts
--- partition-wise-partial
SET LOCAL enable_partitionwise_aggregate = on;
EXPLAIN SELECT dev, count(*), sum(w) FROM other GROUP BY dev
--- append-alias
EXPLAIN SELECT "P p".v FROM part "P p" WHERE "P p".dev < 2
--- append-join
EXPLAIN SELECT count(*) FROM part p JOIN other o ON p.ts = o.ts AND p.dev = o.dev
--- append-never-executed
EXPLAIN SELECT * FROM empty e JOIN part p ON p.v = e.id
--- update-partitioned varies
EXPLAIN UPDATE part SET v = v + 1 WHERE dev = 1
--- update-moves-rows varies
EXPLAIN UPDATE part SET ts = ts + 31 WHERE v < 10
--- delete-partitioned
EXPLAIN DELETE FROM part WHERE ts < '2024-02-03'
--- delete-pruned
EXPLAIN DELETE FROM part WHERE ts = '2024-01-05'
--- insert-partitioned
EXPLAIN INSERT INTO part SELECT '2024-03-05', 1, 1
--- update-inherited
EXPLAIN UPDATE parent SET v = 'q' WHERE id = 3
--- update-inherited-from
EXPLAIN UPDATE parent SET v = 'q' FROM s WHERE s.c = parent.id
--- update-partitioned-alias
EXPLAIN UPDATE part AS "P p" SET v = 0 WHERE "P p".v = 5 RETURNING *
--- delete-using-partitioned
EXPLAIN DELETE FROM other o USING part p WHERE p.ts = o.ts AND p.v = 5
--- select-for-update-partitioned
EXPLAIN SELECT * FROM part WHERE v = 5 FOR UPDATE
--- foreign-partition noanalyze
EXPLAIN SELECT * FROM spread WHERE v = 'x'
--- foreign-partition-update noanalyze
EXPLAIN UPDATE spread SET v = 'y' WHERE v = 'it''s'
--- foreign-partition-delete noanalyze
EXPLAIN DELETE FROM spread WHERE v > 'y'
