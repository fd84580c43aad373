--- aggregate
EXPLAIN SELECT count(*), sum(k), max(n) FROM t
--- aggregate-filter-clause
EXPLAIN SELECT count(*) FILTER (WHERE k > 3), array_agg(k ORDER BY n DESC) FROM t
--- aggregate-having
EXPLAIN SELECT count(*) FROM s HAVING sum(a) > 3
--- aggregate-distinct
EXPLAIN SELECT count(DISTINCT g), string_agg(v, ', ') FROM t
--- ordered-set-aggregate
EXPLAIN SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY n), mode() WITHIN GROUP (ORDER BY g) FROM t
--- group-aggregate
SET LOCAL enable_hashagg = off;
EXPLAIN SELECT g, v, count(*) FROM t GROUP BY g, v
--- group-aggregate-having
SET LOCAL enable_hashagg = off;
EXPLAIN SELECT a, count(*) FROM s GROUP BY a HAVING count(*) > 3 AND min(b) = 0
--- hash-aggregate
EXPLAIN SELECT g, count(*) FROM t GROUP BY g
--- hash-aggregate-having
EXPLAIN SELECT g, count(*) FROM t GROUP BY g HAVING count(*) > 285
--- hash-aggregate-expression
EXPLAIN SELECT lower(v), k % 3, count(*) FROM t GROUP BY lower(v), k % 3
--- hash-aggregate-spill
SET LOCAL work_mem = '64kB';
SET LOCAL enable_sort = off;
EXPLAIN SELECT id, pad, count(*) FROM wide GROUP BY id, pad
--- hash-aggregate-spill-planned
SET LOCAL work_mem = '64kB';
SET LOCAL enable_sort = off;
EXPLAIN SELECT id, array_agg(v) FROM t GROUP BY id
--- group-node
SET LOCAL enable_hashagg = off;
EXPLAIN SELECT a FROM s GROUP BY a HAVING a > 0
--- group-constant
EXPLAIN SELECT 1 FROM s GROUP BY ()
--- grouping-sets
EXPLAIN SELECT a, b, count(*) FROM s GROUP BY GROUPING SETS ((a), (b), ())
--- grouping-sets-sorted
SET LOCAL enable_hashagg = off;
EXPLAIN SELECT a, b, c, count(*) FROM s GROUP BY GROUPING SETS ((a, b), (a), (c), (c, a), ())
--- rollup
SET LOCAL enable_hashagg = off;
EXPLAIN SELECT a, b, grouping(a, b), sum(c) FROM s GROUP BY ROLLUP (a, b)
--- cube
EXPLAIN SELECT a, b, sum(c) FROM s GROUP BY CUBE (a, b) HAVING sum(c) > 10
--- mixed-aggregate
EXPLAIN SELECT a, b, c, sum(c) FROM s GROUP BY GROUPING SETS (ROLLUP (a, b), (c), (c + 1))
--- mixed-aggregate-two-sorts
SET LOCAL work_mem = '64kB';
EXPLAIN SELECT id, g, k, count(*) FROM t GROUP BY GROUPING SETS ((id), (id, g), (k), (k, g), (g), ())
--- grouping-sets-empty
EXPLAIN SELECT count(*) FROM s GROUP BY GROUPING SETS ((), ())
--- grouping-sets-hash-only
EXPLAIN SELECT a, b, count(*) FROM s GROUP BY GROUPING SETS ((a), (b), (a, b))
--- window
EXPLAIN SELECT id, row_number() OVER (ORDER BY id) FROM t
--- window-partition
EXPLAIN SELECT a, b, rank() OVER (PARTITION BY a ORDER BY b DESC), sum(c) OVER (PARTITION BY a) FROM s
--- window-two
EXPLAIN SELECT a, lag(b) OVER w1, sum(c) OVER w2 FROM s WINDOW w1 AS (PARTITION BY a ORDER BY c), w2 AS (PARTITION BY b ORDER BY c ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
--- window-named-odd
EXPLAIN SELECT sum(c) OVER "my w" FROM s WINDOW "my w" AS (ORDER BY c RANGE BETWEEN 3 PRECEDING AND 1 FOLLOWING EXCLUDE TIES)
--- window-run-condition
EXPLAIN SELECT * FROM (SELECT a, c, row_number() OVER (ORDER BY c) rn FROM s) x WHERE rn <= 5
--- window-run-condition-partition
EXPLAIN SELECT * FROM (SELECT a, c, rank() OVER (PARTITION BY a ORDER BY c) r FROM s) x WHERE r < 3 AND c > 2
--- window-spill
SET LOCAL work_mem = '64kB';
EXPLAIN SELECT last_value(pad) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) FROM wide
--- window-over-group
EXPLAIN SELECT g, count(*), sum(count(*)) OVER (ORDER BY g) FROM t GROUP BY g
--- presorted-aggregate
EXPLAIN SELECT g, array_agg(v ORDER BY v), count(DISTINCT v) FROM t GROUP BY g
--- distinct-aggregate-limit
EXPLAIN SELECT DISTINCT count(*) FROM t GROUP BY g LIMIT 3
--- group-by-index
SET LOCAL enable_seqscan = off;
SET LOCAL enable_hashagg = off;
EXPLAIN SELECT k, count(*) FROM t GROUP BY k
