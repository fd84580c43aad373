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


@case("J5")
def checked_row_by_row(d, sick):
    parent, child, p, c = d.names(4)
    rows = d.rows(10_000, 20_000)
    make = [f"CREATE TABLE {parent} ({p} int PRIMARY KEY)", f"INSERT INTO {parent} SELECT generate_series(1, 1000)",
            f"CREATE TABLE {child} ({c} int {f'REFERENCES {parent}' if sick else ''})", f"ANALYZE {parent}"]
    return Case(make, f"INSERT INTO {child} SELECT 1 + i % 1000 FROM generate_series(1, {rows}) i", how="piped")


@case("J6")
def joined_with_itself(d, sick):
    t, k, m, v = d.names(4)
    rows = d.rows(30_000, 60_000)
    make = [*table(t, {k: (d.integer_type(), "i"), m: ("int", f"i % {d.rng.randint(8, 30)}"), v: ("text", d.filler())}, rows),
            f"ALTER TABLE {t} ADD PRIMARY KEY ({k})", f"CREATE INDEX ON {t} ({m})", f"VACUUM ANALYZE {t}"]
    change = d.pick(f"UPDATE {t} SET {v} = 'y'", f"DELETE FROM {t}")
    where = f"{k} IN (SELECT {k} FROM {t} WHERE {m} = 5)" if sick else f"{m} = 5"
    return Case(make, f"{change} WHERE {where}", how="piped")
