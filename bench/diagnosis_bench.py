#!/usr/bin/env python3
"""How good the diagnoses of `pgtend explain` are: for each rule a script builds its fault and the healthy twin.

Names (also such as need quotes), types, sizes and skew are drawn from the seed. A fault must give its rule's id
(recall); a twin must give neither that id nor any finding of severity warning or more (precision). Cases of rules that
docs/rules.md does not list are named, not run. Servers are private ones of each version.

usage: bench/diagnosis_bench.py [--seed 1,2] [--versions 13,15,18] [--rules A1,A5]
                                [--jobs 1] [--minutes N] [--pgtend build/bench/pgtend] [--verbose] [--write]
--jobs is how many servers are busy at once; --minutes begins no seed on a version later than that. --write puts the section "Diagnoses" into bench/RESULTS.md. Exit code 1 when precision is below 0.95 or recall below
0.9 over all, or a half of a pair could not be built.
"""
import argparse
import concurrent.futures
import contextlib
import datetime
import json
import pathlib
import random
import re
import shlex
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
# pylint: disable=wrong-import-position,unused-import
import results as written  # noqa: E402
from diagnosis import cases, servers  # noqa: E402
from diagnosis import (catalog, estimates, indexes, io, joins, logs, memory, outside, parallel, scans, shape,  # noqa: E402,F401
                       subselects, writes)

ROOT = servers.ROOT
PRECISION_MIN = 0.95
RECALL_MIN = 0.9
HEADING = "## Diagnoses"
LOUD = ("warning", "critical")


class Score:
    """What one rule did on one version."""

    def __init__(self):
        self.found = self.missed = self.quiet = self.wrong = 0
        self.notes = []

    def add(self, other):
        self.found += other.found
        self.missed += other.missed
        self.quiet += other.quiet
        self.wrong += other.wrong
        self.notes += other.notes

    @property
    def precision(self):
        spoken = self.found + self.wrong
        return self.found / spoken if spoken else 1.0

    @property
    def recall(self):
        faults = self.found + self.missed
        return self.found / faults if faults else 1.0


def rule_order(rule):
    return rule[0], int(rule[1:])


def written_rules():
    """The ids of the rules there are, as docs/rules.md lists them."""
    return set(re.findall(r"^### ([A-K]\d+) ", (ROOT / "docs/rules.md").read_text(), re.MULTILINE))


def explain(server, pgtend, case, settings):
    """The findings of the JSON report on `case`."""
    command = [pgtend, "explain", "--json", "--no-hypopg"]
    text = case.sql
    if case.how == "analyze":
        command += ["--analyze", "-f", "-"]
    elif case.how == "plan":
        command += ["-f", "-"]
    elif case.how == "log":
        command += ["--log", "-"]
        text = server.logged(case.sql, settings)
    else:
        options = "ANALYZE, BUFFERS, VERBOSE, SETTINGS, FORMAT JSON" + (", " + case.options if case.options else "")
        if case.how == "inside":
            # psql hands the plan over while its session is still there.
            told = server.psql(f"{case.before}\nBEGIN;\nEXPLAIN ({options}) {case.sql}\n\\g |{shlex.join(command)} --plan -\nROLLBACK;",
                               settings).stdout
            return findings_in(json.loads(told))
        with server.slow_reads() if case.slow_reads else contextlib.nullcontext():
            text = server.psql(f"{case.before}\nBEGIN;\nEXPLAIN ({options}) {case.sql};\nROLLBACK;", settings).stdout
        command += ["--plan", "-", *(["--offline"] if case.how == "offline" else [])]
    done = subprocess.run(command, input=text, text=True, capture_output=True, check=False, timeout=120,
                          env=server.environment(settings))
    if done.returncode != 0:
        raise servers.ServerError(f"pgtend explain: {done.stderr.strip() or done.stdout[:500]}\nof: {case.sql}")
    return findings_in(json.loads(done.stdout))


def findings_in(value):
    """The lists of findings, wherever the report has them."""
    stack, out = [value], []
    while stack:
        top = stack.pop()
        if isinstance(top, dict):
            if isinstance(top.get("findings"), list):
                out += top["findings"]
            if isinstance(top.get("flip"), dict):
                out.append(top["flip"])
            stack += [v for k, v in top.items() if k not in ("findings", "flip", "root")]
        elif isinstance(top, list):
            stack += top
    return out


def run_half(server, pgtend, function, seed, sick, number):
    """Builds one half in a schema of its own and explains it."""
    draw = cases.Draw(random.Random(seed))
    schema = cases.quote(draw.rng.choice(["app", "Some Schema", "s'x"]) + f"_{number}")
    case = function(draw, sick)
    path = {"search_path": schema}
    server.psql(f"CREATE SCHEMA {schema};")
    try:
        server.psql("SET client_min_messages = warning;\n" + ";\n".join(case.setup) + ";", path)
        return explain(server, pgtend, case, {**path, **case.settings})
    finally:
        server.psql(f"SET client_min_messages = warning; DROP SCHEMA {schema} CASCADE;")


