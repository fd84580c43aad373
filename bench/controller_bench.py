#!/usr/bin/env python3
"""`pgtend vacuum watch` against stock and tuned autovacuum: imports beside hot, queue and Zipf tables.

Each run has a server of its own. Metering: 1,000,000 readings, and each ten seconds 10,000 of a new day; a
plan for the newest day counts as bad while it expects less than a tenth of its rows. Beside that pgbench works at a
fixed rate on a table of 200 counters, a queue, and 100,000 rows of which few are changed often and none of the updates is HOT.
The ways take turns.

usage: bench/controller_bench.py [--pgtend build/bench/pgtend] [--version 18] [--rounds 5] [--seconds 120]
                                 [--rate 1000] [--write]
--write puts the section "Autovacuum and the controller" into bench/RESULTS.md.
"""
import argparse
import json
import os
import pathlib
import re
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
# pylint: disable=wrong-import-position
import results  # noqa: E402
from diagnosis import servers  # noqa: E402

HEADING = "## Autovacuum and the controller"
IMPORT_EVERY_S = 10
LOOK_EVERY_S = 0.5
CLIENTS = 4
STOCK = {"autovacuum": "on", "log_autovacuum_min_duration": "0", "shared_buffers": "256MB", "max_connections": "40"}
# What guides recommend for busy databases.
TUNED = {**STOCK, "autovacuum_naptime": "10", "autovacuum_vacuum_scale_factor": "0.05",
         "autovacuum_analyze_scale_factor": "0.02", "autovacuum_vacuum_cost_limit": "1000"}
WAYS = {"stock": STOCK, "tuned": TUNED, "stock and pgtend watch": STOCK}
WATCHED = "stock and pgtend watch"
TABLES = """
CREATE TABLE m_meterinfo AS SELECT i AS meter_id, 'm' || i AS msn FROM generate_series(0, 19999) i;
ALTER TABLE m_meterinfo ADD PRIMARY KEY (meter_id);
CREATE TABLE t_dlpdata AS SELECT i AS reading_id, i % 20000 AS meter_id,
  timestamptz '2026-01-01 UTC' + i / 10000 * interval '1 day' AS reading_timestamp, i % 100 AS kwh_reading
  FROM generate_series(0, 999999) i;
CREATE TABLE hot (id int PRIMARY KEY, n int NOT NULL);
INSERT INTO hot SELECT i, 0 FROM generate_series(1, 200) i;
CREATE TABLE queue (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, payload text);
CREATE TABLE zipf (id int PRIMARY KEY, v int NOT NULL, pad text);
INSERT INTO zipf SELECT i, 0, repeat('x', 60) FROM generate_series(1, 100000) i;
CREATE INDEX ON zipf (v);
VACUUM ANALYZE;
"""
SCRIPTS = {
    "hot": (4, "\\set id random(1, 200)\nUPDATE hot SET n = n + 1 WHERE id = :id;\n"),
    "queue": (3, "INSERT INTO queue (payload) VALUES (repeat('x', 100));\nDELETE FROM queue WHERE id = (SELECT id FROM "
                 "queue ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED);\n"),
    "zipf": (3, "\\set id random_zipfian(1, 100000, 1.05)\nUPDATE zipf SET v = v + 1 WHERE id = :id;\n"),
}
NEWEST = ("EXPLAIN (FORMAT JSON) SELECT count(*) FROM t_dlpdata JOIN m_meterinfo USING (meter_id) WHERE "
          "reading_timestamp >= timestamptz '2026-01-01 UTC' + {day} * interval '1 day';")
LOAD_DAY = ("INSERT INTO t_dlpdata SELECT i, i % 20000, timestamptz '2026-01-01 UTC' + {day} * interval '1 day', i % 100 "
            "FROM generate_series({first}, {last}) i;")
PAGES = "SELECT (sum(pg_relation_size(oid)) / 8192)::int FROM pg_class WHERE relname IN ('hot', 'queue', 'zipf');"
# What maintenance has touched: workers do nothing else, clients use the ring of VACUUM for nothing else.
WORK = ("SELECT sum(coalesce(hits, 0) + coalesce(reads, 0))::int8, sum(coalesce(writes, 0))::int8 FROM pg_stat_io WHERE object = 'relation' "
        "AND (backend_type = 'autovacuum worker' OR backend_type = 'client backend' AND context = 'vacuum');")


def scan_rows(plan):
    """The rows that the scan of t_dlpdata is expected to give."""
    if plan.get("Relation Name") == "t_dlpdata":
        return plan["Plan Rows"] * (1 + plan.get("Workers Planned", 0))
    return max((scan_rows(child) for child in plan.get("Plans", [])), default=0)


