"""Rules that an index may cure, as the catalog knows it: A8, A14 to A19, I7, J2."""
from .cases import Case, case, literal, table
from .outside import partitions


@case("A8")
def two_bitmaps(d, sick):
    t, a, b, v = d.names(4)
    rows = d.rows(200_000, 300_000)
    x, y = d.rng.randint(16, 24), d.rng.randint(16, 24)
    wanted, other = d.rng.randrange(x), d.rng.randrange(y)
    # Each value is that of many rows, both together of few.
    both = f"CASE WHEN i % {x} <> {wanted} THEN i / {x} % {y} WHEN i % 40000 <= {x} THEN {other} ELSE {(other + 1) % y} END"
    make = [*table(t, {a: ("numeric", f"i % {x}"), b: ("numeric", both), v: ("text", d.filler(60, 120))}, rows)]
    make += [f"CREATE INDEX ON {t} ({a})", f"CREATE INDEX ON {t} ({b})"] if sick else [f"CREATE INDEX ON {t} ({b}, {a})"]
    return Case([*make, f"VACUUM ANALYZE {t}"], f"SELECT count({v}) FROM {t} WHERE {a} = {wanted} AND {b} = {other}")


@case("A14")
def pattern_prefix(d, sick):
    t, k, v = d.names(3)
    rows = d.rows(30_000, 60_000)
    kind, collation = d.pick(("text", ""), ("varchar(60)", ""), ("text", 'COLLATE "und-x-icu"'))
    make = [f"CREATE TABLE {t} ({k} {kind} {collation}, {v} text)",
            f"INSERT INTO {t} SELECT md5(i::text), {d.filler()} FROM generate_series(1, {rows}) i"]
    if not sick:
        make.append(f"CREATE INDEX ON {t} ({k} {'varchar' if 'var' in kind else 'text'}_pattern_ops)")
    prefix = "".join(d.rng.choice("0123456789abcdef") for _ in range(3))
    return Case([*make, f"VACUUM ANALYZE {t}"], f"SELECT count({v}) FROM {t} WHERE {k} LIKE '{prefix}%'")


@case("A14")
def pattern_inside(d, sick):
    t, k, v = d.names(3)
    rows = d.rows(30_000, 60_000)
    make = [*table(t, {k: ("text", "md5(i::text)"), v: ("text", d.filler())}, rows),
            "CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA public"]
    if not sick:
        make.append(f"CREATE INDEX ON {t} USING gin ({k} public.gin_trgm_ops)")
    part = "".join(d.rng.choice("0123456789abcdef") for _ in range(5))
    return Case([*make, f"VACUUM ANALYZE {t}"], f"SELECT count({v}) FROM {t} WHERE {k} {d.pick('LIKE', 'ILIKE')} '%{part}%'")


@case("A15")
def inside_a_value(d, sick):
    t, k, v = d.names(3)
    rows = d.rows(30_000, 60_000)
    n = d.rng.randrange(rows)
    kind, value, index, where = d.pick(
        ("jsonb", "jsonb_build_object('n', i, 's', 'x')", f"USING gin ({k})", f"{k} @> '{{\"n\": {n}}}'"),
        ("jsonb", "jsonb_build_object('n', i, 's', 'x')", f"(({k} ->> 'n'))", f"{k} ->> 'n' = '{n}'"),
        ("int[]", "ARRAY[i, i + 1, -i]", f"USING gin ({k})", f"{k} @> ARRAY[{n}]"),
        ("int[]", "ARRAY[i, i + 1, -i]", f"USING gin ({k})", f"{k} && ARRAY[{n}, {n + 9}]"),
        ("int4range", "int4range(i * 10, i * 10 + 10)", f"USING gist ({k})", f"{k} @> {n * 10 + 3}"),
        ("tsvector", "to_tsvector('simple', 'word' || i || ' all')", f"USING gin ({k})",
         f"{k} @@ to_tsquery('simple', 'word{n}')"))
    make = table(t, {k: (kind, value), v: ("text", d.filler())}, rows)
    if not sick:
        make.append(f"CREATE INDEX ON {t} {index}")
    return Case([*make, f"VACUUM ANALYZE {t}"], f"SELECT count({v}) FROM {t} WHERE {where}")


@case("A16")
def leading_column_unused(d, sick):
    t, a, b, v = d.names(4)
    rows = d.rows(80_000, 120_000)
    # Many values of the first column: to skip from one to the next is no way out.
    make = [*table(t, {a: ("int", f"i * 7919 % {rows}"), b: ("int", f"i % {rows // 30}"), v: ("text", d.filler())}, rows),
            f"CREATE INDEX ON {t} ({f'{a}, {b}' if sick else f'{b}, {a}'})", f"VACUUM ANALYZE {t}"]
    return Case(make, f"SELECT count({v}) FROM {t} WHERE {b} = {d.rng.randrange(rows // 30)}", {"enable_seqscan": "off"})


@case("A17")
def rare_and_always_asked(d, sick):
    t, k, v = d.names(3)
    rows = d.rows(40_000, 80_000)
    every = d.rng.randint(60, 300)
    kind, value, where = d.pick(
        ("timestamptz", f"CASE WHEN i % {every} = 0 THEN NULL ELSE now() END", f"{k} IS NULL"),
        ("timestamptz", f"CASE WHEN i % {every} = 0 THEN now() END", f"{k} IS NOT NULL"),
        ("boolean", f"i % {every} = 0", k), ("boolean", f"i % {every} <> 0", f"NOT {k}"))
    make = table(t, {k: (kind, value), v: ("text", d.filler())}, rows)
    if not sick:
        make.append(f"CREATE INDEX ON {t} ({k}) WHERE {where}")
    return Case([*make, f"VACUUM ANALYZE {t}"], f"SELECT count(*), max({v}) FROM {t} WHERE {where}")


