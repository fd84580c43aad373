"""C: sub-selects, CTEs, functions."""
from .cases import Case, case, table


def master_and_detail(d, masters, details):
    a, b, x, y, v = d.names(5)
    kind = d.integer_type()
    return ([*table(a, {x: (kind, "i")}, masters),
             *table(b, {y: (kind, f"i % {masters}"), v: ("int", "i % 1000")}, details), f"CREATE INDEX ON {b} ({y})",
             f"VACUUM ANALYZE {a}", f"VACUUM ANALYZE {b}"], a, b, x, y, v)


@case("C1")
def correlated(d, sick):
    make, a, b, x, y, v = master_and_detail(d, d.rows(2_000, 6_000), d.rows(20_000, 50_000))
    function = d.pick("max", "sum", "count")
    sql = (f"SELECT {x}, (SELECT {function}({v}) FROM {b} WHERE {y} = {x}) FROM {a}" if sick else
           f"SELECT {x}, s FROM {a} LEFT JOIN (SELECT {y} AS k, {function}({v}) AS s FROM {b} GROUP BY {y}) g ON k = {x}")
    return Case(make, sql)


@case("C8")
def dear_init_plan(d, sick):
    a, b, x, y = d.names(4)
    large, small = d.rows(60_000, 120_000), d.rows(8_000, 15_000)
    make = [*table(a, {x: ("int", "i")}, small), *table(b, {y: ("int", "i")}, large if sick else 20), f"ANALYZE {a}",
            f"ANALYZE {b}"]
    return Case(make, f"SELECT count(*) FROM {a} WHERE {x} > (SELECT avg({y}) FROM {b})")


@case("C2")
def list_not_hashed(d, sick):
    a, b, x, y = d.names(4)
    rows = d.rows(4_500, 5_500)
    make = [*table(a, {x: ("int", "i * 2")}, rows), *table(b, {y: ("int", "i * 3")}, rows), f"ANALYZE {a}", f"ANALYZE {b}"]
    # In the select list IN cannot become a join.
    return Case(make, f"SELECT {x}, {x} IN (SELECT {y} FROM {b}) FROM {a}", {"work_mem": "64kB" if sick else "64MB"})


@case("C3")
def fenced(d, sick):
    t, k, v = d.names(3)
    rows = d.rows(30_000, 60_000)
    make = [*table(t, {k: ("int", f"i % {rows // 10}"), v: ("text", d.filler())}, rows), f"CREATE INDEX ON {t} ({k})",
            f"VACUUM ANALYZE {t}"]
    return Case(make, f"WITH c AS {'MATERIALIZED' if sick else 'NOT MATERIALIZED'} (SELECT * FROM {t}) "
                f"SELECT * FROM c WHERE {k} = {d.rng.randrange(rows // 10)}")


@case("C4")
def cte_in_a_loop(d, sick):
    a, b, x, y = d.names(4)
    rows = d.rows(1_200, 2_000)
    make = [*table(a, {x: ("int", "i")}, rows), *table(b, {y: ("int", "i")}, rows), f"ANALYZE {a}", f"ANALYZE {b}"]
    on = f"{x} BETWEEN {y} - 1 AND {y} + 1" if sick else f"{x} = {y} + 1"
    return Case(make, f"WITH c AS MATERIALIZED (SELECT * FROM {b}) SELECT count(*) FROM {a} LEFT JOIN c ON {on}")


@case("C5")
def assumed_rows(d, sick):
    f, a, x, v = d.names(4)
    count = d.rng.randint(20_000, 40_000)
    make = [f"CREATE FUNCTION {f}() RETURNS SETOF int LANGUAGE plpgsql STABLE ROWS {1000 if sick else count} AS "
            f"$f$ BEGIN RETURN QUERY SELECT generate_series(1, {count}); END $f$",
            *table(a, {x: ("int", "i"), v: ("text", d.filler())}, d.rows(60_000, 90_000)), f"CREATE INDEX ON {a} ({x})",
            f"VACUUM ANALYZE {a}"]
    return Case(make, f"SELECT count({v}) FROM {f}() g JOIN {a} ON {x} = g", {"work_mem": "64MB"})


@case("C6")
def recursion_repeats(d, sick):
    e, s, t = d.names(3)
    layers, width = d.rng.randint(5, 6), 5
    fan = width if sick else 1
    rows = ", ".join(f"({l * width + i}, {(l + 1) * width + (i + j) % width})" for l in range(layers) for i in range(width)
                     for j in range(fan))
    make = [f"CREATE TABLE {e} ({s} int, {t} int)", f"INSERT INTO {e} VALUES {rows}", f"ANALYZE {e}"]
    return Case(make, f"WITH RECURSIVE r AS (SELECT {s}, {t} FROM {e} WHERE {s} < {width} UNION ALL "
                f"SELECT {e}.{s}, {e}.{t} FROM r JOIN {e} ON {e}.{s} = r.{t}) SELECT DISTINCT * FROM r")


@case("C7")
def exists_beside_or(d, sick):
    make, a, b, x, y, v = master_and_detail(d, d.rows(3_000, 6_000), d.rows(20_000, 40_000))
    exists = f"EXISTS (SELECT 1 FROM {b} WHERE {y} = {x} AND {v} > 500 - {x} % 9)"
    where = f"{exists} OR {x} % 7 = 3" if sick else exists
    return Case(make, f"SELECT count(*) FROM {a} WHERE {where}")


@case("C9")
def union_without_duplicates(d, sick):
    a, b, x, y, p, q = d.names(6)
    rows = d.rows(15_000, 30_000)
    make = [*table(a, {x: ("int", "i"), p: ("text", d.filler())}, rows), *table(b, {y: ("int", f"i + {rows}"), q: ("text", d.filler())}, rows),
            f"ANALYZE {a}", f"ANALYZE {b}"]
    return Case(make, f"SELECT {x}, {p} FROM {a} UNION {'' if sick else 'ALL'} SELECT {y}, {q} FROM {b}", {"work_mem": "64MB"})


@case("C10")
def slow_function(d, sick):
    t, k, f = d.names(3)
    turns = d.rng.randint(200, 500) if sick else 0
    make = [*table(t, {k: ("int", "i")}, d.rows(2_000, 4_000)), f"ANALYZE {t}",
            f"CREATE FUNCTION {f}(a int) RETURNS int LANGUAGE plpgsql STABLE AS $f$ DECLARE n int := 0; BEGIN "
            f"FOR i IN 1..{turns} LOOP n := n + i; END LOOP; RETURN a; END $f$"]
    return Case(make, f"SELECT count(*) FROM {t} WHERE {f}({k}) > 3")


@case("C11")
def condition_outside(d, sick):
    t, k, g, v = d.names(4)
    rows = d.rows(20_000, 40_000)
    make = [*table(t, {k: ("int", "i"), g: ("int", f"i % {rows // 50}"), v: ("int", "i * 7919 % 1000")}, rows),
            f"CREATE INDEX ON {t} ({g})", f"VACUUM ANALYZE {t}"]
    # A condition on what the window is partitioned by can be pushed below it; on another it cannot.
    where = f"{v} = 5" if sick else f"{g} = 5"
    return Case(make, f"SELECT * FROM (SELECT *, sum({v}) OVER (PARTITION BY {g} ORDER BY {k}) AS s FROM {t}) w WHERE {where}",
                {"work_mem": "64MB"})
