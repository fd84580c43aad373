#include "e2e/support/partition_shapes.h"

#include "base/text.h"

namespace pgtend::e2e {
namespace {

// The same reason for both modes.
PartitionShape refused(std::string name, std::string word, std::string ddl) {
  return {
      .name = std::move(name), .ddl = std::move(ddl), .rows = 0, .shadow = word, .instant = word};
}

void add_keys(std::vector<PartitionShape>& out) {
  out.push_back({.name = "key of one column",
                 .ddl = "CREATE TABLE t (id bigint PRIMARY KEY, at timestamptz NOT NULL, v int)"});
  out.push_back({.name = "key of three columns",
                 .ddl = "CREATE TABLE t (v int, id int, at timestamptz, w text, "
                        "PRIMARY KEY (w, at, id))",
                 .into = "id, at, v, w",
                 .values = "n, moment, n % 100, 'w' || n % 3"});
  out.push_back({.name = "no key and rows that are equal",
                 .ddl = "CREATE TABLE t (id int, at timestamptz NOT NULL, v int)",
                 .values = "n / 3, moment - n * interval '1 second', n / 3",
                 .shadow = "no primary key"});
  out.push_back({.name = "unique constraint",
                 .ddl = "CREATE TABLE t (id int NOT NULL, at timestamptz NOT NULL, v int, "
                        "CONSTRAINT only_one UNIQUE (id, at) INCLUDE (v))"});
  out.push_back({.name = "unique index",
                 .ddl = "CREATE TABLE t (id int NOT NULL, at timestamptz NOT NULL, v int); "
                        "CREATE UNIQUE INDEX one ON t (at DESC, id)"});
  out.push_back({.name = "unique index that is partial",
                 .ddl = "CREATE TABLE t (id int NOT NULL, at timestamptz NOT NULL, v int); "
                        "CREATE UNIQUE INDEX one ON t (at, id) WHERE v > 5; "
                        "CREATE UNIQUE INDEX two ON t (at, id, (v + 1))",
                 .shadow = "no primary key"});
  out.push_back({.name = "unique constraints to widen",
                 .ddl = "CREATE TABLE t (id int PRIMARY KEY, at timestamptz NOT NULL, v int, "
                        "code text, CONSTRAINT c UNIQUE (code)); COMMENT ON CONSTRAINT c ON t IS "
                        "'codes'; COMMENT ON INDEX c IS 'and its index'",
                 .into = "id, at, v, code",
                 .values = "n, moment, 1, 'c' || n",
                 .widen = true});
  out.push_back({.name = "included columns",
                 .ddl = "CREATE TABLE t (id int, at timestamptz NOT NULL, v int, "
                        "PRIMARY KEY (id) INCLUDE (v, at), UNIQUE (id, at) INCLUDE (v))"});
  out.push_back({.name = "nulls not distinct",
                 .ddl = "CREATE TABLE t (id int PRIMARY KEY, at timestamptz NOT NULL, v int, "
                        "UNIQUE NULLS NOT DISTINCT (v, at), CONSTRAINT w UNIQUE NULLS NOT DISTINCT "
                        "(id)); CREATE UNIQUE INDEX n ON t (at, v) NULLS NOT DISTINCT",
                 .values = "n, moment, nullif(n, 1)",
                 .change = "v = v",
                 .widen = true,
                 .since = 15});
  out.push_back({.name = "deferrable keys",
                 .ddl = "CREATE TABLE t (id int, at timestamptz NOT NULL, v int, PRIMARY KEY (id, "
                        "at) DEFERRABLE INITIALLY DEFERRED, CONSTRAINT u UNIQUE (at, id) "
                        "DEFERRABLE)"});
  out.push_back({.name = "deferrable key to widen",
                 .ddl = "CREATE TABLE t (id int PRIMARY KEY DEFERRABLE, at timestamptz NOT NULL, v "
                        "int)",
                 .instant = "deferrable"});
  out.push_back({.name = "enum and text in the key",
                 .ddl = "CREATE TYPE mood AS ENUM ('good', 'bad'); CREATE TABLE t (m mood, id "
                        "text COLLATE \"C\", at timestamptz NOT NULL, v int, PRIMARY KEY (m, id))",
                 .into = "id, at, v, m",
                 .values = "'t ' || n, moment, 1, (ARRAY['good', 'bad'])[1 + n % 2]::mood",
                 .where = "id = 't ' || $n",
                 .rename = "id = 't ' || $n, m = 'bad'"});
  out.push_back({.name = "padded and bit columns",
                 .ddl = "CREATE TABLE t (id char(8), at timestamptz, v int, c char(3), w "
                        "varchar(5), q \"char\", m name, b bit(3), vb bit varying(9), "
                        "PRIMARY KEY (id, at))",
                 .into = "id, at, v, c, w, q, m, b, vb",
                 .values = "n::text, moment, 1, 'a ', 'w  ', 'q', 'name', B'101', B'1'",
                 .where = "id = '$n'",
                 .change = "v = v + 1, c = 'b'",
                 .rename = "id = '$n'"});
  out.push_back({.name = "numbers that are equal and look different",
                 .ddl =
                     "CREATE TABLE t (id numeric PRIMARY KEY, at timestamptz NOT NULL, v float8, "
                     "f float4, m numeric, s numeric(10,4))",
                 .into = "id, at, v, f, m, s",
                 .values = "(n || '.' || repeat('0', 1 + n % 3))::numeric, moment, "
                           "(ARRAY['-0', '0', 'NaN', 'Infinity', '-Infinity', '1e-308'])[1 + n % 6]"
                           "::float8, (ARRAY['-0', 'NaN', '1e38'])[1 + n % 3]::float4, (ARRAY['1.0'"
                           ", '1.00', 'NaN', '1e100', '-0.000'])[1 + n % 5]::numeric, n / 7.0",
                 .change = "v = -v, m = m * 1.0",
                 .rename = "id = $n.000"});
}

void add_columns(std::vector<PartitionShape>& out) {
  out.push_back({.name = "identity always",
                 .ddl = "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY (START 9000 INCREMENT "
                        "-3 MINVALUE -10000 MAXVALUE 9001 CYCLE CACHE 5) PRIMARY KEY, at "
                        "timestamptz NOT NULL, v int); GRANT USAGE ON SEQUENCE t_id_seq TO $role; "
                        "COMMENT ON SEQUENCE t_id_seq IS 'its numbers'; "
                        "INSERT INTO t (at, v) VALUES (date_trunc('month', now()), 1)",
                 .rename = ""});
  out.push_back(
      {.name = "identity by default",
       .ddl =
           "CREATE TABLE t (id smallint GENERATED BY DEFAULT AS IDENTITY (SEQUENCE "
           "NAME \"My \"\"Numbers\" START 30000), at timestamptz NOT NULL, v int, PRIMARY KEY (id, "
           "at)); INSERT INTO t (at, v) VALUES (date_trunc('month', now()), 1)"});
  out.push_back({.name = "sequence that others use",
                 .ddl = "CREATE TABLE t (id serial PRIMARY KEY, at timestamptz NOT NULL, v int); "
                        "CREATE TABLE other (id int DEFAULT nextval('t_id_seq')); GRANT SELECT ON "
                        "SEQUENCE t_id_seq TO $role; ALTER SEQUENCE t_id_seq INCREMENT 7; "
                        "INSERT INTO other DEFAULT VALUES"});
  out.push_back({.name = "generated columns",
                 .ddl =
                     "CREATE TABLE t (id int PRIMARY KEY, at timestamptz NOT NULL, v int, g date "
                     "GENERATED ALWAYS AS ((at AT TIME ZONE 'UTC')::date) STORED, h int "
                     "GENERATED ALWAYS AS (v * 2) STORED CHECK (h < 1000)); "
                     "CREATE INDEX ON t (g, h)"});
  out.push_back({.name = "virtual columns and named not null",
                 .ddl = "CREATE TABLE t (id int PRIMARY KEY, at timestamptz CONSTRAINT \"at is "
                        "there\" NOT NULL, v int, g int GENERATED ALWAYS AS (v * 2) VIRTUAL, w int "
                        "CONSTRAINT w_there NOT NULL DEFAULT 3, CONSTRAINT lax CHECK (v < 0) NOT "
                        "ENFORCED); COMMENT ON CONSTRAINT w_there ON t IS 'there it is'",
                 .since = 18});
  out.push_back({.name = "domains and checks",
                 .ddl = "CREATE DOMAIN small AS int DEFAULT 7 CHECK (value < 1000) NOT NULL; "
                        "CREATE DOMAIN smalls AS small[]; CREATE TABLE t (id int PRIMARY KEY, at "
                        "timestamptz NOT NULL, v small, s smalls, CONSTRAINT \"key and v\" CHECK "
                        "(at > '2020-01-01Z' OR v > 5), CHECK (v <> id OR id < 1000)); "
                        "COMMENT ON CONSTRAINT \"key and v\" ON t IS 'both'",
                 .into = "id, at, v, s",
                 .values = "n, moment, 100 + n % 50, ARRAY[1, 2]"});
  out.push_back({.name = "arrays and composites",
                 .ddl =
                     "CREATE TYPE inner_one AS (a int, b text); CREATE TYPE pair AS (x int, y "
                     "inner_one[]); CREATE TABLE t (id int PRIMARY KEY, at timestamptz NOT NULL, "
                     "v int, a int[], m text[][], p pair, ps pair[], d date[])",
                 .into = "id, at, v, a, m, p, ps, d",
                 .values = "n, moment, 1, '[2:3]={1,2}', ARRAY[['a', NULL], ['\"', ',']], ROW(n, "
                           "ARRAY[ROW(1, 'a,\"b')::inner_one])::pair, ARRAY[NULL, ROW(NULL, "
                           "NULL)::pair], ARRAY['infinity'::date]",
                 .change = "v = v + 1, a[5] = 9, p.x = 4"});
  out.push_back(
      {.name = "big values out of line",
       .ddl = "CREATE TABLE t (id int PRIMARY KEY, at timestamptz NOT NULL, v int, e text, m text, "
              "p bytea, j jsonb, j2 json, x xml, u tsvector) WITH (toast.autovacuum_enabled = off, "
              "toast_tuple_target = 200); ALTER TABLE t ALTER e SET STORAGE EXTERNAL, ALTER m SET "
              "STORAGE MAIN, ALTER p SET STORAGE EXTENDED, ALTER j SET STORAGE EXTERNAL",
       .into = "id, at, v, e, m, p, j, j2, x, u",
       .values =
           "n, moment, 1, repeat(md5(n::text), 90 * (n % 5)), repeat(md5(n::text), 10), "
           "decode(repeat(md5(n::text), n % 60), 'hex'), jsonb_build_object('a', n, 'b', "
           "repeat('x', n * 20)), '{\"b\" :1,  \"a\":2, \"a\": null}', "
           "xmlparse(content '<a b=\"1\">' || n || '</a>'), to_tsvector('simple', 'a b ' || n)",
       .change = "v = v + 1, j = j || '{\"z\": 1}'",
       .rows = 120});
  out.push_back({.name = "compression",
                 .ddl =
                     "CREATE TABLE t (id int PRIMARY KEY, at timestamptz NOT NULL, v int, c text "
                     "COMPRESSION pglz)",
                 .into = "id, at, v, c",
                 .values = "n, moment, 1, repeat('c', 20 * n)",
                 .since = 14});
  out.push_back(
      {.name = "types of many kinds",
       .ddl =
           "CREATE TABLE t (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), at timestamptz NOT "
           "NULL DEFAULT clock_timestamp(), v int, r int4range, tr tstzrange, i inet, c cidr, k "
           "macaddr, mo money, iv interval, l pg_lsn, po point, pa path, ci circle, rc regclass, "
           "o oid, tm timetz, ti time(2), q tsquery, b bool); CREATE INDEX ON t USING gist (r); "
           "CREATE INDEX ON t USING spgist (po)",
       .into = "id, at, v, r, tr, i, c, k, mo, iv, l, po, pa, ci, rc, o, tm, ti, q, b",
       .values = "('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid, moment, 1, "
                 "int4range(n, n + 5), tstzrange(moment, NULL), '10.0.0.1/8', '10.0.0.0/8', "
                 "'08:00:2b:01:02:03', 12.5, (ARRAY['1 month', '30 days', '720:00'])[1 + n % "
                 "3]::interval, '1/2', point(n, -n), '[(0,0),(1,1)]', '<(0,0),2>', 'pg_class', n, "
                 "'12:00+05:30', '12:00:00.456', 'a & !b', n % 2 = 0",
       .where = "id = ('00000000-0000-0000-0000-' || lpad('$n', 12, '0'))::uuid",
       .rename = "id = ('00000000-0000-0000-0000-' || lpad('$n', 12, '0'))::uuid"});
  out.push_back({.name = "dropped columns",
                 .ddl = "CREATE TABLE t (first int, id int PRIMARY KEY, gone int, at timestamptz "
                        "NOT NULL, big text, v int, last int); INSERT INTO t (first, id, at, big, "
                        "v, last) SELECT 1, -i, now(), repeat('b', 3000), i, 2 FROM "
                        "generate_series(1, 50) i; ALTER TABLE t DROP first, DROP gone, DROP big, "
                        "DROP last; ALTER TABLE t ADD added int"});
  std::string wide = "CREATE TABLE t (id int, at timestamptz NOT NULL, v int";
  for (int i = 4; i <= 1000; ++i) wide += cat(", c", i, i % 2 == 0 ? " int" : " text");
  out.push_back({.name = "thousand columns",
                 .ddl = cat(wide, ", PRIMARY KEY (id))"),
                 .into = "id, at, v, c7, c500, c1000",
                 .values = "n, moment, 1, 'seven', n, 1000",
                 .rows = 100});
  out.push_back({.name = "columns added with defaults",
                 .ddl = "CREATE TABLE t (id int PRIMARY KEY, at timestamptz NOT NULL, v int); "
                        "INSERT INTO t SELECT -i, now(), i FROM generate_series(1, 50) i; "
                        "ALTER TABLE t ADD a text DEFAULT 'was not there', ADD b timestamptz NOT "
                        "NULL DEFAULT now(), ADD c numeric DEFAULT 1.00; ALTER TABLE t ALTER a SET "
                        "DEFAULT 'now it is', ALTER c DROP DEFAULT"});
  out.push_back({.name = "nulls everywhere",
                 .ddl =
                     "CREATE TABLE t (id int PRIMARY KEY, at timestamptz NOT NULL, v int, a text,"
                     " b int[], c jsonb, CHECK (a <> 'x'), UNIQUE (a, at))",
                 .into = "id, at, v, a",
                 .values = "n, moment, nullif(n % 3, 1), CASE WHEN n % 7 = 0 THEN '' END"});
}

void add_times(std::vector<PartitionShape>& out) {
  out.push_back({.name = "date in New York",
                 .ddl = "CREATE TABLE t (id int PRIMARY KEY, at date NOT NULL DEFAULT "
                        "current_date, v int)",
                 .zone = "America/New_York"});
  out.push_back({.name = "time with a zone in New York",
                 .ddl = "CREATE TABLE t (id int, at timestamptz(3) NOT NULL, v int, text text "
                        "DEFAULT now()::text, PRIMARY KEY (at, id), CHECK (at > timestamptz "
                        "'2020-03-08 02:30'))",
                 .zone = "America/New_York"});
  out.push_back({.name = "time without a zone",
                 .ddl =
                     "CREATE TABLE t (id int PRIMARY KEY, at timestamp(0) NOT NULL, v int, CHECK "
                     "(at > '2020-03-08'))",
                 .zone = "Asia/Kolkata"});
  out.push_back({.name = "empty",
                 .ddl = "CREATE TABLE t (id int PRIMARY KEY, at date NOT NULL, v "
                        "int)",
                 .rows = 0});
}

void add_names(std::vector<PartitionShape>& out) {
  out.push_back(
      {.name = "names \"quoted\" %s and ünïcode; --",
       .ddl = R"(CREATE TABLE "Tä ""b; DROP %I $1 \ 'x" ("id ; %s" int, "at ""; 'drop" timestamptz
                 NOT NULL, "Ünï" int CONSTRAINT "ch'eck %" CHECK ("Ünï" > -5), CONSTRAINT
                 "k ""; drop" PRIMARY KEY ("id ; %s"));
                 CREATE INDEX "i'x "" %L" ON "Tä ""b; DROP %I $1 \ 'x" (("Ünï" + 1))
                 WHERE "Ünï" > 0; CREATE STATISTICS "st %I ""x" ON "Ünï", "id ; %s" FROM
                 "Tä ""b; DROP %I $1 \ 'x")",
       .into = R"("id ; %s", "at ""; 'drop", "Ünï")",
       .table = R"("Tä ""b; DROP %I $1 \ 'x")",
       .key = "at \"; 'drop",
       .where = "\"id ; %s\" = $n",
       .change = "\"Ünï\" = \"Ünï\" + 1",
       .rename = "\"id ; %s\" = $n"});
  const std::string most(55, 'n');
  const std::string table = cat(most, "ame_4567");
  out.push_back({.name = cat("schema ", std::string(56, 'x')),
                 .ddl = cat("CREATE TABLE ", table, " (", most, "id__4567 int CONSTRAINT ", most,
                            "pk__4567 PRIMARY KEY, ", most,
                            "at__4567 timestamptz NOT NULL, v int CONSTRAINT ", most,
                            "ck__4567 CHECK (v > -5)); CREATE INDEX i", std::string(61, 'y'),
                            " ON ", table, " (v); CREATE STATISTICS s", std::string(61, 's'),
                            " ON v, ", most, "id__4567 FROM ", table),
                 .into = cat(most, "id__4567, ", most, "at__4567, v"),
                 .table = table,
                 .key = cat(most, "at__4567"),
                 .where = cat(most, "id__4567 = $n"),
                 .rename = cat(most, "id__4567 = $n")});
  out.push_back({.name = "names that are ours",
                 .ddl =
                     "CREATE TABLE o (k1 int, k int, p int, \"leaf\" int, op int, l int, t int, x "
                     "int, n int, r int, \"pgtend_1_log\" int, g int, log int, key timestamptz, "
                     "s int, c text, a text, b text, old int, new int, tableoid_ int, \"row\" "
                     "int, PRIMARY KEY (k, key)); CREATE TABLE k (l int); CREATE INDEX "
                     "pgtend_index ON o (op); ALTER TABLE o ADD CONSTRAINT pgtend_check CHECK "
                     "(p <> -1)",
                 .into = "k, key, p, k1, \"leaf\", op, l, t, x, n, r, pgtend_1_log, c, a, b, old, "
                         "new, \"row\"",
                 .values = "n, moment, 1, n + 1, 2, 3, 4, 5, 6, 7, 8, 9, 'c', 'a', 'b', 1, 2, 3",
                 .table = "o",
                 .key = "key",
                 .where = "k = $n",
                 .change = "p = p + 1",
                 .rename = "k = $n"});
  out.push_back(
      {.name = "search_path",
       .ddl =
           "CREATE TABLE allowed (v int); INSERT INTO allowed SELECT generate_series(0, 5000); "
           "CREATE FUNCTION fits(int) RETURNS bool LANGUAGE plpgsql STABLE AS 'BEGIN RETURN "
           "EXISTS (SELECT FROM allowed a WHERE a.v = $1); END'; CREATE TABLE t (id int PRIMARY "
           "KEY, at timestamptz NOT NULL, v int CHECK (fits(v))); CREATE FUNCTION count(anyelement)"
           " RETURNS int LANGUAGE sql AS 'SELECT 5'; CREATE FUNCTION width_bucket(timestamptz, "
           "timestamptz[]) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE VIEW pg_class AS SELECT "
           "1 AS oid",
       .path = true});
  out.push_back({.name = "owner without rights",
                 .ddl =
                     "CREATE TABLE t (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, at "
                     "timestamptz NOT NULL, v int, s serial); CREATE INDEX ON t (v); CREATE VIEW "
                     "w AS SELECT id FROM t; CREATE STATISTICS st ON id, v FROM t; GRANT SELECT "
                     "ON t TO PUBLIC",
                 .into = "id, at, v, s",
                 .values = "n, moment, n % 100, n",
                 .role = true});
}

