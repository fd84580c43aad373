"""A: scans and indexes."""
from .cases import Case, case, table


@case("A1")
def rare_value(d, sick):
    t, k, v = d.names(3)
    kind, value = d.key_type()
    rows = d.rows(30_000, 80_000)
    distinct = rows // d.rng.randint(1, 60)
    make = table(t, {k: (kind, value.format(f"i * 7919 % {distinct}")), v: ("text", d.filler())}, rows)
    if not sick:
        make.append(f"CREATE INDEX ON {t} ({k})")
    return Case([*make, f"VACUUM ANALYZE {t}"], f"SELECT * FROM {t} WHERE {k} = {value.format(d.rng.randrange(distinct))}")


@case("A2")
def time_window(d, sick):
    t, at, meter, v = d.names(4)
    rows = d.rows(40_000, 100_000)
    minutes = d.rng.randint(1, 5)
    kind = d.pick("timestamptz", "timestamp")
    make = table(t, {meter: (d.integer_type(), "i % 50"), at: (kind, f"now() - ({rows} - i) * interval '{minutes} minutes'"),
                     v: ("text", d.filler())}, rows)
    if not sick:
        make.append(f"CREATE INDEX ON {t} ({at})")
    share = d.rng.uniform(0.003, 0.05)
    window = max(int(rows * share) * minutes, 10)
    return Case([*make, f"VACUUM ANALYZE {t}"],
                f"SELECT count(*), max({v}) FROM {t} WHERE {at} > now() - interval '{window} minutes'")


@case("A5")
def stale_visibility(d, sick):
    t, k, v = d.names(3)
    rows = d.rows(30_000, 80_000)
    share = d.rng.randint(2, 4)
    make = [*table(t, {k: (d.integer_type(), "i"), v: ("int", "i"), d.name(): ("text", d.filler(60))}, rows),
            f"CREATE INDEX ON {t} ({k})", f"VACUUM ANALYZE {t}", f"UPDATE {t} SET {v} = {v} + 1 WHERE {k}::int % {share} = 0"]
    if not sick:
        make.append(f"VACUUM ANALYZE {t}")
    return Case(make, f"SELECT count(*) FROM {t} WHERE {k} BETWEEN {rows // 10} AND {rows // 3}",
                {"enable_seqscan": "off", "enable_bitmapscan": "off"})


@case("A7")
def lossy_bitmap(d, sick):
    t, k, v = d.names(3)
    rows = d.rows(90_000, 150_000)
    distinct = d.rng.randint(20, 60)
    make = [*table(t, {k: (d.integer_type(), f"i * 7919 % {distinct}"), v: ("text", d.filler(150, 250))}, rows),
            f"CREATE INDEX ON {t} ({k})", f"VACUUM ANALYZE {t}"]
    return Case(make, f"SELECT count({v}) FROM {t} WHERE {k} = {d.rng.randrange(distinct)}",
                {"work_mem": "64kB" if sick else "16MB", "random_page_cost": "1.1", "enable_indexscan": "off"})


@case("A4")
def scattered(d, sick):
    t, k, v = d.names(3)
    rows = d.rows(60_000, 100_000)
    order = f"i * 7919 % {rows}" if sick else "i"
    make = [*table(t, {k: ("int", order), v: ("text", d.filler(250, 400))}, rows), f"CREATE INDEX ON {t} ({k})",
            f"VACUUM ANALYZE {t}", f"SELECT count(*) FROM {t}"]
    return Case(make, f"SELECT count({v}) FROM {t} WHERE {k} BETWEEN {rows // 4} AND {rows // 4 + d.rng.randint(2_000, 5_000)}",
                {"enable_bitmapscan": "off", "enable_seqscan": "off"})


@case("A9")
def or_over_columns(d, sick):
    t, k, m, v = d.names(4)
    rows = d.rows(30_000, 60_000)
    make = table(t, {k: (d.integer_type(), f"i % {rows // 20}"), m: (d.integer_type(), f"i * 7919 % {rows // 20}"),
                     v: ("text", d.filler())}, rows)
    if not sick:
        make += [f"CREATE INDEX ON {t} ({k})", f"CREATE INDEX ON {t} ({m})"]
    return Case([*make, f"VACUUM ANALYZE {t}"], f"SELECT * FROM {t} WHERE {k} = 7 OR {m} = 12")


