"""B: joins."""
from .cases import Case, case, table


def two_tables(d, left, right, left_key, right_key):
    """(statements, left name, its key, right name, its key, a payload of each)."""
    a, b, x, y, p, q = d.names(6)
    kind = d.integer_type()
    return ([*table(a, {x: (kind, left_key), p: ("text", d.filler())}, left),
             *table(b, {y: (kind, right_key), q: ("text", d.filler())}, right), f"ANALYZE {a}", f"ANALYZE {b}"],
            a, x, b, y, p, q)


@case("B5")
def batches(d, sick):
    rows = d.rows(30_000, 60_000)
    make, a, x, b, y, p, q = two_tables(d, rows, rows, "i", "i")
    return Case(make, f"SELECT count({a}.{p}), max({b}.{q}) FROM {a} JOIN {b} ON {a}.{x} = {b}.{y}",
                {"work_mem": d.pick("64kB", "256kB") if sick else "64MB", "enable_mergejoin": "off"})


@case("B6")
def batches_by_surprise(d, sick):
    a, b, x, y, p, q, c1, c2, c3 = d.names(9)
    rows = d.rows(60_000, 90_000)
    value = d.rng.randint(8, 14)
    make = [*table(a, {x: ("int", "i"), c1: ("int", f"i % {value}"), c2: ("int", f"i % {value}"), c3: ("int", f"i % {value}"),
                       p: ("text", d.filler(80, 160))}, rows),
            *table(b, {y: ("int", "i"), q: ("text", d.filler())}, rows)]
    if not sick:
        statistics = d.name()
        make.append(f"CREATE STATISTICS {statistics} (dependencies, mcv) ON {c1}, {c2}, {c3} FROM {a}")
    return Case([*make, f"ANALYZE {a}", f"ANALYZE {b}"],
                f"SELECT count({a}.{p}), max({b}.{q}) FROM {a} JOIN {b} ON {x} = {y} WHERE {c1} = 1 AND {c2} = 1 AND {c3} = 1",
                {"work_mem": "256kB" if sick else "64MB", "enable_mergejoin": "off", "enable_nestloop": "off"})


@case("B10", ("15", "18"))
def memoize_in_vain(d, sick):
    a, b, x, y, p, q = d.names(6)
    rows, keys = d.rows(12_000, 20_000), d.rng.randint(3_000, 5_000)
    # Each key is asked for again after all others: what is too small for all of them finds none.
    make = [*table(a, {x: ("int", f"i % {keys}"), p: ("text", d.filler())}, rows),
            *table(b, {y: ("int", "i"), q: ("text", d.filler(300, 600))}, 2 * keys), f"CREATE UNIQUE INDEX ON {b} ({y})",
            f"ALTER TABLE {a} ALTER {x} SET (n_distinct = {d.rng.randint(5, 40)})"]
    return Case([*make, f"VACUUM ANALYZE {a}", f"VACUUM ANALYZE {b}"],
                f"SELECT count({p}), max({q}) FROM {a} JOIN {b} ON {x} = {y}",
                {"enable_hashjoin": "off", "enable_mergejoin": "off", "work_mem": "128kB" if sick else "64MB"})


@case("B3")
def filter_drops_pairs(d, sick):
    a, b, x, y, p, q = d.names(6)
    left, right = d.rows(300, 600), d.rows(300, 600)
    make = [*table(a, {x: ("int", "i"), p: ("int", "i * 10")}, left), *table(b, {y: ("int", "i"), q: ("int", "i * 10")}, right),
            f"ANALYZE {a}", f"ANALYZE {b}"]
    on = f"{p} BETWEEN {q} - 5 AND {q} + 5" if sick else f"{p} = {q}"
    return Case(make, f"SELECT count(*) FROM {a} JOIN {b} ON {on}")


@case("B4")
def cartesian(d, sick):
    a, b, x, y, p, q = d.names(6)
    rows = d.rows(300, 700)
    make = [*table(a, {x: ("int", "i"), p: ("text", d.filler())}, rows), *table(b, {y: ("int", "i"), q: ("text", d.filler())}, rows),
            f"ANALYZE {a}", f"ANALYZE {b}"]
    return Case(make, f"SELECT count(*) FROM {a}, {b} WHERE {x} > 2" + ("" if sick else f" AND {x} = {y}"))


