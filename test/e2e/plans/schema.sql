-- What the query cases of this folder read and write: small, but every access path has its table.
CREATE EXTENSION postgres_fdw;
CREATE EXTENSION file_fdw;
CREATE EXTENSION tsm_system_rows;

CREATE TABLE t (id int PRIMARY KEY, k int NOT NULL, g int, v text, ts timestamptz, n numeric(10, 2), arr int[]);
INSERT INTO t SELECT i, i % 100, i % 7, 'v' || i % 50, '2024-01-01'::timestamptz + i * interval '1 hour',
  i / 3.0, ARRAY[i, i + 1] FROM generate_series(1, 2000) i;
CREATE INDEX t_k ON t (k);
CREATE INDEX t_g_v ON t (g, v);
CREATE INDEX t_ts ON t (ts);
CREATE INDEX t_lower ON t (lower(v));
CREATE INDEX t_arr ON t USING gin (arr);

CREATE TABLE u (id int PRIMARY KEY, t_id int REFERENCES t (id) ON DELETE CASCADE, w int, note text);
INSERT INTO u SELECT i, i % 2000 + 1, i % 10, 'note ' || i FROM generate_series(1, 3000) i;
CREATE INDEX u_t ON u (t_id);
CREATE INDEX u_w ON u USING hash (w);

CREATE TABLE s (a int, b int, c int);
INSERT INTO s SELECT i % 3, i % 5, i FROM generate_series(1, 30) i;
CREATE TABLE empty (id int, v text);

CREATE TABLE wide (id int, pad text);
INSERT INTO wide SELECT i, repeat('x', 500) FROM generate_series(1, 3000) i;
CREATE INDEX wide_id ON wide (id);
CREATE INDEX wide_brin ON wide USING brin (id);

CREATE TABLE geo (p point, box box);
INSERT INTO geo SELECT point(i % 40, i / 40), box(point(i, i), point(i + 1, i + 1)) FROM generate_series(1, 1000) i;
CREATE INDEX geo_p ON geo USING gist (p);
CREATE INDEX geo_sp ON geo USING spgist (p);

CREATE TABLE part (ts date NOT NULL, dev int NOT NULL, v int) PARTITION BY RANGE (ts);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM ('2024-02-01') TO ('2024-03-01');
CREATE TABLE part_3 PARTITION OF part FOR VALUES FROM ('2024-03-01') TO ('2024-04-01') PARTITION BY LIST (dev);
CREATE TABLE part_3_a PARTITION OF part_3 FOR VALUES IN (0, 1, 2);
CREATE TABLE part_3_b PARTITION OF part_3 DEFAULT;
CREATE TABLE part_rest PARTITION OF part DEFAULT;
INSERT INTO part SELECT '2024-01-01'::date + i % 100, i % 6, i FROM generate_series(1, 1000) i;
CREATE INDEX part_ts ON part (ts, dev);
CREATE TABLE other (ts date NOT NULL, dev int NOT NULL, w int) PARTITION BY RANGE (ts);
CREATE TABLE other_1 PARTITION OF other FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
CREATE TABLE other_2 PARTITION OF other FOR VALUES FROM ('2024-02-01') TO ('2024-03-01');
INSERT INTO other SELECT '2024-01-01'::date + i % 59, i % 6, i FROM generate_series(1, 300) i;
CREATE TABLE parent (id int, v text);
CREATE TABLE child_1 (extra int) INHERITS (parent);
CREATE TABLE child_2 (extra int) INHERITS (parent);
INSERT INTO parent SELECT i, 'p' FROM generate_series(1, 10) i;
INSERT INTO child_1 SELECT i, 'c', i FROM generate_series(1, 20) i;

