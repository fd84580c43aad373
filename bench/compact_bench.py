#!/usr/bin/env python3
"""What giving back a table's space costs under writers: VACUUM, VACUUM FULL, pg_repack, pgtend vacuum compact.

A table of 1,000,000 rows, 60 % of them deleted and vacuumed away, with a primary key and a second index. Two clients
(pgbench) add 1 to rows all the time and log each transaction; every acknowledged increment must be in the table at the
end. Told are pages, WAL of the way (that of the clients, measured alone before, is taken off), time, the longest
transaction of a client from the moment it was due, and how long an ACCESS EXCLUSIVE lock on the table was seen (looked at every 2 ms) and the longest
transaction that overlaps with it.

usage: bench/compact_bench.py [--pgtend build/bench/pgtend] [--rows 1000000] [--rate 400] [--only WAY] [--write]
--write puts the section "Compaction" into bench/RESULTS.md. pg_repack comes from Debian; it is unpacked beside a copy
of the server, nothing is installed.
"""
import argparse
import datetime
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
# pylint: disable=wrong-import-position
import pool_bench  # noqa: E402
import results  # noqa: E402
from diagnosis import servers  # noqa: E402

ROOT = servers.ROOT
HEADING = "## Compaction"
VERSION = "15"
CLIENTS = 2
ALONE_S = 5
SETTINGS = {"listen_addresses": "''", "fsync": "off", "shared_buffers": "256MB", "max_wal_size": "4GB", "autovacuum": "off",
            "checkpoint_timeout": "30min", "log_min_messages": "warning"}
KEPT = "i % 5 in (0, 3)"
SCRIPT = r"""\set n random(0, {last})
\set k random(0, 1) * 3
UPDATE ledger SET v = v + 1 WHERE id = :n * 5 + :k;
"""


class Server:
    """A copy of Debian's server with `extensions` (name: schema of its own, or ""), on a socket of its own."""

    def __init__(self, extensions):
        self.extensions = extensions
        self.demote, self.account = servers.demote()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="pgtend-compact-"))
        self.folder.chmod(0o755)
        self.tree = self.folder / "usr"
        for extension in extensions:
            pool_bench.unpack_peers(f"usr/share/postgresql/{VERSION}/extension/{extension}.control")
        for part in ("lib", "share"):
            for source in (pathlib.Path("/usr"), pool_bench.PEERS / "usr"):
                shutil.copytree(source / part / "postgresql" / VERSION, self.tree / part / "postgresql" / VERSION,
                                symlinks=False, dirs_exist_ok=True)
        self.programs = self.tree / "lib/postgresql" / VERSION / "bin"
        self.run = self.folder / "run"
        self.run.mkdir()
        if self.demote:
            os.chown(self.run, self.account, -1)
        self.environment = {**os.environ, "PGHOST": str(self.run), "PGPORT": "5432", "PGUSER": "bench",
                            "PGDATABASE": "postgres", "PGTEND_STATE": str(self.folder / "state.db")}

    def __enter__(self):
        data = self.run / "data"
        subprocess.run([*self.demote, self.programs / "initdb", "-D", data, "-U", "bench", "-N", "-A", "trust"],
                       check=True, stdout=subprocess.DEVNULL, cwd=self.run)
        settings = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value.strip(chr(39))}")]
        with open(self.folder / "log", "w", encoding="utf-8") as log:
            # pylint: disable-next=consider-using-with
            self.process = subprocess.Popen([*self.demote, self.programs / "postgres", "-D", data, "-k", self.run,
                                             *settings], stdout=log, stderr=log, cwd=self.run)
        for _ in range(200):
            if subprocess.run(["psql", "-c", "select 1"], env=self.environment, capture_output=True,
                              check=False).returncode == 0:
                break
            time.sleep(0.05)
        for extension, schema in self.extensions.items():
            if schema:
                self.sql(f"create schema {schema}")
            self.sql(f"create extension {extension}" + (f" schema {schema}" if schema else ""))
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder)

    def sql(self, text):
        return subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", text], env=self.environment, check=True,
                              capture_output=True, text=True).stdout.strip()

    def make_table(self, rows):
        self.sql("drop table if exists ledger")
        self.sql("create table ledger (id int primary key, acct int, v bigint not null default 0, pad text)")
        self.sql(f"insert into ledger select i, i::int8 * 7919 % {rows // 2}, 0, repeat('x', 100) "
                 f"from generate_series(0, {rows - 1}) i")
        self.sql("create index ledger_acct on ledger (acct)")
        self.sql(f"delete from ledger where not ({KEPT.replace('i ', 'id ')})")
        self.sql("vacuum analyze ledger")
        self.sql("checkpoint")


class Clients:
    """pgbench with a log of each transaction, of which those of `text` are made."""

    def __init__(self, server, options, text, mode="prepared", count=CLIENTS):
        self.server = server
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=server.folder))
        script = self.folder / "script.sql"
        script.write_text(text)
        # pylint: disable-next=consider-using-with
        self.process = subprocess.Popen(
            [server.programs / "pgbench", "-n", "-c", str(count), "-j", str(CLIENTS), "-T", "3600", "-R",
             str(options.rate), "-M", mode, "-l", "-f", script], env=server.environment, cwd=self.folder,
            stdout=subprocess.DEVNULL, stderr=open(self.folder / "errors", "w", encoding="utf-8"))

    def errors(self):
        """How many errors clients got, once they have stopped; that their sessions were ended is none."""
        told = (self.folder / "errors").read_text().splitlines()
        return len([line for line in told if "ERROR:" in line]) + sum(word[2] == "failed" for word in self.words())

    def words(self):
        return [line.split() for log in self.folder.glob("pgbench_log*") for line in log.read_text().splitlines()]

    def stop(self):
        """(when it ended, ms since it was due) of each transaction, fastest first; their sessions are ended, so their logs whole."""
        self.server.sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'pgbench'")
        self.process.wait()
        return sorted(((int(word[4]) + int(word[5]) / 1e6, int(word[2]) / 1000) for word in self.words()
                       if word[2] != "failed"), key=lambda one: one[1])


