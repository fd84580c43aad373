#!/usr/bin/env python3
"""What clients of a metering table see, through pgtend-pool, while it is converted and taken back.

t_dlpdata with its key and an index by meter and time, in 24 months. An open loop of clients (pgbench, which notes when each
statement was due) inserts readings, reads days of meters and corrects readings, all through the pool. In turn: a
control window in which nothing else happens, then each way of conversion with --pool, and undo. Told are the time under
ACCESS EXCLUSIVE as pgtend says it and as it was seen every 2 ms, the slowest statement that was due within a second of
it, the slowest of the whole conversion, and the slowest of windows of the same two seconds in the control (half of them are
faster than the median, none slower than the most), each in ms since it was due; errors that clients got.

usage: bench/cutover_bench.py [--pgtend build/bench/pgtend] [--sizes 1000000,4000000] [--rounds 1] [--rate 300]
                              [--control 30] [--only WAY] [--write]
--write puts the section "Cutover" into bench/RESULTS.md.
"""
import argparse
import datetime
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
# pylint: disable=wrong-import-position
import compact_bench  # noqa: E402
import pool_bench  # noqa: E402
import results  # noqa: E402
from diagnosis import servers  # noqa: E402

HEADING = "## Cutover"
TABLE = "t_dlpdata"
WINDOW_S = 2.0
LOAD = r"""\set r random(1, 10)
\set m random(1, 5000)
\set n random(1, {rows})
\set d random(0, 700)
\if :r <= 5
INSERT INTO t_dlpdata (meter_id, reading_timestamp, kwh_reading) VALUES (:m, now(), :r);
\elif :r <= 9
SELECT count(*), sum(kwh_reading) FROM t_dlpdata WHERE meter_id = :m
  AND reading_timestamp >= now() - (:d + 1) * interval '1 day' AND reading_timestamp < now() - :d * interval '1 day';
\else
UPDATE t_dlpdata SET kwh_reading = kwh_reading + 1 WHERE reading_id = :n;
\endif
"""
WAYS = {"shadow": ["--mode", "shadow"], "instant": ["--mode", "instant"]}


def make_table(server, rows):
    server.sql(f"drop table if exists {TABLE}, {TABLE}_old cascade")
    server.sql(f"create table {TABLE} (reading_id bigserial primary key, meter_id int not null, "
               "reading_timestamp timestamptz not null, kwh_reading numeric(10,4) not null)")
    server.sql(f"insert into {TABLE} (meter_id, reading_timestamp, kwh_reading) select 1 + i % 5000, now() - interval "
               f"'24 months' + i * (interval '24 months' / {rows}), i % 977 / 7.0 from generate_series(1, {rows}) i")
    server.sql(f"create index {TABLE}_by_meter on {TABLE} (meter_id, reading_timestamp)")
    server.sql(f"vacuum (freeze, analyze) {TABLE}")
    server.sql("checkpoint")


class Pool:
    """pgtend-pool in front of the server; as `server` for clients, and its console."""

    def __init__(self, server, program):
        self.programs, self.folder, self.backend = server.programs, server.folder / "pool", server
        self.folder.mkdir()
        self.port = servers.free_port()
        ini = self.folder / "pool.ini"
        ini.write_text(f"[databases]\npostgres = host={server.run}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
                       f"listen_port = {self.port}\nunix_socket_dir =\nauth_type = trust\nauth_file = {self.folder}/users\npool_mode = transaction\n"
                       "default_pool_size = 20\nadmin_users = bench\n")
        (self.folder / "users").write_text('"bench" ""\n')
        copy = self.folder / "program"
        shutil.copy(program, copy)
        os.chmod(copy, 0o755)
        if server.demote:
            shutil.chown(self.folder, server.account)
        log = open(self.folder / "log", "w", encoding="utf-8")  # pylint: disable=consider-using-with
        # pylint: disable-next=consider-using-with
        self.process = subprocess.Popen([*server.demote, copy, ini], stdout=log, stderr=log, cwd=self.folder)
        pool_bench.wait_for_port(self.port, "pgtend-pool", self.folder / "log")
        self.environment = {**server.environment, "PGHOST": "127.0.0.1", "PGPORT": str(self.port)}
        self.console = f"host=127.0.0.1 port={self.port} user=bench dbname=pgbouncer"

    def sql(self, text):
        return self.backend.sql(text)

    def command(self, text):
        subprocess.run(["psql", "-XAtq", "-d", "pgbouncer", "-c", text], env=self.environment, check=True, capture_output=True)

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Load:
    """An open loop of clients, with the locks that they meet."""

    def __init__(self, server, pool, options, rows):
        self.server, self.pool = server, pool
        self.clients = compact_bench.Clients(pool, options, LOAD.replace("{rows}", str(rows)), mode="simple", count=20)
        self.locks = compact_bench.LockWatch(server, TABLE)
        time.sleep(1)

    def stop(self):
        """(when it ended, ms since it was due) of each statement, spans of locks, errors."""
        spans = self.locks.stop()
        # pgbench keeps its logs until its clients have ended.
        self.pool.command("KILL postgres")
        times = self.clients.stop()
        self.pool.command("RESUME postgres")
        return times, spans, self.clients.errors()


