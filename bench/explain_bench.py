#!/usr/bin/env python3
"""How fast `pgtend explain` reads logs of auto_explain and large plans, beside pgBadger in the same run.

Three logs are made on a private PostgreSQL that runs the statements of STATEMENTS with literals drawn from the
seed: one with plans (stderr, TEXT), one whose records all have a plan of their own (tables are renamed in each, so
that nothing is known again), one of statements without plans. Figures are MB of log a second of user CPU, median
and spread of the rounds, the programs in turn; the largest resident size; and seconds of user CPU for one plan of
100,000 nodes, the whole command and reading alone.

usage: bench/explain_bench.py [--pgtend build/bench/pgtend] [--rounds 3] [--seed 1] [--large GB] [--write]
--large also reads that many GB of plans through a pipe and tells the resident size. --write puts the section
"Explain" into bench/RESULTS.md. pgBadger is unpacked into build/peers; nothing is installed.
"""
import argparse
import os
import pathlib
import random
import resource
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
# pylint: disable=wrong-import-position
import pool_bench  # noqa: E402
import results  # noqa: E402
from diagnosis import servers  # noqa: E402

ROOT = servers.ROOT
HEADING = "## Explain"
VERSION = 15
MB = 1_000_000
LOG_MB = 200  # of each log that is read
PEER_MB = 20  # of the part that pgBadger reads
NODES = 100_000
AUTO_EXPLAIN = {
    "session_preload_libraries": "auto_explain", "auto_explain.log_min_duration": "0",
    "auto_explain.log_analyze": "on", "auto_explain.log_buffers": "on", "work_mem": "256kB",
}
SCHEMA = """
CREATE TABLE m_customerinfo AS SELECT i AS customer_id, 'first ' || i AS first_name, 'last ' || i AS last_name,
  'city ' || i % 50 AS city FROM generate_series(1, 800) i;
CREATE TABLE m_meterinfo AS SELECT i AS meter_id, i % 800 + 1 AS customer_id, 'MSN' || i AS msn, i % 40 AS feeder_id
  FROM generate_series(1, 1000) i;
CREATE TABLE t_dlpdata AS SELECT (d * 1000 + m)::bigint AS reading_id, m AS meter_id,
  timestamptz '2026-01-01' + d * interval '6 hours' AS reading_timestamp, (m * d % 977)::numeric(10,4) AS kwh_reading
  FROM generate_series(1, 1000) m, generate_series(0, 59) d;
ALTER TABLE m_customerinfo ADD PRIMARY KEY (customer_id);
ALTER TABLE m_meterinfo ADD PRIMARY KEY (meter_id);
CREATE INDEX ON t_dlpdata (meter_id, reading_timestamp);
ANALYZE;
"""
STATEMENTS = [
    "SELECT reading_timestamp, kwh_reading FROM t_dlpdata WHERE meter_id = {m} ORDER BY reading_timestamp DESC LIMIT 1;",
    "SELECT reading_timestamp, kwh_reading FROM t_dlpdata WHERE meter_id = {m} AND reading_timestamp >= '2026-01-{d} "
    "00:00' AND reading_timestamp < timestamptz '2026-01-{d} 00:00' + interval '1 day' ORDER BY reading_timestamp;",
    "SELECT sum(kwh_reading) AS kwh, count(*) AS readings FROM t_dlpdata WHERE meter_id = {m};",
    "SELECT c.first_name, m.msn FROM m_customerinfo c JOIN m_meterinfo m USING (customer_id) WHERE c.city = 'city {c}';",
    "SELECT m.msn, x.kwh FROM m_meterinfo m CROSS JOIN LATERAL (SELECT sum(d.kwh_reading) AS kwh FROM t_dlpdata d\n"
    "  WHERE d.meter_id = m.meter_id) x\nWHERE m.feeder_id = {f} ORDER BY x.kwh DESC LIMIT 10;",
    "SELECT * FROM m_customerinfo WHERE last_name LIKE 'last {c}%' ORDER BY last_name LIMIT 20;",
    "SELECT m.feeder_id, count(*), (SELECT max(kwh_reading) FROM t_dlpdata d WHERE d.meter_id = {m}) AS top\n"
    "FROM m_meterinfo m GROUP BY m.feeder_id HAVING count(*) > {f};",
    "WITH busy AS (SELECT meter_id FROM t_dlpdata WHERE meter_id < {f} GROUP BY meter_id)\n"
    "SELECT m.msn FROM busy b JOIN m_meterinfo m USING (meter_id) WHERE m.customer_id IN (1, 2, {c});",
    "SELECT c.first_name, m.msn, d.kwh_reading\nFROM m_customerinfo c\nJOIN m_meterinfo m ON c.customer_id = "
    "m.customer_id\nJOIN t_dlpdata d ON m.meter_id = d.meter_id\nWHERE m.meter_id = {m} AND d.kwh_reading > {f};",
]


