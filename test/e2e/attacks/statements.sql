--- control-select plans runs
SELECT count(*) FROM t WHERE n = 3 AND v LIKE 'v%'
--- control-honest plans runs
SELECT honest('abc'), honest(v) FROM t WHERE honest(v) = honest('x') AND n < honest_stable()
--- control-harmless plans runs
SELECT random(), clock_timestamp(), pg_relation_size('t') FROM t JOIN parted USING (id)
--- control-catalog plans runs
SELECT c.relname, pg_size_pretty(pg_total_relation_size(c.oid)), l.mode
FROM pg_catalog.pg_class c LEFT JOIN pg_locks l ON l.relation = c.oid
--- control-activity plans runs
SELECT pid, state FROM pg_stat_activity WHERE state = 'active'
--- control-volatile plans kept
SELECT plain_volatile()
--- control-writing plans kept
INSERT INTO t VALUES (1000, 1, 'x')
--- control-comment plans runs
SELECT 1 -- ; DROP TABLE t
--- control-semicolon plans runs
SELECT ';' ;
--- two-statements refused
SELECT 1; DROP TABLE t
--- two-statements-insert refused
SELECT 1; INSERT INTO trace VALUES ('x')
--- commit-first refused
COMMIT; INSERT INTO trace VALUES ('x')
--- rollback-between refused
SELECT 1; ROLLBACK; INSERT INTO trace VALUES ('x'); BEGIN
--- end-of-copy refused
SELECT 1) TO STDOUT; DROP TABLE t; --
--- comment-nested refused
SELECT 1 /* /* */ ; */ ; DROP TABLE t
--- comment-closed-early refused
SELECT 1 /* */; DROP TABLE t; /* */
--- line-comment-newline refused
SELECT 1 --
; DROP TABLE t
--- carriage-return-comment
SELECT 1 -- xSELECT 2
--- quote-doubled refused
SELECT 'a''; DROP TABLE t; --'; DROP TABLE t
--- backslash-quote
SELECT 'a\'; DROP TABLE t; --'
--- backslash-hides-call
SELECT 'x\'' || act()::text || '\'' AS a
--- escape-string refused
SELECT E'a\''; DROP TABLE t; --'
--- dollar-quote refused
SELECT $a$ $b$ $a$; DROP TABLE t; --$b$
--- dollar-in-name refused
SELECT 1 AS a$b$; DROP TABLE t; --$b$
--- unicode-string refused
SELECT U&'\0027; DROP TABLE t'; DROP TABLE t
--- quoted-name-semicolon
SELECT 1 AS "; DROP TABLE t; --"
--- empty refused
;
--- only-comment refused
-- nothing
--- explain-analyze
EXPLAIN ANALYZE SELECT act()
--- explain-analyse
EXPLAIN ANALYSE SELECT act()
--- explain-analyze-verbose
EXPLAIN ANALYZE VERBOSE SELECT act()
--- explain-options-analyze
EXPLAIN (ANALYZE) SELECT act()
--- explain-options-late
EXPLAIN (COSTS off, VERBOSE, ANALYZE on) SELECT act()
--- explain-options-twice
EXPLAIN (ANALYZE off, ANALYZE on) SELECT act()
--- explain-options-number
EXPLAIN (ANALYZE 1) SELECT act()
--- explain-options-true
EXPLAIN (ANALYZE 'true', FORMAT text) SELECT act()
--- explain-options-upper
eXpLaIn ( aNaLyZe TRUE ) SELECT act()
--- explain-comment
EXPLAIN/**/ANALYZE/* */SELECT act()
--- explain-quoted-option
EXPLAIN ("analyze" true) SELECT act()
--- explain-explain refused
EXPLAIN EXPLAIN ANALYZE SELECT act()
--- explain-dml
EXPLAIN ANALYZE INSERT INTO trace VALUES ('x')
--- explain-update
EXPLAIN ANALYZE UPDATE t SET n = 0
--- explain-delete
EXPLAIN (ANALYZE, BUFFERS) DELETE FROM t
--- explain-ctas
EXPLAIN ANALYZE CREATE TABLE made AS SELECT 1
--- explain-ctas-exists
EXPLAIN ANALYZE CREATE TABLE IF NOT EXISTS made AS SELECT act()
--- explain-select-into
EXPLAIN ANALYZE SELECT act() INTO made
--- explain-matview
EXPLAIN ANALYZE CREATE MATERIALIZED VIEW made AS SELECT act()
--- explain-refresh refused
EXPLAIN ANALYZE REFRESH MATERIALIZED VIEW mv
--- explain-execute refused
EXPLAIN ANALYZE EXECUTE p
--- explain-declare refused
EXPLAIN ANALYZE DECLARE c CURSOR FOR SELECT act()
--- ctas
CREATE TABLE made AS SELECT act()
--- ctas-execute
CREATE TABLE made AS EXECUTE p
--- ctas-temporary refused
CREATE TEMPORARY TABLE made AS SELECT act()
--- select-into
SELECT act() INTO made
--- select-into-temporary refused
SELECT act() INTO TEMPORARY made
--- select-into-union
SELECT 1 INTO made UNION SELECT act()
--- select-into-temporary-schema refused
SELECT act() INTO pg_temp.made
--- matview
CREATE MATERIALIZED VIEW made AS SELECT act()
--- execute refused
EXECUTE p
--- prepare refused
PREPARE p AS SELECT act()
--- declare refused
DECLARE c CURSOR WITH HOLD FOR SELECT act()
--- fetch refused
FETCH ALL FROM c
--- insert plans kept
INSERT INTO trace SELECT act()::text
--- insert-returning plans kept
INSERT INTO t (id) VALUES (1001) RETURNING act()
--- insert-conflict plans kept
INSERT INTO t (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET n = act()
--- update plans kept
UPDATE t SET n = act()
--- update-from plans kept
UPDATE t SET n = p.n FROM parted p WHERE p.id = t.id
--- delete plans kept
DELETE FROM t USING parted WHERE t.id = parted.id
--- merge kept >=15
MERGE INTO t USING parted p ON p.id = t.id WHEN MATCHED THEN UPDATE SET n = 0
--- merge-returning kept >=17
MERGE INTO t USING parted p ON p.id = t.id WHEN MATCHED THEN DELETE RETURNING merge_action()
--- cte-insert plans kept
WITH d AS (INSERT INTO trace VALUES ('x') RETURNING *) SELECT * FROM d
--- cte-delete-unread plans kept
WITH d AS (DELETE FROM t) SELECT 1
--- cte-update plans kept
WITH d AS (UPDATE t SET n = 1 RETURNING *) SELECT count(*) FROM d
--- cte-behind-cte plans kept
WITH a AS (SELECT 1 AS x), b AS (UPDATE t SET n = 1 RETURNING id) SELECT * FROM a, b
--- cte-in-cte refused
WITH o AS (WITH d AS (DELETE FROM t RETURNING id) SELECT * FROM d) SELECT * FROM o
--- cte-in-sub-select refused
SELECT * FROM (WITH d AS (DELETE FROM t RETURNING id) SELECT * FROM d) x
--- cte-in-insert plans kept
WITH d AS (DELETE FROM t RETURNING id) INSERT INTO trace SELECT id::text FROM d
--- for-update plans kept
SELECT * FROM t FOR UPDATE
--- for-share plans kept
SELECT * FROM t FOR SHARE SKIP LOCKED
--- for-key-share plans kept
SELECT * FROM t FOR KEY SHARE NOWAIT
--- for-update-nested plans kept
SELECT * FROM (SELECT * FROM t FOR UPDATE) x
--- for-update-in-exists kept
SELECT 1 WHERE EXISTS (SELECT 1 FROM t FOR UPDATE)
--- for-update-in-cte kept
WITH x AS (SELECT * FROM t FOR UPDATE) SELECT count(*) FROM x
--- for-update-in-view kept
SELECT * FROM hides_lock
--- nextval plans kept
SELECT nextval('s')
--- nextval-where plans kept
SELECT * FROM t WHERE id < nextval('s')
--- setval plans kept
SELECT setval('s', 100)
--- setval-qualified plans kept
SELECT pg_catalog.setval('s'::regclass, 100, false)
--- set-config plans kept
SELECT set_config('work_mem', '1MB', false)
--- set-config-readwrite plans kept
SELECT set_config('transaction_read_only', 'off', true), writes()
--- advisory-lock plans kept
SELECT pg_advisory_lock(1)
--- advisory-try plans kept
SELECT pg_try_advisory_lock(1, 2)
--- advisory-shared plans kept
SELECT pg_advisory_lock_shared(1)
--- advisory-xact plans kept
SELECT pg_advisory_xact_lock(1)
--- notify-function plans kept
SELECT pg_notify('attack', 'x')
--- large-object-create plans kept
SELECT lo_create(4711), lo_creat(-1)
--- large-object-import plans kept
SELECT lo_import('/etc/hostname')
--- large-object-export plans kept
SELECT lo_export(4711, '{dir}/exported')
--- large-object-bytea plans kept
SELECT lo_from_bytea(0, 'x'), lo_put(4711, 0, 'x'), lo_unlink(4711)
--- terminate plans kept
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'victim'
--- cancel plans kept
SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'victim'
--- switch-wal plans kept
SELECT pg_switch_wal()
--- reload plans kept
SELECT pg_reload_conf()
--- rotate plans kept
SELECT pg_rotate_logfile()
--- emit-message plans kept
SELECT pg_logical_emit_message(false, 'attack', 'x')
--- restore-point plans kept
SELECT pg_create_restore_point('attack')
--- slot-physical plans kept
SELECT pg_create_physical_replication_slot('attack')
--- slot-logical plans kept
SELECT pg_create_logical_replication_slot('attack', 'test_decoding')
--- slot-drop plans kept
SELECT pg_drop_replication_slot('attack')
--- origin plans kept
SELECT pg_replication_origin_create('attack')
--- backup kept
SELECT pg_stop_backup()
--- backup-newer kept
SELECT pg_backup_start('attack', true)
--- promote plans kept
SELECT pg_promote(false)
--- stat-reset plans kept
SELECT pg_stat_reset()
--- stat-reset-shared plans kept
SELECT pg_stat_reset_shared('bgwriter')
--- import-collations plans kept
SELECT pg_import_system_collations('public')
--- brin-summarize plans kept
SELECT brin_summarize_new_values('reindexed'), gin_clean_pending_list('reindexed')
--- export-snapshot plans kept
SELECT pg_export_snapshot()
--- file-read plans kept
SELECT pg_read_file('postgresql.conf')
--- file-write kept
SELECT pg_file_write('{dir}/written', 'x', false)
--- file-list plans kept
SELECT pg_ls_dir('.')
--- log-memory kept
SELECT pg_log_backend_memory_contexts(pg_backend_pid())
--- query-to-xml plans kept
SELECT query_to_xml('SELECT act()', true, true, '')
--- table-to-xml refused kept
SELECT * FROM t WHERE v > (table_to_xml('hides', true, true, '')::text)
--- schema-to-xml refused kept
SELECT * FROM t WHERE v = (schema_to_xml('public', true, true, '')::text)
--- cursor-to-xml plans kept
SELECT cursor_to_xml('c', 1, true, true, '')
--- ts-stat plans kept
SELECT * FROM ts_stat('SELECT act()::text::tsvector')
--- ts-rewrite plans kept
SELECT ts_rewrite('a'::tsquery, 'SELECT act()::text::tsquery, ''b''::tsquery')
--- txid refused kept
SELECT * FROM t WHERE id > txid_current()
--- xact-id refused kept
SELECT * FROM t WHERE v > pg_current_xact_id()::text
--- xid-shown plans runs
SELECT pg_current_snapshot(), txid_current_snapshot()
--- dblink kept
SELECT dblink('{conninfo}', 'INSERT INTO trace VALUES (1)')
--- dblink-exec kept
SELECT dblink_exec('{conninfo}', 'INSERT INTO trace VALUES (1)')
--- dblink-where kept
SELECT * FROM t WHERE v = dblink_exec('{conninfo}', 'INSERT INTO trace VALUES (2)')
--- dblink-from kept
SELECT * FROM dblink('{conninfo}', 'SELECT act()') AS x(a int)
--- crosstab kept
SELECT * FROM crosstab('SELECT id, n, act() FROM t') AS x(a int, b int)
--- connectby kept
SELECT * FROM connectby('t', 'id', 'n', '1', 0) AS x(a int, b int, c int)
--- file-fdw kept
SELECT * FROM foreign_program
--- volatile-function plans kept
SELECT act()
--- volatile-from plans kept
SELECT * FROM act_set()
--- volatile-lateral plans kept
SELECT * FROM t, LATERAL act_set() x
--- volatile-rows-from plans kept
SELECT * FROM ROWS FROM (act_set(), generate_series(1, 3))
--- volatile-sql plans kept
SELECT act_sql()
--- volatile-attribute plans kept
SELECT t.act_of FROM t
--- volatile-sub-select plans kept
SELECT (SELECT act()), ARRAY(SELECT act()), EXISTS (SELECT act())
--- volatile-case plans kept
SELECT CASE WHEN n > 3 THEN act() ELSE 0 END FROM t
--- volatile-order plans kept
SELECT id FROM t ORDER BY act()
--- volatile-limit plans kept
SELECT id FROM t LIMIT act()
--- volatile-window plans kept
SELECT sum(act()) OVER (PARTITION BY n) FROM t
--- volatile-filter plans kept
SELECT count(*) FILTER (WHERE act() = 1) FROM t
--- volatile-having plans kept
SELECT n FROM t GROUP BY n HAVING act() = 1
--- volatile-values plans kept
VALUES (act()), (2)
--- volatile-table-sample plans kept
SELECT * FROM t TABLESAMPLE bernoulli (act())
--- volatile-xmltable plans kept
SELECT * FROM XMLTABLE('/a' PASSING xmlparse(content '<a>' || act() || '</a>') COLUMNS a int)
--- volatile-json plans kept
SELECT * FROM jsonb_array_elements(jsonb_build_array(act()))
--- volatile-recursive plans kept
WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + act() FROM r WHERE x < 3) SELECT * FROM r
--- volatile-union plans kept
SELECT 1 UNION ALL SELECT act() INTERSECT SELECT 2
--- volatile-grouping-sets plans kept
SELECT n, act() FROM t GROUP BY GROUPING SETS ((n), ())
--- volatile-distinct-on plans kept
SELECT DISTINCT ON (act()) id FROM t
--- volatile-partition plans kept
SELECT * FROM parted WHERE id < act()
--- volatile-array plans kept
SELECT (ARRAY[1, 2])[act()]
--- volatile-named-argument plans kept
SELECT make_interval(days => act())
--- volatile-variadic plans kept
SELECT concat(VARIADIC ARRAY[act()::text])
--- volatile-unicode-name plans kept
SELECT U&"\0061ct"()
--- volatile-quoted-name plans kept
SELECT "public"."act"()
--- view plans kept
SELECT * FROM hides
--- view-deep plans kept
SELECT count(*) FROM hides_deep
--- view-limit plans kept
SELECT * FROM hides_limit
--- view-offset plans kept
SELECT * FROM hides_offset
--- view-advisory plans kept
SELECT * FROM hides_advisory
--- view-frame plans kept
SELECT * FROM hides_frame
--- view-write plans kept
SELECT * FROM hides_write
--- view-liar refused kept
SELECT * FROM hides_liar
--- operator-volatile plans kept
SELECT * FROM t WHERE n =#= 3
--- operator-any refused kept
SELECT * FROM t WHERE n =#= ANY (SELECT id FROM parted) AND liar(11) = 1
--- operator-any-volatile kept
SELECT * FROM t WHERE n =#= ANY (SELECT id FROM parted OFFSET 0)
--- operator-estimate refused kept
SELECT * FROM t WHERE n =%= 3
--- operator-advisory refused kept
SELECT * FROM t WHERE n ?^? 3
--- operator-prefix refused kept
SELECT @@@ 3
--- operator-qualified refused kept
SELECT * FROM t WHERE n OPERATOR(public.=%=) 3
--- operator-join refused kept
SELECT * FROM t JOIN parted p ON t.n =%= p.n
--- operator-less refused kept
SELECT * FROM t WHERE n <% 3
--- operator-order refused kept
SELECT n FROM t ORDER BY n USING <%
--- operator-class-index refused kept
SELECT * FROM by_act WHERE n <% 4
--- operator-class-order kept
SELECT n FROM by_act ORDER BY n
--- operator-class-partition refused kept
SELECT * FROM parted_act WHERE id = 5
--- domain-cast refused kept
SELECT n::checked FROM t
--- domain-array refused kept
SELECT '{1,2}'::checked[]
--- domain-of-domain refused kept
SELECT '{1,2}'::checked_again[]
--- domain-function-cast refused kept
SELECT checked(1)
--- domain-in-row refused kept
SELECT '(1)'::holds_checked
--- domain-in-column refused kept
SELECT * FROM of_checked WHERE c = '{1}'
--- domain-populate refused kept
SELECT * FROM t WHERE n = (json_populate_record(NULL::holds_checked, '{"c": 1}')).c
--- domain-recordset refused kept
SELECT * FROM json_to_recordset('[{"c": 1}]') AS x(c checked)
--- domain-insert refused kept
INSERT INTO of_checked VALUES ('{1}')
--- cast-implicit kept
SELECT abs(ROW(1)::cast_away)
--- cast-explicit kept
SELECT CAST(ROW(1)::cast_away AS int)
--- cast-json refused kept
SELECT * FROM t WHERE v = (to_json(ROW(1)::cast_away))::text
--- aggregate-state kept
SELECT act_sum(n) FROM t
--- aggregate-final kept
SELECT act_final(n) FROM t
--- aggregate-window kept
SELECT act_sum(n) OVER (ORDER BY id) FROM t
--- policy refused kept
SELECT * FROM guarded
--- default-value refused kept
INSERT INTO defaults (id) VALUES (1)
--- default-argument refused kept
SELECT liar_default()
--- generated refused kept
UPDATE defaults SET id = 2
--- check-constraint refused kept
SELECT * FROM defaults WHERE id = 3
--- index-expression refused kept
SELECT * FROM defaults WHERE liar(id) = 3
--- rule-instead refused kept
INSERT INTO ruled VALUES (1)
--- rule-also refused kept
DELETE FROM ruled
--- trigger plans kept
INSERT INTO triggered VALUES (1)
--- liar refused kept
SELECT liar()
--- liar-constant refused kept
SELECT * FROM t WHERE n = liar(1 + 1)
--- liar-stable refused kept
SELECT * FROM t WHERE n > liar_stable()
--- liar-sql refused kept
SELECT liar_sql()
--- liar-deep refused kept
SELECT liar_deep()
--- liar-inlined refused kept
SELECT sql_over_liar()
--- liar-dynamic refused kept
SELECT liar_dynamic()
--- liar-query refused kept
SELECT liar_query()
--- liar-quoted refused kept
SELECT liar_quoted()
--- liar-escaped refused kept
SELECT liar_escaped()
--- liar-view refused kept
SELECT liar_view()
--- liar-file refused kept
SELECT liar_file()
--- liar-program refused kept
SELECT liar_program()
--- liar-reindex refused kept
SELECT liar_reindex()
--- liar-analyze refused kept
SELECT liar_analyze()
--- liar-checkpoint refused kept
SELECT liar_checkpoint()
--- liar-reload refused kept
SELECT liar_reload()
--- liar-xid refused kept
SELECT liar_xid()
--- liar-kill refused kept
SELECT liar_kill()
--- liar-notify refused kept
SELECT liar_notify()
--- liar-definer refused kept
SELECT liar_definer()
--- liar-handler refused kept
SELECT liar_handler()
--- liar-setting refused kept
SELECT liar_setting()
--- liar-pulled-up refused kept
SELECT liar(x) FROM (SELECT 5 AS x) s
--- liar-in-cte refused kept
WITH c AS MATERIALIZED (SELECT liar(2) AS a) SELECT * FROM c
--- liar-in-array refused kept
SELECT * FROM t WHERE n = ANY (ARRAY[liar(1), 2])
--- liar-in-limit refused kept
SELECT * FROM t LIMIT liar(1)
--- liar-in-window-frame refused kept
SELECT sum(n) OVER (ORDER BY id ROWS liar(1) PRECEDING) FROM t
--- liar-in-values refused kept
SELECT * FROM (VALUES (liar(1))) v(a)
--- liar-in-join refused kept
SELECT * FROM t JOIN parted p ON p.id = t.id AND liar(1) = 1
--- liar-in-update refused kept
UPDATE t SET n = liar(3) WHERE id = 1
--- liar-in-merge refused kept >=15
MERGE INTO t USING parted p ON p.id = t.id WHEN MATCHED THEN UPDATE SET n = liar(4)
--- liar-parameter refused kept
SELECT * FROM t WHERE n = liar(2) AND id = $1
--- liar-newer refused kept >=17
SELECT * FROM JSON_TABLE('[1]', '$[*]' COLUMNS (a int PATH '$')) WHERE a = liar(1)
--- liar-newer-array refused kept >=16
SELECT * FROM t WHERE n = liar(1) AND JSON_SCALAR(n) IS JSON
--- newer-volatile kept >=17
SELECT act() FROM JSON_TABLE('[1]', '$[*]' COLUMNS (a int PATH '$'))
--- newer-two-statements refused >=17
SELECT * FROM JSON_TABLE('[1]', '$[*]' COLUMNS (a int PATH '$')); DROP TABLE t
--- newer-explain-analyze >=17
EXPLAIN ANALYZE SELECT act() FROM JSON_TABLE('[1]', '$[*]' COLUMNS (a int PATH '$'))
--- shadow-function shadow
SELECT lower(v) FROM t
--- shadow-harmless shadow kept
SELECT random()
--- shadow-dotted shadow kept
SELECT "pg_catalog.random"()
--- shadow-immutable shadow refused kept
SELECT * FROM t WHERE n = abs(3)
--- shadow-operator shadow refused kept
SELECT * FROM t WHERE n = 3
--- shadow-between shadow refused kept
SELECT * FROM t WHERE n BETWEEN 3 AND 4
--- shadow-in shadow refused kept
SELECT * FROM t WHERE n IN (3, 4)
--- shadow-using shadow refused kept
SELECT * FROM t JOIN parted USING (id)
--- shadow-case shadow refused kept
SELECT CASE n WHEN 3 THEN 1 END FROM t
--- shadow-nullif shadow refused kept
SELECT NULLIF(n, 3) FROM t
--- shadow-distinct-from shadow refused kept
SELECT * FROM t WHERE n IS DISTINCT FROM 3
--- shadow-any shadow refused kept
SELECT * FROM t WHERE n = ANY (ARRAY[3])
--- shadow-nothing shadow
SELECT v FROM t
--- copy-to refused
COPY (SELECT act()) TO '{dir}/copied'
--- copy-from refused
COPY trace FROM PROGRAM 'echo x'
--- copy-stdout refused
COPY t TO STDOUT
--- do refused
DO $$BEGIN PERFORM act(); END$$
--- call refused
CALL act()
--- begin refused
BEGIN
--- commit refused
COMMIT
--- rollback refused
ROLLBACK
--- savepoint refused
SAVEPOINT a
--- prepare-transaction refused
PREPARE TRANSACTION 'attack'
--- commit-prepared refused
COMMIT PREPARED 'attack'
--- set refused
SET work_mem = '1MB'
--- set-transaction refused
SET TRANSACTION READ WRITE
--- set-session refused
SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE
--- alter-system refused
ALTER SYSTEM SET work_mem = '1MB'
--- reset refused
RESET ALL
--- discard refused
DISCARD ALL
--- listen refused
LISTEN attack
--- notify refused
NOTIFY attack
--- vacuum refused
VACUUM FULL t
--- analyze refused
ANALYZE t
--- reindex refused
REINDEX TABLE t
--- cluster refused
CLUSTER t USING t_pkey
--- checkpoint refused
CHECKPOINT
--- lock refused
LOCK TABLE t
--- truncate refused
TRUNCATE t
--- load refused
LOAD 'auto_explain'
--- drop refused
DROP TABLE t
--- create-table refused
CREATE TABLE made (a int DEFAULT act())
--- create-function refused
CREATE FUNCTION made() RETURNS int LANGUAGE sql AS 'SELECT 1'
--- create-extension refused
CREATE EXTENSION made
--- create-database refused
CREATE DATABASE made
--- grant refused
GRANT ALL ON t TO PUBLIC
--- comment-on refused
COMMENT ON TABLE t IS 'x'
--- refresh refused
REFRESH MATERIALIZED VIEW mv
--- import-schema refused
IMPORT FOREIGN SCHEMA public FROM SERVER made INTO public
--- meta-command refused
\! touch {dir}/meta
--- meta-gexec refused
SELECT 'DROP TABLE t' \gexec
--- meta-connect refused
\c postgres
--- meta-in-text
SELECT '\! touch x'
--- psql-variable refused
SELECT :'x', :y
--- psql-backquote refused
SELECT `touch {dir}/x`
--- parameter plans runs
SELECT * FROM t WHERE id = $1
--- parameter-act plans kept
SELECT * FROM t WHERE id = $1 AND act() = $2
--- parameter-default plans kept
INSERT INTO t (id) VALUES ($1)
--- parameter-huge refused
SELECT $99999
--- missing-table refused
SELECT * FROM nowhere
--- no-such-function refused
SELECT nosuch(act())
--- type-error refused
SELECT 'x'::int
--- parameter-beside-an-act plans kept
SELECT * FROM t WHERE id = $1 AND act() > 0
