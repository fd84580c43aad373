"""What the Python programs of the driver matrix share.

A program runs a list of steps and prints a line for each: `[needs] name: result`. `needs` is the
least pool mode in which the step can work: statement, transaction or session. The variable
MATRIX_MODE names the mode that the program runs in (session without it); steps that need more are
left out. A result must not depend on time, on process ids or on which server connection is used.
A step that raises ends the program with its traceback.
"""
import hashlib
import os
import threading

RANKS = {"statement": 0, "transaction": 1, "session": 2}
MODE = os.environ.get("MATRIX_MODE", "session")

SCHEMA = """
drop table if exists items, wide;
create table items (id int primary key, name text, data bytea, price numeric(12,2));
create table wide (a int);
insert into wide values (1);
"""
# A query that runs until it is cancelled, and whether one does.
NAP = "select /* napping */ pg_sleep(60)"
NAPPING = ("select count(*)::int from pg_stat_activity where wait_event = 'PgSleep' "
           "and datname = current_database()")

TEXT = "quote ' double \" backslash \\ dollar $1 percent % \u00e4\u20ac\U0001f418\nline"
BYTES = bytes(range(256))
BIG = "0123456789abcdef" * 100_000


def wanted(needs):
    return RANKS[needs] <= RANKS[MODE]


def show(value):
    """`value` on one line; the same for a list and a tuple."""
    if isinstance(value, (list, tuple)):
        return " ".join(show(one) for one in value)
    if isinstance(value, (bytes, memoryview)):
        return f"{len(value)} bytes {hashlib.md5(value).hexdigest()}"
    return str(value).replace("\n", "\\n")


def line(needs, name, result):
    print(f"[{needs}] {name}: {show(result)}", flush=True)


def cancel_when_seen(conn, watcher, rows, state_of):
    """The SQLSTATE of a nap on `conn` that a thread cancels once `watcher`, which is closed, sees it."""
    def cancel():
        while rows(watcher, NAPPING)[0][0] == 0:
            pass
        conn.cancel()

    thread = threading.Thread(target=cancel)
    thread.start()
    state = state_of(rows, conn, NAP)
    thread.join()
    watcher.close()
    return state
