#!/usr/bin/env python3
"""What it costs to divide a table by months: plain SQL, pgtend's ways, pg_partman.

A table with a primary key and a second index whose rows lie in 24 months. First with nobody else: CPU of the server and
WAL of all of it, in sizes that double. Plain SQL is INSERT … SELECT into partitions without indexes, then the indexes,
then VACUUM (FREEZE, ANALYZE): what the copy of --mode shadow is to be compared with. Then, for the smallest size, with
two clients that add 1 to rows and log each transaction: the longest transaction of a client from the moment it was due,
and how long an ACCESS EXCLUSIVE lock on the table was seen. Of pgtend's ways every acknowledged increment must be there at the end.

usage: bench/partition_bench.py [--pgtend build/bench/pgtend] [--rows 500000] [--sizes 3] [--rounds 3] [--rate 200] [--only WAY] [--write]
--write puts the section "Partitioning" into bench/RESULTS.md. pg_partman comes from Debian; it is unpacked beside a
copy of the server, nothing is installed.
"""
import argparse
import datetime
import math
import os
import pathlib
import statistics
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
# pylint: disable=wrong-import-position
import compact_bench  # noqa: E402
import results  # noqa: E402

HEADING = "## Partitioning"
MONTHS = 24
OFFLINE = "plain SQL"
DIVIDED = "including defaults) partition by range (at)"
CHECKSUM = "select count(*), sum(hashtextextended(row(id, at, acct, pad)::text, 0)::numeric) from ledger"


def make_table(server, rows):
    server.sql("drop table if exists ledger, ledger_old cascade")
    server.sql("create table ledger (id int primary key, at timestamptz not null, acct int, v bigint not null default 0, "
               "pad text)")
    server.sql(f"insert into ledger select i, date_trunc('month', now()) - interval '{MONTHS} months' "
               f"+ i * (interval '{MONTHS} months' / {rows}), i::int8 * 7919 % {rows // 2}, 0, repeat('x', 40) "
               f"from generate_series(0, {rows - 1}) i")
    server.sql("create index ledger_at on ledger (at)")
    server.sql("vacuum (freeze, analyze) ledger")
    server.sql("checkpoint")


PLAIN = f"""
create table ledger_new (like ledger {DIVIDED};
select format('create table ledger_p%s partition of ledger_new for values from (%L) to (%L)', to_char(m, 'YYYYMM'), m,
              m + interval '1 month')
from generate_series(date_trunc('month', now()) - interval '{MONTHS} months', date_trunc('month', now()) + interval '2 months',
                     '1 month') m \\gexec
insert into ledger_new select * from ledger;
alter table ledger_new add primary key (id, at);
create index on ledger_new (at);
vacuum (freeze, analyze) ledger_new;
begin;
alter table ledger rename to ledger_old;
alter table ledger_new rename to ledger;
commit;
"""
# As its manual describes it for a table in use: the old one becomes the DEFAULT partition, then rows are moved in batches.
PARTMAN = f"""
begin;
lock table ledger in access exclusive mode;
alter table ledger rename to ledger_old;
create table ledger (like ledger_old {DIVIDED};
alter table ledger add primary key (id, at);
create index on ledger (at);
select partman.create_parent('public.ledger', 'at', 'native', 'monthly', p_premake := 2,
                             p_start_partition := date_trunc('month', now())::text);
drop table ledger_default;
alter table ledger_old rename to ledger_default;
alter table ledger_default drop constraint ledger_pkey, add primary key (id, at);
alter table ledger attach partition ledger_default default;
commit;
call partman.partition_data_proc('public.ledger', '1 month');
vacuum (freeze, analyze) ledger;
"""


def script(server, name, text):
    path = server.folder / name
    path.write_text(text)
    return ["psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-f", path]


def ways(server, options):
    pgtend = [options.pgtend, "partition", "convert", "ledger", "--by", "at", "--every", "month", "--apply", "--mode"]
    return {
        OFFLINE: script(server, "plain.sql", PLAIN),
        "pgtend --mode locked": [*pgtend, "locked"],
        "pgtend --mode shadow": [*pgtend, "shadow"],
        "pgtend --mode instant": [*pgtend, "instant"],
        "pg_partman": script(server, "partman.sql", PARTMAN),
    }


