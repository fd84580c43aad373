"""Rules that need the catalog or the parse tree: A3, A10 to A13, B2, D, I1."""
from .cases import Case, case, table
from .outside import partitions


@case("A3")
def heavy_filter(d, sick):
    t, k, m, v = d.names(4)
    rows = d.rows(40_000, 80_000)
    make = [*table(t, {k: ("int", "i % 4"), m: ("int", f"i * 7919 % {rows // 5}"), v: ("text", d.filler())}, rows, "ORDER BY i % 4"),
            f"CREATE INDEX ON {t} ({k}{'' if sick else ', ' + m})", f"VACUUM ANALYZE {t}"]
    return Case(make, f"SELECT count({v}) FROM {t} WHERE {k} = 2 AND {m} = {d.rng.randrange(rows // 5)}",
                {"enable_seqscan": "off", "enable_bitmapscan": "off"})


@case("A10")
def order_index_for_limit(d, sick):
    t, k, m, v = d.names(4)
    rows = d.rows(60_000, 100_000)
    # The rows of the wanted kind are all at the end of the order.
    make = [*table(t, {k: ("int", "i"), m: ("int", f"CASE WHEN i > {int(rows * 0.95)} THEN 3 ELSE i % 3 END"), v: ("text", d.filler())}, rows),
            f"CREATE INDEX ON {t} ({k})"]
    if not sick:
        make.append(f"CREATE INDEX ON {t} ({m}, {k})")
    return Case([*make, f"VACUUM ANALYZE {t}"], f"SELECT {k} FROM {t} WHERE {m} = 3 ORDER BY {k} LIMIT {d.rng.randint(5, 15)}")


@case("A11")
def sort_for_an_index(d, sick):
    t, k, v = d.names(3)
    rows = d.rows(40_000, 80_000)
    make = table(t, {k: (d.integer_type(), f"i * 7919 % {rows}"), v: ("text", d.filler())}, rows)
    if not sick:
        make.append(f"CREATE INDEX ON {t} ({k} DESC)")
    return Case([*make, f"VACUUM ANALYZE {t}"], f"SELECT * FROM {t} ORDER BY {k} DESC LIMIT {d.rng.randint(5, 20)}")


@case("A12")
def function_on_column(d, sick):
    t, at, v = d.names(3)
    rows = d.rows(40_000, 80_000)
    make = [*table(t, {at: ("timestamp", "timestamp '2024-01-01' + i * interval '1 minute'"), v: ("text", d.filler())}, rows),
            f"CREATE INDEX ON {t} ({at})", f"VACUUM ANALYZE {t}"]
    day = f"2024-01-{d.rng.randint(10, 25):02}"
    wrapped = d.pick(f"date_trunc('day', {at}) = '{day}'", f"{at}::date = '{day}'", f"to_char({at}, 'YYYY-MM-DD') = '{day}'")
    bare = f"{at} >= '{day}' AND {at} < date '{day}' + 1"
    return Case(make, f"SELECT count({v}) FROM {t} WHERE {wrapped if sick else bare}")


@case("A13")
def implicit_conversion(d, sick):
    t, k, v = d.names(3)
    rows = d.rows(40_000, 80_000)
    make = [*table(t, {k: (d.pick("int", "bigint"), "i"), v: ("text", d.filler())}, rows), f"CREATE INDEX ON {t} ({k})", f"VACUUM ANALYZE {t}"]
    value = d.rng.randrange(rows)
    return Case(make, f"SELECT {v} FROM {t} WHERE {k} = {value}{'.0' if sick else ''}")


@case("B2")
def inner_without_index(d, sick):
    a, b, x, y, m, v = d.names(6)
    left, right = d.rows(300, 600), d.rows(6_000, 12_000)
    make = [*table(a, {x: ("int", "i * 3")}, left), *table(b, {y: ("int", "i"), m: ("int", "i % 50"), v: ("text", d.filler())}, right)]
    if not sick:
        make.append(f"CREATE INDEX ON {b} ({y})")
    return Case([*make, f"VACUUM ANALYZE {a}", f"VACUUM ANALYZE {b}"], f"SELECT count({v}) FROM {a} LEFT JOIN {b} ON {x} = {y}",
                {"enable_hashjoin": "off", "enable_mergejoin": "off", "enable_material": "off" if d.rng.random() < 0.5 else "on"})


# A wrong estimate is told where something above was chosen by it: a join, a sort, a hash table.


@case("D1")
def unknown_distribution(d, sick):
    t, k, m, v, u, x, w = d.names(7)
    rows = d.rows(60_000, 90_000)
    # Two frequent values, of which a target of 1 keeps one.
    most = d.rng.randint(3, 4)
    kinds = f"CASE WHEN i % 10 < {most} THEN -1 WHEN i % 10 < {most + 2} THEN -2 ELSE i END"
    make = [*table(t, {k: ("int", kinds), m: ("int", f"i * 7919 % {rows}"), v: ("text", d.filler())}, rows),
            *table(u, {x: ("int", "i"), w: ("text", d.filler())}, rows), f"CREATE UNIQUE INDEX ON {u} ({x})",
            f"ALTER TABLE {t} ALTER {k} SET STATISTICS {1 if sick else 100}", f"VACUUM ANALYZE {t}", f"VACUUM ANALYZE {u}"]
    return Case(make, f"SELECT count({v}), max({w}) FROM {t} JOIN {u} ON {x} = {m} WHERE {k} = -2", {"work_mem": "64MB"})


