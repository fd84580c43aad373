#!/usr/bin/env python3
"""Checks what a compiler does not: layering, walls around libraries, sizes, names, tests, commits.

Without arguments: everything but the layout. --format: clang-format on every source (14, as in
deps/). --fix-format: rewrites. Exit code 1 when something is wrong, each on a line `file:line: text`.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FILE_LINES_MAX = 800
FUNCTION_LINES_MAX = 70
BUILD_LINES_MAX = 400
README_LINES_MAX = 150
TEST_NEEDED_FROM_LINES = 60
# A source whose behaviour is tested through its module's front rather than by its own header: the
# longest prefix names the test that would turn red.
COVERED_BY = {
    "src/cli/": "test/e2e/cli_test.cc",
    "src/cli/pool": "test/e2e/pool_top_test.cc",
    "src/cli/full_screen": "test/e2e/pool_top_test.cc",
    "src/demo/generator": "test/e2e/demo_generator_test.cc",
    "src/demo/load": "test/e2e/demo_load_test.cc",
    "src/demo/tour": "test/e2e/demo_tour_test.cc",
    "src/demo/pool_process": "test/e2e/demo_tour_test.cc",
    "src/demo/schema": "test/e2e/demo_generator_test.cc",
    "src/explain/": "test/unit/explain/golden_test.cc",
    "src/vacuum/": "test/unit/vacuum/golden_test.cc",
    "src/pool/": "test/e2e/pool_operation_test.cc",
    "src/pool/cancel": "test/e2e/pool_cancel_test.cc",
    "src/pool/peers": "test/e2e/pool_peers_test.cc",
    "src/pool/client_login": "test/e2e/pool_login_test.cc",
    "src/pool/server_login": "test/e2e/pool_login_test.cc",
    "src/pool/pool_replication": "test/e2e/pool_replication_test.cc",
    "src/pool/server_replication": "test/e2e/pool_replication_test.cc",
    "src/net/loop_epoll": "test/e2e/net_loop_test.cc",
    "src/net/": "test/e2e/net_loop_test.cc",
    "src/pg/": "test/e2e/pg_connection_test.cc",
    "src/care/": "test/e2e/gate_actions_test.cc",
    "src/partition/": "test/e2e/partition_convert_test.cc",
    "src/partition/slices": "test/e2e/partition_slices_test.cc",
    "src/partition/mould": "test/e2e/partition_maintain_test.cc",
    "src/partition/upkeep": "test/e2e/partition_maintain_test.cc",
    "src/partition/retire": "test/e2e/partition_maintain_test.cc",
    "src/partition/archive": "test/e2e/partition_maintain_test.cc",
    "src/partition/status": "test/e2e/partition_maintain_test.cc",
}
BANNED_NAMES = {"common", "util", "utils", "misc", "helper", "helpers"}

# header pattern -> the modules (or top folders) that may include it
WALLS = {
    r"libpq-fe\.h|libpq/|pg_config": {"pg"},
    r"pg_query\.h": {"sql"},
    r"sqlite3\.h": {"store"},
    r"openssl/(ssl|bio)\.h|liburing\.h": {"net"},
    r"openssl/": {"wire", "net"},
    r"boost/(beast|asio)": {"web"},
    r"CLI/": {"cli"},
    r"toml\+\+/": {"partition"},
    r"spdlog/": {"base"},
    r"sys/epoll\.h": {"net"},
    r"ares\.h": {"net"},
    r"systemd/": {"pool"},
}
HEAVY = r"boost/beast|CLI/|spdlog/|toml\+\+"
DATA_PLANE = {"net", "wire", "pool"}
NARRATION = re.compile(r"//.*\b(robust|comprehensive|improved|enhanced|seamless\w*)\b", re.I)


def modules():
    """name -> needs, in order of declaration, from src/CMakeLists.txt."""
    table = {}
    for line in (ROOT / "src/CMakeLists.txt").read_text().splitlines():
        match = re.match(r"module\(([^)]*)\)", line)
        if match:
            words = match.group(1).split(" LIBS ")[0].split()
            table[words[0]] = words[1:]
    return table


def closure(table, name):
    """All modules that `name` may use: its needs and theirs."""
    seen, rest = set(), list(table[name])
    while rest:
        need = rest.pop()
        if need not in seen:
            seen.add(need)
            rest += table[need]
    return seen


def tracked(*patterns):
    out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "--", *patterns], cwd=ROOT,
                         check=True, capture_output=True, text=True).stdout
    return [ROOT / line for line in out.splitlines() if (ROOT / line).is_file()]


def sources():
    return tracked("*.cc", "*.h")


def check_includes(problems):
    table = modules()
    heavy_seen = {}
    for path in sources():
        parts = path.relative_to(ROOT).parts
        module = parts[1] if parts[0] == "src" and len(parts) > 2 else None
        if module is not None and module not in table:
            problems.append(f"{path}:1: module {module} has no line in src/CMakeLists.txt")
            continue
        allowed = closure(table, module) | {module} if module else set()
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = re.match(r'\s*#include\s+["<]([^">]+)[">]', line)
            if not match:
                continue
            header = match.group(1)
            first = header.split("/")[0]
            if module and first in table and first not in allowed:
                direction = "upward or sideways"
                problems.append(f"{path}:{number}: {module} includes {header}: {direction}; its line in "
                                f"src/CMakeLists.txt allows {' '.join(sorted(allowed))}")
            if parts[0] == "src":
                for wall, owners in WALLS.items():
                    if re.match(wall, header):
                        if module not in owners:
                            problems.append(f"{path}:{number}: {header} belongs behind the wall of "
                                            f"{' or '.join(sorted(owners))}/")
                        break
                if re.match(HEAVY, header):
                    key = header.split("/")[0]
                    if path.suffix == ".h":
                        problems.append(f"{path}:{number}: heavy header {header} in a header")
                    if heavy_seen.setdefault(key, path) != path:
                        problems.append(f"{path}:{number}: heavy header {header} is already in "
                                        f"{heavy_seen[key].relative_to(ROOT)}")


def function_lengths(text):
    """(first line, length) of each outermost function-like block, by brace depth.

    clang-format's layout makes this exact enough: a function's closing brace stands alone at the
    indentation of its first line.
    """
    lines = text.splitlines()
    start = None
    for number, line in enumerate(lines, 1):
        if start is None and re.match(r"( {0,4})[\w:~<&*\[].*[)\w]\s*(const|noexcept|override|final|&&|\s)*\{$", line) \
                and not re.match(r"\s*(namespace|struct|class|enum|union|switch|if|for|while|else|do|extern|case|default)\b", line) \
                and "= {" not in line:
            start, indent = number, len(line) - len(line.lstrip())
        elif start is not None and re.match(r" {%d}\}[;,)]*( //.*)?$" % indent, line):
            yield start, number - start + 1
            start = None


def check_sizes(problems):
    for path in sources() + tracked("*.py", "run"):
        text = path.read_text()
        count = text.count("\n")
        if count > FILE_LINES_MAX:
            problems.append(f"{path}:1: {count} lines, the limit is {FILE_LINES_MAX}")
        if path.suffix in {".cc", ".h"} and "/test/" not in str(path):
            for start, length in function_lengths(text):
                if length > FUNCTION_LINES_MAX:
                    problems.append(f"{path}:{start}: function of {length} lines, the limit is {FUNCTION_LINES_MAX}")
    build = sum(p.read_text().count("\n") for p in tracked("*CMakeLists.txt", "*.cmake", "CMakePresets.json"))
    if build > BUILD_LINES_MAX:
        problems.append(f"CMakeLists.txt:1: build files have {build} lines, the limit is {BUILD_LINES_MAX}")
    readme = ROOT / "README.md"
    if readme.exists() and readme.read_text().count("\n") > README_LINES_MAX:
        problems.append(f"{readme}:1: longer than {README_LINES_MAX} lines")


def check_words(problems):
    for path in tracked():
        relative = path.relative_to(ROOT)
        for part in relative.parts:
            if part.split(".")[0].lower() in BANNED_NAMES:
                problems.append(f"{path}:1: the name {part} says nothing")
        if path.suffix not in {".cc", ".h", ".py", ".sh", ".txt", ".cmake"} and relative.name != "run":
            continue
        if relative == pathlib.Path("tools/tidy.py"):
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if re.search(r"\b(TODO|FIXME|XXX)\b", line) and not re.search(r"#\d+", line):
                problems.append(f"{path}:{number}: a TODO needs an issue number")
            if NARRATION.search(line):
                problems.append(f"{path}:{number}: say what it does, not how good it is")


def file_names(text):
    """(line, name) of what a source has in anonymous namespaces; functions with their parameters."""
    inside = False
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        if line == "namespace {":
            inside = True
        elif line == "}  // namespace":
            inside = False
        elif inside and (match := re.match(r"(?:struct|class|enum(?: class)?|union) (\w+)\b[^;]*\{", line)):
            yield number, match.group(1)
        elif inside and (match := re.match(r"(?:const|constexpr|using) .*?\b(\w+)(?:\[\w*\])?(?: =|\{)", line)) \
                and "(" not in line[:match.start(1)]:
            yield number, match.group(1)
        elif inside and (match := re.match(r"(?! |return|using)[\w:<>,*&\[\] ]+[ &*](\w+)\(", line)):
            head = " ".join(lines[number - 1:number + 5])
            head = re.sub(r"\s+", " ", head[:head.find("{")] if "{" in head else head)
            yield number, head[match.start(1):]


def check_file_names(problems):
    """The release compiles each module as one unit, where names of two files would meet."""
    seen = {}
    for path in tracked("src/*/*.cc"):
        for number, name in file_names(path.read_text()):
            other = seen.setdefault((path.parent, name), path)
            if other != path:
                problems.append(f"{path}:{number}: {name} is in {other.name}, too, and a release has both in one unit")


def check_tests(problems):
    for path in tracked("test/**.cc", "test/*.cc"):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = re.match(r"TEST(?:_[FP])?\(\w+, (\w+)\)", line)
            if match and len(re.findall(r"[A-Z][a-z0-9]*|\d+", match.group(1))) < 3:
                problems.append(f"{path}:{number}: test name {match.group(1)} is no claim (3 words or more)")
            if re.search(r"\b(sleep_for|sleep_until|usleep|nanosleep)\b|[^_\w]sleep\(", line):
                problems.append(f"{path}:{number}: no sleeping in tests: wait for a condition")
    for path in tracked("test/**.py"):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if "time.sleep" in line:
                problems.append(f"{path}:{number}: no sleeping in tests: wait for a condition")
    for path in tracked("src/*/*.cc"):
        if path.read_text().count("\n") < TEST_NEEDED_FROM_LINES:
            continue
        relative = str(path.relative_to(ROOT))
        prefixes = [prefix for prefix in COVERED_BY if relative.startswith(prefix)]
        if prefixes and (ROOT / COVERED_BY[max(prefixes, key=len)]).exists():
            continue
        header = f'#include "{path.parent.name}/{path.stem}.h"'
        if not any(header in test.read_text() for test in tracked("test/unit/*.cc", "test/e2e/*.cc")):
            problems.append(f"{path}:1: no test includes {path.parent.name}/{path.stem}.h")


def check_commits(problems):
    base = subprocess.run(["git", "rev-parse", "--verify", "-q", "origin/main"], cwd=ROOT,
                          capture_output=True, text=True).stdout.strip()
    scope = [f"{base}..HEAD"] if base else ["HEAD"]
    log = subprocess.run(["git", "log", "--no-merges", "--format=%H", *scope], cwd=ROOT,
                         capture_output=True, text=True).stdout.split()
    for commit in log:
        message = subprocess.run(["git", "log", "-1", "--format=%B", commit], cwd=ROOT, check=True,
                                 capture_output=True, text=True).stdout.strip()
        files = subprocess.run(["git", "diff-tree", "--root", "--no-commit-id", "--name-only", "-r", commit, "--", "src"],
                               cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
        if len(files) > 3 and "\n\n" not in message:
            problems.append(f"{commit[:12]}:1: commit touches {len(files)} files of src/ and gives no reason")
        if not re.match(r"[\w/,+ -]+: \S", message):
            problems.append(f"{commit[:12]}:1: subject is not `module: what changed`: {message.splitlines()[0]}")


def check_format(problems, fix=False):
    files = [str(p) for p in sources()]
    binary = "clang-format-14"
    for at in range(0, len(files), 50):
        arguments = ["-i"] if fix else ["--dry-run", "-Werror"]
        run = subprocess.run([binary, *arguments, *files[at:at + 50]], capture_output=True, text=True)
        problems += [line for line in run.stderr.splitlines() if "error:" in line]


def main():
    problems = []
    if "--format" in sys.argv or "--fix-format" in sys.argv:
        check_format(problems, fix="--fix-format" in sys.argv)
    else:
        for check in (check_includes, check_sizes, check_words, check_file_names, check_tests, check_commits):
            check(problems)
    for problem in problems:
        print(problem.replace(f"{ROOT}/", ""))
    print(f"{len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
