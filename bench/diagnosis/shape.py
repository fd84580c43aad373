"""K: the shape of the statement, and settings."""
from .cases import Case, case, table


def keyed(d, low, high):
    t, k, v = d.names(3)
    rows = d.rows(low, high)
    return [*table(t, {k: ("int", "i"), v: ("text", d.filler())}, rows), f"CREATE UNIQUE INDEX ON {t} ({k})",
            f"VACUUM ANALYZE {t}"], t, k, v, rows


@case("K1")
def large_offset(d, sick):
    make, t, k, _, rows = keyed(d, 30_000, 60_000)
    start, limit = int(rows * d.rng.uniform(0.3, 0.9)), d.rng.randint(10, 50)
    where, offset = ("", f"OFFSET {start}") if sick else (f"WHERE {k} > {start}", "")
    return Case(make, f"SELECT * FROM {t} {where} ORDER BY {k} LIMIT {limit} {offset}")


@case("K4")
def no_other_way(d, sick):
    t, k = d.names(2)
    make = [*table(t, {k: ("int", "i")}, d.rows(10_000, 30_000)), f"ANALYZE {t}"]
    return Case(make, f"SELECT max({k}) FROM {t}", {"enable_seqscan": "off"} if sick else {})


@case("K5")
def switched_off(d, sick):
    make, t, k, _, rows = keyed(d, 10_000, 30_000)
    kind = d.pick("enable_hashjoin", "enable_nestloop", "enable_mergejoin", "enable_hashagg", "enable_indexscan")
    return Case(make, f"SELECT count(*) FROM {t} WHERE {k} < {rows // 2}", {kind: "off"} if sick else {})


@case("K2")
def random_order(d, sick):
    make, t, k, _, rows = keyed(d, 20_000, 50_000)
    order = "random()" if sick else k
    return Case(make, f"SELECT {k} FROM {t} ORDER BY {order} LIMIT {d.rng.randint(1, 20)}")


@case("K3")
def too_many_rows(d, sick):
    t, k = d.names(2)
    make = [*table(t, {k: ("int", "i")}, d.rows(1_010_000, 1_200_000)), f"ANALYZE {t}"]
    return Case(make, f"SELECT {k if sick else f'sum({k})'} FROM {t}")


@case("K5")
def settings_of_tests(d, sick):
    make, t, k, v, _ = keyed(d, 5_000, 10_000)
    name, value = d.pick(("from_collapse_limit", "1"), ("join_collapse_limit", "1"), ("random_page_cost", "0"), ("cpu_tuple_cost", "0"),
                         ("parallel_setup_cost", "0"), ("min_parallel_table_scan_size", "0"))
    return Case(make, f"SELECT count({v}) FROM {t} WHERE {k} > 5", {name: value} if sick else {})


@case("K7")
def without_values(d, sick):
    make, t, k, v, rows = keyed(d, 10_000, 20_000)
    mode = "force_generic_plan" if sick else "force_custom_plan"
    return Case(make, f"EXECUTE q({rows // 2})", {"plan_cache_mode": mode}, how="piped",
                before=f"PREPARE q(int) AS SELECT count({v}) FROM {t} WHERE {k} > $1;")
