// Tables whose bloat is said and then made true, by VACUUM FULL.
#pragma once

#include <string_view>

namespace pgtend::e2e {

// A table t with indexes; `churn` runs after the rows are in. Made once for each seed.
struct BloatCase {
  std::string_view name;
  std::string_view create;
  std::string_view fill;
  std::string_view churn = "";
};

inline constexpr BloatCase kBloatCases[] = {
    {"padding", "CREATE TABLE t (a bool NOT NULL, b bigint NOT NULL, c bool, d bigint, e smallint)",
     "INSERT INTO t SELECT true, i, i % 2 = 0, i, 1 FROM generate_series(1, 30000) i;"
     "CREATE INDEX t_b ON t (b); CREATE INDEX t_ab ON t (a, b)"},
    {"nullable",
     "CREATE TABLE t (a int, b int, c int, d int, e int, f int, g int, h int, i int, j int)",
     "INSERT INTO t SELECT n(0.7), n(0.7), n(0.7), n(0.7), n(0.7), n(0.7), n(0.7), n(0.7), n(0.7), "
     "n(0.7) FROM generate_series(1, 25000);"
     "CREATE INDEX t_a ON t (a); CREATE INDEX t_ab ON t (a, b)"},
    {"rare nulls, wide row",
     "CREATE TABLE t (a bigint, b int, c text, d smallint, e bigint, f int, g text, h int, i int)",
     "INSERT INTO t SELECT n(0.1), n(0.2), r(5, 30), 1, n(0.05), n(0.3), r(1, 60), n(0.5), 7 "
     "FROM generate_series(1, 25000);"
     "CREATE INDEX t_c ON t (c); CREATE INDEX t_dh ON t (d, h)"},
    {"dropped columns",
     "CREATE TABLE t (id int PRIMARY KEY, gone char(100), v text NOT NULL, gone2 bigint)",
     "INSERT INTO t SELECT i, 'x', r(10, 20), i FROM generate_series(1, 20000) i;"
     "ALTER TABLE t DROP COLUMN gone, DROP COLUMN gone2; CREATE INDEX t_v ON t (v)"},
    {"fillfactor 70", "CREATE TABLE t (id int PRIMARY KEY, v text) WITH (fillfactor = 70)",
     "INSERT INTO t SELECT i, r(20, 40) FROM generate_series(1, 20000) i;"
     "CREATE INDEX t_v ON t (v) WITH (fillfactor = 60)"},
    {"deleted, vacuumed", "CREATE TABLE t (id int PRIMARY KEY, k uuid NOT NULL, v text NOT NULL)",
     "INSERT INTO t SELECT i, md5(random()::text)::uuid, r(1, 90) FROM generate_series(1, 30000) i;"
     "CREATE INDEX t_k ON t (k)",
     "DELETE FROM t WHERE random() < 0.6"},
    {"updated", "CREATE TABLE t (id int PRIMARY KEY, at timestamptz, v text)",
     "INSERT INTO t SELECT i, now() + i * interval '1 s', r(30, 50) FROM generate_series(1, 20000) "
     "i;"
     "CREATE INDEX t_at ON t (at); CREATE INDEX t_v ON t (v)",
     "UPDATE t SET v = v || 'x', at = at + interval '1 day' WHERE random() < 0.4"},
    {"few keys", "CREATE TABLE t (id int NOT NULL, k int NOT NULL, s text NOT NULL)",
     "INSERT INTO t SELECT i, random() * 15, 'state ' || (random() * 5)::int "
     "FROM generate_series(1, 60000) i;"
     "CREATE INDEX t_k ON t (k); CREATE INDEX t_s ON t (s)"},
    {"2000 keys", "CREATE TABLE t (k int NOT NULL, u bigint NOT NULL)",
     "INSERT INTO t SELECT random() * 2000, i FROM generate_series(1, 60000) i;"
     "CREATE INDEX t_k ON t (k); CREATE INDEX t_ku ON t (k, u); CREATE UNIQUE INDEX t_u ON t (u)"},
    {"skewed keys", "CREATE TABLE t (k int, s text)",
     "INSERT INTO t SELECT 3000 * random() ^ 4, 'name ' || (2000 * random() ^ 3)::int "
     "FROM generate_series(1, 50000) i;"
     "CREATE INDEX t_k ON t (k); CREATE INDEX t_s ON t (s)"},
    {"pairs", "CREATE TABLE t (k int NOT NULL)",
     "INSERT INTO t SELECT random() * 12000 FROM generate_series(1, 25000) i;"
     "CREATE INDEX t_k ON t (k)"},
    {"mostly null key", "CREATE TABLE t (id int NOT NULL, k int, s text)",
     "INSERT INTO t SELECT i, CASE WHEN random() < 0.3 THEN i END, "
     "CASE WHEN random() < 0.2 THEN r(3, 9) END FROM generate_series(1, 60000) i;"
     "CREATE INDEX t_k ON t (k); CREATE INDEX t_s ON t (s)"},
    {"toast", "CREATE TABLE t (id int PRIMARY KEY, body text NOT NULL)",
     "ALTER TABLE t ALTER body SET STORAGE EXTERNAL;"
     "INSERT INTO t SELECT i, repeat(md5(random()::text), 200) FROM generate_series(1, 3000) i",
     "DELETE FROM t WHERE random() < 0.3"},
    {"some toasted", "CREATE TABLE t (id int, body text NOT NULL, tail int NOT NULL)",
     "ALTER TABLE t ALTER body SET STORAGE EXTERNAL;"
     "INSERT INTO t SELECT i, CASE WHEN random() < 0.1 THEN repeat('ab', 2500) ELSE r(20, 90) END, "
     "1 "
     "FROM generate_series(1, 20000) i"},
    {"long and short text",
     "CREATE TABLE t (a smallint NOT NULL, v text NOT NULL, w text NOT NULL)",
     "INSERT INTO t SELECT 1, CASE WHEN random() < 0.5 THEN r(5, 20) ELSE r(300, 400) END, "
     "r(100, 160) FROM generate_series(1, 8000) i; CREATE INDEX t_w ON t (w)"},
    {"numbers and codes",
     "CREATE TABLE t (n numeric(12,2), c varchar(20), b bytea, o numeric, i inet, j jsonb)",
     "INSERT INTO t SELECT (random() * 10 ^ (random() * 8))::numeric, 'C' || (random() * "
     "1e6)::int, "
     "decode(md5(random()::text), 'hex'), random()::numeric, '10.1.2.3', "
     "jsonb_build_object('k', (random() * 1000)::int) FROM generate_series(1, 20000) i;"
     "CREATE INDEX t_n ON t (n); CREATE INDEX t_c ON t (c); CREATE INDEX t_b ON t (b)"},
    {"arrays", "CREATE TABLE t (id int NOT NULL, a int[], f real[])",
     "INSERT INTO t SELECT i, array_fill(1, ARRAY[1 + (random() * 9)::int]), ARRAY[1.0, 2.0] "
     "FROM generate_series(1, 15000) i"},
    {"expressions and parts",
     "CREATE TABLE t (id int NOT NULL, mail text NOT NULL, done bool NOT NULL)",
     "INSERT INTO t SELECT i, upper(r(8, 24)) || '@X.ORG', random() < 0.9 "
     "FROM generate_series(1, 25000) i;"
     "CREATE INDEX t_low ON t (lower(mail)); CREATE INDEX t_open ON t (id) WHERE NOT done;"
     "CREATE INDEX t_inc ON t (id) INCLUDE (mail); CREATE INDEX t_len ON t ((length(mail)))"},
    {"many rows",
     "CREATE TABLE t (id bigint PRIMARY KEY, m int NOT NULL, at timestamptz, v numeric(9,3))",
     "INSERT INTO t SELECT i, random() * 5000, now() + i * interval '1 s', "
     "(random() * 1000)::numeric(9,3) FROM generate_series(1, 120000) i;"
     "CREATE INDEX t_m ON t (m); CREATE INDEX t_at ON t (at); CREATE INDEX t_mat ON t (m, at)",
     "DELETE FROM t WHERE id % 4 = 0"},
    {"one page", "CREATE TABLE t (id int PRIMARY KEY, v text)",
     "INSERT INTO t SELECT i, 'v' FROM generate_series(1, 40) i"},
    {"empty again", "CREATE TABLE t (id int PRIMARY KEY, v text)",
     "INSERT INTO t SELECT i, 'v' FROM generate_series(1, 9000) i",
     "DELETE FROM t WHERE id < 9000"},
    {"values of all lengths",
     "CREATE TABLE t (id int PRIMARY KEY, a text, b text, c text NOT NULL)",
     "ALTER TABLE t ALTER a SET STORAGE EXTERNAL, ALTER b SET STORAGE EXTERNAL;"
     "INSERT INTO t SELECT i, r(0, 4000), CASE WHEN random() < 0.5 THEN r(200, 3000) END, r(1, "
     "600) "
     "FROM generate_series(1, 4000) i",
     "DELETE FROM t WHERE random() < 0.4"},
    {"compressed values", "CREATE TABLE t (id int PRIMARY KEY, j jsonb NOT NULL)",
     "INSERT INTO t SELECT i, (SELECT jsonb_object_agg('key ' || k, md5((i * k)::text)) "
     "FROM generate_series(1, 40 + i % 200) k) FROM generate_series(1, 1500) i",
     "UPDATE t SET j = j || '{\"more\": 1}' WHERE random() < 0.3"},
    {"few very long values", "CREATE TABLE t (id int PRIMARY KEY, b text NOT NULL)",
     "ALTER TABLE t ALTER b SET STORAGE EXTERNAL;"
     "INSERT INTO t SELECT i, CASE WHEN random() < 0.05 THEN r(30000, 90000) ELSE r(10, 300) END "
     "FROM generate_series(1, 4000) i",
     "DELETE FROM t WHERE random() < 0.5"},
    {"toast_tuple_target",
     "CREATE TABLE t (id int, a text, b text) WITH (toast_tuple_target = 256)",
     "ALTER TABLE t ALTER a SET STORAGE EXTERNAL, ALTER b SET STORAGE EXTERNAL;"
     "INSERT INTO t SELECT i, r(900, 1500), r(800, 1600) FROM generate_series(1, 3000) i",
     "DELETE FROM t WHERE random() < 0.2"},
};

inline constexpr std::string_view kBloatFunctions = R"(
  CREATE FUNCTION n(share float8) RETURNS int LANGUAGE sql VOLATILE AS
    'SELECT CASE WHEN random() >= share THEN (random() * 1e9)::int END';
  CREATE FUNCTION r(low int, high int) RETURNS text LANGUAGE sql VOLATILE AS
    'SELECT left(repeat(md5(random()::text), high / 32 + 1),
                 low + floor(random() * (high - low + 1))::int)')";

}  // namespace pgtend::e2e
