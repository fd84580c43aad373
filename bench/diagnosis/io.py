"""H: I/O and WAL."""
from .cases import Case, case, table


@case("H1")
def cold(d, sick):
    t, k, v = d.names(3)
    # One row a page: reading is most of the work.
    make = [f"CREATE TABLE {t} ({k} int, {v} text) WITH (fillfactor = 10)", f"ALTER TABLE {t} ALTER {v} SET STORAGE PLAIN",
            f"INSERT INTO {t} SELECT i, repeat('x', {d.rng.randint(4100, 6000)}) FROM generate_series(1, {d.rows(22_000, 28_000) if sick else 900}) i",
            f"VACUUM ANALYZE {t}"]
    return Case(make, f"SELECT count(*) FROM {t}", {"track_io_timing": "on"}, how="piped",
                before="" if sick else f"SELECT count(*) FROM {t};")


@case("H2")
def slow_storage(d, sick):
    t, k, v = d.names(3)
    # VACUUM FULL writes the table past the server's cache.
    make = [*table(t, {k: ("int", "i"), v: ("text", d.filler(60, 100))}, d.rows(6_000, 12_000)), f"ANALYZE {t}", f"VACUUM FULL {t}"]
    return Case(make, f"SELECT count(*), max({v}) FROM {t}", {"track_io_timing": "on"}, how="piped", slow_reads=sick)


@case("H3")
def reader_writes(d, sick):
    t, k, v = d.names(3)
    make = [*table(t, {k: ("int", "i"), v: ("text", d.filler())}, d.rows(30_000, 60_000)), "CHECKPOINT"]
    if not sick:
        make.append(f"VACUUM ANALYZE {t}")
    return Case(make, f"SELECT count(*) FROM {t} WHERE {k} > 3")


@case("H5")
def page_images(d, sick):
    t, k, v = d.names(3)
    rows = d.rows(20_000, 40_000)
    make = [*table(t, {k: ("int", "i"), v: ("int", "i")}, rows), f"CREATE INDEX ON {t} ({k})", f"VACUUM ANALYZE {t}", "CHECKPOINT"]
    sql = (f"UPDATE {t} SET {v} = {v} + 1 WHERE {k} = ANY (ARRAY(SELECT n * {d.rng.randint(40, 60)} FROM generate_series(1, {rows // 50}) n))")
    return Case(make, sql, how="offline", options="WAL", before="" if sick else f"UPDATE {t} SET {v} = {v} + 2;")


@case("H6", ("18",))
def wal_buffers_full(d, sick):
    t, k, v = d.names(3)
    make = [f"CREATE TABLE {t} ({k} int, {v} text)"]
    rows = d.rows(20_000, 40_000) if sick else 50
    return Case(make, f"INSERT INTO {t} SELECT i, repeat('x', 300) FROM generate_series(1, {rows}) i", how="offline", options="WAL")


@case("H7")
def temporary_table(d, sick):
    t, k, v = d.names(3)
    rows = d.rows(40_000, 60_000)
    return Case(["SELECT 1"], f"SELECT count(*) FROM {t} WHERE {k} > 5", how="offline",
                before=f"SET temp_buffers = '{'1MB' if sick else '128MB'}'; CREATE TEMP TABLE {t} ({k} int, {v} text); "
                f"INSERT INTO {t} SELECT i, repeat('x', 200) FROM generate_series(1, {rows}) i;")


@case("H4")
def same_pages_again(d, sick):
    a, b, x, y, v = d.names(5)
    inner = d.rows(10_000, 20_000)
    make = [*table(a, {x: ("int", f"i * 7919 % {inner}")}, inner * d.rng.randint(3, 5)),
            *table(b, {y: ("int", "i"), v: ("text", d.filler())}, inner), f"CREATE UNIQUE INDEX ON {b} ({y})",
            f"VACUUM ANALYZE {a}", f"VACUUM ANALYZE {b}"]
    off = {"enable_hashjoin": "off", "enable_mergejoin": "off"}
    return Case(make, f"SELECT count({v}) FROM {a} JOIN {b} ON {x} = {y}", off if sick else {"work_mem": "64MB"})