void add_indexes(std::vector<PartitionShape>& out) {
  out.push_back(
      {.name = "indexes of all kinds",
       .ddl =
           "CREATE FUNCTION plus(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 + 1'; "
           "CREATE TABLE t (id int PRIMARY KEY, at timestamptz NOT NULL, v int, w text, a int[], "
           "r int4range); CREATE INDEX part ON t (v) WHERE v > 5 AND w IS NOT NULL; CREATE INDEX "
           "ON t (lower(w), plus(v), (v + 1) DESC NULLS LAST); CREATE INDEX cover ON t (v) "
           "INCLUDE (w, at); CREATE INDEX ON t (w text_pattern_ops, w COLLATE \"C\" DESC); "
           "CREATE INDEX ON t USING gin (a) WITH (fastupdate = off); CREATE INDEX ON t USING "
           "gist (r) WITH (buffering = on); CREATE INDEX ON t USING brin (at, v) WITH "
           "(pages_per_range = 8, autosummarize = on); CREATE INDEX ON t USING hash (w) WITH "
           "(fillfactor = 60); CREATE UNIQUE INDEX ON t (at, lower(w), id) WHERE v >= 0; "
           "COMMENT ON INDEX cover IS 'covers'; COMMENT ON INDEX t_pkey IS 'of the key'",
       .into = "id, at, v, w, a, r",
       .values = "n, moment, n % 100, 'W' || n, ARRAY[n, n + 1], int4range(n, n + 3)"});
  out.push_back(
      {.name = "storage of indexes",
       .ddl =
           "CREATE TABLE t (id int, at timestamptz NOT NULL, v int, CONSTRAINT pk PRIMARY KEY "
           "(id) WITH (fillfactor = 70) USING INDEX TABLESPACE elsewhere, CONSTRAINT u UNIQUE "
           "(at, id) WITH (fillfactor = 65, deduplicate_items = off) USING INDEX TABLESPACE "
           "elsewhere) WITH (fillfactor = 50) TABLESPACE elsewhere; CREATE INDEX i ON t ((v + "
           "1), (v * 2)) WITH (fillfactor = 55) TABLESPACE elsewhere; ALTER INDEX i ALTER COLUMN "
           "2 SET STATISTICS 321; CREATE INDEX home ON t (v); CREATE INDEX \"O i\" ON t (at); "
           "ALTER TABLE t CLUSTER ON \"O i\""});
  out.push_back({.name = "clustered on its key",
                 .ddl =
                     "CREATE TABLE t (id int, at timestamptz NOT NULL, v int, CONSTRAINT \"P k\" "
                     "PRIMARY KEY (id)); ALTER TABLE t CLUSTER ON \"P k\"; COMMENT ON INDEX "
                     "\"P k\" IS 'ordered'; COMMENT ON CONSTRAINT \"P k\" ON t IS 'key'"});
}

