#!/usr/bin/env python3
"""How soon after a bulk load the statistics are fresh: `pgtend vacuum watch` with the pool's word and without.

A table of 300,000 readings, analysed; then 10,000 readings of a new day by COPY, again and again with its rows taken
back in between. What is measured is the server's clock, from after the COPY to the end of the ANALYZE. Stock
autovacuum does not come at all: its limit of 50 + 10 % is not reached.

usage: bench/import_bench.py [--pgtend build/bench/pgtend] [--pool build/bench/pgtend-pool] [--rounds 30] [--write]
--write puts the section "Statistics after an import" into bench/RESULTS.md.
"""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
# pylint: disable=wrong-import-position
import results  # noqa: E402
from diagnosis import servers  # noqa: E402

HEADING = "## Statistics after an import"
VERSION = 15
PATIENCE_S = 60
REST_S = 6  # a table is left alone for twenty times what its last ANALYZE took
TABLE = """
CREATE TABLE readings AS SELECT i % 20000 AS meter, timestamptz '2026-01-01 UTC' + i * interval '10 s' AS at,
  i AS value FROM generate_series(1, 300000) i;
"""
COPY = "COPY readings FROM PROGRAM 'seq 1 10000 | sed \"s/.*/&\\t2026-03-01 00:00:00+00\\t&/\"';"
TAKE_BACK = ("WITH gone AS (DELETE FROM readings WHERE at >= '2026-03-01 UTC' RETURNING 1) "
             "SELECT count(*) FROM gone;")
CHANGED = "SELECT n_mod_since_analyze FROM pg_stat_user_tables WHERE relname = 'readings';"


def wait_for(condition, what):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"import_bench: waited {PATIENCE_S} s for {what}")
        time.sleep(0.05)


class Pool:
    """pgtend-pool in front of `server`, as long as it is entered."""

    def __init__(self, server, program):
        self.server = server
        self.program = program
        self.port = servers.free_port()

    def __enter__(self):
        folder = self.server.folder / "pool"
        folder.mkdir()
        prefix, user = servers.demote()
        shutil.copy(self.program, folder / "pgtend-pool")
        (folder / "pool.ini").write_text(
            f"[databases]\npostgres = host={self.server.folder} port={self.server.port} user=bench\n[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir = {folder}\nauth_type = any\n"
            "pool_mode = transaction\nadmin_users = bench\n")
        for path in (folder, *folder.iterdir()):
            os.chown(path, user, -1)
        with open(folder / "log", "w", encoding="utf-8") as log:
            self.process = subprocess.Popen([*prefix, folder / "pgtend-pool", folder / "pool.ini"], stdout=log, stderr=log)
        wait_for(lambda: self.client("SELECT 1", check=False).returncode == 0, "the pool")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def environment(self, database="postgres"):
        own = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        return {**own, "PGHOST": "127.0.0.1", "PGPORT": str(self.port), "PGUSER": "bench", "PGDATABASE": database,
                "PGSSLMODE": "disable"}

    def client(self, sql, check=True):
        return subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", "-"], input=sql, text=True,
                              capture_output=True, env=self.environment(), check=check, timeout=120)


def delay(server, pool):
    """Seconds from the end of one COPY to the end of the ANALYZE that follows it."""
    if int(server.psql(TAKE_BACK).stdout) > 0:
        wait_for(lambda: int(server.psql(CHANGED).stdout) > 0, "the counters")
    server.psql("ANALYZE readings;")
    wait_for(lambda: int(server.psql(CHANGED).stdout) == 0, "the counters")
    time.sleep(REST_S)
    end = pool.client(COPY + "SELECT extract(epoch FROM clock_timestamp());").stdout.strip()
    fresh = (f"SELECT extract(epoch FROM last_analyze) - {end} FROM pg_stat_user_tables WHERE relname = 'readings' "
             f"AND extract(epoch FROM last_analyze) > {end};")
    wait_for(lambda: server.psql(fresh).stdout.strip() != "", "an ANALYZE")
    return float(server.psql(fresh).stdout)


def measure(server, pool, pgtend, words, rounds):
    state = {"PGTEND_STATE": str(server.folder / "state.db")}
    watch = subprocess.Popen([pgtend, "vacuum", "watch", "--apply", "--review", "86400", *words],
                             env={**server.environment({}), **state}, stdout=subprocess.DEVNULL)
    try:
        time.sleep(1)
        return [delay(server, pool) for _ in range(rounds)]
    finally:
        watch.send_signal(2)
        watch.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pgtend", default=str(servers.ROOT / "build/bench/pgtend"))
    parser.add_argument("--pool", default=str(servers.ROOT / "build/bench/pgtend-pool"))
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    with servers.Server(VERSION) as server:
        server.psql(TABLE + "ANALYZE readings;")
        with Pool(server, options.pool) as pool:
            console = f"host=127.0.0.1 port={pool.port} user=bench dbname=pgbouncer sslmode=disable"
            told = measure(server, pool, options.pgtend, ["--pool", console], options.rounds)
            counted = measure(server, pool, options.pgtend, [], options.rounds)
    text = (f"{HEADING}\n\n`./run bench import`, {results.machine()}. PostgreSQL {VERSION}; 10,000 rows into 300,000, by COPY through the "
            f"pool; seconds from its end to that of the ANALYZE; median (lowest – highest) of {options.rounds}.\n\n"
            "| who tells of the load | seconds |\n|---|---|\n"
            f"| the pool (`--pool`) | {results.spread(told, 2)} |\n"
            f"| the server's counters | {results.spread(counted, 2)} |\n\n"
            f"Stock autovacuum does not come: 10,000 changes are below 50 + 10 %. Date: {time.strftime('%Y-%m-%d')}.\n")
    print(text)
    if options.write:
        results.write_section(text)


if __name__ == "__main__":
    main()