@case("D2")
def correlated_columns(d, sick):
    t, a, b, c, g, v, s = d.names(7)
    rows, value = d.rows(40_000, 80_000), d.rng.randint(6, 9)
    make = table(t, {a: ("int", f"i % {value}"), b: ("int", f"i % {value} * 2"), c: ("text", f"'s' || i % {value}"), g: ("int", f"i / {value} % 40"),
                     v: ("text", d.filler())}, rows)
    if not sick:
        make.append(f"CREATE STATISTICS {s} (dependencies, mcv) ON {a}, {b}, {c} FROM {t}")
    return Case([*make, f"VACUUM ANALYZE {t}"],
                f"SELECT {g}, count(*), max({v}) FROM {t} WHERE {a} = 5 AND {b} = 10 AND {c} = 's5' GROUP BY {g}", {"work_mem": "64MB"})


@case("D3")
def expression_without_statistics(d, sick):
    t, k, g, v = d.names(4)
    rows, value = d.rows(40_000, 80_000), d.rng.randint(4, 8)
    make = table(t, {k: ("int", "i"), g: ("int", f"i / {value} % 40"), v: ("text", d.filler())}, rows)
    if not sick:
        make.append(f"CREATE INDEX ON {t} (({k} % {value}))")
    return Case([*make, f"VACUUM ANALYZE {t}"], f"SELECT {g}, count(*), max({v}) FROM {t} WHERE {k} % {value} = 1 GROUP BY {g}",
                {"work_mem": "64MB"})


@case("D4")
def number_of_groups(d, sick):
    t, a, b, s = d.names(4)
    rows, value = d.rows(40_000, 80_000), d.rng.randint(150, 250)
    make = table(t, {a: ("int", f"i % {value}"), b: ("int", f"i % {value} + 7")}, rows)
    if not sick:
        make.append(f"CREATE STATISTICS {s} (ndistinct) ON {a}, {b} FROM {t}")
    return Case([*make, f"VACUUM ANALYZE {t}"], f"SELECT {a}, {b}, count(*) FROM {t} GROUP BY {a}, {b}")


@case("D5")
def stale_statistics(d, sick):
    t, at, g, v = d.names(4)
    rows = d.rows(40_000, 80_000)
    make = [*table(t, {at: ("timestamptz", f"now() - interval '30 days' - ({rows} - i) * interval '1 minute'"), g: ("int", "i % 40"), v: ("text", d.filler())}, rows),
            f"ANALYZE {t}", f"INSERT INTO {t} SELECT now() - i * interval '1 second', i % 40, 'x' FROM generate_series(1, {rows // 4}) i",
            f"VACUUM {'' if sick else 'ANALYZE'} {t}"]
    return Case(make, f"SELECT {g}, count(*), max({v}) FROM {t} WHERE {at} > now() - interval '{d.rng.randint(2, 9)} days' GROUP BY {g}",
                {"work_mem": "64MB"})


@case("I1")
def nothing_pruned(d, sick):
    make, t, k, v = partitions(d, d.rng.randint(8, 20), d.rows(40_000, 80_000))
    where = f"{k} + 0 = 5" if sick else f"{k} = 5"
    return Case(make, f"SELECT count({v}) FROM {t} WHERE {where}")


@case("I5")
def open_upper_bound(d, sick):
    t, at, v = d.names(3)
    days, old = d.rng.randint(4, 8), d.rows(30_000, 60_000)
    prefix = f"part_{d.rng.randrange(10**6)}"
    make = [f"CREATE TABLE {t} ({at} timestamptz NOT NULL, {v} text) PARTITION BY RANGE ({at})"]
    for day in range(days):
        make.append(f"DO $$ BEGIN EXECUTE format('CREATE TABLE {prefix}_{day} PARTITION OF %s FOR VALUES FROM (%L) TO (%L)', "
                    f"$n${t}$n$, current_date - {day} + 1, current_date - {day} + 2); END $$")
    # What came before the first day is in the default partition.
    make += [f"CREATE TABLE {prefix}_rest PARTITION OF {t} DEFAULT",
             f"INSERT INTO {t} SELECT now() - interval '60 days' - i * interval '1 second', {d.filler()} FROM generate_series(1, {old}) i",
             f"INSERT INTO {t} SELECT now() - i * interval '1 second', {d.filler()} FROM generate_series(1, {d.rows(5_000, 9_000)}) i", f"VACUUM ANALYZE {t}"]
    where = f"{at} > now() - interval '{d.rng.randint(1, days - 3)} days'"
    return Case(make, f"SELECT count({v}) FROM {t} WHERE {where}" + ("" if sick else f" AND {at} <= now()"))