@case("A18")
def random_reads_dear(d, sick):
    t, k, v = d.names(3)
    rows = d.rows(60_000, 100_000)
    distinct = d.rng.randint(80, 160)
    make = [*table(t, {k: (d.integer_type(), f"i * 7919 % {distinct}"), v: ("text", d.filler(100, 160))}, rows),
            f"CREATE INDEX ON {t} ({k})", f"VACUUM ANALYZE {t}"]
    return Case(make, f"SELECT count({v}) FROM {t} WHERE {k} = {d.rng.randrange(distinct)}",
                {"random_page_cost": str(d.rng.randint(30, 60)) if sick else "1.1"})


@case("A19")
def index_of_no_use(d, sick):
    t, k, m, v = d.names(4)
    rows = d.rows(40_000, 80_000)
    n = d.rng.randrange(rows - 50)
    kind, value, index, where = d.pick(
        ("int", "i", f"USING hash ({k})", f"{k} BETWEEN {n} AND {n + 20}"),
        ("text", "'k' || i", f"({k} COLLATE \"POSIX\")", f"{k} = 'k{n}'"),
        ("text", "'k' || i", f"({k} text_pattern_ops)", f"{k} > 'k{rows}' AND {k} < 'k{rows}z'"),
        ("bigint", "i", f"({k}) WHERE {m} > 5", f"{k} = {n}"),
        ("int", "i", "invalid", f"{k} = {n}"))
    make = table(t, {k: (kind, value), m: ("int", "i % 10"), v: ("text", d.filler())}, rows)
    if not sick:
        make.append(f"CREATE INDEX ON {t} ({k})")
    elif index != "invalid":
        make.append(f"CREATE INDEX ON {t} {index}")
    else:  # as CREATE INDEX CONCURRENTLY leaves it behind when it fails
        make += [f"CREATE INDEX ON {t} ({k})", "SET allow_system_table_mods = on",
                 f"UPDATE pg_index SET indisvalid = false WHERE indrelid = {literal(t)}::regclass"]
    return Case([*make, f"VACUUM ANALYZE {t}"], f"SELECT count(*), max({v}) FROM {t} WHERE {where}")


@case("I7")
def index_on_some_partitions(d, sick):
    count, each = d.rng.randint(4, 7), 30_000
    make, t, k, v = partitions(d, count, count * each, each)
    names = f"SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = {literal(t)}::regclass"
    without = d.rng.randint(1, count - 2)
    make[-2] = make[-2].replace("SELECT i % ", "SELECT i * 7 % ")  # each partition has its share
    make += [f"UPDATE {t} SET {v} = 'v' || {k} * 7919 % {count * each}",
             f"DO $$ DECLARE n name; BEGIN FOR n IN {names} ORDER BY c.oid OFFSET {without if sick else 0} LOOP "
             f"EXECUTE format('CREATE INDEX ON %I (%I)', n, {literal(unquoted(v))}); END LOOP; END $$",
             f"VACUUM FULL {t}", f"ANALYZE {t}"]
    return Case(make, f"SELECT count(*) FROM {t} WHERE {v} = 'v{d.rng.randrange(count * each)}'")


def unquoted(identifier):
    """The name that an identifier as SQL stands for."""
    return identifier[1:-1].replace('""', '"') if identifier.startswith('"') else identifier


@case("J2")
def changed_by_sequential_scan(d, sick):
    t, k, v = d.names(3)
    rows = d.rows(30_000, 60_000)
    make = table(t, {k: (d.integer_type(), "i"), v: ("text", d.filler())}, rows)
    if not sick:
        make.append(f"CREATE INDEX ON {t} ({k})")
    where = f"{k} {d.pick('= ', '< 3 + 0 * ')}{d.rng.randrange(rows)}"
    return Case([*make, f"VACUUM ANALYZE {t}"], d.pick(f"UPDATE {t} SET {v} = 'y' WHERE {where}", f"DELETE FROM {t} WHERE {where}"),
                how="piped")


@case("A6")
def almost_covered(d, sick):
    t, k, m, v = d.names(4)
    rows = d.rows(60_000, 100_000)
    kind, value = d.pick(("int", "i"), ("numeric(10,2)", "i * 0.25"), ("timestamptz", "now() - i * interval '1 minute'"), ("boolean", "i % 3 = 0"))
    make = [*table(t, {k: (d.integer_type(), f"i * 7919 % {rows}"), m: (kind, value), v: ("text", d.filler(60, 120))}, rows),
            f"CREATE INDEX ON {t} ({k}) {'' if sick else f'INCLUDE ({m})'}", f"VACUUM ANALYZE {t}"]
    sql = f"SELECT {k}, {m} FROM {t} WHERE {k} > {d.rng.randrange(rows // 2)} ORDER BY {k} LIMIT {d.rng.randint(2_000, 4_000)}"
    return Case(make, d.pick(sql, f"SELECT count({m}), max({k}) FROM ({sql}) s"))
