"""Wrong estimates and what they lead to: B1, B14, D6 to D10."""
from .cases import Case, case, table
from .outside import partitions


def skewed_master(d, masters, details, sick):
    """(statements, sql): masters of which one has nearly all details, and the details' own partners. The
    planner knows each table well, but not that the name asked for is that of the master."""
    a, b, c, x, name, y, z, key, v = d.names(9)
    rows = d.rows(120_000, 180_000)
    owner = f"CASE WHEN i % 20 > 0 THEN 7 ELSE i % {masters} END" if sick else f"i % {masters}"
    make = [*table(a, {x: ("int", "i"), name: ("text", "'n' || i")}, masters),
            *table(b, {y: ("int", owner), z: ("int", f"i * 7919 % {rows}")}, details),
            *table(c, {key: ("int", "i"), v: ("text", d.filler(100, 160))}, rows), f"CREATE UNIQUE INDEX ON {c} ({key})",
            f"CREATE UNIQUE INDEX ON {a} ({x})", f"CREATE UNIQUE INDEX ON {a} ({name})",
            f"VACUUM ANALYZE {a}", f"VACUUM ANALYZE {b}", f"VACUUM ANALYZE {c}"]
    return make, f"SELECT count({v}) FROM {a} JOIN {b} ON {x} = {y} JOIN {c} ON {z} = {key} WHERE {name} = 'n7'"


@case("B1")
def loop_from_too_few(d, sick):
    details = d.rows(20_000, 40_000)
    make, sql = skewed_master(d, details // d.rng.randint(20, 60), details, sick)
    return Case(make, sql, {"random_page_cost": "1.1"})


@case("D9")
def expected_one_row(d, sick):
    details = d.rows(20_000, 40_000)
    make, sql = skewed_master(d, 2 * details, details, sick)
    return Case(make, sql, {"random_page_cost": "1.1"})


@case("B14")
def joined_by_two_columns(d, sick):
    a, b, x, y, p, q, v = d.names(7)
    rows = d.rows(20_000, 40_000)
    make = [f"CREATE TABLE {a} ({x} int, {y} int{'' if sick else f', PRIMARY KEY ({x}, {y})'})",
            f"INSERT INTO {a} SELECT i, i * 2 FROM generate_series(1, {rows}) i",
            f"CREATE TABLE {b} ({p} int, {q} int, {v} text{'' if sick else f', FOREIGN KEY ({p}, {q}) REFERENCES {a}'})",
            f"INSERT INTO {b} SELECT i, i * 2, {d.filler()} FROM generate_series(1, {rows}) i",
            f"VACUUM ANALYZE {a}", f"VACUUM ANALYZE {b}"]
    return Case(make, f"SELECT count({v}) FROM {a} JOIN {b} ON {x} = {p} AND {y} = {q}", {"work_mem": "64MB"})


def filled(d, rows):
    """(statements, sql): a filter that most rows pass, of which the planner knows nothing."""
    t, k, g, v = d.names(4)
    make = table(t, {k: ("int", f"CASE WHEN i % {d.rng.randint(8, 20)} = 0 THEN i ELSE 5 END"), g: ("int", "i % 50"), v: ("text", d.filler())}, rows)
    return make, t, f"SELECT {g}, count(*), max({v}) FROM {t} WHERE {k} = 5 GROUP BY {g} ORDER BY {g}"


@case("D6")
def never_analyzed(d, sick):
    make, t, sql = filled(d, d.rows(40_000, 80_000))
    return Case([*make, f"VACUUM {'' if sick else 'ANALYZE'} {t}"], sql)


@case("D8")
def temporary_not_analyzed(d, sick):
    make, t, sql = filled(d, d.rows(40_000, 80_000))
    make[0] = make[0].replace("CREATE TABLE", "CREATE TEMP TABLE")
    return Case([], sql, how="inside", before=";\n".join(make + ([] if sick else [f"ANALYZE {t}"])) + ";")


@case("D7")
def parent_never_analyzed(d, sick):
    count, each = d.rng.randint(4, 8), 10_000
    make, t, k, v = partitions(d, count, count * each, each)
    make.pop()  # its ANALYZE
    leaves = (f"DO $$ DECLARE o oid; BEGIN FOR o IN SELECT inhrelid FROM pg_inherits WHERE inhparent = (SELECT oid FROM pg_class "
              f"WHERE relkind = 'p' AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())) LOOP EXECUTE format('ANALYZE %s', o::regclass); END LOOP; END $$")
    return Case([*make, leaves if sick else f"ANALYZE {t}"], f"SELECT {k}, max({v}) FROM {t} GROUP BY {k}", {"work_mem": "64MB"})


@case("D10")
def planned_for_any_value(d, sick):
    t, k, g, v = d.names(4)
    rows = d.rows(40_000, 80_000)
    make = [*table(t, {k: ("int", f"CASE WHEN i % 5 = 0 THEN i ELSE 5 END"), g: ("int", "i % 50"), v: ("text", d.filler())}, rows),
            f"VACUUM ANALYZE {t}"]
    return Case(make, "EXECUTE q(5)", {"plan_cache_mode": "force_generic_plan" if sick else "force_custom_plan"}, how="piped",
                before=f"PREPARE q(int) AS SELECT {g}, count(*), max({v}) FROM {t} WHERE {k} = $1 GROUP BY {g} ORDER BY {g};")
