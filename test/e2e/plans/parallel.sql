--- parallel-seq-scan parallel
EXPLAIN SELECT * FROM t WHERE n > 100
--- parallel-index-scan parallel
SET LOCAL enable_seqscan = off;
SET LOCAL enable_bitmapscan = off;
EXPLAIN SELECT count(v) FROM t WHERE id > 5
--- parallel-index-only-scan parallel
SET LOCAL enable_seqscan = off;
SET LOCAL enable_bitmapscan = off;
EXPLAIN SELECT count(*) FROM t WHERE k > 5
--- parallel-bitmap-scan parallel
SET LOCAL enable_seqscan = off;
SET LOCAL enable_indexscan = off;
SET LOCAL enable_indexonlyscan = off;
EXPLAIN SELECT count(*) FROM t WHERE k > 5
--- parallel-aggregate parallel
EXPLAIN SELECT count(*), sum(n) FROM t
--- parallel-group-aggregate parallel
SET LOCAL enable_hashagg = off;
EXPLAIN SELECT g, count(*) FROM t GROUP BY g
--- parallel-hash-aggregate parallel
EXPLAIN SELECT g, count(*) FROM t GROUP BY g
--- parallel-hash-join parallel
SET LOCAL enable_mergejoin = off;
SET LOCAL enable_nestloop = off;
EXPLAIN SELECT count(*) FROM t JOIN u ON u.t_id = t.id
--- parallel-hash-join-serial-hash parallel
SET LOCAL enable_parallel_hash = off;
SET LOCAL enable_mergejoin = off;
SET LOCAL enable_nestloop = off;
EXPLAIN SELECT count(*) FROM t JOIN u ON u.t_id = t.id
--- parallel-hash-full-join parallel
SET LOCAL enable_mergejoin = off;
EXPLAIN SELECT count(*) FROM t FULL JOIN u ON u.t_id = t.id
--- parallel-merge-join parallel
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_nestloop = off;
EXPLAIN SELECT count(*) FROM t JOIN u ON u.t_id = t.id
--- parallel-nested-loop parallel
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off;
EXPLAIN SELECT count(*) FROM u JOIN t ON t.id = u.t_id WHERE u.w < 5
--- gather-merge parallel
EXPLAIN SELECT * FROM t ORDER BY n
--- gather-merge-limit parallel
EXPLAIN SELECT * FROM wide ORDER BY pad LIMIT 5
--- gather-merge-incremental parallel
SET LOCAL enable_seqscan = off;
SET LOCAL enable_sort = off;
EXPLAIN SELECT * FROM t ORDER BY k, n
--- gather-sort-spill parallel
SET LOCAL work_mem = '64kB';
EXPLAIN SELECT count(*) FROM (SELECT * FROM wide ORDER BY pad, id OFFSET 1) x
--- parallel-append parallel
EXPLAIN SELECT sum(v) FROM part
--- parallel-append-union parallel
EXPLAIN SELECT count(*) FROM (SELECT id FROM t UNION ALL SELECT id FROM u) x
--- parallel-append-pruned parallel
EXPLAIN SELECT sum(v) FROM part WHERE ts > (now() - interval '30 years')::date
--- parallel-init-plan parallel
EXPLAIN SELECT count(*) FROM t WHERE n > (SELECT avg(n) FROM t)
--- parallel-init-plan-inside parallel
EXPLAIN SELECT * FROM t WHERE n > (SELECT max(c) FROM s) ORDER BY n
--- parallel-sub-plan parallel
EXPLAIN SELECT * FROM u WHERE w > (SELECT count(*) FROM s WHERE s.c = u.w)
--- parallel-hashed-sub-plan parallel
EXPLAIN SELECT * FROM t WHERE k NOT IN (SELECT c FROM s)
--- parallel-cte parallel
EXPLAIN WITH x AS MATERIALIZED (SELECT * FROM t WHERE n > 3) SELECT count(*) FROM x
--- parallel-memoize parallel
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off;
EXPLAIN SELECT count(*) FROM u JOIN t ON t.id = u.w
--- parallel-sample parallel
EXPLAIN SELECT count(*) FROM t TABLESAMPLE bernoulli (50) REPEATABLE (1)
--- parallel-distinct parallel
EXPLAIN SELECT DISTINCT k FROM t
--- parallel-single-copy single
EXPLAIN SELECT count(*) FROM s
--- parallel-single-copy-filter single
EXPLAIN SELECT * FROM s WHERE a = 1 ORDER BY b
--- parallel-no-workers parallel
SET LOCAL max_parallel_workers = 0;
EXPLAIN SELECT count(*) FROM t
--- parallel-leader-off parallel
SET LOCAL parallel_leader_participation = off;
EXPLAIN SELECT count(*) FROM t
--- parallel-create-table-as parallel
EXPLAIN CREATE TABLE made AS SELECT k, count(*) FROM t GROUP BY k
--- parallel-window parallel
EXPLAIN SELECT sum(n) OVER (ORDER BY k) FROM t
--- parallel-result parallel
EXPLAIN SELECT count(*) FROM t WHERE current_user <> 'nobody'
--- parallel-partition-wise parallel
SET LOCAL enable_partitionwise_join = on;
SET LOCAL enable_partitionwise_aggregate = on;
EXPLAIN SELECT a.ts, count(*) FROM other a JOIN other b USING (ts) GROUP BY a.ts
--- parallel-nested-gather parallel
EXPLAIN SELECT * FROM s, LATERAL (SELECT count(*) FROM t WHERE t.k = s.c) x
--- jit jit
EXPLAIN SELECT sum(k + g) FROM t WHERE n > 3
--- jit-parallel jit parallel
EXPLAIN SELECT sum(k + g) FROM t WHERE n > 3
--- jit-optimized jit
SET LOCAL jit_inline_above_cost = 0;
SET LOCAL jit_optimize_above_cost = 0;
EXPLAIN SELECT g, sum(k) FROM t GROUP BY g
