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
    rows, inner = d.rows(8_000, 20_000), d.rows(20_000, 40_000)
    make = [*table(a, {x: ("int", f"i * 7919 % {inner}" if sick else "i % 40"), p: ("text", d.filler())}, rows),
            *table(b, {y: ("int", "i"), q: ("text", d.filler())}, inner), f"CREATE UNIQUE INDEX ON {b} ({y})"]
    if sick:
        make.append(f"ALTER TABLE {a} ALTER {x} SET (n_distinct = {d.rng.randint(5, 40)})")
    return Case([*make, f"VACUUM ANALYZE {a}", f"VACUUM ANALYZE {b}"],
                f"SELECT count({p}), max({q}) FROM {a} JOIN {b} ON {x} = {y}",
                {"enable_hashjoin": "off", "enable_mergejoin": "off"})