def statements(rng, count):
    for _ in range(count):
        yield rng.choice(STATEMENTS).format(m=rng.randint(1, 1000), d=f"{rng.randint(1, 14):02}", c=rng.randint(0, 49),
                                            f=rng.randint(1, 39))


def make_logs(folder, seed):
    """The three logs, of LOG_MB each, as paths by name."""
    rng = random.Random(seed)
    with servers.Server(VERSION) as server:
        server.psql(SCHEMA)
        log = server.folder / "server.log"

        def run(settings, count):
            start = log.stat().st_size
            server.psql("\\o /dev/null\n" + "\n".join(statements(rng, count)), settings)
            with open(log, "rb") as source:
                source.seek(start)
                return source.read()

        plans = run(AUTO_EXPLAIN, 15_000)
        bare = run({"log_min_duration_statement": "0"}, 15_000)
    return {
        "plans": grown(folder / "plans.log", plans, lambda text, _: text),
        "plans, each another": grown(folder / "own.log", plans, with_own_tables),
        "no plans": grown(folder / "bare.log", bare, lambda text, _: text),
    }


def grown(path, text, changed):
    """A file of LOG_MB: `text` again and again, each time `changed`."""
    with open(path, "wb") as out:
        turn = 0
        while out.tell() < LOG_MB * MB:
            out.write(changed(text, turn))
            turn += 1
    return path


def with_own_tables(text, turn):
    """Each record names tables that no other names."""
    records = text.split(b" ms  plan:")
    for i in range(1, len(records)):
        number, letters = turn * len(records) + i, ""
        while number:
            number, digit = divmod(number, 26)
            letters += chr(ord("a") + digit)
        for table in (b"t_dlpdata", b"m_meterinfo", b"m_customerinfo"):
            records[i] = records[i].replace(table, table[:3] + letters.encode())
    return b" ms  plan:".join(records)