class LockWatch:
    """When ACCESS EXCLUSIVE on the table was seen."""

    def __init__(self, server, table="ledger"):
        # pylint: disable-next=consider-using-with
        self.process = subprocess.Popen(["psql", "-XAtq"], env=server.environment, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.process.stdin.write(
            "select extract(epoch from clock_timestamp()), count(*) from pg_locks where granted and mode = "
            f"'AccessExclusiveLock' and relation = to_regclass('{table}') \\watch 0.002\n")
        self.process.stdin.flush()

    def stop(self):
        """The times between which it was seen without a break."""
        self.process.terminate()
        spans, since = [], None
        for line in self.process.communicate()[0].splitlines():
            words = line.split("|")
            if len(words) != 2 or not words[1].isdigit():
                continue
            if words[1] == "0":
                since = None
                continue
            if since is None:
                spans.append(None)
            since = since or float(words[0])
            spans[-1] = (since, float(words[0]))
        return spans


def ways(server, options):
    return {
        "VACUUM": ["psql", "-Xqc", "vacuum ledger"],
        "VACUUM FULL": ["psql", "-Xqc", "vacuum full ledger"],
        "pg_repack": [server.programs / "pg_repack", "--table=ledger", "--no-kill-backend", "postgres"],
        "pgtend vacuum compact": [options.pgtend, "vacuum", "compact", "ledger", "--way", "in-place", "--apply"],
    }


def wal(server):
    return int(server.sql("select pg_current_wal_insert_lsn() - '0/0'"))


def measure(server, command, options):
    server.make_table(options.rows)
    checksum = "select count(*), sum(hashtextextended(row(id, acct, pad)::text, 0)::numeric) from ledger"
    before = server.sql(checksum)
    clients = Clients(server, options, SCRIPT.format(last=options.rows // 5 - 1))
    time.sleep(1)
    start_wal, start = wal(server), time.monotonic()
    time.sleep(ALONE_S)
    wal_rate = (wal(server) - start_wal) / (time.monotonic() - start)
    locks = LockWatch(server)
    start_wal, start = wal(server), time.monotonic()
    done = subprocess.run(command, env=server.environment, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - start
    written = wal(server) - start_wal - wal_rate * seconds
    pages = int(server.sql("select pg_relation_size('ledger') / 8192"))
    spans = locks.stop()
    times = clients.stop()
    count = len(times)
    meanwhile = [ms for end, ms in times if any(end >= first and end - ms / 1000 <= last for first, last in spans)]
    stored = int(server.sql("select sum(v) from ledger"))
    server.sql("create table dense as table ledger")
    dense = int(server.sql("select pg_relation_size('dense') / 8192; drop table dense"))
    print(done.stdout + done.stderr, file=sys.stderr)
    if done.returncode != 0 or server.sql(checksum) != before or not count <= stored <= count + CLIENTS:
        sys.exit(f"{command}: exit code {done.returncode}, {stored} of {count} increments, rows "
                 f"{'equal' if server.sql(checksum) == before else 'CHANGED'}")
    indexes = int(server.sql("select pg_indexes_size('ledger') / 8192"))
    return {"pages": pages, "dense": dense, "indexes": indexes, "s": seconds, "wal": written / 1e6,
            "longest": times[-1][1] if times else 0, "p999": times[int(count * 0.999)][1] if times else 0,
            "lock": max((last - first for first, last in spans), default=0) * 1000,
            "meanwhile": max(meanwhile, default=0), "acknowledged": count}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pgtend", type=pathlib.Path, default=ROOT / "build/bench/pgtend")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rate", type=int, default=400)
    parser.add_argument("--only")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    lines = [HEADING, "", f"`./run bench compact`, {datetime.date.today()}, {results.machine()}, PostgreSQL {VERSION}. "
             f"{options.rows:,} rows of 130 bytes, 60 % of them deleted and vacuumed, two indexes, fsync off; 2 clients with "
             f"{options.rate} updates a second together. Every acknowledged increment was in the table, and the checksum "
             "over all rows equal. *Lock* is ACCESS EXCLUSIVE on the table as seen every 2 ms, *meanwhile* the slowest transaction that "
             "overlaps with it, *longest* the slowest of all; both from the moment they were due.", "",
             "| way | pages (dense) | index pages | s | WAL MB | lock ms | meanwhile ms | longest ms | 99.9 % ms |",
             "|---|---|---|---|---|---|---|---|---|"]
    with Server({"pg_repack": ""}) as server:
        for name, command in ways(server, options).items():
            if options.only and options.only not in name:
                continue
            row = measure(server, command, options)
            lines.append(f"| {name} | {row['pages']:,} ({row['dense']:,}) | {row['indexes']:,} | {row['s']:.1f} | "
                         f"{row['wal']:.0f} | {row['lock']:.0f} | {row['meanwhile']:.0f} | {row['longest']:.0f} | {row['p999']:.1f} |")
            print(lines[-1], flush=True)
    if options.write:
        results.write_section("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
