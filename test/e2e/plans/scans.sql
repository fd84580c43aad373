--- seq-scan
EXPLAIN SELECT * FROM t
--- seq-scan-filter
EXPLAIN SELECT id FROM t WHERE n > 500 AND v <> 'v1'
--- seq-scan-alias
EXPLAIN SELECT x.id FROM t x WHERE x.n IS NULL OR x.g = ANY ('{1,2}')
--- seq-scan-quoted-alias
EXPLAIN SELECT "X y".id FROM t "X y" WHERE "X y".n < 0
--- seq-scan-few-removed
EXPLAIN SELECT * FROM s, LATERAL (SELECT 1 FROM t WHERE t.n <> s.c * 10 OFFSET 0) x
--- seq-scan-empty
EXPLAIN SELECT * FROM empty WHERE id = 1
--- seq-scan-off
SET LOCAL enable_seqscan = off;
EXPLAIN SELECT * FROM s WHERE a = 1
--- index-scan
EXPLAIN SELECT * FROM t WHERE id = 5
--- index-scan-range
SET LOCAL enable_bitmapscan = off;
SET LOCAL enable_seqscan = off;
EXPLAIN SELECT * FROM t WHERE k BETWEEN 3 AND 5 AND n > 10
--- index-scan-backward
EXPLAIN SELECT * FROM t ORDER BY id DESC LIMIT 3
--- index-scan-backward-alias
EXPLAIN SELECT * FROM t AS "t 2" ORDER BY ts DESC LIMIT 3
--- index-scan-expression
SET LOCAL enable_bitmapscan = off;
EXPLAIN SELECT * FROM t WHERE lower(v) = 'v3'
--- index-scan-any
SET LOCAL enable_bitmapscan = off;
EXPLAIN SELECT id FROM t WHERE k IN (1, 2, 3) AND g = 2
--- index-scan-row-compare
SET LOCAL enable_bitmapscan = off;
SET LOCAL enable_seqscan = off;
EXPLAIN SELECT * FROM t WHERE (g, v) > (5, 'v4') ORDER BY g, v LIMIT 5
--- index-scan-hash
SET LOCAL enable_bitmapscan = off;
SET LOCAL enable_seqscan = off;
EXPLAIN SELECT * FROM u WHERE w = 3
--- index-scan-order-by
EXPLAIN SELECT p FROM geo ORDER BY p <-> point(3, 4) LIMIT 4
--- index-scan-order-by-filter
SET LOCAL enable_bitmapscan = off;
SET LOCAL enable_seqscan = off;
EXPLAIN SELECT p FROM geo WHERE p <@ box '(0,0),(9,9)' AND p[0] > 1 ORDER BY p <-> point(3, 4)
--- index-only-scan
SET LOCAL enable_seqscan = off;
SET LOCAL enable_bitmapscan = off;
EXPLAIN SELECT k FROM t WHERE k < 9
--- index-only-scan-backward
SET LOCAL enable_seqscan = off;
EXPLAIN SELECT k FROM t ORDER BY k DESC LIMIT 7
--- index-only-scan-count
SET LOCAL enable_seqscan = off;
SET LOCAL enable_bitmapscan = off;
EXPLAIN SELECT count(*) FROM t WHERE k > 50
--- min-max
EXPLAIN SELECT min(k), max(ts) FROM t
--- bitmap-scan
SET LOCAL enable_seqscan = off;
SET LOCAL enable_indexscan = off;
EXPLAIN SELECT * FROM t WHERE k = 3
--- bitmap-scan-filter
SET LOCAL enable_seqscan = off;
EXPLAIN SELECT * FROM t WHERE k < 20 AND n > 12
--- bitmap-and
SET LOCAL enable_seqscan = off;
SET LOCAL enable_indexscan = off;
EXPLAIN SELECT * FROM t WHERE k = 3 AND g = 2
--- bitmap-or
SET LOCAL enable_seqscan = off;
EXPLAIN SELECT * FROM t WHERE k = 3 OR g = 2 OR id = 7
--- bitmap-or-and
SET LOCAL enable_seqscan = off;
SET LOCAL enable_indexscan = off;
EXPLAIN SELECT * FROM t WHERE (k = 3 AND g = 2) OR id < 10
--- bitmap-gin
SET LOCAL enable_seqscan = off;
EXPLAIN SELECT id FROM t WHERE arr @> '{5}'
--- bitmap-brin-lossy
SET LOCAL enable_seqscan = off;
SET LOCAL enable_indexscan = off;
DROP INDEX wide_id;
EXPLAIN SELECT id FROM wide WHERE id BETWEEN 100 AND 200
--- bitmap-lossy-work-mem
SET LOCAL work_mem = '64kB';
SET LOCAL enable_seqscan = off;
SET LOCAL enable_indexscan = off;
EXPLAIN SELECT pad FROM wide WHERE id > 10
--- tid-scan
EXPLAIN SELECT * FROM t WHERE ctid = '(0,1)'
--- tid-scan-any
EXPLAIN SELECT * FROM t WHERE ctid = ANY (ARRAY['(0,1)', '(0,2)']::tid[])
--- tid-scan-or
EXPLAIN SELECT * FROM t WHERE (ctid = '(0,1)' OR ctid = '(0,3)') AND k > 0
--- tid-range-scan
EXPLAIN SELECT * FROM t WHERE ctid >= '(1,0)' AND ctid < '(3,1)' AND k > 3
--- sample-scan
EXPLAIN SELECT * FROM t TABLESAMPLE bernoulli (10) REPEATABLE (3)
--- sample-scan-system varies
EXPLAIN SELECT id FROM t "T t" TABLESAMPLE system (50) WHERE k = 3
--- sample-scan-rows varies
EXPLAIN SELECT * FROM t TABLESAMPLE system_rows (5)
--- values-scan
EXPLAIN SELECT * FROM (VALUES (1, 'a'), (2, 'b')) x (a, b)
--- values-scan-alias
EXPLAIN SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS "my values" (a, b) WHERE a > 1
--- function-scan
EXPLAIN SELECT * FROM generate_series(1, 10)
--- function-scan-alias
EXPLAIN SELECT * FROM generate_series(1, 10) g (i) WHERE i > 3
--- function-scan-ordinality
EXPLAIN SELECT * FROM f_set(3) WITH ORDINALITY AS x (a, b)
--- function-scan-rows-from
EXPLAIN SELECT * FROM ROWS FROM (generate_series(1, 3), f_set(2), "f odd"()) AS x
--- function-scan-odd
EXPLAIN SELECT * FROM "f odd"() WHERE "b b" = 'x'
--- function-scan-unnest
EXPLAIN SELECT * FROM unnest(ARRAY[1, 2], ARRAY['a', 'b,c']) AS x (a, b)
--- function-scan-record
EXPLAIN SELECT * FROM json_to_record('{"a": 1}') AS x (a int, b text)
--- table-function-scan
EXPLAIN SELECT * FROM XMLTABLE('/r/x' PASSING (xml '<r><x>1</x></r>') COLUMNS a int PATH '.', b text PATH '@b' DEFAULT 'none') xt WHERE a > 0
--- json-table >=17
EXPLAIN SELECT * FROM JSON_TABLE(jsonb '[{"a": 1, "b": "x, y"}]', '$[*]' COLUMNS (a int PATH '$.a', b text PATH '$.b')) AS jt
--- project-set
EXPLAIN SELECT generate_series(1, 3), id FROM s, empty
--- project-set-result
EXPLAIN SELECT generate_series(1, 3), unnest(ARRAY[1, 2])
--- result
EXPLAIN SELECT 1
--- result-expression
EXPLAIN SELECT now(), 'it''s', E'back\\slash', ARRAY[1, 2], ROW(1, 'a')
--- result-false
EXPLAIN SELECT * FROM t WHERE false
--- result-one-time-filter
EXPLAIN SELECT * FROM s WHERE current_user = 'nobody'
--- result-one-time-filter-true
EXPLAIN SELECT * FROM s WHERE now() > '2000-01-01'
--- subquery-scan
EXPLAIN SELECT * FROM (SELECT id, random() r FROM s, empty OFFSET 0) x WHERE r > 0.5
--- subquery-scan-limit
EXPLAIN SELECT a FROM (SELECT a, b FROM s LIMIT 10) "sub q" WHERE b > 1
--- security-barrier-view
EXPLAIN SELECT * FROM v_barrier WHERE slow_eq(k, 20)
--- materialized-view
EXPLAIN SELECT * FROM mv WHERE g = 1
--- view-aggregate
EXPLAIN SELECT * FROM v_sum WHERE total > 10
--- catalog
EXPLAIN SELECT relname FROM pg_class WHERE oid = 'pg_class'::regclass
--- inheritance
EXPLAIN SELECT * FROM parent WHERE id > 3
--- inheritance-only
EXPLAIN SELECT * FROM ONLY parent
--- whole-row
EXPLAIN SELECT t FROM t WHERE t IS NOT NULL AND id < 4
--- system-columns
EXPLAIN SELECT s.tableoid::regclass, s.ctid, s.xmin, id FROM s CROSS JOIN empty
--- limit
EXPLAIN SELECT * FROM t LIMIT 5
--- limit-offset
EXPLAIN SELECT * FROM t ORDER BY k OFFSET 20 LIMIT 5
--- limit-with-ties
EXPLAIN SELECT * FROM s ORDER BY a FETCH FIRST 2 ROWS WITH TIES
--- limit-zero
EXPLAIN SELECT * FROM t LIMIT 0
--- sort
EXPLAIN SELECT * FROM s ORDER BY c DESC, a NULLS FIRST, b USING >
--- sort-collate
EXPLAIN SELECT v FROM t ORDER BY v COLLATE "C" DESC NULLS LAST
--- sort-expression
EXPLAIN SELECT * FROM s ORDER BY (a + b), CASE WHEN c > 3 THEN 1 ELSE 0 END, coalesce(a, b)
--- sort-top-n
EXPLAIN SELECT * FROM t ORDER BY n LIMIT 3
--- sort-external
SET LOCAL work_mem = '64kB';
EXPLAIN SELECT * FROM wide ORDER BY pad, id
--- incremental-sort
SET LOCAL enable_seqscan = off;
SET LOCAL enable_sort = off;
EXPLAIN SELECT * FROM t ORDER BY k, n
--- incremental-sort-limit
SET LOCAL enable_seqscan = off;
EXPLAIN SELECT * FROM t ORDER BY k, n LIMIT 70
--- incremental-sort-external
SET LOCAL enable_seqscan = off;
SET LOCAL enable_sort = off;
SET LOCAL work_mem = '64kB';
EXPLAIN SELECT * FROM (SELECT id / 1000 AS big, pad FROM wide ORDER BY 1 OFFSET 0) x ORDER BY big, pad
--- unique
SET LOCAL enable_hashagg = off;
EXPLAIN SELECT DISTINCT g FROM t
--- distinct-on
EXPLAIN SELECT DISTINCT ON (g, lower(v)) g, lower(v), k FROM t ORDER BY g, lower(v), k
--- distinct-hash
EXPLAIN SELECT DISTINCT a, b FROM s
--- materialize
EXPLAIN SELECT * FROM s a, s b WHERE a.c < b.c
--- lock-rows
EXPLAIN SELECT * FROM t WHERE id < 5 FOR UPDATE
--- lock-rows-of
EXPLAIN SELECT * FROM t x JOIN u y ON y.t_id = x.id WHERE x.id < 5 FOR SHARE OF x SKIP LOCKED
--- row-level-security
SET LOCAL row_security = on;
EXPLAIN SELECT * FROM rls