def slowest(times, begin, end):
    """ms of the slowest statement that ended, or was due, between."""
    return max((ms for ended, ms in times if ended >= begin and ended - ms / 1000 <= end), default=0)


def control(server, pool, options, rows):
    """The slowest statement of each window in which nothing else happens."""
    load = Load(server, pool, options, rows)
    time.sleep(options.control)
    times, _, errors = load.stop()
    first = min(ended for ended, _ in times) + 1
    last = max(ended for ended, _ in times) - 1
    windows = []
    while first + WINDOW_S <= last:
        windows.append(slowest(times, first, first + WINDOW_S))
        first += WINDOW_S
    return windows, errors


def job(server, options, verb, arguments):
    command = [options.pgtend, "partition", verb, TABLE, *arguments, "--apply", "--json"]
    done = subprocess.run(command, env=server.environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{command}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout)["data"]["job"]


def cutover(server, pool, options, rows, verb_arguments):
    """One run with its load: what pgtend says of the lock, what was seen, what clients felt."""
    verb, arguments = verb_arguments
    load = Load(server, pool, options, rows)
    begin = time.time()
    told = job(server, options, verb, [*arguments, "--pool", pool.console])
    end = time.time()
    times, spans, errors = load.stop()
    first, last = max(spans, key=lambda span: span[1] - span[0], default=(end, end))
    return {"told": told["swap_locked_ms"], "seen": (last - first) * 1000, "near": slowest(times, first - 1, last + 1),
            "whole": slowest(times, begin, end), "errors": errors, "seconds": end - begin, "held": told["swap_holds"]}


def measure(server, pool, options, rows):
    """Rows of the table of results."""
    seen = {}
    for _ in range(options.rounds):
        for way, arguments in WAYS.items():
            if options.only and options.only != way:
                continue
            make_table(server, rows)
            windows, errors = control(server, pool, options, rows)
            convert = ("convert", ["--every", "month", "--by", "reading_timestamp", *arguments])
            for name, step in ((way, convert), (f"{way}, undo", ("undo", []))):
                run = cutover(server, pool, options, rows, step)
                run["windows"] = windows
                run["errors"] += errors
                seen.setdefault(name, []).append(run)
    for name, runs in seen.items():
        windows = [ms for run in runs for ms in run["windows"]]
        cells = [results.spread([run[key] for run in runs], 0) for key in ("seconds", "told", "seen", "near", "whole")]
        cells += [f"{statistics.median(windows):.0f}", f"{max(windows):.0f}", str(sum(run["errors"] for run in runs))]
        yield f"| {rows:,} | {name} | " + " | ".join(cells) + " |"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pgtend", type=pathlib.Path, default=compact_bench.ROOT / "build/bench/pgtend")
    parser.add_argument("--sizes", default="1000000,4000000")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--rate", type=int, default=300)
    parser.add_argument("--control", type=int, default=30)
    parser.add_argument("--only")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    lines = [HEADING, "", f"`./run bench cutover`, {datetime.date.today()}, {results.machine()}, PostgreSQL "
             f"{compact_bench.VERSION}. {TABLE} in 24 months, {options.rate} statements a second of 20 clients through "
             "pgtend-pool, fsync off. Milliseconds, but for the first column of numbers. *Told* and *seen*: ACCESS EXCLUSIVE on the table, by "
             "pgtend and looked at every 2 ms. *Near* is the slowest statement due within a second of it, *whole* of the whole "
             f"run; *control*: the slowest of each {WINDOW_S:.0f} s without anything else, median and most.", "",
             "| rows | way | seconds | told | seen | near | whole | control | control, most | errors |", "|---|" + "---|" * 9]
    with compact_bench.Server({}) as server:
        pool = Pool(server, options.pgtend.with_name("pgtend-pool"))
        try:
            for rows in map(int, options.sizes.split(",")):
                for line in measure(server, pool, options, rows):
                    lines.append(line)
                    print(line, flush=True)
        finally:
            pool.stop()
    if options.write:
        results.write_section("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
