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
