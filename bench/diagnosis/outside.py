"""G: outside the tree."""
from .cases import Case, case, table


def partitions(d, count, rows, each=1):
    """(statements, table, key, value): range partitions of `each` keys over a key from 1, filled evenly."""
    t, k, v = d.names(3)
    make = [f"CREATE TABLE {t} ({k} int NOT NULL, {v} text) PARTITION BY RANGE ({k})"]
    prefix = d.name().strip('"').replace('"', "")[:20]
    for i in range(count):
        make.append(f"CREATE TABLE \"{prefix}_{i}\" PARTITION OF {t} FOR VALUES FROM ({i * each}) TO ({(i + 1) * each})")
    if rows:
        make.append(f"INSERT INTO {t} SELECT i % {count * each}, {d.filler()} FROM generate_series(1, {rows}) i")
    return [*make, f"ANALYZE {t}"], t, k, v


@case("G1", ("15",))
def compiled_in_vain(d, sick):
    t, k, v = d.names(3)
    make = [*table(t, {k: ("int", "i"), v: ("int", "i % 100")}, d.rows(5_000, 20_000)), f"ANALYZE {t}"]
    return Case(make, f"SELECT {v}, sum({k}), avg({k}) FROM {t} WHERE {k} % 3 <> 1 GROUP BY {v}",
                {"jit": "on", "jit_above_cost": "10"} if sick else {})


@case("G2")
def planning_dominates(d, sick):
    tables, k, v, w = d.names(8), *d.names(3)
    make = []
    for t in tables:
        make += [*table(t, {k: ("int", "i"), v: ("int", "i"), w: ("int", "i")}, d.rows(5, 30)),
                 *(f"CREATE INDEX ON {t} ({column})" for column in (k, v, w)), f"ANALYZE {t}"]
    return Case(make, "SELECT * FROM " + " NATURAL JOIN ".join(tables[:8 if sick else 2]))


def parent_and_child(d, rows, index):
    parent, child, p, c = d.names(4)
    make = [f"CREATE TABLE {parent} ({p} int PRIMARY KEY)", f"INSERT INTO {parent} SELECT generate_series(1, 1000)",
            f"CREATE TABLE {child} ({c} int REFERENCES {parent})",
            f"INSERT INTO {child} SELECT 1 + i % 500 FROM generate_series(1, {rows}) i"]
    if index:
        make.append(f"CREATE INDEX ON {child} ({c})")
    return [*make, f"ANALYZE {parent}", f"ANALYZE {child}"], parent, child, p, c


@case("G4")
def foreign_key_without_index(d, sick):
    make, parent, _, p, _ = parent_and_child(d, d.rows(60_000, 120_000), not sick)
    return Case(make, f"DELETE FROM {parent} WHERE {p} > {1000 - d.rng.randint(5, 20)}", how="piped")


@case("G5")
def heavy_trigger(d, sick):
    t, k, f, g = d.names(4)
    turns = d.rng.randint(300, 900) if sick else 0
    make = [f"CREATE TABLE {t} ({k} int)",
            f"CREATE FUNCTION {f}() RETURNS trigger LANGUAGE plpgsql AS $f$ DECLARE n int := 0; BEGIN "
            f"FOR i IN 1..{turns} LOOP n := n + i; END LOOP; RETURN NULL; END $f$"]
    if sick:
        make.append(f"CREATE TRIGGER {g} AFTER INSERT ON {t} FOR EACH ROW EXECUTE FUNCTION {f}()")
    return Case(make, f"INSERT INTO {t} SELECT generate_series(1, {d.rows(2_000, 5_000)})", how="piped")


@case("G6")
def time_in_no_node(d, sick):
    make, t, k, _ = partitions(d, d.rng.randint(400, 600) if sick else 3, 0)
    # The first partition has the row: all others are made ready and never run.
    make.append(f"INSERT INTO {t} ({k}) VALUES (0)")
    return Case(make, "EXECUTE q(1)", {"plan_cache_mode": "force_generic_plan"}, how="offline",
                before=f"PREPARE q(int) AS SELECT * FROM {t} WHERE {k} <> $1 LIMIT 1; EXECUTE q(1);")


@case("G8", ("18",))
def serialization(d, sick):
    t, k, v = d.names(3)
    make = [*table(t, {k: ("int", "i"), v: ("text", f"repeat(md5(i::text), {d.rng.randint(100, 200)})")}, d.rows(800, 2_000)),
            f"ANALYZE {t}"]
    return Case(make, f"SELECT {v if sick else k} FROM {t}", how="piped", options="SERIALIZE TEXT")


@case("G3")
def cold_catalog(d, sick):
    make, t, k, v = partitions(d, d.rng.randint(200, 300) if sick else 2, 200_000)
    return Case([*make, f"CREATE INDEX ON {t} ({k})", f"ANALYZE {t}"], f"SELECT count(*), max({v}), md5(max({v})) FROM {t} WHERE {k} % 7 <> 3",
                how="offline")


@case("G7")
def timing_overhead(d, sick):
    t, k = d.names(2)
    rows = d.rows(300_000, 400_000)
    make = [*table(t, {k: ("int", "i % 1000")}, rows), f"ANALYZE {t}"]
    sql = f"SELECT count(*) FROM (SELECT {k} FROM {t} OFFSET 0) a"
    for name in "bcdef" if sick else "":
        sql = f"SELECT count(*) FROM ({sql.replace('count(*)', '*')} LIMIT 1000000000) {name}"
    return Case(make, sql if sick else "SELECT count(*) FROM generate_series(1, 9000) i WHERE md5(i::text) > 'a'",
                how="offline", options="BUFFERS OFF")


@case("I3")
def many_partitions(d, sick):
    make, t, k, v = partitions(d, d.rng.randint(520, 560) if sick else 20, 0)
    make += [f"CREATE INDEX ON {t} ({k})", f"CREATE INDEX ON {t} ({v})"]
    sql = f"SELECT count({v}) FROM {t} WHERE {k} {'+ 0' if sick else ''} = 3 AND {v} = 'x'"
    return Case(make, sql, how="offline", before=sql + ";")


@case("I4")
def joined_as_a_whole(d, sick):
    a, b, x, y = d.names(4)
    make = []
    for t, k, parts in ((a, x, 4), (b, y, 4 if sick else 3)):
        make.append(f"CREATE TABLE {t} ({k} int) PARTITION BY HASH ({k})")
        make += [f"CREATE TABLE p_{k.strip(chr(34)).encode().hex()[:8]}_{'ab'[t == b]}_{i} PARTITION OF {t} FOR VALUES WITH (MODULUS {parts}, REMAINDER {i})"
                 for i in range(parts)]
        make += [f"INSERT INTO {t} SELECT generate_series(1, {d.rows(40_000, 60_000)})", f"ANALYZE {t}"]
    return Case(make, f"SELECT count(*) FROM {a} JOIN {b} ON {x} = {y}", {"work_mem": "64MB", "enable_mergejoin": "off"})


@case("G9")
def late_first_row(d, sick):
    t, k, v = d.names(3)
    rows = d.rows(600_000, 800_000)
    # Never analyzed: nobody can tell how many pages the rows that are left need (A21).
    make = [*table(t, {k: ("int", "i"), v: ("text", d.filler(20, 40))}, rows), f"DELETE FROM {t} WHERE {k} < {int(rows * d.rng.uniform(0.92, 0.96))}"]
    return Case([*make, *([] if sick else [f"VACUUM FULL {t}"])], f"SELECT count({v}), max({k}) FROM {t}", how="piped",
                before=f"SELECT count(*) FROM {t};")
