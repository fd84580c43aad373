-- What the attacks of this folder call. act() is the tracer: it moves the WAL position in spite of
-- READ ONLY and ROLLBACK, so that any execution of it is seen. {dir} is a folder the server may
-- write to, {conninfo} a way back to this database.
CREATE TABLE trace (what text);
CREATE TABLE t (id int PRIMARY KEY, n int, v text, j jsonb);
INSERT INTO t SELECT i, i % 7, 'v' || i % 5, '{"a": 1}' FROM generate_series(1, 300) i;
CREATE TABLE parted (id int, n int) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (100);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (100) TO (200);
INSERT INTO parted SELECT i, i % 3 FROM generate_series(1, 150) i;
CREATE SEQUENCE s;
CREATE MATERIALIZED VIEW mv AS SELECT count(*) AS c FROM t;
CREATE TABLE locked (id int);
CREATE INDEX reindexed ON locked (id);

CREATE FUNCTION act() RETURNS int LANGUAGE plpgsql VOLATILE AS
  $$BEGIN PERFORM pg_logical_emit_message(false, 'attack', 'x'); RETURN 1; END$$;
CREATE FUNCTION writes() RETURNS int LANGUAGE plpgsql VOLATILE AS
  $$BEGIN INSERT INTO trace VALUES ('writes'); RETURN 1; END$$;
CREATE FUNCTION act_sql() RETURNS int LANGUAGE sql VOLATILE AS 'SELECT public.act()';
CREATE FUNCTION act_set() RETURNS SETOF int LANGUAGE plpgsql VOLATILE ROWS 3 AS
  $$BEGIN RETURN QUERY SELECT public.act(); END$$;