void add_references(std::vector<PartitionShape>& out) {
  out.push_back(
      {.name = "foreign keys",
       .ddl =
           "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (x int, y int, PRIMARY KEY (x, "
           "y)); INSERT INTO a SELECT generate_series(0, 9); INSERT INTO b SELECT i, i FROM "
           "generate_series(0, 9) i; CREATE TABLE t (id int PRIMARY KEY, at timestamptz NOT NULL,"
           " v int, a int CONSTRAINT one REFERENCES a ON DELETE CASCADE ON UPDATE SET NULL, a2 "
           "int DEFAULT 5 REFERENCES a ON DELETE SET DEFAULT DEFERRABLE INITIALLY DEFERRED, x "
           "int, y int, CONSTRAINT two FOREIGN KEY (x, y) REFERENCES b MATCH FULL ON DELETE "
           "SET NULL DEFERRABLE, CONSTRAINT three FOREIGN KEY (a) REFERENCES a ON UPDATE "
           "RESTRICT); COMMENT ON CONSTRAINT one ON t IS 'the first'; COMMENT ON CONSTRAINT two "
           "ON t IS 'the second'",
       .into = "id, at, v, a, a2, x, y",
       .values = "n, moment, 1, n % 10, nullif(n % 10, 3), nullif(n % 10, 4), nullif(n % 10, 4)",
       .change = "v = v + 1, a = 3, x = 5, y = 5"});
  out.push_back({.name = "foreign key that sets one column",
                 .ddl =
                     "CREATE TABLE b (x int, y int, PRIMARY KEY (x, y)); INSERT INTO b VALUES (1, "
                     "1); CREATE TABLE t (id int PRIMARY KEY, at timestamptz NOT NULL, v int, x "
                     "int, y int, FOREIGN KEY (x, y) REFERENCES b ON DELETE SET NULL (y))",
                 .into = "id, at, v, x, y",
                 .values = "n, moment, 1, 1, 1",
                 .since = 15});
  out.push_back(
      refused("foreign key that is not validated", "VALIDATE",
              "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY, at "
              "date NOT NULL, v int); ALTER TABLE t ADD FOREIGN KEY (v) REFERENCES a NOT "
              "VALID"));
  out.push_back(refused("foreign key to itself", "foreign key to it",
                        "CREATE TABLE t (id int PRIMARY KEY, at date NOT NULL, v int REFERENCES "
                        "t)"));
  out.push_back(
      refused("foreign key of another", "foreign key to it",
              "CREATE TABLE t (id int PRIMARY KEY, at date NOT NULL, v int); CREATE TABLE "
              "other (t int REFERENCES t)"));
}

