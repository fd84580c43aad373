--- init-plan
EXPLAIN SELECT * FROM t WHERE n > (SELECT avg(n) FROM t)
--- init-plan-select
EXPLAIN SELECT (SELECT max(c) FROM s), id FROM empty
--- init-plan-exists
EXPLAIN SELECT * FROM s WHERE EXISTS (SELECT 1 FROM empty)
--- init-plan-several
EXPLAIN SELECT (SELECT 1 FROM s LIMIT 1), (SELECT max(k) FROM t) WHERE (SELECT count(*) FROM s) > 1
--- init-plan-ten
EXPLAIN SELECT (SELECT max(c) FROM s), (SELECT 2 + max(c) FROM s), (SELECT 3 + max(c) FROM s), (SELECT 4 + max(c) FROM s), (SELECT 5 + max(c) FROM s), (SELECT 6 + max(c) FROM s), (SELECT 7 + max(c) FROM s), (SELECT 8 + max(c) FROM s), (SELECT 9 + max(c) FROM s), (SELECT 10 + max(c) FROM s), (SELECT 11 + max(c) FROM s)
--- init-plan-array
EXPLAIN SELECT ARRAY(SELECT a FROM s)
--- init-plan-row
EXPLAIN SELECT * FROM s WHERE (a, b) = (SELECT a, b FROM s LIMIT 1)
--- init-plan-limit
EXPLAIN SELECT * FROM t ORDER BY id LIMIT (SELECT max(a) FROM s)
--- init-plan-index
EXPLAIN SELECT * FROM t WHERE id = (SELECT max(c) FROM s)
--- sub-plan
EXPLAIN SELECT id, (SELECT count(*) FROM u WHERE t_id = t.id) FROM t WHERE id < 10
--- sub-plan-filter
EXPLAIN SELECT * FROM s WHERE c > (SELECT avg(x.c) FROM s x WHERE x.a = s.a)
--- sub-plan-hashed
EXPLAIN SELECT * FROM t WHERE k NOT IN (SELECT c FROM s)
--- sub-plan-not-hashed
SET LOCAL work_mem = '64kB';
EXPLAIN SELECT * FROM s WHERE c NOT IN (SELECT id FROM u)
--- sub-plan-any-or
EXPLAIN SELECT * FROM s WHERE a IN (SELECT c FROM s x WHERE x.b = s.b) OR c = 4
--- sub-plan-exists-alternatives
EXPLAIN SELECT EXISTS (SELECT 1 FROM u WHERE t_id = s.c), c FROM s
--- sub-plan-all
EXPLAIN SELECT * FROM s WHERE c >= ALL (SELECT x.c FROM s x WHERE x.a = s.a)
--- sub-plan-array
EXPLAIN SELECT ARRAY(SELECT c FROM s x WHERE x.a = s.a ORDER BY 1) FROM s
--- sub-plan-row
EXPLAIN SELECT (SELECT row(a, b) FROM s x WHERE x.c = s.c) FROM s
--- sub-plan-nested
EXPLAIN SELECT (SELECT (SELECT max(z.c) FROM s z WHERE z.a = y.a) FROM s y WHERE y.c = x.c) FROM s x
--- sub-plan-with-init-plan
EXPLAIN SELECT (SELECT count(*) FROM s y WHERE y.a = x.a AND y.c > (SELECT avg(c) FROM s)) FROM s x
--- sub-plan-in-join
EXPLAIN SELECT * FROM s a JOIN s b ON a.c = b.c AND a.b > (SELECT min(x.b) FROM s x WHERE x.a = b.a)
--- sub-plan-in-sort
EXPLAIN SELECT c FROM s ORDER BY (SELECT max(id) FROM t WHERE t.k = s.c)
--- sub-plan-case
EXPLAIN SELECT CASE WHEN a > 1 THEN (SELECT max(k) FROM t) ELSE (SELECT 1 FROM u WHERE u.id = s.c) END FROM s
--- sub-plan-never-executed
EXPLAIN SELECT (SELECT max(k) FROM t WHERE id = e.id) FROM empty e
--- cte
EXPLAIN WITH x AS MATERIALIZED (SELECT * FROM s) SELECT * FROM x WHERE a = 1
--- cte-twice
EXPLAIN WITH x AS (SELECT a, count(*) AS n FROM s GROUP BY a) SELECT * FROM x p JOIN x q ON p.n = q.n
--- cte-chain
EXPLAIN WITH x AS MATERIALIZED (SELECT * FROM s), y AS MATERIALIZED (SELECT a, b FROM x WHERE b > 1) SELECT * FROM y, x WHERE y.a = x.c
--- cte-not-materialized
EXPLAIN WITH x AS NOT MATERIALIZED (SELECT * FROM s) SELECT * FROM x p, x q WHERE p.c = q.a
--- cte-odd-name
EXPLAIN WITH "it's ""odd"", (cost=1..2)" AS MATERIALIZED (SELECT * FROM s) SELECT * FROM "it's ""odd"", (cost=1..2)" "y z"
--- cte-newline-name
EXPLAIN WITH "two
lines" AS MATERIALIZED (SELECT * FROM s) SELECT * FROM "two
lines"
--- cte-recursive
EXPLAIN WITH RECURSIVE r (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 10) SELECT * FROM r
--- cte-recursive-union
EXPLAIN WITH RECURSIVE r AS (SELECT id, t_id FROM u WHERE id = 1 UNION SELECT u.id, u.t_id FROM u JOIN r x ON u.t_id = x.id WHERE u.id < 50) SELECT * FROM r
--- cte-search >=14
EXPLAIN WITH RECURSIVE r AS (SELECT c, a FROM s WHERE a = 0 UNION ALL SELECT s.c, s.a FROM s JOIN r ON s.a = r.c) SEARCH DEPTH FIRST BY c SET o CYCLE c SET is_cycle USING path SELECT * FROM r ORDER BY o
--- cte-in-sub-plan
EXPLAIN SELECT (WITH x AS MATERIALIZED (SELECT c FROM s WHERE s.a = t.g) SELECT count(*) FROM x) FROM t WHERE id < 4
--- cte-same-name
EXPLAIN WITH x AS MATERIALIZED (SELECT 1 AS a) SELECT * FROM x, (WITH x AS MATERIALIZED (SELECT 2 AS a) SELECT * FROM x) y
--- cte-insert
EXPLAIN WITH i AS (INSERT INTO logged VALUES (5) RETURNING id) SELECT * FROM i
--- cte-delete-unread
EXPLAIN WITH d AS (DELETE FROM s WHERE a = 1 RETURNING *) SELECT 1
--- cte-move
EXPLAIN WITH d AS (DELETE FROM s RETURNING c) INSERT INTO empty SELECT c, 'moved' FROM d
--- cursor
EXPLAIN DECLARE cur SCROLL CURSOR FOR SELECT * FROM t WHERE k = 3
--- create-table-as
EXPLAIN CREATE TABLE made AS SELECT * FROM s WHERE a = 1
--- create-materialized-view
EXPLAIN CREATE MATERIALIZED VIEW made AS SELECT a, count(*) FROM s GROUP BY a
--- execute
PREPARE p (int) AS SELECT * FROM t WHERE k = $1;
EXPLAIN EXECUTE p (3)
--- execute-generic
SET LOCAL plan_cache_mode = force_generic_plan;
PREPARE p (int, text) AS SELECT * FROM t WHERE k = $1 AND v = $2;
EXPLAIN EXECUTE p (3, 'o''clock')
--- values-in-list
EXPLAIN SELECT * FROM t WHERE k IN (VALUES (1), (2), (3))
--- large-in-list
EXPLAIN SELECT * FROM t WHERE k IN (1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30) AND v IN ('a', 'b,c', 'd''e', 'f"g')