class Imports(threading.Thread):
    """Loads a day each ten seconds, and asks in between what the planner expects of the newest."""

    def __init__(self, server, duration):
        super().__init__()
        self.server = server
        self.end = time.monotonic() + duration
        self.looks = self.bad = 0
        self.pages = []

    def run(self):
        day, next_import = 100, time.monotonic()
        while time.monotonic() < self.end:
            if time.monotonic() >= next_import:
                self.server.psql(LOAD_DAY.format(day=day, first=day * 10000, last=day * 10000 + 9999))
                day += 1
                next_import += IMPORT_EVERY_S
            plan = json.loads(self.server.psql(NEWEST.format(day=day - 1)).stdout)
            self.looks += 1
            self.bad += scan_rows(plan[0]["Plan"]) < 1000
            self.pages.append(int(self.server.psql(PAGES).stdout))
            time.sleep(LOOK_EVERY_S)


def passes_by_autovacuum(server):
    """(VACUUMs, those that removed neither rows nor pages), of the server's log."""
    log = (server.folder / "server.log").read_text()
    removed = re.findall(r"automatic vacuum of table .*?\n\tpages: (\d+) removed.*?\n\ttuples: (\d+) removed", log)
    return len(removed), sum(pages == rows == "0" for pages, rows in removed)


def passes_by_pgtend(state):
    with sqlite3.connect(state) as trail:
        rows = trail.execute("SELECT after_json FROM audit WHERE kind = 'vacuum' AND event = 'verified'").fetchall()
    removed = [json.loads(row[0]).get("rows_removed", 0) for row in rows if row[0]]
    return len(removed), sum(count == 0 for count in removed)


def clients(server, options):
    folder = pathlib.Path(tempfile.mkdtemp(dir=server.folder))
    words = []
    for name, (weight, text) in SCRIPTS.items():
        (folder / f"{name}.sql").write_text(text)
        words += ["-f", f"{folder}/{name}.sql@{weight}"]
    # pylint: disable-next=consider-using-with
    process = subprocess.Popen(["pgbench", "-n", "-c", str(CLIENTS), "-j", "1", "-T", str(options.seconds), "-R", str(options.rate),
                                "-M", "prepared", "-l", *words], env=server.environment({}), cwd=folder,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return process, folder


def one_run(way, options):
    """Numbers of one way by name."""
    with servers.Server(options.version, WAYS[way]) as server:
        server.psql(TABLES)
        dense = int(server.psql(PAGES).stdout)
        before = [int(word) for word in server.psql(WORK).stdout.split("|")]
        state = str(server.folder / "state.db")
        watch = None
        if way == WATCHED:
            # pylint: disable-next=consider-using-with
            watch = subprocess.Popen([options.pgtend, "vacuum", "watch", "--apply"], stdout=subprocess.DEVNULL,
                                     env={**server.environment({}), "PGTEND_STATE": state})
        imports = Imports(server, options.seconds)
        process, folder = clients(server, options)
        imports.start()
        imports.join()
        process.wait()
        if watch is not None:
            watch.send_signal(2)
            watch.wait()
        after = [int(word) for word in server.psql(WORK).stdout.split("|")]
        times = sorted(int(line.split()[2]) / 1000 for log in folder.glob("pgbench_log*")
                       for line in log.read_text().splitlines())
        vacuums, useless = passes_by_autovacuum(server)
        if watch is not None:
            own, own_useless = passes_by_pgtend(state)
            vacuums, useless = vacuums + own, useless + own_useless
        return {"bad plan, % of the time": 100 * imports.bad / imports.looks,
                "pages of hot, queue and zipf, average, % of dense": 100 * sum(imports.pages) / len(imports.pages) / dense,
                "the same at the end": 100 * imports.pages[-1] / dense,
                "pages touched by maintenance, 1,000": (after[0] - before[0]) / 1000,
                "pages written by maintenance, 1,000": (after[1] - before[1]) / 1000,
                "VACUUMs": vacuums, "of them removed nothing": useless,
                "clients' p99, ms": times[int(0.99 * len(times))], "clients' longest, ms": times[-1],
                "transactions": len(times)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pgtend", default=str(servers.ROOT / "build/bench/pgtend"))
    parser.add_argument("--version", type=int, default=18)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    runs = {way: [] for way in WAYS}
    for number in range(options.rounds):
        for way in WAYS:
            runs[way].append(one_run(way, options))
            print(f"{number + 1}/{options.rounds} {way}: {json.dumps(runs[way][-1])}", flush=True)
    lines = [HEADING, "", f"`./run bench controller`, {results.machine()}. PostgreSQL {options.version}; {options.rounds} runs of {options.seconds} s "
             f"a way in turns; {options.rate} transactions/s, 10,000 readings each {IMPORT_EVERY_S} s. Median (lowest – highest). "
             f"*Tuned*: naptime 10 s, scale factors 0.05 and 0.02, cost limit 1,000. Load average at the end {os.getloadavg()[0]:.1f}. Date: "
             f"{time.strftime('%Y-%m-%d')}.", "", "| | " + " | ".join(WAYS) + " |", "|---|" + "---|" * len(WAYS)]
    for name in next(iter(runs.values()))[0]:
        lines.append(f"| {name} | " + " | ".join(results.spread([run[name] for run in runs[way]], 1) for way in WAYS) + " |")
    text = "\n".join(lines) + "\n"
    print(text)
    if options.write:
        results.write_section(text)


if __name__ == "__main__":
    main()