void add_settings(std::vector<PartitionShape>& out) {
  out.push_back(
      {.name = "statistics",
       .ddl =
           "CREATE TABLE t (id int PRIMARY KEY, at timestamptz NOT NULL, v int, w text); ALTER "
           "TABLE t ALTER v SET STATISTICS 777, ALTER w SET STATISTICS 0, ALTER w SET (n_distinct "
           "= -0.5, n_distinct_inherited = 20); CREATE SCHEMA \"statistics elsewhere\"; CREATE "
           "STATISTICS \"statistics elsewhere\".\"S t\" (ndistinct, mcv) ON v, w, id FROM t; "
           "ALTER STATISTICS \"statistics elsewhere\".\"S t\" SET STATISTICS 55; CREATE "
           "STATISTICS all_kinds ON v, at FROM t; COMMENT ON STATISTICS all_kinds IS 'all'"});
  out.push_back({.name = "statistics of expressions",
                 .ddl = "CREATE TABLE t (id int PRIMARY KEY, at timestamptz NOT NULL, v int); "
                        "CREATE STATISTICS e1 ON (v + 1) FROM t; CREATE STATISTICS e2 "
                        "(dependencies) ON (v % 5), id, (date_trunc('day', at AT TIME ZONE 'UTC')) "
                        "FROM t; ALTER STATISTICS e2 SET STATISTICS 0",
                 .since = 14});
  out.push_back({.name = "storage parameters",
                 .ddl =
                     "CREATE TABLE t (id int PRIMARY KEY, at timestamptz NOT NULL, v int, w text)"
                     " WITH (fillfactor = 77, autovacuum_enabled = off, "
                     "autovacuum_vacuum_scale_factor = 0.01, parallel_workers = 3, "
                     "toast_tuple_target = 4000, vacuum_truncate = off, "
                     "toast.autovacuum_vacuum_threshold = 5, toast.vacuum_truncate = off, "
                     "user_catalog_table = off, log_autovacuum_min_duration = 0)"});
  out.push_back({.name = "all changes replicated",
                 .ddl = "CREATE TABLE t (id int PRIMARY KEY, at timestamptz NOT NULL, v int); "
                        "ALTER TABLE t REPLICA IDENTITY FULL"});
  out.push_back({.name = "nothing replicated",
                 .ddl = "CREATE TABLE t (id int PRIMARY KEY, at timestamptz NOT NULL, v int); "
                        "ALTER TABLE t REPLICA IDENTITY NOTHING"});
  out.push_back({.name = "replicated by an index",
                 .ddl =
                     "CREATE TABLE t (id int PRIMARY KEY, at timestamptz NOT NULL, v int NOT NULL,"
                     " CONSTRAINT u UNIQUE (at, id)); CREATE UNIQUE INDEX i ON t (at, v, id); "
                     "ALTER TABLE t REPLICA IDENTITY USING INDEX i"});
}

