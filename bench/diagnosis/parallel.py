"""F: parallel query."""
from .cases import Case, case, table

FORCED = {"max_parallel_workers_per_gather": "2", "parallel_setup_cost": "0", "parallel_tuple_cost": "0.0001",
          "min_parallel_table_scan_size": "0"}


@case("F1")
def workers_missing(d, sick):
    t, k, v = d.names(3)
    rows = d.rows(100_000, 200_000)
    make = [*table(t, {k: ("int", "i"), v: ("text", d.filler())}, rows), f"VACUUM ANALYZE {t}"]
    return Case(make, f"SELECT count(*) FROM {t} WHERE {k} % 7 <> 3",
                {**FORCED, "max_parallel_workers": "0" if sick else "8"})


@case("F4")
def workers_not_worth_it(d, sick):
    t, k = d.names(2)
    make = [*table(t, {k: ("int", "i")}, d.rows(200, 2_000)), f"VACUUM ANALYZE {t}"]
    return Case(make, f"SELECT count(*) FROM {t} WHERE {k} % 7 <> 3", FORCED if sick else {})


@case("F2")
def serial_scan(d, sick):
    t, k, v = d.names(3)
    rows = d.rows(300_000, 400_000)
    make = [*table(t, {k: ("int", "i"), v: ("text", d.filler(60))}, rows), f"VACUUM ANALYZE {t}"]
    slow = " AND ".join(f"{k} % {n} <> 1" for n in (3, 5, 7, 11, 13, 17))
    return Case(make, f"SELECT count(*), sum({k}), avg({k}), max({v}) FROM {t} WHERE {slow} OR {v} LIKE '%y%y'",
                {"max_parallel_workers_per_gather": "0" if sick else "2"})


@case("F3")
def skewed_parts(d, sick):
    a, b, c, k, v = d.names(5)
    large, small = (d.rows(400_000, 500_000), 2_000) if sick else (d.rows(90_000, 120_000), 90_000)
    make = []
    for name, rows in ((a, large), (b, small), (c, small)):
        make += [*table(name, {k: ("int", "i"), v: ("text", "'x'")}, rows), f"ALTER TABLE {name} SET (parallel_workers = 0)",
                 f"ANALYZE {name}"]
    parts = " UNION ALL ".join(f"SELECT {k} % 7 AS r FROM {name} WHERE {k} % 3 <> 1" for name in (a, b, c))
    return Case(make, f"SELECT count(*), sum(r) FROM ({parts}) u", FORCED)


@case("F5")
def rows_through_gather(d, sick):
    t, k = d.names(2)
    rows = d.rows(1_050_000, 1_200_000)
    make = [*table(t, {k: ("int", "i")}, rows), f"VACUUM ANALYZE {t}"]
    return Case(make, f"SELECT {'count(DISTINCT ' + k + ')' if sick else 'sum(' + k + ')'} FROM {t} WHERE {k} > 0",
                {**FORCED, "work_mem": "64MB"})


@case("F6")
def workers_wait(d, sick):
    a, b, x, y, v = d.names(5)
    rows = d.rows(80_000, 120_000)
    make = [*table(a, {x: ("int", "i"), v: ("text", d.filler())}, rows), *table(b, {y: ("int", "i")}, rows),
            f"ALTER TABLE {b} SET (parallel_workers = 0)", f"VACUUM ANALYZE {a}", f"VACUUM ANALYZE {b}"]
    value = f"(SELECT {d.pick('avg', 'sum', 'max')}({y}) / 3 FROM {b})" if sick else str(rows // 3)
    return Case(make, f"SELECT count(*), count({v}) FROM {a} WHERE {x} % 7 <> 3 OR {x} = {value}", FORCED)
