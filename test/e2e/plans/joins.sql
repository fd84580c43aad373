--- hash-join
EXPLAIN SELECT * FROM t JOIN u ON u.t_id = t.id
--- hash-join-filter
EXPLAIN SELECT * FROM t JOIN u ON u.t_id = t.id AND u.w + t.k > 50
--- hash-join-two-keys
EXPLAIN SELECT * FROM t a JOIN t b ON a.k = b.g AND a.n = b.n
--- hash-left-join
EXPLAIN SELECT * FROM u LEFT JOIN s ON s.c = u.w
--- hash-left-join-filter
EXPLAIN SELECT * FROM u LEFT JOIN s ON s.c = u.w AND s.b < u.id WHERE coalesce(s.c, 1) > 0
--- hash-right-join
EXPLAIN SELECT * FROM s LEFT JOIN u ON u.w = s.c AND u.id > 3
--- hash-full-join
EXPLAIN SELECT * FROM s FULL JOIN u ON u.w = s.c
--- hash-semi-join
EXPLAIN SELECT * FROM t WHERE k IN (SELECT w FROM u)
--- hash-anti-join
EXPLAIN SELECT * FROM u WHERE NOT EXISTS (SELECT 1 FROM s WHERE s.c = u.w)
--- hash-right-anti-join
EXPLAIN SELECT * FROM s WHERE NOT EXISTS (SELECT 1 FROM u WHERE s.c = u.t_id)
--- hash-right-semi-join
EXPLAIN SELECT * FROM s WHERE EXISTS (SELECT 1 FROM u WHERE s.c = u.t_id)
--- hash-join-batches
SET LOCAL work_mem = '64kB';
SET LOCAL enable_mergejoin = off;
SET LOCAL enable_nestloop = off;
EXPLAIN SELECT count(*) FROM wide a JOIN wide b ON a.id = b.id AND a.pad = b.pad
--- hash-join-more-batches
SET LOCAL work_mem = '64kB';
SET LOCAL enable_mergejoin = off;
SET LOCAL enable_nestloop = off;
EXPLAIN SELECT count(*) FROM t a JOIN (SELECT id + 0 * length(v) AS id, v FROM t WHERE slow_eq(1, 1) OFFSET 0) b ON a.id = b.id
--- hash-join-empty-inner
EXPLAIN SELECT * FROM t JOIN empty e ON e.id = t.k
--- merge-join
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_nestloop = off;
EXPLAIN SELECT * FROM t JOIN u ON u.t_id = t.id
--- merge-left-join
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_nestloop = off;
EXPLAIN SELECT * FROM t LEFT JOIN u ON u.t_id = t.id AND u.w > 3
--- merge-right-join
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_nestloop = off;
EXPLAIN SELECT * FROM t RIGHT JOIN s ON t.id = s.c
--- merge-full-join
SET LOCAL enable_hashjoin = off;
EXPLAIN SELECT * FROM t FULL JOIN u ON u.t_id = t.id AND u.id = t.k
--- merge-semi-join
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_nestloop = off;
EXPLAIN SELECT * FROM t WHERE id IN (SELECT t_id FROM u)
--- merge-anti-join
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_nestloop = off;
EXPLAIN SELECT * FROM t WHERE NOT EXISTS (SELECT 1 FROM u WHERE t_id = t.id)
--- merge-join-materialize
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_nestloop = off;
EXPLAIN SELECT * FROM s a JOIN s b ON a.a = b.a AND a.c <> b.c
--- nested-loop
EXPLAIN SELECT * FROM t JOIN u ON u.t_id = t.id WHERE t.id < 3
--- nested-loop-filter
EXPLAIN SELECT * FROM s a JOIN s b ON a.c > b.c AND a.b + b.b = 4
--- nested-left-join
EXPLAIN SELECT * FROM s LEFT JOIN t ON t.id = s.c AND t.k > s.b
--- nested-semi-join
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off;
EXPLAIN SELECT * FROM s WHERE EXISTS (SELECT 1 FROM u WHERE u.t_id = s.c)
--- nested-anti-join
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off;
EXPLAIN SELECT * FROM s WHERE NOT EXISTS (SELECT 1 FROM u WHERE u.t_id = s.c)
--- cross-join
EXPLAIN SELECT count(*) FROM s a CROSS JOIN s b CROSS JOIN s c WHERE a.a = 1 AND b.a = 1
--- lateral
EXPLAIN SELECT * FROM s, LATERAL (SELECT * FROM t WHERE t.k = s.c ORDER BY ts LIMIT 1) x
--- lateral-function
EXPLAIN SELECT * FROM s, LATERAL generate_series(1, s.a) g
--- memoize
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off;
EXPLAIN SELECT count(*) FROM u JOIN t ON t.id = u.w
--- memoize-two-keys
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off;
EXPLAIN SELECT count(*) FROM u, LATERAL (SELECT * FROM t WHERE t.id = u.w AND t.k >= u.w OFFSET 0) x
--- memoize-evicts
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off;
SET LOCAL work_mem = '64kB';
EXPLAIN SELECT count(x.pad) FROM t, LATERAL (SELECT * FROM wide WHERE wide.id = t.k LIMIT 5) x
--- memoize-binary
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off;
EXPLAIN SELECT count(*) FROM u, LATERAL (SELECT x.id + u.w FROM t x WHERE x.id = u.w LIMIT 1) x
--- four-tables
EXPLAIN SELECT * FROM t JOIN u ON u.t_id = t.id JOIN s ON s.c = u.w LEFT JOIN empty e ON e.id = s.a WHERE t.k < 10
--- natural-alias
EXPLAIN SELECT 1 FROM (t JOIN u ON u.t_id = t.id) AS j WHERE w = 1
--- join-off
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off;
SET LOCAL enable_nestloop = off;
EXPLAIN SELECT * FROM s a JOIN empty b ON a.a = b.id
--- never-executed
EXPLAIN SELECT * FROM empty e JOIN t ON t.id = e.id
--- never-executed-merge
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_nestloop = off;
EXPLAIN SELECT * FROM empty e JOIN t ON t.id = e.id
--- self-join-where
EXPLAIN SELECT a.id FROM t a, t b WHERE a.id = b.k AND b.id = a.k
--- inner-unique
EXPLAIN SELECT * FROM u JOIN t ON t.id = u.t_id WHERE u.id < 50
--- or-join
EXPLAIN SELECT * FROM s JOIN t ON t.id = s.c OR t.id = s.a
--- union
EXPLAIN SELECT a FROM s UNION SELECT b FROM s
--- union-sort
SET LOCAL enable_hashagg = off;
EXPLAIN SELECT a FROM s UNION SELECT b FROM s UNION SELECT 5
--- union-all
EXPLAIN SELECT a FROM s UNION ALL SELECT k FROM t WHERE id < 5 UNION ALL SELECT NULL
--- union-all-order
EXPLAIN SELECT id FROM t UNION ALL SELECT id FROM u ORDER BY 1 LIMIT 3
--- intersect
EXPLAIN SELECT a FROM s INTERSECT SELECT b FROM s
--- intersect-all
EXPLAIN SELECT a FROM s INTERSECT ALL SELECT b FROM s
--- intersect-sort
SET LOCAL enable_hashagg = off;
EXPLAIN SELECT a, b FROM s INTERSECT SELECT b, a FROM s
--- except
EXPLAIN SELECT a FROM s EXCEPT SELECT b FROM s
--- except-all
SET LOCAL enable_hashagg = off;
EXPLAIN SELECT a FROM s EXCEPT ALL SELECT b FROM s
--- set-operations-nested
EXPLAIN (SELECT a FROM s UNION SELECT b FROM s) EXCEPT (SELECT c FROM s INTERSECT SELECT k FROM t)
