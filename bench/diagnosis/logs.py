"""G10: what a log shows of one query's plans."""
from .cases import Case, case, table


@case("G10")
def plan_flips(d, sick):
    t, k, v = d.names(3)
    rows = d.rows(40_000, 80_000)
    make = [*table(t, {k: ("int", "i"), v: ("text", d.filler())}, rows), f"CREATE INDEX ON {t} ({k})", f"VACUUM ANALYZE {t}"]
    calls = [f"SELECT max({v}) FROM {t} WHERE {k} = {d.rng.randrange(rows)};" for _ in range(8)]
    if sick:
        calls.insert(4, "SET enable_indexscan = off; SET enable_bitmapscan = off; SET enable_indexonlyscan = off;")
    return Case(make, "\n".join(calls), how="log")
