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
