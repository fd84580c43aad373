#!/usr/bin/env python3
"""Runs every test of a build folder with ctest and counts test cases, not programs.

usage: run_tests.py BUILD_FOLDER [NAME…]   (NAME: part of a program's name)
Prints what failed with its output, what was skipped with its reason, and as the last line
`N passed, N failed` (`, N skipped` when some were). Exit code 0 when none failed.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree


def programs(folder):
    shown = subprocess.run(["ctest", "--show-only=json-v1"], cwd=folder, check=True, capture_output=True, text=True)
    return [test["name"] for test in json.loads(shown.stdout)["tests"]]


def cases(xml_file):
    """(name, state, text) of each case in a GoogleTest report; state: passed, failed, skipped."""
    for case in ElementTree.parse(xml_file).iter("testcase"):
        name = f'{case.get("classname")}.{case.get("name")}'
        failure, skipped = case.find("failure"), case.find("skipped")
        if failure is not None:
            yield name, "failed", failure.get("message", "")
        elif skipped is not None or case.get("result") == "skipped":
            yield name, "skipped", skipped.get("message", "") if skipped is not None else ""
        elif case.get("status") != "notrun":
            yield name, "passed", ""


def main():
    folder = pathlib.Path(sys.argv[1])
    wanted = sys.argv[2:]
    everything = programs(folder)
    names = [n for n in everything if not wanted or any(w in n for w in wanted)]
    if not names:
        print(f"no test program matches {' '.join(wanted)}; there are: {' '.join(everything)}")
        print("0 passed, 0 failed")
        return 1
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="pgtend-tests-") as reports:
        os.chmod(reports, 0o755)
        pattern = "^(" + "|".join(re.escape(n) for n in names) + ")$"
        environment = {**os.environ, "GTEST_OUTPUT": f"xml:{reports}/", "GTEST_COLOR": "no"}
        environment.setdefault("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=0:handle_sigill=1")
        junit = pathlib.Path(reports, "programs.junit")
        run = subprocess.run(["ctest", "-R", pattern, "--output-on-failure", "-j2", "--no-tests=error",
                              "--output-junit", str(junit)], cwd=folder, env=environment)
        counts = {"passed": 0, "failed": 0, "skipped": 0}
        failed, skipped = [], {}
        for program in ElementTree.parse(junit).iter("testcase"):
            name = program.get("name")
            report = pathlib.Path(reports, f"{name}.xml")
            found = list(cases(report)) if report.exists() else []
            for case, state, text in found:
                counts[state] += 1
                if state == "failed":
                    failed.append(f"{name}: {case}")
                elif state == "skipped":
                    skipped.setdefault(text.strip().splitlines()[-1] if text.strip() else "no reason given", []).append(case)
            program_failed = program.get("status") != "run" or program.find("failure") is not None
            if program_failed and not any(state == "failed" for _, state, _ in found):
                counts["failed"] += 1
                failed.append(f"{name}: the program ended badly")
            elif not found and not program_failed:
                counts["passed"] += 1
    for line in failed:
        print(f"FAILED {line}")
    for reason, which in skipped.items():
        print(f"skipped {len(which)}: {reason}")
    print(f"{len(names)} programs in {time.monotonic() - started:.0f} s")
    tail = f", {counts['skipped']} skipped" if counts["skipped"] else ""
    print(f"{counts['passed']} passed, {counts['failed']} failed{tail}")
    return 1 if counts["failed"] or run.returncode != 0 else 0


if __name__ == "__main__":
    sys.exit(main())