@case("A9")
def or_over_tables(d, sick):
    a, b, x, y, p, q = d.names(6)
    rows = d.rows(600, 1_200)
    make = [*table(a, {x: ("int", "i"), p: ("int", "i % 50")}, rows), *table(b, {y: ("int", "i"), q: ("int", "i % 70")}, rows),
            f"ANALYZE {a}", f"ANALYZE {b}"]
    pairs = f"SELECT {x}, {y} FROM {a} JOIN {b} ON"
    return Case(make, f"{pairs} {x} = {y} AND ({p} = 3 OR {q} = 4)" if not sick else f"{pairs} {x} = {y} OR {p} = {q} + 40")


@case("A20")
def count_of_all(d, sick):
    t, k, v = d.names(3)
    rows = d.rows(110_000, 200_000)
    make = [*table(t, {k: ("int", "i"), v: ("text", d.filler(20, 40))}, rows), f"CREATE INDEX ON {t} ({k})", f"VACUUM ANALYZE {t}"]
    return Case(make, f"SELECT count(*) FROM {t}" + ("" if sick else f" WHERE {k} > {rows - 9_000}"))


@case("A22")
def index_bloat(d, sick):
    t, k, v = d.names(3)
    rows = d.rows(150_000, 250_000)
    make = [*table(t, {k: ("int", "i"), v: ("int", "i")}, rows), f"CREATE INDEX i_bloat ON {t} ({k})",
            f"DELETE FROM {t} WHERE {k} % {d.rng.randint(90, 140)} <> 0", f"VACUUM ANALYZE {t}"]
    if not sick:
        make.append("REINDEX INDEX i_bloat")
    return Case(make, f"SELECT {k} FROM {t} ORDER BY {k}",
                {"enable_seqscan": "off", "enable_bitmapscan": "off", "enable_sort": "off"})


@case("A23")
def dead_rows(d, sick):
    t, k, v = d.names(3)
    rows = d.rows(60_000, 120_000)
    make = [*table(t, {k: ("int", "i"), v: ("text", d.filler(100))}, rows), f"CREATE INDEX ON {t} ({k})",
            f"VACUUM ANALYZE {t}", f"DELETE FROM {t} WHERE {k} < {int(rows * 0.95)}"]
    if not sick:
        make.append(f"VACUUM {t}")
    return Case(make, f"SELECT * FROM {t} ORDER BY {k} LIMIT {d.rng.randint(1, 3)}")


@case("A24")
def wide_rows(d, sick):
    t, k, v = d.names(3)
    rows = d.rows(10_500, 14_000)
    make = [f"CREATE TABLE {t} ({k} int, {v} text)", f"ALTER TABLE {t} ALTER {v} SET STORAGE PLAIN",
            f"INSERT INTO {t} SELECT i, repeat('y', {d.rng.randint(2500, 3900)}) FROM generate_series(1, {rows}) i", f"ANALYZE {t}"]
    return Case(make, f"SELECT {'*' if sick else k} FROM {t}")


@case("A25")
def huge_list(d, sick):
    t, k, v = d.names(3)
    rows = d.rows(20_000, 40_000)
    make = [*table(t, {k: (d.pick("int", "bigint"), "i"), v: ("text", d.filler())}, rows), f"CREATE INDEX ON {t} ({k})",
            f"VACUUM ANALYZE {t}"]
    count = d.rng.randint(2_000, 5_000)
    values = ", ".join(str(n) for n in d.rng.sample(range(rows), count))
    where = f"IN ({values})" if sick else f"IN (SELECT i * 3 FROM generate_series(1, {count}) i)"
    return Case(make, f"SELECT count({v}) FROM {t} WHERE {k} {where}")


@case("A21")
def table_bloat(d, sick):
    t, k, v = d.names(3)
    make = [*table(t, {k: (d.integer_type(), "i"), v: ("text", d.filler(60, 120))}, d.rows(100_000, 150_000)),
            f"DELETE FROM {t} WHERE {k}::int % {d.rng.randint(6, 15)} <> 0", f"VACUUM {'' if sick else 'FULL'} {t}", f"VACUUM ANALYZE {t}"]
    return Case(make, f"SELECT count({v}), max({k}) FROM {t}")
