"""J: writes."""
from .cases import Case, case, table


@case("J3")
def conflicts(d, sick):
    t, k, v = d.names(3)
    rows = d.rows(5_000, 15_000)
    make = [*table(t, {k: ("int", "i"), v: ("int", "i")}, rows), f"CREATE UNIQUE INDEX ON {t} ({k})", f"ANALYZE {t}"]
    start = 1 if sick else rows + 1
    action = d.pick("NOTHING", f"UPDATE SET {v} = excluded.{v}")
    return Case(make, f"INSERT INTO {t} SELECT i, i FROM generate_series({start}, {start + rows - 1}) i "
                f"ON CONFLICT ({k}) DO {action}", how="piped")


@case("J4")
def row_locks(d, sick):
    t, k, v = d.names(3)
    make = [*table(t, {k: ("int", "i"), v: ("text", d.filler())}, d.rows(15_000, 40_000)), f"VACUUM ANALYZE {t}"]
    lock = d.pick("FOR UPDATE", "FOR SHARE", "FOR NO KEY UPDATE")
    return Case(make, f"SELECT * FROM {t} {lock if sick else ''}", how="piped")
