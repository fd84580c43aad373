--- insert
EXPLAIN INSERT INTO empty VALUES (1, 'x')
--- insert-values
EXPLAIN INSERT INTO empty VALUES (1, 'x'), (2, 'y')
--- insert-select
EXPLAIN INSERT INTO empty SELECT c, 'x' FROM s WHERE a = 1 RETURNING id
--- insert-defaults
EXPLAIN INSERT INTO logged DEFAULT VALUES
--- insert-do-nothing
EXPLAIN INSERT INTO conflict VALUES (1, 'q') ON CONFLICT DO NOTHING
--- insert-do-update
EXPLAIN INSERT INTO conflict VALUES (1, 'q'), (7, 'z') ON CONFLICT (id) DO UPDATE SET v = excluded.v
--- insert-do-update-where
EXPLAIN INSERT INTO conflict SELECT c, 'q' || c FROM s ON CONFLICT (id) DO UPDATE SET v = excluded.v WHERE conflict.v <> 'a'
--- insert-on-constraint
EXPLAIN INSERT INTO conflict AS "C c" VALUES (9, 'a') ON CONFLICT ON CONSTRAINT uv DO NOTHING
--- insert-with-triggers
EXPLAIN INSERT INTO trig VALUES (100, 'x'), (101, 'y')
--- insert-foreign-key
EXPLAIN INSERT INTO fk SELECT i, i FROM generate_series(1, 5) i
--- insert-rule split
EXPLAIN INSERT INTO ruled SELECT c FROM s WHERE a = 0
--- update
EXPLAIN UPDATE s SET b = b + 1
--- update-where
EXPLAIN UPDATE t SET v = 'new' WHERE id = 3
--- update-from
EXPLAIN UPDATE t x SET v = y.note FROM u y WHERE y.t_id = x.id AND y.id < 5
--- update-sub-plan
EXPLAIN UPDATE s SET b = (SELECT max(k) FROM t WHERE t.g = s.a)
--- update-multi-column
EXPLAIN UPDATE s SET (a, b) = (SELECT k, g FROM t WHERE t.id = s.c)
--- update-returning
EXPLAIN UPDATE s SET b = 0 WHERE c = 2 RETURNING a, b + 1
--- update-triggers
EXPLAIN UPDATE trig SET v = 'y' WHERE id < 4
--- delete
EXPLAIN DELETE FROM s
--- delete-where
EXPLAIN DELETE FROM u WHERE id = 17
--- delete-cascade
EXPLAIN DELETE FROM trig WHERE id < 6
--- delete-using
EXPLAIN DELETE FROM u USING t WHERE t.id = u.t_id AND t.k = 3
--- delete-returning
EXPLAIN DELETE FROM s AS gone WHERE c = 1 RETURNING gone
--- delete-current-of
DECLARE cur CURSOR FOR SELECT * FROM s;
FETCH cur;
EXPLAIN DELETE FROM s WHERE CURRENT OF cur
--- merge >=15
EXPLAIN MERGE INTO conflict c USING (VALUES (1, 'x'), (9, 'y')) v (id, v) ON v.id = c.id WHEN MATCHED THEN UPDATE SET v = v.v WHEN NOT MATCHED THEN INSERT VALUES (v.id, v.v)
--- merge-delete >=15
EXPLAIN MERGE INTO t USING u ON u.t_id = t.id AND u.id < 1500 WHEN MATCHED AND u.w > 8 THEN DELETE WHEN MATCHED THEN DO NOTHING
--- merge-partitioned >=15 oddjson
EXPLAIN MERGE INTO part p USING (SELECT DISTINCT ON (ts, dev) * FROM other) o ON o.ts = p.ts AND o.dev = p.dev AND p.v < 10 WHEN MATCHED THEN UPDATE SET v = o.w
--- merge-by-source >=17
EXPLAIN MERGE INTO conflict c USING s ON s.c = c.id WHEN NOT MATCHED BY SOURCE THEN DELETE WHEN NOT MATCHED BY TARGET THEN DO NOTHING
--- merge-returning >=17
EXPLAIN WITH m AS (MERGE INTO conflict c USING s ON s.c = c.id WHEN MATCHED THEN UPDATE SET v = 'm' || s.c WHEN NOT MATCHED THEN DO NOTHING RETURNING merge_action(), c.*) SELECT * FROM m
--- foreign-select noanalyze
EXPLAIN SELECT * FROM far WHERE id = 5 AND v = 'it''s'
--- foreign-select-local-filter noanalyze
EXPLAIN SELECT id FROM far WHERE slow_eq(id, 5) ORDER BY v
--- foreign-join noanalyze
EXPLAIN SELECT * FROM far a JOIN far_2 b ON a.id = b.id WHERE b.w > 3
--- foreign-aggregate noanalyze
EXPLAIN SELECT id, count(*) FROM far_2 GROUP BY id HAVING count(*) > 2
--- foreign-for-update noanalyze
EXPLAIN SELECT * FROM far "F f" FOR UPDATE
--- foreign-insert noanalyze
EXPLAIN INSERT INTO far (id, v) VALUES (1, 'x')
--- foreign-update noanalyze
EXPLAIN UPDATE far SET v = 'x' WHERE slow_eq(id, 3)
--- foreign-update-direct noanalyze
EXPLAIN UPDATE far SET v = 'x' WHERE id = 3
--- foreign-delete-direct noanalyze
EXPLAIN DELETE FROM far_2 WHERE id = 3 RETURNING w
--- foreign-async noanalyze >=14
ALTER SERVER nowhere OPTIONS (ADD async_capable 'true');
CREATE TABLE pool (id int) PARTITION BY LIST (id);
CREATE FOREIGN TABLE pool_1 PARTITION OF pool FOR VALUES IN (1) SERVER nowhere;
CREATE FOREIGN TABLE pool_2 PARTITION OF pool FOR VALUES IN (2) SERVER nowhere;
EXPLAIN SELECT * FROM pool
--- foreign-file
EXPLAIN SELECT * FROM nothing_in WHERE line > 'a'
--- foreign-program
EXPLAIN SELECT * FROM told "T o" WHERE line <> 'x'
--- temporary-table
CREATE TEMP TABLE tmp AS SELECT i AS id, repeat('y', 200) AS pad FROM generate_series(1, 3000) i;
EXPLAIN UPDATE tmp SET pad = 'z' WHERE id % 2 = 0
--- query-identifier >=14
SET LOCAL compute_query_id = on;
EXPLAIN SELECT * FROM s WHERE a = 1
--- generic-plan >=16 generic noanalyze
EXPLAIN SELECT * FROM t WHERE k = $1 AND v LIKE $2 LIMIT $3
