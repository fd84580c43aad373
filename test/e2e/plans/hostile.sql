--- relation-like-costs
EXPLAIN SELECT * FROM "S x"."a  (cost=1.00..2.00 rows=3 width=4)"
--- relation-like-costs-filter
EXPLAIN SELECT "->  Seq Scan" FROM "S x"."a  (cost=1.00..2.00 rows=3 width=4)" AS "b  (actual rows=1 loops=1)" WHERE "c ' q" = 1 AND "Select" <> 'x'
--- index-like-keywords
SET LOCAL enable_seqscan = off;
EXPLAIN SELECT "c ' q" FROM "S x"."a  (cost=1.00..2.00 rows=3 width=4)" WHERE "c ' q" = 1
--- index-like-keywords-bitmap
SET LOCAL enable_seqscan = off;
SET LOCAL enable_indexscan = off;
SET LOCAL enable_indexonlyscan = off;
EXPLAIN SELECT * FROM "S x"."a  (cost=1.00..2.00 rows=3 width=4)" WHERE "c ' q" = 1
--- relation-with-newline
EXPLAIN SELECT * FROM "S x"."new
line" "alias
  ->  Seq Scan on evil  (cost=0.00..1.00 rows=1 width=4)" WHERE "k
2" > 3
--- relation-unicode
EXPLAIN SELECT * FROM "S x"."ünï ""code""" WHERE id = 1 AND v = 'é ü ' || U&'\2028'
--- alias-keywords
EXPLAIN SELECT * FROM t AS "on" JOIN u AS "using" ON "on".id = "using".t_id JOIN s AS "Backward" ON "Backward".c = "using".w
--- alias-dots
EXPLAIN SELECT * FROM t AS "a.b" JOIN s AS ".c." ON "a.b".id = ".c.".c
--- alias-parens
EXPLAIN SELECT * FROM t AS "(never executed)" LIMIT 1
--- alias-empty-looking
EXPLAIN SELECT * FROM t AS " " WHERE " ".id = 3
--- literal-like-node
EXPLAIN SELECT * FROM empty WHERE v = E'x\n  ->  Seq Scan on evil  (cost=0.00..1.00 rows=1 width=4)\n        Filter: (1 = 1)'
--- literal-like-footer
EXPLAIN SELECT * FROM empty WHERE v = E'\nPlanning Time: 1.000 ms\nExecution Time: 2.000 ms\n(8 rows)\n'
--- literal-like-root
EXPLAIN SELECT * FROM empty WHERE v IN (E'a\nSeq Scan on t  (cost=0.00..1.00 rows=1 width=4)', E'''\n''')
--- literal-quotes
EXPLAIN SELECT * FROM empty WHERE v = 'a''b''''c' OR v = '"' OR v = ''
--- literal-backslash
EXPLAIN SELECT * FROM empty WHERE v = E'\\' OR v = E'a\\''b' OR v = E'tab\there'
--- literal-commas
EXPLAIN SELECT 'a, b', v, 'c''d, e' FROM t ORDER BY v || ', ', (v || 'x, y') DESC LIMIT 1
--- literal-parens
EXPLAIN SELECT * FROM empty WHERE v = '(((' AND id > 3 ORDER BY v || ')'
--- literal-control-characters
EXPLAIN SELECT * FROM empty WHERE v = E'\x1b[31m red \x07 \r\n x'
--- literal-dollar
EXPLAIN SELECT * FROM empty WHERE v = $q$it's $1 ; -- no comment /* none */$q$
--- literal-arrow-lines
EXPLAIN SELECT * FROM empty e JOIN t ON t.id = e.id WHERE e.v = E'\n        ->  Index Scan using t_pkey on t  (cost=0.28..8.29 rows=1 width=4)\n'
--- literal-in-init-plan
EXPLAIN SELECT * FROM s WHERE a = (SELECT id FROM empty WHERE v = E'InitPlan 1\n    ->  Result' LIMIT 1)
--- literal-in-output
EXPLAIN SELECT E'Output: x\n  Filter: y', id, 'a''"' FROM empty
--- literal-ends-with-colon
EXPLAIN SELECT * FROM empty WHERE v = E'JIT:\n  Functions: 3'
--- literal-in-cast
EXPLAIN SELECT * FROM t WHERE ts > '2024-01-02 03:04:05+00'::timestamptz AND n < 1e10::numeric AND arr = '{1,"2"}'::int[] AND k::text LIKE 'a\_b%'
--- literal-long
EXPLAIN SELECT * FROM empty WHERE v = repeat('x', 3) || 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'
--- literal-json
EXPLAIN SELECT '{"a": "b, c: d", "e": [1, 2]}'::jsonb -> 'a', '<a b="c">&amp;</a>'::text FROM s
--- literal-yaml
EXPLAIN SELECT * FROM empty WHERE v = E'- Plan: \n    Node Type: "Seq Scan"'
--- literal-xml
EXPLAIN SELECT * FROM empty WHERE v = '</Filter><Plan>]]>&lt;'
--- column-names-odd
EXPLAIN SELECT a AS "x, y", b AS "(cost=", c AS "it's" FROM (SELECT a, b, c FROM s OFFSET 0) q ORDER BY q.a + 1
--- composite-access
EXPLAIN SELECT (ROW(id, v)::pair).y, (ROW(id, v)::pair).x > 3 FROM t WHERE ROW(id, v)::pair IS DISTINCT FROM ROW(1, 'a')::pair
--- operators
EXPLAIN SELECT * FROM t WHERE (v ~ '^a.*''$') AND (v !~~* '%x%') AND (@ k) > 3 AND (k & 1) <> 0 AND k <> ALL ('{1,2}') AND NOT (g IS NULL)
--- case-and-array
EXPLAIN SELECT CASE v WHEN 'a' THEN arr[1] WHEN 'b, c' THEN arr[2] END, ARRAY[[1, 2], [3, 4]], (arr || 3)[1:2] FROM t
--- window-literals
EXPLAIN SELECT string_agg(v, E',\n') OVER (PARTITION BY v || 'a, b' ORDER BY k) FROM t WHERE id < 5
--- settings-odd
SET LOCAL search_path = public, "it's, odd = 'x'";
SET LOCAL enable_material = off;
EXPLAIN SELECT * FROM s
--- interval-output
EXPLAIN SELECT ts + interval '1 mon 2 days -03:00:00', extract(epoch FROM ts), ts AT TIME ZONE 'UTC' FROM t WHERE ts < now() - '1 day'::interval
--- xml-json-functions
EXPLAIN SELECT xmlelement(name "a b", xmlattributes(id AS "x"), v), json_build_object('a', id, 'b', v) FROM t WHERE id < 3
--- big-numbers
EXPLAIN SELECT * FROM generate_series(1, 3) a, t b, t c, t d, t e, t f, t g, t h LIMIT 0
--- huge-estimates noanalyze
EXPLAIN SELECT * FROM t a, t b, t c, t d, t e, t f, t g, t h, t i, t j, t k, t l, t m, t n, t o, t p
