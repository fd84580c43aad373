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
