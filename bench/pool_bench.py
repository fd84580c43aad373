#!/usr/bin/env python3
"""Compares pgtend-pool with Debian's PgBouncer in one alternating run.

All poolers stand in front of the same private PostgreSQL; the subjects are in SUBJECTS, each with median and
spread of the rounds: CPU seconds of the pooler process (utime + stime) a unit of work, which is the steadier
figure, and what was done a second. System calls a transaction are counted by strace, if it is installed, in a run of their own,
resident bytes by adding idle clients.

usage: bench/pool_bench.py [--pool build/bench/pgtend-pool] [--before PATH] [--rounds 5] [--seconds 5]
                           [--only NAME,…] [--write]
--before is an earlier build of pgtend-pool, measured in the same run with one worker. --only measures the subjects
whose names begin so. --write puts the section "Pool" into bench/RESULTS.md. PgBouncer is unpacked into build/peers
from the packages named in deps/apt-bench.txt; nothing is installed.
"""
import argparse
import datetime
import glob
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import results as written
from diagnosis import servers

ROOT = pathlib.Path(__file__).resolve().parent.parent
PEERS = ROOT / "build" / "peers"
POOL_SIZE = 20
CLIENTS_MAX = 12_000
BIG_RESULTS = 30  # of 10 MB
COPY_ROWS = 100_000  # of 1,000 bytes
SYSCALL_TRANSACTIONS = 5_000
IDLE_CLIENTS = (1_000, 10_000)
HEADING = "## Pool"


def fail(text):
    sys.exit(f"pool_bench: {text}")


def wait_for_port(port, what, log):
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    fail(f"{what} does not come up:\n{pathlib.Path(log).read_text()}")


def peer_packages():
    lines = (ROOT / "deps" / "apt-bench.txt").read_text().splitlines()
    return [line.split("#")[0].strip() for line in lines if line.split("#")[0].strip()]


def unpack_peers(binary):
    """The program `binary` of the packages in deps/apt-bench.txt, unpacked into build/peers."""
    path = PEERS / binary
    if not path.exists():
        PEERS.mkdir(parents=True, exist_ok=True)
        packages = peer_packages()
        if subprocess.run(["apt-get", "download", *packages], cwd=PEERS,
                          stdout=subprocess.DEVNULL).returncode != 0:
            fail("apt-get download failed for " + " ".join(packages))
        for package in PEERS.glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, PEERS], check=True)
    return path


def find_pgbouncer():
    binary = unpack_peers("usr/sbin/pgbouncer")
    libraries = sorted({os.path.dirname(p) for p in glob.glob(f"{PEERS}/usr/lib/*/*.so*")})
    return binary, {"LD_LIBRARY_PATH": ":".join(libraries)}


