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
