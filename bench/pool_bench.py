#!/usr/bin/env python3
"""Compares pgtend-pool with Debian's PgBouncer in one alternating run.

All poolers stand in front of the same private PostgreSQL. Three subjects, each with median and spread:
SELECT 1 from 64 clients (CPU seconds of the pooler process, utime + stime, per 100,000 transactions, and
transactions per second), results of 10 MB (CPU seconds per GB), and idle clients (resident bytes each).
CPU per transaction is the steadier figure.

usage: bench/pool_bench.py [--pool build/bench/pgtend-pool] [--before PATH] [--rounds 5] [--seconds 5] [--write]
--before is an earlier build of pgtend-pool, measured in the same run with one worker. --write puts the section "Pool" into bench/RESULTS.md. PgBouncer is unpacked into build/peers from the
packages named in deps/apt-bench.txt; nothing is installed.
"""
import argparse
import datetime
import glob
import os
import pathlib
import platform
import pwd
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PEERS = ROOT / "build" / "peers"
MODES = ("simple", "extended")
CLIENTS = 64
POOL_SIZE = 20
BIG_RESULTS = 30  # of 10 MB
IDLE_CLIENTS = 1000
HEADING = "## Pool"


def fail(text):
    sys.exit(f"pool_bench: {text}")


def demote():
    """The prefix that runs a program without root, whom PostgreSQL and PgBouncer refuse."""
    if os.geteuid() != 0:
        return []
    for name in ("postgres", "nobody"):
        try:
            account = pwd.getpwnam(name)
            return ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}",
                    "--clear-groups"]
        except KeyError:
            continue
    fail("no unprivileged account (postgres, nobody) to run the servers as")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


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


def find_pgbouncer():
    binary = PEERS / "usr/sbin/pgbouncer"
    if not binary.exists():
        PEERS.mkdir(parents=True, exist_ok=True)
        packages = peer_packages()
        if subprocess.run(["apt-get", "download", *packages], cwd=PEERS,
                          stdout=subprocess.DEVNULL).returncode != 0:
            fail("apt-get download failed for " + " ".join(packages))
        for package in PEERS.glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, PEERS], check=True)
    libraries = sorted({os.path.dirname(p) for p in glob.glob(f"{PEERS}/usr/lib/*/*.so*")})
    return binary, {"LD_LIBRARY_PATH": ":".join(libraries)}


