
--- insert runs
INSERT INTO t SELECT i, 1, 'x', '{}' FROM generate_series(1000, 1100) i
--- insert-returning runs
INSERT INTO t VALUES (1000, 1, 'x', '{}') RETURNING *
--- upsert runs
INSERT INTO t VALUES (1, 1, 'x', '{}') ON CONFLICT (id) DO UPDATE SET v = EXCLUDED.v
--- update runs
UPDATE t SET v = 'changed'
--- update-to-another-partition runs
UPDATE parted SET id = id + 100 WHERE id < 50
--- delete runs
DELETE FROM t WHERE id < 100
--- delete-cascade runs
DELETE FROM parent
--- merge runs >=15
MERGE INTO t USING (SELECT 1 AS i UNION SELECT 5000) s ON t.id = s.i
  WHEN MATCHED THEN UPDATE SET v = 'm' WHEN NOT MATCHED THEN INSERT VALUES (s.i, 1, 'm', '{}')
--- locking runs
SELECT * FROM t FOR UPDATE
--- share runs
SELECT * FROM t FOR KEY SHARE
--- writing-cte runs
WITH gone AS (DELETE FROM t WHERE id < 10 RETURNING *) INSERT INTO trace SELECT v FROM gone
--- reading-with-writing-cte runs
WITH gone AS (DELETE FROM t RETURNING id) SELECT count(*) FROM gone
--- trigger-that-writes runs
INSERT INTO logged VALUES (1)
--- function-that-writes runs
INSERT INTO trace SELECT writes()::text
--- serial runs sequence
INSERT INTO numbered (v) VALUES ('x')
--- identity runs sequence
INSERT INTO identified (v) VALUES ('x')
--- notify-in-a-select refused
INSERT INTO trace SELECT pg_notify('attack', 'x')::text
--- acts refused
INSERT INTO trace SELECT act()::text
--- acts-behind-sql refused
UPDATE t SET n = act_sql()
--- kills refused
DELETE FROM t WHERE liar_kill() = 1
--- setval refused
INSERT INTO trace SELECT setval('s', 99)::text
--- advisory-lock refused
INSERT INTO trace SELECT 'x' WHERE pg_advisory_lock(1) IS NOT NULL
--- trigger-that-acts refused
INSERT INTO triggered_act VALUES (1)
--- trigger-when-acts refused
INSERT INTO triggered_when VALUES (1)
--- trigger-with-dynamic-sql refused
UPDATE triggered_dynamic SET id = 2
--- cascade-to-a-trigger-that-acts refused
DELETE FROM parent_act
--- trigger-behind-a-trigger-that-acts refused
INSERT INTO chained VALUES (1)
--- default-that-acts refused
INSERT INTO defaulted (id) VALUES (1)
--- check-that-acts refused
INSERT INTO check_acts VALUES (1)
--- policy-that-acts refused
INSERT INTO policed VALUES (1)
--- view-with-instead-of refused
INSERT INTO seen VALUES (1)
--- rule-that-acts refused
INSERT INTO rule_acts VALUES (1)
--- rule-that-also-acts fails
INSERT INTO rule_also VALUES (1)
--- index-that-acts refused
INSERT INTO indexed VALUES (1)
--- partition-trigger-that-acts refused
INSERT INTO partition_acts VALUES (1)
--- set-config refused
UPDATE t SET v = set_config('work_mem', '1MB', false)
--- copy-program refused
UPDATE t SET n = liar_program()
--- file refused
UPDATE t SET n = liar_file()
--- into refused
SELECT * INTO made FROM t
--- create refused
CREATE TABLE made AS SELECT 1
--- select refused
SELECT 1
--- several refused
DELETE FROM t; COMMIT
--- commit-inside refused
UPDATE t SET v = 'x'; COMMIT; BEGIN
--- execute refused
EXECUTE nothing
--- explain-analyze refused
EXPLAIN ANALYZE SELECT 1
--- truncate refused
TRUNCATE t
--- do-block refused
DO 'BEGIN DELETE FROM t; COMMIT; END'
--- large-object refused
INSERT INTO trace SELECT lo_create(0)::text
--- error-in-the-middle fails
UPDATE t SET n = 1 / (n - 3)
--- not-null fails
INSERT INTO t (id) VALUES (NULL)