void add_rights(std::vector<PartitionShape>& out) {
  out.push_back(
      {.name = "rights",
       .ddl = "CREATE TABLE t (id int PRIMARY KEY, at timestamptz NOT NULL, v int); GRANT SELECT, "
              "INSERT ON t TO $role WITH GRANT OPTION; GRANT UPDATE (v), SELECT (id, v) ON t TO "
              "$role WITH GRANT OPTION; GRANT REFERENCES (id) ON t TO PUBLIC; GRANT TRIGGER, "
              "TRUNCATE ON t TO PUBLIC; GRANT DELETE ON t TO \"other role\""});
  out.push_back({.name = "rights given by others",
                 .ddl =
                     "CREATE TABLE t (id int PRIMARY KEY, at timestamptz NOT NULL, v int); GRANT "
                     "USAGE ON SCHEMA \"rights given by others\" TO $role; GRANT SELECT, UPDATE "
                     "(v) ON t TO $role WITH GRANT OPTION; SET ROLE $role; GRANT SELECT, UPDATE "
                     "(v) ON t TO \"other role\"; RESET ROLE"});
  out.push_back(
      {.name = "row security",
       .ddl = "CREATE TABLE t (id int PRIMARY KEY, at timestamptz NOT NULL, v int); GRANT ALL ON t "
              "TO $role; CREATE POLICY \"P o\" ON t TO $role, \"other role\" USING (v > 3) WITH "
              "CHECK (id > (SELECT count(*) FROM t x WHERE x.id < 0)); CREATE POLICY r ON t AS "
              "RESTRICTIVE FOR DELETE USING (id > 5); CREATE POLICY i ON t FOR INSERT WITH CHECK "
              "(true); COMMENT ON POLICY \"P o\" ON t IS 'p'; ALTER TABLE t ENABLE ROW LEVEL "
              "SECURITY"});
  out.push_back(
      refused("row security upon the owner", "FORCE",
              "CREATE TABLE t (id int PRIMARY KEY, at date NOT NULL, v int); ALTER TABLE t "
              "ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"));
  out.push_back({.name = "comments",
                 .ddl = "CREATE TABLE t (id int PRIMARY KEY, at timestamptz NOT NULL, v int "
                        "CONSTRAINT c CHECK (v > -5)); COMMENT ON TABLE t IS 'it''s \\ \"t\"'; "
                        "COMMENT ON COLUMN t.v IS 'v; --'; COMMENT ON CONSTRAINT c ON t IS 'c'; "
                        "COMMENT ON CONSTRAINT t_pkey ON t IS 'pk'; COMMENT ON INDEX t_pkey IS "
                        "'pk''s'"});
}

