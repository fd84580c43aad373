-- nap() takes a few milliseconds, tells what they really were, and by whom, and returns its value.
CREATE FUNCTION nap(label text, value int) RETURNS int LANGUAGE plpgsql VOLATILE PARALLEL SAFE AS $$
DECLARE
  start timestamptz := clock_timestamp();
BEGIN
  PERFORM pg_sleep(0.02);
  RAISE NOTICE 'nap % % %', label, pg_backend_pid(),
    extract(epoch FROM clock_timestamp() - start) * 1000;
  RETURN value;
END $$;
-- The same, free to be moved; never call it with constants alone.
CREATE FUNCTION doze(label text, value int) RETURNS int LANGUAGE plpgsql STABLE PARALLEL SAFE AS
  'BEGIN RETURN nap(label, value); END';
CREATE FUNCTION naps(label text, count int) RETURNS SETOF int LANGUAGE plpgsql VOLATILE AS
  'BEGIN FOR i IN 1 .. count LOOP RETURN NEXT nap(label, i); END LOOP; END';

CREATE TABLE t (id int PRIMARY KEY, g int, v text);
INSERT INTO t SELECT i, i % 2, 'v' FROM generate_series(1, 6) i;
CREATE TABLE u (id int PRIMARY KEY, g int);
INSERT INTO u SELECT i, i % 2 FROM generate_series(1, 4) i;
CREATE TABLE p (id int, g int) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (4);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (4) TO (100);
INSERT INTO p SELECT i, i % 2 FROM generate_series(1, 6) i;
CREATE INDEX ON p (id);
-- A row a page, so that workers share the rows.
CREATE TABLE par (id int, g int, pad text);
ALTER TABLE par ALTER pad SET STORAGE PLAIN;
INSERT INTO par SELECT i, i % 2, repeat('x', 5000) FROM generate_series(1, 18) i;
CREATE INDEX ON par (id);
CREATE TABLE pp (id int, pad text) PARTITION BY RANGE (id);
CREATE TABLE pp1 PARTITION OF pp FOR VALUES FROM (0) TO (10);
CREATE TABLE pp2 PARTITION OF pp FOR VALUES FROM (10) TO (100);
ALTER TABLE pp1 ALTER pad SET STORAGE PLAIN;
ALTER TABLE pp2 ALTER pad SET STORAGE PLAIN;
INSERT INTO pp SELECT i, repeat('x', 5000) FROM generate_series(1, 18) i;
CREATE TABLE w (id int, g int);
CREATE FUNCTION nap_before() RETURNS trigger LANGUAGE plpgsql AS
  $$BEGIN PERFORM nap('before', 1); RETURN coalesce(NEW, OLD); END$$;
CREATE FUNCTION nap_after() RETURNS trigger LANGUAGE plpgsql AS
  $$BEGIN PERFORM nap('after', 1); RETURN NULL; END$$;
CREATE FUNCTION nap_cascaded() RETURNS trigger LANGUAGE plpgsql AS
  $$BEGIN PERFORM nap('after', 1); RETURN OLD; END$$;
CREATE TABLE tb (id int);
CREATE TRIGGER before BEFORE INSERT OR UPDATE OR DELETE ON tb FOR EACH ROW EXECUTE FUNCTION nap_before();
CREATE TABLE ta (id int);
CREATE TRIGGER after_row AFTER INSERT OR UPDATE OR DELETE ON ta FOR EACH ROW EXECUTE FUNCTION nap_after();
CREATE TABLE tba (id int);
CREATE TRIGGER before BEFORE INSERT ON tba FOR EACH ROW EXECUTE FUNCTION nap_before();
CREATE TRIGGER after_row AFTER INSERT ON tba FOR EACH ROW EXECUTE FUNCTION nap_after();
CREATE TRIGGER after_statement AFTER INSERT ON tba FOR EACH STATEMENT EXECUTE FUNCTION nap_after();
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id int REFERENCES parent ON DELETE CASCADE);
INSERT INTO parent SELECT generate_series(1, 4);
INSERT INTO child SELECT generate_series(1, 4);
CREATE TRIGGER before BEFORE DELETE ON child FOR EACH ROW EXECUTE FUNCTION nap_cascaded();
CREATE TABLE checked (id int CHECK (nap('check', id) > 0));
CREATE VIEW barrier WITH (security_barrier) AS SELECT id, g FROM t WHERE nap('a', id) > 0;