class Bench:
    def __init__(self, options):
        self.options = options
        self.demote = demote()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="pgtend-bench-"))
        self.folder.chmod(0o755)
        self.work = self.folder / "run"
        self.work.mkdir()
        if self.demote:
            uid = int(self.demote[1].split("=")[1])
            os.chown(self.work, uid, -1)
        self.processes = []
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
        if not found:
            fail("PostgreSQL's initdb is not in /usr/lib/postgresql/*/bin")
        self.binaries = pathlib.Path(found[-1]).parent
        self.server_port = free_port()

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
                    "-c", "max_connections=100"], "server.log")
        wait_for_port(self.server_port, "PostgreSQL", self.folder / "server.log")

    def start_pooler(self, name, command, settings="", environment=None):
        port = free_port()
        (self.work / "users").write_text('"bench" ""\n')
        ini = self.work / f"{name}.ini"
        ini.write_text(
            f"[databases]\npostgres = host={self.work} port={self.server_port}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n"
            f"unix_socket_dir = {self.work}\nauth_type = trust\nauth_file = {self.work}/users\n"
            f"pool_mode = transaction\ndefault_pool_size = {POOL_SIZE}\nmax_client_conn = 2000\n"
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

    def pgbench(self, pid, port, sql, *arguments):
        """(CPU seconds of `pid`, transactions, transactions per second)."""
        script = self.folder / "script.sql"
        script.write_text(sql)
        before = self.cpu_seconds(pid)
        done = subprocess.run(
            ["pgbench", "-n", "-h", "127.0.0.1", "-p", str(port), "-U", "bench", "-f", script,
             *map(str, arguments), "postgres"], capture_output=True, text=True, check=False)
        cpu = self.cpu_seconds(pid) - before
        count = re.search(r"actually processed: (\d+)", done.stdout)
        rate = re.search(r"tps = ([\d.]+)", done.stdout)
        if done.returncode != 0 or not count or not rate:
            fail(f"pgbench failed:\n{done.stdout}{done.stderr}")
        return cpu, int(count[1]), float(rate[1])

    def small(self, pid, port, mode):
        cpu, count, rate = self.pgbench(pid, port, "select 1;\n", "-M", mode, "-c", CLIENTS, "-j", 2,
                                        "-T", self.options.seconds)
        return cpu / count * 1e5, rate

    def big(self, pid, port):
        sql = "select repeat('x', 1000) from generate_series(1, 10000);\n"
        cpu, count, rate = self.pgbench(pid, port, sql, "-c", 2, "-j", 2, "-t", BIG_RESULTS // 2)
        gigabytes = count * 10_000 * 1_011 / 1e9  # 4 length, 2 + 4 columns, 1 type bytes a row
        return cpu / gigabytes, rate

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
        add(IDLE_CLIENTS)
        grown = self.resident(pid) - before
        for client in clients:
            client.close()
        return grown / IDLE_CLIENTS

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


def spread(values, digits):
    return (f"{statistics.median(values):,.{digits}f} "
            f"({min(values):,.{digits}f} – {max(values):,.{digits}f})")


def machine():
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", pathlib.Path("/proc/meminfo").read_text())
    return (f"{os.cpu_count()} cores of {model[1] if model else platform.machine()}, "
            f"{int(memory[1]) / 2**20:.0f} GB, Linux {platform.release()}")


def section(results, names, options):
    lines = [HEADING, "",
             f"Clients over TCP, transaction mode, {POOL_SIZE} server connections over a unix socket, "
             f"trust on both sides; {options.rounds} alternating rounds. Median (lowest – highest).",
             "",
             f"`SELECT 1` from {CLIENTS} clients for {options.seconds} s:", "",
             "| protocol | pooler | CPU s per 100,000 transactions | transactions/s |",
             "|---|---|---|---|"]
    for mode in MODES:
        for name in names:
            cpu = [r[0] for r in results[name, mode]]
            rate = [r[1] for r in results[name, mode]]
            lines.append(f"| {mode} | {names[name]} | {spread(cpu, 2)} | {spread(rate, 0)} |")
    lines += ["", f"{BIG_RESULTS} results of 10 MB to 2 clients; {IDLE_CLIENTS:,} idle clients more:", "",
              "| pooler | CPU s per GB | resident bytes per idle client |", "|---|---|---|"]
    for name in names:
        cpu = [r[0] for r in results[name, "big"]]
        idle = results[name, "idle"]
        lines.append(f"| {names[name]} | {spread(cpu, 2)} | {idle[0]:,.0f} |")
    load = os.getloadavg()[0]
    lines += ["", f"Command: `./run bench pool`. Machine: {machine()}; load average at the end {load:.1f}. "
              f"Date: {datetime.date.today().isoformat()}.", ""]
    return "\n".join(lines)


def write_section(text):
    path = ROOT / "bench" / "RESULTS.md"
    old = path.read_text() if path.exists() else "# Results\n\n"
    pattern = re.compile(rf"^{HEADING}\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    new = pattern.sub(lambda _: text + "\n", old) if pattern.search(old) else old.rstrip("\n") + "\n\n" + text
    path.write_text(new.rstrip("\n") + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pool", default=str(ROOT / "build/bench/pgtend-pool"))
    parser.add_argument("--before")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
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
        subjects = {mode: lambda pooler, mode=mode: bench.small(*pooler, mode) for mode in MODES}
        subjects["big"] = lambda pooler: bench.big(*pooler)
        results = {(name, subject): [] for name in poolers for subject in subjects}
        for name, pooler in poolers.items():
            results[name, "idle"] = [bench.idle(*pooler)]
        for round_number in range(options.rounds + 1):
            order = list(poolers) if round_number % 2 == 0 else list(reversed(poolers))
            for subject, measure in subjects.items():
                for name in order:
                    result = measure(poolers[name])
                    if round_number == 0:
                        continue  # the first round opens the links and warms the caches
                    results[name, subject].append(result)
                    print(f"round {round_number} {name} {subject}: {result[0]:.2f} CPU s, "
                          f"{result[1]:,.0f}/s", file=sys.stderr)
        text = section(results, {name: names[name] for name in poolers}, options)
    finally:
        bench.close()
    print(text)
    if options.write:
        write_section(text)


if __name__ == "__main__":
    main()