@case("B7")
def skewed_key(d, sick):
    a, b, x, y, p, q = d.names(6)
    rows = d.rows(50_000, 80_000)
    make = [*table(a, {x: ("int", "i"), p: ("text", d.filler())}, 3 * rows),
            *table(b, {y: ("int", "i"), q: ("text", d.filler(60))}, rows), f"ANALYZE {a}", f"ANALYZE {b}"]
    if sick:  # after ANALYZE: a planner that knows of the skew hashes the other side
        make += [f"UPDATE {b} SET {y} = {5 * rows} WHERE {y} % 10 < 8", f"VACUUM FULL {b}"]
    return Case(make, f"SELECT count({a}.{p}), max({b}.{q}) FROM {a} JOIN {b} ON {a}.{x} = {b}.{y}",
                {"work_mem": "256kB" if sick else "64MB", "enable_mergejoin": "off", "enable_nestloop": "off"})


@case("B8")
def larger_side_hashed(d, sick):
    a, b, c, x, name, y, z, key, p = d.names(9)
    details = d.rows(30_000, 50_000)
    masters = details // d.rng.randint(20, 60)
    # Nearly all details are those of one master, which the planner does not know by its name.
    owner = f"CASE WHEN i % 20 > 0 THEN 7 ELSE i % {masters} END" if sick else f"i % {masters}"
    make = [*table(a, {x: ("int", "i"), name: ("text", "'n' || i")}, masters),
            *table(b, {y: ("int", owner), z: ("int", "i")}, details),
            *table(c, {key: ("int", "i * 7"), p: ("text", d.filler())}, d.rows(800, 1_500)),
            f"CREATE UNIQUE INDEX ON {a} ({name})", f"ANALYZE {a}", f"ANALYZE {b}", f"ANALYZE {c}"]
    return Case(make, f"SELECT count({p}) FROM {a} JOIN {b} ON {x} = {y} JOIN {c} ON {z} = {key} WHERE {name} = 'n7'",
                {"enable_mergejoin": "off", "enable_nestloop": "off", "work_mem": "16MB"})


@case("B9")
def merge_join_sorts_on_disk(d, sick):
    rows = d.rows(30_000, 60_000)
    make, a, x, b, y, p, q = two_tables(d, rows, rows, "i::bigint * 7919 % 99991", "i::bigint * 104729 % 99991")
    return Case(make, f"SELECT count({a}.{p}), max({b}.{q}) FROM {a} JOIN {b} ON {a}.{x} = {b}.{y}",
                {"work_mem": "256kB" if sick else "64MB", "enable_hashjoin": "off", "enable_nestloop": "off"})


@case("B11")
def read_again(d, sick):
    a, b, x, y = d.names(4)
    rows = d.rows(1_500, 2_500)
    make = [*table(a, {x: ("int", "i")}, rows), *table(b, {y: ("int", "i")}, rows), f"ANALYZE {a}", f"ANALYZE {b}"]
    compared = f"{x} > {y} + {rows // 2}" if sick else f"{x} = {y} + 2"
    return Case(make, f"SELECT count(*) FROM {a} JOIN {b} ON {compared}")


@case("B12")
def not_in(d, sick):
    a, b, x, y = d.names(4)
    rows = d.rows(4_000, 6_000)
    make = [*table(a, {x: ("int", "i * 2")}, rows), *table(b, {y: ("int", "i * 3")}, rows), f"ANALYZE {a}", f"ANALYZE {b}"]
    where = (f"{x} NOT IN (SELECT {y} FROM {b})" if sick else f"NOT EXISTS (SELECT 1 FROM {b} WHERE {y} = {x})")
    return Case(make, f"SELECT count(*) FROM {a} WHERE {where}", {"work_mem": d.pick("64kB", "4MB") if sick else "4MB"})


