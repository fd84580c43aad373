"""K: the shape of the statement, and settings."""
from .cases import Case, case, table


def keyed(d, low, high):
    t, k, v = d.names(3)
    rows = d.rows(low, high)
    return [*table(t, {k: ("int", "i"), v: ("text", d.filler())}, rows), f"CREATE UNIQUE INDEX ON {t} ({k})",
            f"VACUUM ANALYZE {t}"], t, k, v, rows


@case("K1")
def large_offset(d, sick):
    make, t, k, _, rows = keyed(d, 30_000, 60_000)
    start, limit = int(rows * d.rng.uniform(0.3, 0.9)), d.rng.randint(10, 50)
    where, offset = ("", f"OFFSET {start}") if sick else (f"WHERE {k} > {start}", "")
    return Case(make, f"SELECT * FROM {t} {where} ORDER BY {k} LIMIT {limit} {offset}")


@case("K4")
def no_other_way(d, sick):
    t, k = d.names(2)
    make = [*table(t, {k: ("int", "i")}, d.rows(10_000, 30_000)), f"ANALYZE {t}"]
    return Case(make, f"SELECT max({k}) FROM {t}", {"enable_seqscan": "off"} if sick else {})


@case("K5")
def switched_off(d, sick):
    make, t, k, _, rows = keyed(d, 10_000, 30_000)
    kind = d.pick("enable_hashjoin", "enable_nestloop", "enable_mergejoin", "enable_hashagg", "enable_indexscan")
    return Case(make, f"SELECT count(*) FROM {t} WHERE {k} < {rows // 2}", {kind: "off"} if sick else {})