CREATE FUNCTION act_of(t) RETURNS int LANGUAGE plpgsql VOLATILE AS 'BEGIN RETURN public.act(); END';
CREATE FUNCTION honest(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS
  $$DECLARE o text := ''; BEGIN FOR i IN 1 .. length($1) LOOP o := substr($1, i, 1) || o; END LOOP;
    RETURN upper(o); END$$;
CREATE FUNCTION honest_stable() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM t';
CREATE FUNCTION plain_volatile() RETURNS int LANGUAGE plpgsql VOLATILE AS 'BEGIN RETURN 1; END';

-- They say that they do nothing.
CREATE FUNCTION liar() RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN public.act(); END';
CREATE FUNCTION liar(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN public.act() + $1; END';
CREATE FUNCTION liar_stable() RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN public.act(); END';
CREATE FUNCTION liar_sql() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT public.act()';
CREATE FUNCTION liar_deep() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT liar(2)';
CREATE FUNCTION liar_dynamic() RETURNS int LANGUAGE plpgsql IMMUTABLE AS
  $$DECLARE o int; BEGIN EXECUTE 'SELECT ' || 'ac' || 't()' INTO o; RETURN o; END$$;
CREATE FUNCTION liar_query() RETURNS int LANGUAGE plpgsql IMMUTABLE AS
  $$DECLARE o int; BEGIN FOR o IN EXECUTE 'SELECT a' || 'ct()' LOOP RETURN o; END LOOP; END$$;
CREATE FUNCTION liar_quoted() RETURNS int LANGUAGE plpgsql IMMUTABLE AS
  $$BEGIN RETURN /* ( */ "act" -- (
  (); END$$;
CREATE FUNCTION liar_escaped() RETURNS int LANGUAGE plpgsql IMMUTABLE AS
  $$BEGIN RETURN U&"\0061ct"(); END$$;
CREATE FUNCTION liar_view() RETURNS int LANGUAGE plpgsql IMMUTABLE AS
  $$BEGIN RETURN (SELECT a FROM hides); END$$;
CREATE FUNCTION liar_file() RETURNS int LANGUAGE plpgsql IMMUTABLE AS
  $$BEGIN COPY (SELECT 1) TO '{dir}/liar'; RETURN 1; END$$;
CREATE FUNCTION liar_program() RETURNS int LANGUAGE plpgsql IMMUTABLE AS
  $$BEGIN COPY (SELECT 1) TO PROGRAM 'cat > {dir}/program'; RETURN 1; END$$;
CREATE FUNCTION reindexes() RETURNS int LANGUAGE plpgsql VOLATILE AS
  $$BEGIN REINDEX TABLE locked; RETURN 1; END$$;
CREATE FUNCTION liar_reindex() RETURNS int LANGUAGE plpgsql IMMUTABLE AS
  'BEGIN RETURN reindexes(); END';
CREATE FUNCTION analyzes() RETURNS int LANGUAGE plpgsql VOLATILE AS
  $$BEGIN ANALYZE t; RETURN 1; END$$;
CREATE FUNCTION liar_analyze() RETURNS int LANGUAGE plpgsql IMMUTABLE AS
  'BEGIN RETURN analyzes(); END';
CREATE FUNCTION checkpoints() RETURNS int LANGUAGE plpgsql VOLATILE AS
  $$BEGIN CHECKPOINT; RETURN 1; END$$;
CREATE FUNCTION liar_checkpoint() RETURNS int LANGUAGE plpgsql IMMUTABLE AS
  'BEGIN RETURN checkpoints(); END';
CREATE FUNCTION liar_reload() RETURNS bool LANGUAGE internal IMMUTABLE AS 'pg_reload_conf';
CREATE FUNCTION liar_xid() RETURNS int LANGUAGE plpgsql IMMUTABLE AS
  'BEGIN RETURN txid_current() * 0; END';
CREATE FUNCTION liar_kill() RETURNS int LANGUAGE plpgsql IMMUTABLE AS
  $$BEGIN PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
           WHERE application_name = 'victim'; RETURN 1; END$$;
CREATE FUNCTION liar_notify() RETURNS int LANGUAGE plpgsql IMMUTABLE AS
  $$BEGIN PERFORM pg_notify('attack', 'x'); RETURN 1; END$$;
CREATE FUNCTION liar_definer() RETURNS int LANGUAGE plpgsql IMMUTABLE SECURITY DEFINER AS
  'BEGIN RETURN public.act(); END';
CREATE FUNCTION liar_handler() RETURNS int LANGUAGE plpgsql IMMUTABLE AS
  $$BEGIN RETURN 1 / 0; EXCEPTION WHEN OTHERS THEN RETURN public.act(); END$$;
CREATE FUNCTION liar_default(int DEFAULT liar(3)) RETURNS int LANGUAGE sql VOLATILE AS
  'SELECT $1 + (random() * 0)::int';
CREATE FUNCTION sql_over_liar() RETURNS int LANGUAGE sql VOLATILE AS 'SELECT liar(4)';
CREATE FUNCTION liar_setting() RETURNS int LANGUAGE plpgsql IMMUTABLE
  SET standard_conforming_strings = off AS $$BEGIN RETURN public.act(); END$$;

CREATE VIEW hides AS SELECT public.act() AS a;
CREATE VIEW hides_deep AS SELECT * FROM hides;
CREATE VIEW hides_liar AS SELECT liar(5) AS a, id FROM t;
CREATE VIEW hides_limit AS SELECT id FROM t LIMIT public.act();
CREATE VIEW hides_offset AS SELECT id FROM t OFFSET nextval('s');
CREATE VIEW hides_lock AS SELECT id FROM t FOR UPDATE;
CREATE VIEW hides_advisory AS SELECT id FROM t WHERE pg_advisory_lock(id) IS NOT NULL;
CREATE VIEW hides_frame AS SELECT id, sum(n) OVER (ORDER BY id ROWS public.act() PRECEDING) AS w FROM t;
CREATE VIEW hides_write AS WITH d(x) AS (SELECT writes()) SELECT x FROM d;

CREATE FUNCTION act_equal(int, int) RETURNS bool LANGUAGE plpgsql VOLATILE AS
  'BEGIN RETURN public.act() = $1; END';
CREATE OPERATOR =#= (leftarg = int, rightarg = int, function = act_equal);
CREATE OPERATOR =%= (leftarg = int, rightarg = int, function = act_equal, restrict = eqsel,
                     join = eqjoinsel, commutator = =%=, hashes, merges);
CREATE OPERATOR ?^? (leftarg = int, rightarg = int, function = pg_try_advisory_lock,
                     restrict = eqsel);
CREATE OPERATOR @@@ (rightarg = int, function = liar);
CREATE FUNCTION act_less(int, int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS
  'BEGIN RETURN public.act() = 1 AND $1 < $2; END';
CREATE FUNCTION act_more(int, int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS
  'BEGIN RETURN public.act() = 1 AND $1 > $2; END';
CREATE FUNCTION act_compare(int, int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
  'BEGIN RETURN public.act() - 1 + btint4cmp($1, $2); END';
CREATE OPERATOR <% (leftarg = int, rightarg = int, function = act_less, restrict = scalarltsel);
CREATE OPERATOR >% (leftarg = int, rightarg = int, function = act_more, restrict = scalargtsel);
CREATE OPERATOR CLASS act_ops FOR TYPE int USING btree AS
  OPERATOR 1 <%, OPERATOR 3 =%=, OPERATOR 5 >%, FUNCTION 1 act_compare(int, int);
CREATE TABLE by_act (id int, n int);
INSERT INTO by_act SELECT i, i % 7 FROM generate_series(1, 200) i;
CREATE INDEX by_act_n ON by_act (n act_ops);
CREATE TABLE parted_act (id int) PARTITION BY RANGE (id act_ops);
CREATE TABLE parted_act_1 PARTITION OF parted_act FOR VALUES FROM (0) TO (100);
CREATE TABLE parted_act_2 PARTITION OF parted_act FOR VALUES FROM (100) TO (200);

CREATE FUNCTION act_check(int) RETURNS bool LANGUAGE plpgsql VOLATILE AS
  'BEGIN RETURN public.act() = 1; END';
CREATE DOMAIN checked AS int CHECK (act_check(VALUE));
CREATE DOMAIN checked_again AS checked;
CREATE TYPE holds_checked AS (c checked);
CREATE TABLE of_checked (c checked[]);
CREATE TYPE cast_away AS (a int);
CREATE FUNCTION act_cast(cast_away) RETURNS int LANGUAGE plpgsql VOLATILE AS
  'BEGIN RETURN public.act(); END';
CREATE CAST (cast_away AS int) WITH FUNCTION act_cast(cast_away) AS IMPLICIT;
CREATE FUNCTION liar_cast(cast_away) RETURNS json LANGUAGE plpgsql IMMUTABLE AS
  $$BEGIN RETURN to_json(public.act()); END$$;
CREATE CAST (cast_away AS json) WITH FUNCTION liar_cast(cast_away);
CREATE FUNCTION act_plus(int, int) RETURNS int LANGUAGE plpgsql VOLATILE AS
  'BEGIN RETURN public.act() + $1; END';
CREATE FUNCTION act_end(int) RETURNS int LANGUAGE plpgsql VOLATILE AS 'BEGIN RETURN public.act(); END';
CREATE AGGREGATE act_sum(int) (sfunc = act_plus, stype = int, initcond = '0');
CREATE AGGREGATE act_final(int) (sfunc = int4pl, stype = int, initcond = '0', finalfunc = act_end);
CREATE TABLE guarded (id int);
INSERT INTO guarded SELECT generate_series(1, 10);
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
ALTER TABLE guarded FORCE ROW LEVEL SECURITY;
CREATE POLICY guard ON guarded USING (public.act() = 1 AND liar(6) > 0);
CREATE TABLE defaults (id int, a int DEFAULT liar(7), b int DEFAULT public.act(), c serial,
                       d int GENERATED ALWAYS AS (liar(8)) STORED, CHECK (id > liar(9)));
CREATE INDEX defaults_expression ON defaults (liar(id));
CREATE TABLE ruled (id int);
CREATE RULE instead AS ON INSERT TO ruled DO INSTEAD SELECT liar(10), public.act();
CREATE RULE also AS ON DELETE TO ruled DO ALSO INSERT INTO trace VALUES ('rule');
CREATE FUNCTION act_trigger() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN PERFORM public.act(); RETURN NEW; END';
CREATE TABLE triggered (id int);
CREATE TRIGGER acts BEFORE INSERT OR UPDATE OR DELETE ON triggered
  FOR EACH STATEMENT EXECUTE FUNCTION act_trigger();

-- Names of the server's own functions and operators, found first when the search path says so.
CREATE SCHEMA shadow;
CREATE FUNCTION shadow.lower(text) RETURNS text LANGUAGE plpgsql VOLATILE AS
  'BEGIN PERFORM public.act(); RETURN $1; END';
CREATE FUNCTION shadow.random() RETURNS float8 LANGUAGE plpgsql VOLATILE AS
  'BEGIN PERFORM public.act(); RETURN 0; END';
CREATE FUNCTION shadow.abs(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
  'BEGIN PERFORM public.act(); RETURN $1; END';
CREATE FUNCTION shadow."pg_catalog.random"() RETURNS int LANGUAGE sql VOLATILE AS
  'SELECT public.act()';
CREATE FUNCTION shadow.equal(int, int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS
  'BEGIN PERFORM public.act(); RETURN true; END';
CREATE OPERATOR shadow.= (leftarg = int, rightarg = int, function = shadow.equal,
                          restrict = eqsel);
CREATE OPERATOR shadow.>= (leftarg = int, rightarg = int, function = shadow.equal,
                           restrict = scalargesel);
-- Those that our own look-ups of the catalogs use.
CREATE FUNCTION shadow.equal(oid, oid) RETURNS bool LANGUAGE plpgsql VOLATILE AS
  'BEGIN PERFORM public.act(); RETURN true; END';
CREATE OPERATOR shadow.= (leftarg = oid, rightarg = oid, function = shadow.equal);
CREATE FUNCTION shadow.equal(name, name) RETURNS bool LANGUAGE plpgsql VOLATILE AS
  'BEGIN PERFORM public.act(); RETURN true; END';
CREATE OPERATOR shadow.= (leftarg = name, rightarg = name, function = shadow.equal);
CREATE FUNCTION shadow.set_config(text, text, bool) RETURNS text LANGUAGE plpgsql VOLATILE AS
  'BEGIN PERFORM public.act(); RETURN pg_catalog.set_config($1, $2, $3); END';
CREATE FUNCTION shadow.current_setting(text) RETURNS text LANGUAGE plpgsql VOLATILE AS
  'BEGIN PERFORM public.act(); RETURN pg_catalog.current_setting($1); END';

-- Extensions reach further than a transaction; not every server has them.
DO $do$
DECLARE
  e text;
BEGIN
  FOREACH e IN ARRAY ARRAY['dblink', 'file_fdw', 'tablefunc', 'adminpack'] LOOP
    IF EXISTS (SELECT FROM pg_available_extensions WHERE name = e) THEN
      EXECUTE 'CREATE EXTENSION ' || e;
    END IF;
  END LOOP;
  IF EXISTS (SELECT FROM pg_extension WHERE extname = 'file_fdw') THEN
    EXECUTE 'CREATE SERVER files FOREIGN DATA WRAPPER file_fdw';
    EXECUTE 'CREATE FOREIGN TABLE foreign_program (a text) SERVER files '
            'OPTIONS (program ''echo x > {dir}/foreign; echo x'')';
  END IF;
END
$do$;