def cpu(server):
    """CPU seconds of the server: of the processes that there are, and of those that ended."""
    ticks = 0
    parent = server.process.pid
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            words = stat.read_text().rsplit(") ", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        # A child's children are counted once they have ended, in the parent's own numbers.
        if int(stat.parent.name) == parent:
            ticks += sum(int(word) for word in words[11:15])
        elif int(words[1]) == parent:
            ticks += int(words[11]) + int(words[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def forget(server):
    server.sql("delete from partman.part_config")


def run(server, command):
    done = subprocess.run(command, env=server.environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{command}: exit code {done.returncode}\n{done.stdout}{done.stderr}")


def alone(server, command, rows):
    """CPU seconds and WAL bytes of the whole way."""
    make_table(server, rows)
    before = server.sql(CHECKSUM)
    start_cpu, start_wal = cpu(server), compact_bench.wal(server)
    run(server, command)
    used, written = cpu(server) - start_cpu, compact_bench.wal(server) - start_wal
    if server.sql(CHECKSUM) != before:
        sys.exit(f"{command}: the rows have changed")
    clear(server)
    return used, written


def clear(server):
    forget(server)
    names = server.sql("select string_agg(oid::regclass::text, ', ') from pg_class where relkind in ('r', 'p') and "
                       "relnamespace = 'public'::regnamespace and not relispartition")
    server.sql(f"drop table {names} cascade")


def in_use(server, command, options, rival):
    """What clients saw; a rival may lose increments, which is told."""
    make_table(server, options.rows)
    before = server.sql(CHECKSUM)
    clients = compact_bench.Clients(server, options, f"\\set n random(0, {options.rows - 1})\n"
                                    "UPDATE ledger SET v = v + 1 WHERE id = :n;\n")
    locks = compact_bench.LockWatch(server)
    run(server, command)
    spans = locks.stop()
    times = clients.stop()
    stored = int(server.sql("select sum(v) from ledger"))
    lost = max(len(times) - stored, 0)
    if server.sql(CHECKSUM) != before or stored > len(times) + compact_bench.CLIENTS or (lost and not rival):
        sys.exit(f"{command}: {stored} of {len(times)} increments are there, or rows have changed")
    errors = clients.errors()
    clear(server)
    return {"lock": max((last - first for first, last in spans), default=0) * 1000,
            "longest": times[-1][1], "p99": times[int(len(times) * 0.99)][1], "errors": errors,
            "lost": lost}


def slope(sizes, values):
    """Of the straight line through the logarithms: 1 where twice the rows cost twice as much."""
    line = statistics.linear_regression([math.log(size) for size in sizes], [math.log(value) for value in values])
    return line.slope


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pgtend", type=pathlib.Path, default=compact_bench.ROOT / "build/bench/pgtend")
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--sizes", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=int, default=200)
    parser.add_argument("--only")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    sizes = [options.rows * 2 ** i for i in range(options.sizes)]
    lines = [HEADING, "", f"`./run bench partition`, {datetime.date.today()}, {results.machine()}, PostgreSQL "
             f"{compact_bench.VERSION}. Rows of 90 bytes in {MONTHS} months, primary key and an index, fsync off. CPU of the "
             f"server and WAL of the whole way (copy, indexes, comparison, VACUUM), nobody else there, median of {options.rounds} "
             f"rounds in turn (lowest – highest). Then {options.rows:,} rows with 2 clients and {options.rate} updates a second together: "
             "*lost* are acknowledged increments that were not in the table. *Lock* is the longest ACCESS EXCLUSIVE on the table as seen every "
             "2 ms, *longest* the slowest transaction, both from the moment they were due; *errors* those that clients got.", "",
             "| way | " + " | ".join(f"CPU s, {size:,} rows" for size in sizes) +
             " | slope | WAL bytes a row | lock ms | longest ms | 99 % ms | errors | lost |", "|---|" + "---|" * (len(sizes) + 7)]
    with compact_bench.Server({"pg_partman": "partman"}) as server:
        chosen = {name: command for name, command in ways(server, options).items()
                  if not options.only or options.only in name}
        measured = {name: {size: [] for size in sizes} for name in chosen}
        for _ in range(options.rounds):
            for size in sizes:
                for name, command in chosen.items():
                    measured[name][size].append(alone(server, command, size))
        for name, command in chosen.items():
            used = [[one[0] for one in measured[name][size]] for size in sizes]
            written = statistics.median(one[1] for one in measured[name][sizes[-1]]) / sizes[-1]
            cells = [results.spread(values, 2) for values in used]
            cells.append(f"{slope(sizes, [statistics.median(v) for v in used]):.2f}" if len(sizes) > 1 else "")
            cells.append(f"{written:.0f}")
            if name == OFFLINE:
                cells += ["", "", "", "", "what is written meanwhile"]
            else:
                row = in_use(server, command, options, not name.startswith("pgtend"))
                cells += [f"{row['lock']:.0f}", f"{row['longest']:.0f}", f"{row['p99']:.1f}", str(row["errors"]),
                          str(row["lost"])]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
            print(lines[-1], flush=True)
    if options.write:
        results.write_section("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
