"""What the benchmarks written in Python share: the machine's name and the sections of RESULTS.md."""
import os
import pathlib
import platform
import re
import statistics

RESULTS = pathlib.Path(__file__).resolve().parent / "RESULTS.md"


def spread(values, digits):
    return (f"{statistics.median(values):,.{digits}f} "
            f"({min(values):,.{digits}f} – {max(values):,.{digits}f})")


def machine():
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", pathlib.Path("/proc/meminfo").read_text())
    return (f"{os.cpu_count()} cores of {model[1] if model else platform.machine()}, "
            f"{int(memory[1]) / 2**20:.0f} GB, Linux {platform.release()}")


def write_section(text):
    """Puts `text`, whose first line is its heading, in the place of the section of that heading."""
    heading = text.split("\n", 1)[0]
    old = RESULTS.read_text() if RESULTS.exists() else "# Measurements\n\n"
    pattern = re.compile(rf"^{re.escape(heading)}\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    new = pattern.sub(lambda _: text + "\n", old) if pattern.search(old) else old.rstrip("\n") + "\n\n" + text
    RESULTS.write_text(new.rstrip("\n") + "\n")
