#!/usr/bin/env python3
"""Compares pgtend-pool with Debian's PgBouncer in one alternating run.

Both poolers stand in front of the same private PostgreSQL; pgbench sends SELECT 1 with 64 clients.
Reported are the CPU seconds of the pooler process (utime + stime) per 100,000 transactions and the
transactions per second: median and spread over the rounds. CPU per transaction is the steadier figure.

usage: bench/pool_bench.py [--pool build/release/pgtend-pool] [--rounds 5] [--seconds 5] [--write]
--write puts the section "Pool" into bench/RESULTS.md. PgBouncer is unpacked into build/peers from the
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

    def start_pooler(self, name, command, environment=None):
        port = free_port()
        (self.work / "users").write_text('"bench" ""\n')
        ini = self.work / f"{name}.ini"
        ini.write_text(
            f"[databases]\npostgres = host={self.work} port={self.server_port}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n"
            f"unix_socket_dir = {self.work}\nauth_type = trust\nauth_file = {self.work}/users\n"
            f"pool_mode = transaction\ndefault_pool_size = {POOL_SIZE}\nmax_client_conn = 1000\n"
            "log_connections = 0\nlog_disconnections = 0\n")
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

    def measure(self, pid, port, mode):
        script = self.folder / "select.sql"
        script.write_text("select 1;\n")
        before = self.cpu_seconds(pid)
        done = subprocess.run(
            ["pgbench", "-n", "-h", "127.0.0.1", "-p", str(port), "-U", "bench", "-M", mode,
             "-f", script, "-c", str(CLIENTS), "-j", "2", "-T", str(self.options.seconds),
             "postgres"], capture_output=True, text=True, check=False)
        cpu = self.cpu_seconds(pid) - before
        count = re.search(r"actually processed: (\d+)", done.stdout)
        rate = re.search(r"tps = ([\d.]+)", done.stdout)
        if done.returncode != 0 or not count or not rate:
            fail(f"pgbench failed:\n{done.stdout}{done.stderr}")
        return cpu / int(count[1]) * 1e5, float(rate[1])

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
             f"`SELECT 1`, {CLIENTS} clients over TCP, transaction mode, {POOL_SIZE} server "
             "connections over a unix socket, trust on both sides; one pooler process each, "
             f"{options.rounds} alternating rounds of {options.seconds} s. Median (lowest – highest).",
             "",
             "| protocol | pooler | CPU s per 100,000 transactions | transactions/s |",
             "|---|---|---|---|"]
    for mode in MODES:
        for name in names:
            cpu = [r[0] for r in results[name, mode]]
            rate = [r[1] for r in results[name, mode]]
            lines.append(f"| {mode} | {names[name]} | {spread(cpu, 2)} | {spread(rate, 0)} |")
    load = os.getloadavg()[0]
    lines += ["", f"Command: `bench/pool_bench.py --rounds {options.rounds} --seconds "
              f"{options.seconds}`. Machine: {machine()}; load average at the end {load:.1f}. "
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
    parser.add_argument("--pool", default=str(ROOT / "build/release/pgtend-pool"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    if not os.access(options.pool, os.X_OK):
        fail(f"{options.pool} is not there; build it with ./run build")
    pgbouncer, environment = find_pgbouncer()
    bench = Bench(options)
    try:
        bench.start_server()
        poolers = {"pgtend-pool": bench.start_pooler("pgtend-pool", options.pool),
                   "pgbouncer": bench.start_pooler("pgbouncer", pgbouncer, environment)}
        version = subprocess.run([pgbouncer, "--version"], env={**os.environ, **environment},
                                 capture_output=True, text=True, check=False).stdout.splitlines()
        names = {"pgtend-pool": "pgtend-pool", "pgbouncer": version[0] if version else "PgBouncer"}
        results = {(name, mode): [] for name in poolers for mode in MODES}
        for round_number in range(options.rounds + 1):
            order = list(poolers) if round_number % 2 == 0 else list(reversed(poolers))
            for name in order:
                for mode in MODES:
                    result = bench.measure(*poolers[name], mode)
                    if round_number == 0:
                        continue  # the first round opens the links and warms the caches
                    results[name, mode].append(result)
                    print(f"round {round_number} {name} {mode}: {result[0]:.2f} CPU s per 100,000, "
                          f"{result[1]:,.0f}/s", file=sys.stderr)
        text = section(results, names, options)
    finally:
        bench.close()
    print(text)
    if options.write:
        write_section(text)


if __name__ == "__main__":
    main()