void add_followers(std::vector<PartitionShape>& out) {
  const std::string function =
      "CREATE TABLE seen (what text); CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS "
      "'BEGIN RETURN coalesce(NEW, OLD); END'; ";
  out.push_back(
      {.name = "triggers",
       .ddl = cat(
           function,
           "CREATE TABLE t (id int PRIMARY KEY, at timestamptz NOT NULL, v int); CREATE TRIGGER a "
           "BEFORE INSERT OR UPDATE OF v, id ON t FOR EACH ROW WHEN (NEW.v > 5) EXECUTE FUNCTION "
           "tell('x', 'y''z'); CREATE TRIGGER \"B b\" AFTER DELETE ON t REFERENCING OLD TABLE AS "
           "gone FOR EACH STATEMENT EXECUTE FUNCTION tell(); CREATE CONSTRAINT TRIGGER c AFTER "
           "UPDATE ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.v IS DISTINCT FROM "
           "NEW.v) EXECUTE FUNCTION tell(); CREATE TRIGGER d BEFORE TRUNCATE ON t EXECUTE FUNCTION "
           "tell(); COMMENT ON TRIGGER c ON t IS 'later'")});
  out.push_back(
      {.name = "triggers that are off, replica or always",
       .ddl = cat(function,
                  "CREATE TABLE t (id int PRIMARY KEY, at timestamptz NOT NULL, v int); "
                  "CREATE TRIGGER \"O ff\" BEFORE INSERT ON t FOR EACH ROW EXECUTE "
                  "FUNCTION tell(); CREATE TRIGGER r AFTER INSERT ON t FOR EACH ROW "
                  "EXECUTE FUNCTION tell(); CREATE TRIGGER a AFTER UPDATE ON t EXECUTE "
                  "FUNCTION tell(); CREATE TRIGGER plain AFTER UPDATE ON t EXECUTE "
                  "FUNCTION tell(); ALTER TABLE t DISABLE TRIGGER \"O ff\", ENABLE REPLICA "
                  "TRIGGER r, ENABLE ALWAYS TRIGGER a")});
  out.push_back(refused("row trigger with a table", "transition tables",
                        cat(function,
                            "CREATE TABLE t (id int PRIMARY KEY, at date NOT NULL, v int); CREATE "
                            "TRIGGER x AFTER INSERT ON t REFERENCING NEW TABLE AS n FOR EACH ROW "
                            "EXECUTE FUNCTION tell()")));
  out.push_back(
      {.name = "rules",
       .ddl =
           "CREATE TABLE seen (id int); CREATE TABLE t (id int PRIMARY KEY, at timestamptz NOT "
           "NULL, v int); CREATE RULE \"N ote\" AS ON INSERT TO t DO ALSO INSERT INTO seen VALUES "
           "(NEW.id); CREATE RULE stay AS ON DELETE TO t WHERE OLD.v < 0 DO INSTEAD NOTHING; "
           "COMMENT ON RULE stay ON t IS 'they stay'"});
  out.push_back({.name = "rules that are off, replica or always",
                 .ddl = "CREATE TABLE seen (id int); CREATE TABLE t (id int PRIMARY KEY, at "
                        "timestamptz NOT NULL, v int); CREATE RULE a AS ON INSERT TO t DO ALSO "
                        "INSERT INTO seen VALUES (NEW.id); CREATE RULE b AS ON DELETE TO t DO ALSO "
                        "NOTHING; CREATE RULE c AS ON UPDATE TO t DO ALSO NOTHING; ALTER TABLE t "
                        "DISABLE RULE a, ENABLE ALWAYS RULE b, ENABLE REPLICA RULE c"});
  out.push_back(
      {.name = "views",
       .ddl =
           "CREATE TABLE seen (id int); CREATE TABLE t (id int PRIMARY KEY, at timestamptz NOT "
           "NULL, v int, \"of Whom\" text); CREATE VIEW v1 (number, who) WITH (security_barrier) "
           "AS SELECT id, \"of Whom\" "
           "FROM t WHERE \"of Whom\" <> 'a;b'; CREATE VIEW \"V 2\" AS SELECT number, 1 AS one "
           "FROM v1 JOIN t ON t.id = number WHERE false; CREATE VIEW v3 AS SELECT id, at FROM t "
           "WHERE "
           "id > 0 WITH LOCAL CHECK OPTION; CREATE VIEW v4 AS WITH x AS (SELECT * FROM t) SELECT "
           "x.v, count(*) FROM x GROUP BY 1; COMMENT ON VIEW v1 IS 'one'; COMMENT ON COLUMN "
           "v1.who IS 'who'; GRANT SELECT (number) ON v1 TO $role; ALTER VIEW v3 ALTER id SET "
           "DEFAULT 4; CREATE RULE into_t AS ON INSERT TO v1 DO INSTEAD INSERT INTO seen VALUES "
           "(NEW.number)"});
  out.push_back({.name = "functions with a body",
                 .ddl =
                     "CREATE TABLE t (id int PRIMARY KEY, at timestamptz NOT NULL, v int); CREATE "
                     "FUNCTION f(lowest int DEFAULT 0) RETURNS int LANGUAGE sql STABLE PARALLEL "
                     "SAFE COST 7 SET work_mem = '5MB' BEGIN ATOMIC SELECT max(id) FROM t WHERE "
                     "id >= lowest; END; CREATE PROCEDURE p() LANGUAGE sql BEGIN ATOMIC DELETE "
                     "FROM t WHERE id < 0; INSERT INTO t SELECT 1, at, 2 FROM t WHERE false; END; "
                     "REVOKE ALL ON FUNCTION f(int) FROM PUBLIC; GRANT EXECUTE ON FUNCTION f(int) "
                     "TO $role; COMMENT ON PROCEDURE p() IS 'p'",
                 .since = 14});
  out.push_back({.name = "publications",
                 .ddl =
                     "CREATE TABLE t (id int PRIMARY KEY, at timestamptz NOT NULL, v int); CREATE "
                     "PUBLICATION \"P ;\" FOR TABLE t WITH (publish_via_partition_root = true); "
                     "CREATE PUBLICATION ins FOR TABLE t WITH (publish = 'insert', "
                     "publish_via_partition_root = true)"});
  out.push_back({.name = "publications of some rows",
                 .ddl =
                     "CREATE TABLE t (id int PRIMARY KEY, at timestamptz NOT NULL, v int); CREATE "
                     "PUBLICATION \"some\" FOR TABLE t WHERE (v > 5) WITH (publish = 'insert', "
                     "publish_via_partition_root = true)",
                 .since = 15});
}