@case("B13")
def many_joins(d, sick):
    tables, k, v = d.names(11), *d.names(2)
    make = []
    for t in tables:
        make += [*table(t, {k: ("int", "i"), v: ("int", "i")}, d.rows(3, 20)), f"CREATE INDEX ON {t} ({k})", f"ANALYZE {t}"]
    return Case(make, "SELECT * FROM " + " NATURAL JOIN ".join(tables[:11 if sick else 3]),
                {"join_collapse_limit": "11", "from_collapse_limit": "11"})


@case("B15")
def fan_out(d, sick):
    a, b, x, y, v = d.names(5)
    masters = d.rows(400, 900)
    make = [*table(a, {x: ("int", "i")}, masters), *table(b, {y: ("int", f"i % {masters}"), v: ("int", "i")}, masters * d.rng.randint(40, 80)),
            f"ANALYZE {a}", f"ANALYZE {b}"]
    sql = (f"SELECT DISTINCT {x} FROM {a} JOIN {b} ON {x} = {y} WHERE {v} > 5" if sick else
           f"SELECT {x} FROM {a} WHERE EXISTS (SELECT 1 FROM {b} WHERE {y} = {x} AND {v} > 5)")
    return Case(make, sql)


@case("B16", ("15",))
def foreign_filter(d, sick):
    t, f, k, v, fn = d.names(5)
    rows = d.rows(8_000, 15_000)
    server = f"loopback_{d.rng.randrange(10**6)}"
    make = [*table(t, {k: ("int", "i"), v: ("text", d.filler())}, rows),
            "CREATE EXTENSION IF NOT EXISTS postgres_fdw SCHEMA public",
            f"DROP SERVER IF EXISTS {server} CASCADE",
            # To this very server: its own socket, never the default one.
            f"DO $$ BEGIN EXECUTE format('CREATE SERVER {server} FOREIGN DATA WRAPPER postgres_fdw OPTIONS (dbname %L, host %L, port %L)', "
            "'postgres', current_setting('unix_socket_directories'), current_setting('port')); END $$",
            f"CREATE USER MAPPING FOR CURRENT_USER SERVER {server} OPTIONS (user 'bench')",
            f"CREATE FUNCTION {fn}(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1'",
            f"DO $$ BEGIN EXECUTE format('CREATE FOREIGN TABLE %I (%I int, %I text) SERVER {server} OPTIONS (schema_name %L, table_name "
            f"%L)', 'remote', 'k', 'v', current_schema(), (SELECT relname FROM pg_class WHERE oid = $n${t}$n$::regclass)); END $$",
            f"ALTER FOREIGN TABLE remote RENAME TO {f}", f"ALTER FOREIGN TABLE {f} RENAME k TO {k}",
            f"ALTER FOREIGN TABLE {f} RENAME v TO {v}",
            f"ALTER FOREIGN TABLE {f} ALTER {k} OPTIONS (column_name {literal_of(k)})",
            f"ALTER FOREIGN TABLE {f} ALTER {v} OPTIONS (column_name {literal_of(v)})"]
    where = f"random() * 0 + {k} < 20" if sick else f"{k} < 20"
    return Case(make, f"SELECT count({v}) FROM {f} WHERE {where}", how="piped")


def literal_of(identifier):
    """The name that a quoted identifier stands for, as a literal."""
    name = identifier[1:-1].replace('""', '"') if identifier.startswith('"') else identifier
    return "'" + name.replace("'", "''") + "'"


@case("B17")
def copied_hash(d, sick):
    rows = d.rows(150_000, 200_000)
    make, a, x, b, y, _, _ = two_tables(d, rows, rows // 2, "i", "i")
    return Case(make, f"SELECT count(*) FROM {a} JOIN {b} ON {x} = {y}",
                {"max_parallel_workers_per_gather": "2", "parallel_setup_cost": "10", "parallel_tuple_cost": "0.001",
                 "min_parallel_table_scan_size": "64kB", "enable_mergejoin": "off", "work_mem": "64MB",
                 "enable_parallel_hash": "off" if sick else "on"})