CREATE SCHEMA "S x";
CREATE TABLE "S x"."a  (cost=1.00..2.00 rows=3 width=4)" ("c ' q" int, "->  Seq Scan" text, "Select" text);
INSERT INTO "S x"."a  (cost=1.00..2.00 rows=3 width=4)" VALUES (1, 'x', 'y'), (2, E'line\n  ->  Seq Scan on evil', NULL);
CREATE TABLE "S x"."new
line" ("k
2" int);
CREATE INDEX "i on ""x"" using" ON "S x"."a  (cost=1.00..2.00 rows=3 width=4)" ("c ' q");
CREATE TABLE "S x"."ünï ""code""" (id int PRIMARY KEY, v text);
INSERT INTO "S x"."ünï ""code""" VALUES (1, 'é');

CREATE TABLE logged (id int, at timestamptz DEFAULT now());
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO logged VALUES (1); RETURN coalesce(NEW, OLD); END $$;
CREATE TABLE trig (id int PRIMARY KEY, v text);
INSERT INTO trig SELECT i, 'x' FROM generate_series(1, 20) i;
CREATE TRIGGER "before it's: time=1" BEFORE UPDATE ON trig FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER after_all AFTER INSERT OR UPDATE OR DELETE ON trig FOR EACH STATEMENT EXECUTE FUNCTION note();
CREATE TRIGGER after_row AFTER INSERT ON trig FOR EACH ROW EXECUTE FUNCTION note();
CREATE TABLE fk (id int, trig_id int CONSTRAINT "fk of trig" REFERENCES trig (id) ON DELETE CASCADE);
INSERT INTO fk SELECT i, i FROM generate_series(1, 20) i;

CREATE FUNCTION f_set(n int) RETURNS SETOF int LANGUAGE plpgsql STABLE ROWS 10 AS
  $$ BEGIN RETURN QUERY SELECT generate_series(1, n); END $$;
CREATE FUNCTION "f odd"() RETURNS TABLE (a int, "b b" text) LANGUAGE plpgsql STABLE AS
  $$ BEGIN RETURN QUERY SELECT 1, 'x'::text; END $$;
CREATE FUNCTION slow_eq(int, int) RETURNS bool LANGUAGE plpgsql STABLE COST 1000 AS
  $$ BEGIN RETURN $1 = $2; END $$;
CREATE VIEW v_sum AS SELECT g, sum(k) AS total FROM t GROUP BY g;
CREATE VIEW v_barrier WITH (security_barrier) AS SELECT * FROM t WHERE k > 10;
CREATE TABLE ruled (id int);
CREATE RULE ruled_also AS ON INSERT TO ruled DO ALSO INSERT INTO logged VALUES (NEW.id);
CREATE TABLE rls (id int, owner text);
ALTER TABLE rls ENABLE ROW LEVEL SECURITY;
CREATE TABLE conflict (id int PRIMARY KEY, v text, CONSTRAINT uv UNIQUE (v));
INSERT INTO conflict VALUES (1, 'a'), (2, 'b');
CREATE TYPE pair AS (x int, y text);
CREATE MATERIALIZED VIEW mv AS SELECT g, count(*) FROM t GROUP BY g;

CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE SERVER nowhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '/nowhere', dbname 'none');
CREATE USER MAPPING FOR CURRENT_USER SERVER nowhere;
CREATE FOREIGN TABLE far (id int, v text, "C c" text) SERVER nowhere OPTIONS (schema_name 'odd "s"', table_name 'far away');
CREATE FOREIGN TABLE far_2 (id int, w int) SERVER nowhere;
CREATE FOREIGN TABLE nothing_in (line text) SERVER files OPTIONS (filename '/dev/null', format 'text');
CREATE FOREIGN TABLE told (line text) SERVER files OPTIONS (program 'echo "it''s"; echo b', format 'text');
CREATE TABLE spread (id int, v text) PARTITION BY LIST (id);
CREATE TABLE spread_here PARTITION OF spread FOR VALUES IN (1);
CREATE FOREIGN TABLE spread_far PARTITION OF spread FOR VALUES IN (2) SERVER nowhere;
ANALYZE t, u, s, empty, wide, geo, part, other, parent, child_1, child_2, trig, fk, conflict,
  "S x"."a  (cost=1.00..2.00 rows=3 width=4)", "S x"."ünï ""code""";