class Bench:
    def __init__(self, options):
        self.options = options
        self.demote, account = servers.demote()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="pgtend-bench-"))
        self.folder.chmod(0o755)
        self.work = self.folder / "run"
        self.work.mkdir()
        if self.demote:
            os.chown(self.work, account, -1)
        self.processes = []
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
        if not found:
            fail("PostgreSQL's initdb is not in /usr/lib/postgresql/*/bin")
        self.binaries = pathlib.Path(found[-1]).parent
        self.server_port = servers.free_port()

    def start(self, command, log, environment=None):
        with open(self.folder / log, "w", encoding="utf-8") as out:
            process = subprocess.Popen([*self.demote, *map(str, command)], stdout=out, stderr=out,
                                       env={**os.environ, **(environment or {})}, cwd=self.work)
        self.processes.append(process)
        return process

    def start_server(self):
        data = self.work / "data"
        subprocess.run([*self.demote, self.binaries / "initdb", "-D", data, "-U", "bench", "-N",
                        "--auth=trust"], check=True, stdout=subprocess.DEVNULL, cwd=self.work)
        self.start([self.binaries / "postgres", "-D", data, "-p", self.server_port, "-k", self.work,
                    "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off",
                    "-c", "max_connections=300"], "server.log")
        wait_for_port(self.server_port, "PostgreSQL", self.folder / "server.log")
        subprocess.run(["psql", "-X", "-q", "-h", "127.0.0.1", "-p", str(self.server_port), "-U", "bench", "-c",
                        "create table sink (x text)", "postgres"], check=True)

    def start_pooler(self, name, command, settings="", environment=None):
        port = servers.free_port()
        (self.work / "users").write_text('"bench" ""\n')
        ini = self.work / f"{name}.ini"
        ini.write_text(
            f"[databases]\npostgres = host={self.work} port={self.server_port}\n"
            f"session = host={self.work} port={self.server_port} dbname=postgres pool_mode=session\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n"
            f"unix_socket_dir = {self.work}\nauth_type = trust\nauth_file = {self.work}/users\n"
            f"pool_mode = transaction\ndefault_pool_size = {POOL_SIZE}\nmax_client_conn = {CLIENTS_MAX}\n"
            f"log_connections = 0\nlog_disconnections = 0\n{settings}")
        # A copy: the account may not be allowed into our build folder.
        copy = self.folder / f"{name}-program"
        shutil.copy(command, copy)
        copy.chmod(0o755)
        process = self.start([copy, ini], f"{name}.log", environment)
        wait_for_port(port, name, self.folder / f"{name}.log")
        return process.pid, port

    def cpu_seconds(self, pid):
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def pgbench(self, pid, port, sql, *arguments, database="postgres"):
        """(CPU seconds of `pid`, transactions, transactions per second)."""
        script = self.folder / "script.sql"
        script.write_text(sql)
        before = self.cpu_seconds(pid)
        done = subprocess.run(
            ["pgbench", "-n", "-h", "127.0.0.1", "-p", str(port), "-U", "bench", "-f", script,
             *map(str, arguments), database], capture_output=True, text=True, check=False)
        cpu = self.cpu_seconds(pid) - before
        count = re.search(r"actually processed: (\d+)", done.stdout)
        rate = re.search(r"tps = ([\d.]+)", done.stdout)
        if done.returncode != 0 or not count or not rate:
            fail(f"pgbench failed:\n{done.stdout}{done.stderr}")
        return cpu, int(count[1]), float(rate[1])

    def small(self, pid, port, mode, clients, database="postgres"):
        cpu, count, rate = self.pgbench(pid, port, "select 1;\n", "-M", mode, "-c", clients, "-j", 2,
                                        "-T", self.options.seconds, database=database)
        return cpu / count * 1e5, rate

    def connections(self, pid, port):
        cpu, count, rate = self.pgbench(pid, port, "select 1;\n", "-C", "-c", 8, "-j", 2,
                                        "-T", self.options.seconds)
        return cpu / count * 1e5, rate

    def big(self, pid, port):
        sql = "select repeat('x', 1000) from generate_series(1, 10000);\n"
        cpu, count, rate = self.pgbench(pid, port, sql, "-c", 2, "-j", 2, "-t", BIG_RESULTS // 2)
        gigabytes = count * 10_000 * 1_011 / 1e9  # 4 length, 2 + 4 columns, 1 type bytes a row
        return cpu / gigabytes, rate

    def copy(self, pid, port, sql, source=None):
        """Two psql at a time, each with COPY_ROWS rows; (CPU s per GB, GB per second)."""
        before = self.cpu_seconds(pid)
        begun = time.monotonic()
        command = ["psql", "-X", "-q", "-h", "127.0.0.1", "-p", str(port), "-U", "bench", "-c", sql,
                   "postgres"]
        running = []
        for _ in range(2):
            with open(source or os.devnull, "rb") as rows:
                running.append(subprocess.Popen(command, stdin=rows, stdout=subprocess.DEVNULL))
        if any(process.wait() != 0 for process in running):
            fail(f"psql failed: {sql}")
        gigabytes = 2 * COPY_ROWS * 1_006 / 1e9  # 5 of the head, 1 of the line's end
        return (self.cpu_seconds(pid) - before) / gigabytes, gigabytes / (time.monotonic() - begun)

    def copy_out(self, pid, port):
        return self.copy(pid, port, f"copy (select repeat('x', 1000) from generate_series(1, {COPY_ROWS})) "
                                    "to stdout")

    def copy_in(self, pid, port):
        source = self.folder / "rows"
        if not source.exists():
            source.write_text(("x" * 1000 + "\n") * COPY_ROWS)
        return self.copy(pid, port, "copy sink from stdin where false", source)

    def system_calls(self, pid, port):
        """System calls a transaction of SELECT 1 with more clients than servers, and each by name."""
        if not shutil.which("strace"):
            return 0, {}
        report = self.folder / "strace"
        tracer = subprocess.Popen(["strace", "-f", "-c", "-U", "calls,name", "-o", report, "-p", str(pid)],
                                  stderr=subprocess.PIPE, text=True)
        tracer.stderr.readline()  # attached
        _, count, _ = self.pgbench(pid, port, "select 1;\n", "-c", 64, "-t", SYSCALL_TRANSACTIONS // 64)
        tracer.send_signal(signal.SIGINT)
        tracer.wait()
        calls = {line.split()[1]: int(line.split()[0]) for line in report.read_text().splitlines()
                 if re.match(r"\s*\d+ \w+$", line)}
        calls.pop("total", None)
        return sum(calls.values()) / count, calls

    def idle(self, pid, port):
        """Resident bytes that each of many clients costs that have logged in and asked once."""
        packet = b"user\0bench\0database\0postgres\0\0"
        start = (len(packet) + 8).to_bytes(4, "big") + (196608).to_bytes(4, "big") + packet
        ask = b"Q" + (4 + 9).to_bytes(4, "big") + b"select 1\0"
        clients = []

        def ready(client):
            data = b""
            while not data.endswith(b"Z\0\0\0\5I"):
                piece = client.recv(65536)
                if not piece:
                    fail("an idle client was refused")
                data += piece

        def add(count):
            for _ in range(count):
                client = socket.create_connection(("127.0.0.1", port))
                clients.append(client)
                for message in (start, ask):
                    client.sendall(message)
                    ready(client)

        add(100)  # warms what is there once
        before = self.resident(pid)
        each = []
        for count in IDLE_CLIENTS:
            add(count - (len(clients) - 100))
            each.append((self.resident(pid) - before) / count)
        for client in clients:
            client.close()
        return each

    @staticmethod
    def resident(pid):
        pages = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def close(self):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGINT if process.poll() is None else 0)
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


# What is measured in turn: name, title, unit of the CPU seconds, unit of the rate, how.
SUBJECTS = [
    *((f"{mode}-{clients}", f"`SELECT 1`, {mode}, {clients} clients", "100,000 transactions", "/s",
       lambda bench, pooler, mode=mode, clients=clients: bench.small(*pooler, mode, clients))
      for mode in ("simple", "extended") for clients in (8, 64, 512)),
    ("prepared-session", "`SELECT 1`, prepared, session mode, 16 clients", "100,000 transactions", "/s",
     lambda bench, pooler: bench.small(*pooler, "prepared", 16, "session")),
    ("prepared-transaction", "`SELECT 1`, prepared, transaction mode, 64 clients", "100,000 transactions", "/s",
     lambda bench, pooler: bench.small(*pooler, "prepared", 64)),
    ("connections", "a connection, a `SELECT 1`; 8 clients", "100,000 connections", "/s",
     lambda bench, pooler: bench.connections(*pooler)),
    ("big", f"{BIG_RESULTS} results of 10 MB, 2 clients", "GB", "/s",
     lambda bench, pooler: bench.big(*pooler)),
    ("copy-out", "COPY TO, 2 clients", "GB", " GB/s", lambda bench, pooler: bench.copy_out(*pooler)),
    ("copy-in", "COPY FROM, 2 clients", "GB", " GB/s", lambda bench, pooler: bench.copy_in(*pooler)),
]
# PgBouncer 1.18 gives clients that prepare the wrong statements in transaction mode.
NOT_PGBOUNCER = ("prepared-transaction",)


def section(results, names, options):
    lines = [HEADING, "",
             f"Clients over TCP, transaction mode where nothing else is said, {POOL_SIZE} server connections over a "
             f"unix socket, trust on both sides; {options.rounds} alternating rounds of {options.seconds} s. Median "
             "(lowest – highest).", "",
             "| subject | pooler | CPU s | per | done |", "|---|---|---|---|---|"]
    for name, title, per, unit, _ in options.subjects:
        for pooler, called in names.items():
            measured = results.get((pooler, name))
            if measured:
                cpu, rate = written.spread([r[0] for r in measured], 2), written.spread([r[1] for r in measured], 1 if "GB" in unit else 0)
                lines.append(f"| {title} | {called} | {cpu} | {per} | {rate}{unit} |")
    lines += ["", "| pooler | system calls a transaction, 64 clients | "
              + " | ".join(f"bytes per idle client, {count:,}" for count in IDLE_CLIENTS) + " |",
              "|---|---|" + "---|" * len(IDLE_CLIENTS)]
    for pooler, called in names.items():
        total, calls = results[pooler, "calls"]
        told = f"{total:.2f}" if calls else "not counted: no strace"
        most = ", ".join(f"{name} {count / SYSCALL_TRANSACTIONS:.2f}"
                         for name, count in sorted(calls.items(), key=lambda c: -c[1])[:5])
        idle = " | ".join(f"{each:,.0f}" for each in results[pooler, "idle"])
        lines.append(f"| {called} | {told} ({most}) | {idle} |")
    load = os.getloadavg()[0]
    lines += ["", f"Command: `./run bench pool`. Machine: {written.machine()}; load average at the end {load:.1f}. "
              f"Date: {datetime.date.today().isoformat()}.", ""]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pool", default=str(ROOT / "build/bench/pgtend-pool"))
    parser.add_argument("--before")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--only", default="")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    options.subjects = [s for s in SUBJECTS if s[0].startswith(tuple(options.only.split(",")))]
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    if not os.access(options.pool, os.X_OK):
        fail(f"{options.pool} is not there; ./run bench builds it")
    pgbouncer, environment = find_pgbouncer()
    bench = Bench(options)
    try:
        bench.start_server()
        poolers = {"one": bench.start_pooler("one", options.pool, "workers = 1\n"),
                   "two": bench.start_pooler("two", options.pool, "workers = 2\n"),
                   "pgbouncer": bench.start_pooler("pgbouncer", pgbouncer, "", environment)}
        if options.before:
            poolers["before"] = bench.start_pooler("before", options.before, "workers = 1\n")
        version = subprocess.run([pgbouncer, "--version"], env={**os.environ, **environment},
                                 capture_output=True, text=True, check=False).stdout.splitlines()
        names = {"one": "pgtend-pool, 1 worker", "two": "pgtend-pool, 2 workers",
                 "before": "the earlier build, 1 worker",
                 "pgbouncer": version[0] if version else "PgBouncer"}
        results = {}
        for name, pooler in poolers.items():
            results[name, "calls"] = bench.system_calls(*pooler)
            results[name, "idle"] = bench.idle(*pooler)
        for round_number in range(options.rounds + 1):
            order = list(poolers) if round_number % 2 == 0 else list(reversed(poolers))
            for subject, _, per, unit, measure in options.subjects:
                for name in order:
                    if name == "pgbouncer" and subject in NOT_PGBOUNCER:
                        continue
                    result = measure(bench, poolers[name])
                    if round_number == 0:
                        continue  # the first round opens the links and warms the caches
                    results.setdefault((name, subject), []).append(result)
                    print(f"round {round_number} {name} {subject}: {result[0]:.2f} CPU s per {per}, "
                          f"{result[1]:,.1f}{unit}", file=sys.stderr)
        text = section(results, {name: names[name] for name in poolers}, options)
    finally:
        bench.close()
    print(text)
    if options.write:
        written.write_section(text)


if __name__ == "__main__":
    main()
