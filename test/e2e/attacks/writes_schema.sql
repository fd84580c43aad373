-- What statements that write can set off, beside schema.sql.
CREATE TABLE numbered (id serial, v text);
CREATE TABLE identified (id int GENERATED ALWAYS AS IDENTITY, v text);
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id int REFERENCES parent ON DELETE CASCADE);
INSERT INTO parent SELECT generate_series(1, 5);
INSERT INTO child SELECT generate_series(1, 5);

CREATE FUNCTION trigger_writes() RETURNS trigger LANGUAGE plpgsql AS
  $$BEGIN INSERT INTO trace VALUES ('trigger'); RETURN NEW; END$$;
CREATE FUNCTION trigger_acts() RETURNS trigger LANGUAGE plpgsql AS
  $$BEGIN PERFORM pg_logical_emit_message(false, 'attack', 'x'); RETURN COALESCE(NEW, OLD); END$$;
CREATE FUNCTION trigger_dynamic() RETURNS trigger LANGUAGE plpgsql AS
  $$BEGIN EXECUTE 'SELECT ac' || 't()'; RETURN NEW; END$$;
CREATE FUNCTION trigger_chains() RETURNS trigger LANGUAGE plpgsql AS
  $$BEGIN INSERT INTO triggered_act VALUES (1); RETURN NEW; END$$;

CREATE TABLE logged (id int);
CREATE TRIGGER x BEFORE INSERT ON logged FOR EACH ROW EXECUTE FUNCTION trigger_writes();
CREATE TABLE triggered_act (id int);
CREATE TRIGGER x AFTER INSERT ON triggered_act FOR EACH ROW EXECUTE FUNCTION trigger_acts();
CREATE TABLE triggered_when (id int);
CREATE TRIGGER x BEFORE INSERT ON triggered_when FOR EACH ROW
  WHEN (pg_logical_emit_message(false, 'attack', 'x') IS NOT NULL) EXECUTE FUNCTION trigger_writes();
CREATE TABLE triggered_dynamic (id int);
INSERT INTO triggered_dynamic VALUES (1);
CREATE TRIGGER x BEFORE UPDATE ON triggered_dynamic FOR EACH ROW EXECUTE FUNCTION trigger_dynamic();
CREATE TABLE parent_act (id int PRIMARY KEY);
CREATE TABLE child_act (id int REFERENCES parent_act ON DELETE CASCADE);
INSERT INTO parent_act VALUES (1);
INSERT INTO child_act VALUES (1);
CREATE TRIGGER x AFTER DELETE ON child_act FOR EACH ROW EXECUTE FUNCTION trigger_acts();
CREATE TABLE chained (id int);
CREATE TRIGGER x AFTER INSERT ON chained FOR EACH ROW EXECUTE FUNCTION trigger_chains();
CREATE TABLE defaulted (id int, d text DEFAULT pg_logical_emit_message(false, 'attack', 'x')::text);
CREATE TABLE check_acts (id int CHECK (pg_logical_emit_message(false, 'attack', 'x') IS NOT NULL));
CREATE TABLE policed (id int);
ALTER TABLE policed ENABLE ROW LEVEL SECURITY;
ALTER TABLE policed FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON policed FOR INSERT
  WITH CHECK (pg_logical_emit_message(false, 'attack', 'x') IS NOT NULL);
CREATE VIEW seen AS SELECT 1 AS id;
CREATE TRIGGER x INSTEAD OF INSERT ON seen FOR EACH ROW EXECUTE FUNCTION trigger_acts();
CREATE TABLE rule_acts (id int);
CREATE RULE r AS ON INSERT TO rule_acts
  DO INSTEAD SELECT pg_logical_emit_message(false, 'attack', 'x');
CREATE TABLE rule_also (id int);
CREATE RULE r AS ON INSERT TO rule_also
  DO ALSO SELECT pg_logical_emit_message(false, 'attack', 'x');
CREATE FUNCTION index_acts(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
  $$BEGIN PERFORM pg_logical_emit_message(false, 'attack', 'x'); RETURN $1; END$$;
CREATE TABLE indexed (id int);
CREATE INDEX ON indexed (index_acts(id));
CREATE TABLE partition_acts (id int) PARTITION BY RANGE (id);
CREATE TABLE partition_acts_1 PARTITION OF partition_acts FOR VALUES FROM (0) TO (10);
CREATE TRIGGER x AFTER INSERT ON partition_acts_1 FOR EACH ROW EXECUTE FUNCTION trigger_acts();