def judge(score, half, rule, sick, findings):
    ids = [finding["id"] for finding in findings]
    if sick:
        if rule in ids:
            score.found += 1
        else:
            score.missed += 1
            score.notes.append(f"{half}: missed, said " + (", ".join(ids) or "nothing"))
        return
    loud = [f["id"] for f in findings if f["severity"] in LOUD or f["id"] == rule]
    if loud:
        score.wrong += 1
        score.notes.append(f"{half}: gets " + ", ".join(loud))
    else:
        score.quiet += 1


def run_unit(server, seed, options):
    """All chosen rules with one seed on one version: {rule: Score}, and the halves that could not be built."""
    number, scores, broken = 0, {}, []
    for rule in options.chosen:
        score = scores.setdefault(rule, Score())
        for index, (function, versions) in enumerate(cases.CASES[rule]):
            if versions and server.version not in versions:
                continue
            for sick in (True, False):
                number += 1
                half = f"{rule} on {server.version}, seed {seed} ({'fault' if sick else 'twin'})"
                begun = time.monotonic()
                try:
                    findings = run_half(server, options.pgtend, function, f"{seed}/{rule}/{index}/{server.version}", sick, number)
                except (servers.ServerError, subprocess.TimeoutExpired, ValueError) as problem:
                    broken.append(f"{half}: {problem}")
                    continue
                judge(score, half, rule, sick, findings)
                if options.verbose:
                    said = ", ".join(f"{f['id']} {f['severity']}" for f in findings)
                    print(f"{half} in {time.monotonic() - begun:.1f} s: {said}", file=sys.stderr, flush=True)
    return scores, broken


def run_units(options):
    """{(rule, version): Score}, {version: seeds done}, what could not be built. Seed by seed, so that what the time
    does not suffice for is missing at the end."""
    results, done, broken = {}, {version: [] for version in options.versions}, []
    end = time.monotonic() + 60 * options.minutes

    def run(unit):
        seed, version = unit
        if time.monotonic() > end:
            return
        with servers.Server(version) as server:
            scores, problems = run_unit(server, seed, options)
        done[version].append(seed)
        broken.extend(problems)
        for rule, score in scores.items():
            results.setdefault((rule, version), []).append(score)

    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(run, [(seed, version) for seed in options.seeds for version in options.versions]))
    totals = {}
    for key, scores in results.items():
        totals[key] = Score()
        for score in scores:
            totals[key].add(score)
    return totals, done, broken


def section(results, done, options):
    """The table, by rule and version, and the total."""
    total, by_version = Score(), {version: Score() for version in options.versions}
    lines = [HEADING, "",
             "For each rule its fault and the same without it, built on a private server; names, types, sizes and skew from "
             "the seed. Found: faults that gave the rule's id. Quiet: twins without that id and without any finding of "
             "severity warning or more.", "",
             "| rule | " + " | ".join(f"{v}: found | {v}: quiet" for v in options.versions) + " |",
             "|---|" + "---|" * (2 * len(options.versions))]
    for rule in options.chosen:
        cells = []
        for version in options.versions:
            score = results.get((rule, version), Score())
            total.add(score)
            by_version[version].add(score)
            faults, twins = score.found + score.missed, score.quiet + score.wrong
            cells += [f"{score.found}/{faults}" if faults else "", f"{score.quiet}/{twins}" if twins else ""]
        lines.append(f"| {rule} | " + " | ".join(cells) + " |")
    if options.unwritten:
        lines += ["", "Cases wait for rules that are not there: " + ", ".join(options.unwritten) + "."]
    lines.append("")
    lines += [f"* PostgreSQL {version}, seeds {', '.join(done[version]) or 'none'}: precision {score.precision:.3f}, recall {score.recall:.3f}"
              for version, score in by_version.items()]
    lines += ["", f"Precision {total.precision:.3f} (wanted {PRECISION_MIN}), recall {total.recall:.3f} (wanted "
              f"{RECALL_MIN}) over {total.found + total.missed} faults and {total.quiet + total.wrong} twins. Command: `./run bench "
              f"diagnosis --seed {options.seed}`. Date: {datetime.date.today().isoformat()}.", ""]
    return "\n".join(lines), total


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--versions", default="13,15,18")
    parser.add_argument("--rules", default="")
    parser.add_argument("--minutes", type=float, default=1e6)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--pgtend", default=str(ROOT / "build/bench/pgtend"))
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    options.seeds = options.seed.split(",")
    options.versions = options.versions.split(",")
    wanted = options.rules.split(",") if options.rules else list(cases.CASES)
    unknown = [rule for rule in wanted if rule not in cases.CASES]
    if unknown:
        parser.error("no case for " + ", ".join(unknown))
    options.chosen = sorted((rule for rule in wanted if rule in written_rules()), key=rule_order)
    options.unwritten = sorted(set(wanted) - set(options.chosen), key=rule_order)
    absent = [version for version in options.versions if servers.binaries(version) is None]
    if absent:
        parser.error("PostgreSQL is missing: " + ", ".join(absent) + " (./run test fetches the servers)")
    return options


def main():
    options = parse_options()
    results, done, broken = run_units(options)
    text, total = section(results, done, options)
    print(text)
    for score in results.values():
        for note in score.notes:
            print(note, file=sys.stderr)
    for problem in broken:
        print(f"not built: {problem}", file=sys.stderr)
    if options.write:
        written.write_section(text)
    if broken or total.precision < PRECISION_MIN or total.recall < RECALL_MIN:
        sys.exit(1)


if __name__ == "__main__":
    main()