void add_refused(std::vector<PartitionShape>& out) {
  const std::string t = "CREATE TABLE t (id int PRIMARY KEY, at date NOT NULL, v int); ";
  out.push_back(refused("unlogged", "SET LOGGED",
                        "CREATE UNLOGGED TABLE t (id int PRIMARY KEY, at date NOT NULL, v int)"));
  out.push_back(
      refused("heir", "inheritance",
              "CREATE TABLE above (id int, at date NOT NULL, v int); CREATE TABLE t (PRIMARY "
              "KEY (id)) INHERITS (above)"));
  out.push_back(
      refused("typed", "typed table",
              "CREATE TYPE kind AS (id int, at date, v int); CREATE TABLE t OF kind (PRIMARY "
              "KEY (id), at WITH OPTIONS NOT NULL)"));
  out.push_back(refused("exclusion", "exclusion constraint",
                        "CREATE TABLE t (id int PRIMARY KEY, at date NOT NULL, v int, r int4range, "
                        "EXCLUDE USING gist (r WITH &&))"));
  out.push_back(
      refused("check of its own", "NO INHERIT",
              "CREATE TABLE t (id int PRIMARY KEY, at date NOT NULL, v int CHECK (v > -1) "
              "NO INHERIT)"));
  out.push_back(refused("check of whole rows", "whole row",
                        cat(t, "ALTER TABLE t ADD CHECK (t IS NOT NULL)")));
  out.push_back(refused("materialized view", "materialized view",
                        cat(t, "CREATE MATERIALIZED VIEW m AS SELECT id FROM t")));
  out.push_back(refused("key that may be null", "SET NOT NULL",
                        "CREATE TABLE t (id int PRIMARY KEY, at date, v int)"));
  out.push_back({.name = "key that is generated",
                 .ddl = "CREATE TABLE t (id int PRIMARY KEY, at date NOT NULL GENERATED ALWAYS AS "
                        "(date '2026-01-01' + v) STORED, v int)",
                 .into = "id, v",
                 .values = "n, n % 100",
                 .shadow = "generated",
                 .instant = "generated"});
  out.push_back(
      refused("view of whole rows", "depends on it", cat(t, "CREATE VIEW w AS SELECT t FROM t")));
  out.push_back(refused("function of its rows", "depends on it",
                        cat(t, "CREATE FUNCTION f(t) RETURNS int LANGUAGE sql AS 'SELECT 1'")));
  out.push_back(
      refused("unique constraint without the key", "lacks the partition key",
              "CREATE TABLE t (id int PRIMARY KEY, at date NOT NULL, v int, w int UNIQUE)"));
  out.push_back(refused("unique index without the key", "lacks the partition key",
                        cat(t, "CREATE UNIQUE INDEX ON t (id, v)")));
  out.push_back({.name = "temporal key",
                 .ddl = "CREATE TABLE t (id int4range, at date NOT NULL, v int, during daterange, "
                        "PRIMARY KEY (id, during WITHOUT OVERLAPS))",
                 .into = "id, at, v, during",
                 .values = "int4range(n, n + 1), moment, 1, daterange(NULL, NULL)",
                 .shadow = "OVERLAPS",
                 .instant = "OVERLAPS",
                 .since = 18});
}

}  // namespace

std::vector<PartitionShape> partition_shapes() {
  std::vector<PartitionShape> out;
  add_keys(out);
  add_columns(out);
  add_times(out);
  add_names(out);
  add_indexes(out);
  add_references(out);
  add_settings(out);
  add_rights(out);
  add_followers(out);
  add_refused(out);
  return out;
}

}  // namespace pgtend::e2e