def large_plan(path):
    """A plan of NODES nodes, two levels of joins below an Append, with what ANALYZE and BUFFERS print."""
    figures = "(cost=0.29..8.31 rows=1 width=12) (actual time=0.012..0.013 rows=1 loops=1)"
    with open(path, "w", encoding="utf-8") as out:
        out.write(f"Append  {figures}\n  Buffers: shared hit=400000\n")
        for i in range((NODES - 1) // 3):
            out.write(f"  ->  Nested Loop  {figures}\n        Buffers: shared hit=12\n"
                      f"        ->  Index Scan using p_{i}_pkey on p_{i} d  {figures}\n"
                      f"              Index Cond: (meter_id = {i})\n              Buffers: shared hit=6\n"
                      f"        ->  Seq Scan on q_{i} m  {figures}\n              Filter: (msn = 'MSN{i}'::text)\n"
                      "              Rows Removed by Filter: 7\n              Buffers: shared hit=6\n")
        out.write("Planning Time: 1.000 ms\nExecution Time: 5000.000 ms\n")


def user_seconds(command, source=None):
    """(user CPU, largest resident kB) of a program."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        done = subprocess.run(list(map(str, command)), stdin=source, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, check=False)
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        ok = done.returncode in (0, 1)
        os.write(write, f"{usage.ru_utime} {usage.ru_maxrss} {int(ok)}\n".encode() + done.stderr[-400:])
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as answer:
        text = answer.read()
    os.waitpid(child, 0)
    seconds, resident, ok = text.split(b"\n")[0].split()
    if ok != b"1":
        sys.exit(f"explain_bench: {command[0]} failed: {text.decode(errors='replace')}")
    return float(seconds), int(resident)


def find_pgbadger():
    program = pool_bench.unpack_peers("usr/bin/pgbadger")
    return ["perl", f"-I{pool_bench.PEERS}/usr/share/perl5", program]


def measure(options, folder):
    rows = []
    logs = make_logs(folder, options.seed)
    part = folder / "part.log"
    with open(logs["plans"], "rb") as source:
        part.write_bytes(source.read(PEER_MB * MB))
    badger = [*find_pgbadger(), "-q", "-f", "stderr", "-x", "text", "-o", folder / "badger.txt"]
    programs = [(f"pgtend explain --log: {name}", [options.pgtend, "explain", "--log", path], path)
                for name, path in logs.items()]
    programs.append((f"pgBadger: plans, the first {PEER_MB} MB", [*badger, part], part))
    figures = {name: [] for name, _, _ in programs}
    for turn in range(options.rounds):
        for name, command, path in programs:
            seconds, resident = user_seconds(command)
            figures[name].append((path.stat().st_size / MB / seconds, resident))
            print(f"round {turn + 1} {name}: {figures[name][-1][0]:.1f} MB/s, {resident / 1024:.0f} MB", file=sys.stderr)
    for name, _, _ in programs:
        speeds = [speed for speed, _ in figures[name]]
        rows.append((name, f"{statistics.median(speeds):.0f} ({min(speeds):.0f} – {max(speeds):.0f}) MB/s",
                     f"{max(resident for _, resident in figures[name]) / 1024:.0f} MB"))
    plan = folder / "large.txt"
    large_plan(plan)
    rows.append(reading(options, plan, f"a plan of {NODES:,} nodes, {plan.stat().st_size / MB:.1f} MB, read alone"))
    for form in ([], ["--json"]):
        times = [user_seconds([options.pgtend, "explain", "--offline", *form, "--plan", plan]) for _ in range(options.rounds)]
        seconds = [time for time, _ in times]
        rows.append((f"a plan of {NODES:,} nodes, {plan.stat().st_size / MB:.1f} MB{', --json' if form else ''}",
                     f"{statistics.median(seconds):.2f} ({min(seconds):.2f} – {max(seconds):.2f}) s",
                     f"{max(size for _, size in times) / 1024:.0f} MB"))
    if options.large:
        rows.append(through_pipe(options, logs["plans, each another"]))
    return rows


def reading(options, path, name):
    """Reading into a tree, in a program that does nothing else."""
    program = options.pgtend.parent / "bench/reading_bench"
    times = [float(subprocess.run([program, path, "1"], capture_output=True, text=True, check=True).stdout.split()[0])
             for _ in range(options.rounds)]
    return name, f"{statistics.median(times):.3f} ({min(times):.3f} – {max(times):.3f}) s", ""


def through_pipe(options, log):
    times = max(1, round(options.large * 1000 / LOG_MB))
    feeder = subprocess.Popen(["cat", *[str(log)] * times], stdout=subprocess.PIPE)
    seconds, resident = user_seconds([options.pgtend, "explain", "--log", "-"], feeder.stdout)
    feeder.wait()
    size = times * log.stat().st_size / MB
    return (f"{size / 1000:.1f} GB of plans through a pipe", f"{size / seconds:.0f} MB/s", f"{resident / 1024:.0f} MB")


def section(rows, options):
    lines = [HEADING, "", f"`./run bench explain`, {results.machine()}. User CPU; logs of {LOG_MB} MB made by "
             f"PostgreSQL {VERSION}; median (lowest – highest) of {options.rounds} rounds in turn.", "",
             "| what is read | speed or time | largest resident size |", "|---|---|---|"]
    return "\n".join(lines + [f"| {name} | {figure} | {size} |" for name, figure, size in rows]) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pgtend", type=pathlib.Path, default=ROOT / "build/bench/pgtend")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--large", type=float, default=0)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pgtend-explain-bench-") as folder:
        text = section(measure(options, pathlib.Path(folder)), options)
    print(text)
    if options.write:
        results.write_section(text)


if __name__ == "__main__":
    main()
