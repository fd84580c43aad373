"""E: memory."""
from .cases import Case, case, table


@case("E1")
def sort_on_disk(d, sick):
    t, k, v = d.names(3)
    rows = d.rows(20_000, 60_000)
    kind, value = d.key_type()
    make = [*table(t, {k: (kind, value.format("i * 7919 % 99991")), v: ("text", d.filler())}, rows), f"ANALYZE {t}"]
    return Case(make, f"SELECT * FROM {t} ORDER BY {k}", {"work_mem": d.pick("64kB", "1MB") if sick else "64MB"})


@case("E2")
def aggregation_on_disk(d, sick):
    t, k, v = d.names(3)
    rows = d.rows(40_000, 80_000)
    make = [*table(t, {k: (d.integer_type(), f"i % {rows // 2}"), v: ("int", "i")}, rows), f"ANALYZE {t}"]
    return Case(make, f"SELECT {k}, sum({v}) FROM {t} GROUP BY {k}",
                {"work_mem": "128kB" if sick else "64MB", "enable_sort": "off"})


@case("E5", ("18",))
def kept_on_disk(d, sick):
    t, k, v = d.names(3)
    rows = d.rows(30_000, 60_000)
    make = [*table(t, {k: ("int", "i"), v: ("text", d.filler())}, rows), f"ANALYZE {t}"]
    return Case(make, f"WITH c AS MATERIALIZED (SELECT * FROM {t}) SELECT count(*), max({v}) FROM c",
                {"work_mem": "64kB" if sick else "64MB"})


@case("E3")
def sorted_to_be_grouped(d, sick):
    t, k, v = d.names(3)
    rows = d.rows(60_000, 90_000)
    groups = rows // d.rng.randint(6, 12)
    make = [*table(t, {k: ("text", f"md5((i % {groups})::text)"), v: ("int", "i")}, rows), f"ANALYZE {t}"]
    return Case(make, f"SELECT {k}, sum({v}), avg({v}) FROM {t} GROUP BY {k}", {"work_mem": "64kB" if sick else "64MB"})


@case("E4")
def few_large_groups(d, sick):
    t, a, b, v = d.names(4)
    rows = d.rows(60_000, 90_000)
    make = [*table(t, {a: ("int", f"i * {d.rng.randint(2, 3)} / {rows}"), b: ("int", f"i * 7919 % {rows}"), v: ("text", d.filler())}, rows),
            f"CREATE INDEX ON {t} ({a}{'' if sick else ', ' + b})", f"VACUUM ANALYZE {t}"]
    return Case(make, f"SELECT {a}, {b} FROM {t} ORDER BY {a}, {b}",
                {"work_mem": "64MB", "enable_seqscan": "off", "enable_bitmapscan": "off", "enable_sort": "off"})


@case("E6")
def temporary_files(d, sick):
    rows = d.rows(500_000, 800_000)
    # A function's rows are kept before the first is returned; no version says where.
    return Case([], f"SELECT count(*), max(g) FROM generate_series(1, {rows}) g", {"work_mem": "64kB" if sick else "256MB"})
