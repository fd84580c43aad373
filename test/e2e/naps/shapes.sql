--- seq-filter a=Seq_Scan/t
EXPLAIN SELECT * FROM t WHERE nap('a', id) > 0
--- seq-output a=Seq_Scan/t
EXPLAIN SELECT nap('a', id) FROM t
--- index-filter a=Index_Scan/t
SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off;
EXPLAIN SELECT * FROM t WHERE id > 2 AND nap('a', g) >= 0
--- index-only a=Index_Only_Scan/t
SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off;
EXPLAIN SELECT nap('a', id) FROM t WHERE id > 2
--- bitmap-heap a=Bitmap_Heap_Scan/t
SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off;
EXPLAIN SELECT * FROM t WHERE id > 2 AND nap('a', g) >= 0
--- bitmap-or a=Bitmap_Heap_Scan/t
SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off;
EXPLAIN SELECT * FROM t WHERE (id < 3 OR id > 4) AND nap('a', g) >= 0
--- tid a=Tid_Scan/t
SET LOCAL enable_seqscan = off;
EXPLAIN SELECT * FROM t WHERE ctid = ANY (ARRAY['(0,1)', '(0,2)']::tid[]) AND nap('a', id) > 0
--- sample a=Sample_Scan/t
EXPLAIN SELECT * FROM t TABLESAMPLE system (100) WHERE nap('a', id) > 0
--- function-filter a=Function_Scan/x
EXPLAIN SELECT * FROM generate_series(1, 5) x WHERE nap('a', x) > 0
--- function-inside a=Function_Scan/x
EXPLAIN SELECT * FROM naps('a', 5) x
--- function-inside-and-filter a=Function_Scan/x b=Function_Scan/x
EXPLAIN SELECT * FROM naps('a', 3) x WHERE nap('b', x) > 0
--- values a=Values_Scan
EXPLAIN SELECT nap('a', x) FROM (VALUES (1), (2), (3), (4)) v(x)
--- result a=Result
EXPLAIN SELECT nap('a', 1) + nap('a', 2)
--- nested-loop-join-filter a=Nested_Loop
SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;
EXPLAIN SELECT * FROM t JOIN u ON nap('a', t.id + u.id) > 3 WHERE t.id <= 2
--- nested-loop-inner b=Seq_Scan/u
SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_material = off;
EXPLAIN SELECT * FROM t LEFT JOIN (SELECT * FROM u WHERE nap('b', id) > 2 OFFSET 0) u ON t.g < u.g
--- nested-loop-materialize b=Seq_Scan/u
SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;
EXPLAIN SELECT * FROM t LEFT JOIN (SELECT * FROM u WHERE nap('b', id) > 2 OFFSET 0) u ON t.g < u.g
--- nested-loop-both a=Seq_Scan/t b=Seq_Scan/u
SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_bitmapscan = off;
SET LOCAL enable_indexscan = off;
EXPLAIN SELECT * FROM t JOIN LATERAL (SELECT * FROM u WHERE u.id = t.id AND nap('b', u.g) >= 0
OFFSET 0) x ON true WHERE nap('a', t.id) > 0
--- hash-join a=Seq_Scan/t b=Seq_Scan/u
SET LOCAL enable_nestloop = off; SET LOCAL enable_mergejoin = off;
EXPLAIN SELECT * FROM t JOIN u USING (id) WHERE nap('a', t.g) >= 0 AND nap('b', u.g) >= 0
--- hash-join-filter a=Hash_Join
SET LOCAL enable_nestloop = off; SET LOCAL enable_mergejoin = off;
EXPLAIN SELECT * FROM t JOIN u ON t.id = u.id AND nap('a', t.g + u.g) >= 0
--- hash-left-join a=Seq_Scan/t b=Seq_Scan/u c=Hash_Join
SET LOCAL enable_nestloop = off; SET LOCAL enable_mergejoin = off;
EXPLAIN SELECT nap('c', t.id) FROM (SELECT * FROM t WHERE nap('a', id) > 0 OFFSET 0) t
LEFT JOIN (SELECT * FROM u WHERE nap('b', id) > 0 OFFSET 0) u USING (id)
--- hash-full-join a=Seq_Scan/t b=Seq_Scan/u
SET LOCAL enable_nestloop = off; SET LOCAL enable_mergejoin = off;
EXPLAIN SELECT * FROM (SELECT * FROM t WHERE nap('a', id) > 0 OFFSET 0) t
FULL JOIN (SELECT * FROM u WHERE nap('b', id) > 0 OFFSET 0) u USING (id)
--- merge-join a=Seq_Scan/t b=Seq_Scan/u
SET LOCAL enable_nestloop = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_indexscan = off;
SET LOCAL enable_indexonlyscan = off;
EXPLAIN SELECT * FROM t JOIN u USING (g) WHERE nap('a', t.id) > 0 AND nap('b', u.id) > 0
--- merge-join-filter a=Merge_Join
SET LOCAL enable_nestloop = off; SET LOCAL enable_hashjoin = off;
EXPLAIN SELECT * FROM t JOIN u ON t.id = u.id AND nap('a', t.g + u.g) >= 0
--- semi-join a=Seq_Scan/t b=Seq_Scan/u
SET LOCAL enable_nestloop = off; SET LOCAL enable_mergejoin = off;
EXPLAIN SELECT * FROM t WHERE EXISTS (SELECT FROM u WHERE u.id = t.id AND doze('b', u.g) >= 0)
AND nap('a', t.g) >= 0
--- anti-join a=Seq_Scan/t b=Seq_Scan/u
SET LOCAL enable_nestloop = off; SET LOCAL enable_mergejoin = off;
EXPLAIN SELECT * FROM t WHERE NOT EXISTS (SELECT FROM u WHERE u.id = t.id AND doze('b', u.g) >= 0)
AND nap('a', t.g) >= 0
--- sub-plan-correlated a=Seq_Scan/u
SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off;
EXPLAIN SELECT (SELECT nap('a', u.id + t.id) FROM u WHERE u.id = 1 + t.id * 0) FROM t
--- sub-plan-and-host a=Result b=Seq_Scan/t
EXPLAIN SELECT nap('b', id), (SELECT nap('a', t.id)) FROM t
--- sub-plan-in-filter a=Seq_Scan/u b=Seq_Scan/t
SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off;
EXPLAIN SELECT nap('b', id) FROM t WHERE g < (SELECT sum(x) FROM (SELECT nap('a', u.id) AS x FROM u
WHERE u.id = t.id OFFSET 0) s)
--- sub-plan-in-sub-plan a=Result b=Seq_Scan/u
SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off;
EXPLAIN SELECT (SELECT nap('b', u.id) + (SELECT nap('a', u.id + t.id)) FROM u
WHERE u.id = t.id) FROM t
--- sub-plan-hashed a=Seq_Scan/u b=Seq_Scan/t
EXPLAIN SELECT * FROM t WHERE g NOT IN (SELECT doze('a', id) + 10 FROM u) AND nap('b', id) > 0
--- exists-under-or a=Seq_Scan/u
SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_indexonlyscan = off;
EXPLAIN SELECT * FROM t WHERE EXISTS (SELECT FROM u WHERE u.id = t.id AND nap('a', u.id) > 0)
OR g = 5
--- array-sub-plan a=Seq_Scan/u
EXPLAIN SELECT ARRAY(SELECT nap('a', u.id) FROM u WHERE u.g <= t.id) FROM t WHERE id <= 2
--- sub-plan-in-join-filter a=Result
SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;
EXPLAIN SELECT * FROM t JOIN u ON (SELECT nap('a', t.id + u.id)) > 3 WHERE t.id <= 2
--- sub-plan-in-aggregate a=Result
EXPLAIN SELECT sum((SELECT nap('a', t.id))) FROM t
--- init-plan-in-filter a=Aggregate
EXPLAIN SELECT * FROM t WHERE id > (SELECT max(nap('a', id)) FROM u) - 3
--- init-plan-in-output a=Result
EXPLAIN SELECT id, (SELECT nap('a', 1)) FROM t
--- init-plan-in-limit a=Result
EXPLAIN SELECT * FROM t LIMIT (SELECT nap('a', 2))
--- init-plan-in-offset a=Result b=Seq_Scan/t
EXPLAIN SELECT nap('b', id) FROM t OFFSET (SELECT nap('a', 2))
--- init-plan-in-sort-key a=Result
EXPLAIN SELECT * FROM t ORDER BY (SELECT nap('a', 1)) + id
--- init-plan-in-init-plan a=Seq_Scan/u b=Result
EXPLAIN SELECT * FROM t WHERE id > (SELECT count(*) FROM u WHERE nap('a', id) > (SELECT nap('b', 1)))
--- init-plan-of-two-readers a=Result
EXPLAIN SELECT * FROM p WHERE g > (SELECT nap('a', 0))
--- init-plan-of-two-readers-with-work a=Result b=Seq_Scan
EXPLAIN SELECT nap('b', id) FROM p WHERE g > (SELECT nap('a', 0)) - 1
--- init-plans-two a=Result/InitPlan_1 b=Result/InitPlan_2
EXPLAIN SELECT * FROM t JOIN u USING (id) WHERE t.g > (SELECT nap('a', 0)) - 1
AND u.g > (SELECT nap('b', 0)) - 1
--- init-plan-not-run
EXPLAIN SELECT * FROM t WHERE id < 0 AND g > (SELECT nap('a', 0))
--- init-plan-in-join-filter a=Result
SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;
EXPLAIN SELECT * FROM t LEFT JOIN u ON t.g + u.g > (SELECT nap('a', 0))
--- init-plan-in-aggregate a=Result
EXPLAIN SELECT g, sum(id + (SELECT nap('a', 0))) FROM t GROUP BY g
--- init-plan-exists a=Seq_Scan/u
EXPLAIN SELECT * FROM t WHERE EXISTS (SELECT FROM u WHERE nap('a', id) > 2)
--- cte-once a=Seq_Scan/t
EXPLAIN WITH c AS MATERIALIZED (SELECT nap('a', id) AS x FROM t) SELECT * FROM c
--- cte-once-and-filter a=Seq_Scan/t b=CTE_Scan/c
EXPLAIN WITH c AS MATERIALIZED (SELECT nap('a', id) AS x FROM t) SELECT * FROM c WHERE nap('b', x) > 0
--- cte-twice a=Seq_Scan/t
EXPLAIN WITH c AS MATERIALIZED (SELECT nap('a', id) AS x FROM t) SELECT * FROM c UNION ALL SELECT x + 1 FROM c
--- cte-twice-and-filters a=Seq_Scan/t b=CTE_Scan/c
EXPLAIN WITH c AS MATERIALIZED (SELECT nap('a', id) AS x FROM t)
SELECT * FROM c WHERE nap('b', x) > 0 UNION ALL SELECT x + 1 FROM c WHERE nap('b', x) > 0
--- cte-in-init-plans a=Seq_Scan/t
EXPLAIN WITH c AS MATERIALIZED (SELECT nap('a', id) AS x FROM t)
SELECT (SELECT max(x) FROM c), (SELECT min(x) FROM c)
--- cte-in-sub-plan a=Seq_Scan/t
EXPLAIN WITH c AS MATERIALIZED (SELECT nap('a', id) AS x FROM t)
SELECT (SELECT max(x) FROM c WHERE x < u.id) FROM u
--- cte-pulled-in-part a=Seq_Scan/t
EXPLAIN WITH c AS MATERIALIZED (SELECT nap('a', id) AS x FROM t) SELECT * FROM c LIMIT 2
--- cte-of-cte a=Seq_Scan/t b=CTE_Scan/c
EXPLAIN WITH c AS MATERIALIZED (SELECT nap('a', id) AS x FROM t),
d AS MATERIALIZED (SELECT nap('b', x) AS y FROM c) SELECT * FROM d JOIN d e USING (y)
--- cte-same-name-twice a=Seq_Scan/t b=Seq_Scan/u
EXPLAIN WITH c AS MATERIALIZED (SELECT nap('a', id) AS x FROM t)
SELECT * FROM c JOIN (WITH c AS MATERIALIZED (SELECT nap('b', id) AS x FROM u) SELECT x FROM c OFFSET 0) d
USING (x)
--- cte-join-inner a=Seq_Scan/t
SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;
EXPLAIN WITH c AS MATERIALIZED (SELECT nap('a', id) AS x FROM t) SELECT * FROM u JOIN c ON u.id < c.x
--- cte-recursive a=WorkTable_Scan/r b=Result
EXPLAIN WITH RECURSIVE r(x) AS (SELECT nap('b', 1) UNION ALL SELECT nap('a', x) + 1 FROM r WHERE x < 5)
SELECT * FROM r
--- cte-modifying-read a=ModifyTable
EXPLAIN WITH c AS (INSERT INTO w SELECT id FROM t RETURNING nap('a', id) AS x) SELECT * FROM c
--- cte-modifying-unread a=ModifyTable outside
EXPLAIN WITH c AS (INSERT INTO w SELECT id FROM t RETURNING nap('a', id)) SELECT 1
--- cte-modifying-scan-unread a=Seq_Scan/t outside
EXPLAIN WITH c AS (INSERT INTO w SELECT nap('a', id) FROM t) SELECT 1
--- append a=Seq_Scan
EXPLAIN SELECT nap('a', id) FROM p
--- append-one-slow a=Seq_Scan/t
EXPLAIN SELECT nap('a', id) FROM t UNION ALL SELECT id FROM u
--- merge-append a=Index_Scan
SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off;
EXPLAIN SELECT * FROM p WHERE nap('a', g) >= 0 ORDER BY id LIMIT 5
--- union a=Seq_Scan/t b=Seq_Scan/u
EXPLAIN SELECT nap('a', id) FROM t UNION SELECT nap('b', id) FROM u
--- intersect a=Seq_Scan/t b=Seq_Scan/u
EXPLAIN SELECT nap('a', id) FROM t INTERSECT SELECT nap('b', id) FROM u
--- except-all a=Seq_Scan/t b=Seq_Scan/u
EXPLAIN SELECT nap('a', id) FROM t EXCEPT ALL SELECT nap('b', id) FROM u
--- memoize b=Seq_Scan/u >=14
SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_material = off;
SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off;
EXPLAIN SELECT * FROM t JOIN LATERAL (SELECT doze('b', u.id) FROM u WHERE u.g = t.g OFFSET 0) x ON true
--- limit a=Seq_Scan/t
EXPLAIN SELECT nap('a', id) FROM t LIMIT 3
--- limit-expression a=Limit
EXPLAIN SELECT * FROM t LIMIT nap('a', 2)
--- sort-below a=Seq_Scan/t
EXPLAIN SELECT * FROM t ORDER BY nap('a', id)
--- sort-above a=Result
EXPLAIN SELECT nap('a', id) FROM t ORDER BY g
--- incremental-sort a=Index_Scan/t
SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off;
EXPLAIN SELECT * FROM t WHERE nap('a', g) >= 0 ORDER BY id, v
--- aggregate a=Aggregate
EXPLAIN SELECT sum(nap('a', id)) FROM t
--- aggregate-filter a=Aggregate b=Aggregate
EXPLAIN SELECT sum(nap('a', id)) FILTER (WHERE nap('b', g) = 1) FROM t
--- hash-aggregate a=Aggregate b=Aggregate
SET LOCAL enable_sort = off;
EXPLAIN SELECT g, sum(nap('a', id)) FROM t GROUP BY g HAVING nap('b', g) >= 0
--- group-aggregate a=Aggregate b=Seq_Scan/t
SET LOCAL enable_hashagg = off;
EXPLAIN SELECT g, sum(nap('a', id)) FROM t WHERE nap('b', id) > 0 GROUP BY g
--- grouping-sets a=Seq_Scan/t
EXPLAIN SELECT g, v, count(*) FROM t WHERE nap('a', id) > 0 GROUP BY GROUPING SETS ((g), (v), ())
--- distinct a=Seq_Scan/t
EXPLAIN SELECT DISTINCT nap('a', g) FROM t
--- window a=WindowAgg
EXPLAIN SELECT sum(nap('a', id)) OVER (PARTITION BY g) FROM t
--- window-output a=WindowAgg b=Seq_Scan/t
EXPLAIN SELECT nap('a', id) + row_number() OVER (ORDER BY g) FROM t WHERE nap('b', id) > 0
--- project-set a=ProjectSet
EXPLAIN SELECT generate_series(1, 3), nap('a', id) FROM t WHERE id = 1
--- lateral-function a=Function_Scan/x
EXPLAIN SELECT * FROM t, LATERAL naps('a', 2) x WHERE t.id < 4
--- subquery-scan a=Seq_Scan/t b=Subquery_Scan/s
EXPLAIN SELECT nap('b', x) FROM (SELECT nap('a', id) AS x FROM t OFFSET 0) s
--- security-barrier a=Seq_Scan/t
EXPLAIN SELECT * FROM barrier WHERE g >= 0
--- row-locks a=Seq_Scan/t
EXPLAIN SELECT * FROM t WHERE nap('a', id) > 0 FOR UPDATE
--- insert a=Seq_Scan/t b=ModifyTable
EXPLAIN INSERT INTO w SELECT nap('a', id) FROM t RETURNING nap('b', id)
--- insert-values a=Values_Scan
EXPLAIN INSERT INTO w SELECT nap('a', x) FROM (VALUES (1), (2), (3)) v(x)
--- update a=Seq_Scan/t
EXPLAIN UPDATE t SET g = nap('a', g)
--- update-returning a=Seq_Scan/t b=ModifyTable
EXPLAIN UPDATE t SET g = nap('a', g) RETURNING nap('b', id)
--- delete-using a=Seq_Scan/t
SET LOCAL enable_nestloop = off; SET LOCAL enable_mergejoin = off;
EXPLAIN DELETE FROM t USING u WHERE t.id = u.id AND nap('a', t.g) >= 0
--- merge a=Seq_Scan/u b=ModifyTable >=15
SET LOCAL enable_nestloop = off; SET LOCAL enable_mergejoin = off;
EXPLAIN MERGE INTO t USING (SELECT * FROM u WHERE nap('a', id) > 0 OFFSET 0) u ON t.id = u.id
WHEN MATCHED THEN UPDATE SET g = nap('b', u.g)
--- check-constraint check=ModifyTable
EXPLAIN INSERT INTO checked SELECT id FROM t
--- trigger-before before=ModifyTable
EXPLAIN INSERT INTO tb SELECT id FROM t
--- trigger-after after=trigger
EXPLAIN INSERT INTO ta SELECT id FROM t
--- trigger-after-and-scan after=trigger a=Seq_Scan/t
EXPLAIN INSERT INTO ta SELECT nap('a', id) FROM t
--- triggers-before-and-after before=ModifyTable after=trigger
EXPLAIN INSERT INTO tba SELECT id FROM t
--- trigger-cascade after=trigger
EXPLAIN DELETE FROM parent WHERE id < 4
--- parallel-filter a=Seq_Scan/par parallel
EXPLAIN SELECT count(*) FROM par WHERE nap('a', id) > 0
--- parallel-filter-no-leader a=Seq_Scan/par parallel
SET LOCAL parallel_leader_participation = off;
EXPLAIN SELECT count(*) FROM par WHERE nap('a', id) > 0
--- parallel-no-workers a=Seq_Scan/par parallel
SET LOCAL max_parallel_workers = 0;
EXPLAIN SELECT count(*) FROM par WHERE nap('a', id) > 0
--- parallel-output a=Seq_Scan/par parallel
EXPLAIN SELECT nap('a', id) FROM par
--- parallel-above-gather a=Aggregate parallel
EXPLAIN SELECT sum(x) FROM (SELECT g AS x, count(*) FROM par GROUP BY g) s HAVING nap('a', 1) > 0
--- parallel-aggregate a=Aggregate parallel
EXPLAIN SELECT sum(nap('a', id)) FROM par
--- parallel-gather-merge a=Seq_Scan/par parallel
EXPLAIN SELECT id FROM par WHERE nap('a', id) > 0 ORDER BY g
--- parallel-append a=Seq_Scan parallel
EXPLAIN SELECT count(*) FROM pp WHERE nap('a', id) > 0
--- parallel-append-no-leader a=Seq_Scan parallel
SET LOCAL parallel_leader_participation = off;
EXPLAIN SELECT count(*) FROM pp WHERE nap('a', id) > 0
--- parallel-hash-join a=Seq_Scan/x b=Seq_Scan/q parallel
SET LOCAL enable_nestloop = off; SET LOCAL enable_mergejoin = off;
EXPLAIN SELECT count(*) FROM par x JOIN par q USING (id) WHERE nap('a', x.g) >= 0 AND nap('b', q.g) >= 0
--- parallel-nested-loop a=Seq_Scan/x b=Index_Scan/q parallel
SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_material = off;
SET LOCAL enable_bitmapscan = off;
EXPLAIN SELECT count(*) FROM par x JOIN par q ON q.id = x.id AND nap('b', q.g) >= 0 WHERE nap('a', x.g) >= 0
--- parallel-init-plan a=Result b=Seq_Scan/par parallel
EXPLAIN SELECT count(*) FROM par WHERE nap('b', g) >= (SELECT nap('a', 0))
--- parallel-sub-plan a=Seq_Scan/u b=Seq_Scan/par parallel
SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off;
EXPLAIN SELECT count(*) FROM par WHERE g < (SELECT count(*) FROM u WHERE u.g <= par.g AND nap('a', u.id) > 0)
AND nap('b', id) > 0 AND id < 6
--- parallel-below-sort-and-limit a=Seq_Scan/par parallel
EXPLAIN SELECT id FROM par WHERE nap('a', id) > 0 ORDER BY g DESC LIMIT 3
--- parallel-index a=Index_Scan/par parallel
SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off;
EXPLAIN SELECT count(*) FROM par WHERE id > 2 AND nap('a', g) >= 0
--- parallel-bitmap a=Bitmap_Heap_Scan/par parallel
SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off;
EXPLAIN SELECT count(*) FROM par WHERE id > 2 AND nap('a', g) >= 0
--- parallel-rescanned a=Seq_Scan/par parallel
SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_material = off;
EXPLAIN SELECT (SELECT count(*) FROM par WHERE nap('a', id) > u.id * 0) FROM u WHERE id < 3
