"""The driver matrix with psycopg2: simple queries and libpq's calls."""
import io

import psycopg2
import psycopg2.extras
import psycopg2.errorcodes

from steps import BIG, BYTES, SCHEMA, TEXT, cancel_when_seen, line, wanted


def connect(autocommit=True):
    conn = psycopg2.connect("")
    conn.autocommit = autocommit
    return conn


def rows(conn, sql, args=None):
    with conn.cursor() as cur:
        cur.execute(sql, args)
        return cur.fetchall() if cur.description else cur.rowcount


def state_of(call, *args):
    """The SQLSTATE that `call` ends with."""
    try:
        call(*args)
    except psycopg2.Error as error:
        return error.pgcode
    return "none"


def connecting(conn):
    for _ in range(3):
        connect().close()
    return rows(conn, "select current_user, current_database()"), conn.encoding


def values(conn):
    return rows(conn, "select %s, %s, %s::numeric, %s::text, %s::bool, %s::date, %s::int[]",
                (TEXT, -7, "1.50", None, True, "2024-02-29", [1, 2, 3]))


def bytes_there_and_back(conn):
    return rows(conn, "select %s::bytea", (psycopg2.Binary(BYTES),))[0][0]


def big_value(conn):
    back = rows(conn, "select %s || 'x', md5(%s)", (BIG, BIG))[0]
    return len(back[0]), back[0] == BIG + "x", back[1]


def named_statement(conn):
    """PREPARE stays in the connection, as with PgBouncer: session mode only."""
    rows(conn, "prepare twice (int) as select $1 * 2")
    return [rows(conn, "execute twice (%s)", (i,))[0][0] for i in range(20)]


def batch(conn):
    with conn.cursor() as cur:
        psycopg2.extras.execute_values(
            cur, "insert into items (id, name) values %s", [(i, f"v{i}") for i in range(100, 150)])
        psycopg2.extras.execute_batch(
            cur, "update items set name = %s where id = %s", [(f"w{i}", i) for i in range(100, 150)])
        cur.execute("select 1; select 2; select count(*), min(name) from items where id >= 100")
        return cur.fetchall()


def cancel(conn):
    return cancel_when_seen(conn, connect(), rows, state_of), rows(conn, "select 'goes on'")


def copy_in(conn):
    text = "".join(f"{i}\tname {i}\t\\\\x00ff\t{i}.25\n" for i in range(1000, 4000))
    with conn.cursor() as cur:
        cur.copy_expert("copy items from stdin", io.StringIO(text))
        count = cur.rowcount
    broken = state_of(lambda: conn.cursor().copy_expert("copy items from stdin",
                                                        io.StringIO("1\tno\n")))
    return count, broken, rows(conn, "select sum(price), count(data) from items where id >= 1000")


def copy_out(conn):
    out = io.BytesIO()
    with conn.cursor() as cur:
        cur.copy_expert("copy (select g, repeat('x', 50) from generate_series(1, 20000) g) to stdout",
                        out)
    return out.getvalue().count(b"\n"), out.tell(), rows(conn, "select 1")


def errors(conn):
    rows(conn, "insert into items (id) values (1)")
    try:
        rows(conn, "insert into items (id) values (1)")
    except psycopg2.errors.UniqueViolation as error:
        constraint = error.diag.constraint_name
    return (state_of(rows, conn, "selec 1"), state_of(rows, conn, "insert into items values (1)"),
            constraint, state_of(rows, conn, "select 1/0"), rows(conn, "select 'goes on'"))


def notices(conn):
    del conn.notices[:]
    rows(conn, "do $$ begin raise notice 'one'; raise warning 'two'; end $$")
    return [notice.strip() for notice in conn.notices]


def time_zone(conn):
    """TimeZone follows a client from link to link."""
    rows(conn, "set timezone = 'Asia/Tokyo'")
    shown = [rows(conn, "show timezone")[0][0] for _ in range(6)]
    rows(conn, "set timezone = 'UTC'")
    return shown, rows(conn, "show timezone")


def transactions(_):
    conn = connect(autocommit=False)
    rows(conn, "insert into items (id, name) values (10, 'kept')")
    conn.commit()
    rows(conn, "insert into items (id, name) values (11, 'lost')")
    conn.rollback()
    rows(conn, "insert into items (id, name) values (12, 'kept too')")
    rows(conn, "savepoint s")
    rows(conn, "insert into items (id, name) values (13, 'lost too')")
    rows(conn, "rollback to savepoint s")
    conn.commit()
    found = rows(conn, "select id, name from items where id between 10 and 13 order by id")
    conn.close()
    return found


def error_in_a_transaction(_):
    conn = connect(autocommit=False)
    states = [state_of(rows, conn, "select 1/0"), state_of(rows, conn, "select 1")]
    conn.rollback()
    states.append(rows(conn, "select 'goes on'"))
    conn.close()
    return states


def cursor_on_the_server(_):
    conn = connect(autocommit=False)
    cur = conn.cursor("far")
    cur.itersize = 7
    cur.execute("select generate_series(1, 100)")
    total = sum(row[0] for row in cur)
    conn.close()
    return total


def large_object(_):
    """libpq reads and writes these with function calls of the protocol."""
    conn = connect(autocommit=False)
    made = conn.lobject(0, "wb")
    made.write(BYTES * 1000)
    made.close()
    again = conn.lobject(made.oid, "rb")
    same = again.read() == BYTES * 1000
    again.unlink()
    conn.commit()
    conn.close()
    return same


def several_connections(_):
    """More clients than links, taking turns with transactions in between."""
    conns = [connect(autocommit=False) for _ in range(5)]
    seen = []
    for turn in range(4):
        for at, conn in enumerate(conns):
            rows(conn, "update wide set a = a + %s", (at,))
            seen.append(rows(conn, "select a from wide")[0][0])
            conn.commit() if (turn + at) % 2 else conn.rollback()
    for conn in conns:
        conn.close()
    return seen


def notifications(conn):
    rows(conn, "listen news")
    other = connect()
    rows(other, "select pg_notify('news', 'hello')")
    other.close()
    while not conn.notifies:
        rows(conn, "select 1")
    heard = conn.notifies.pop()
    return heard.channel, heard.payload


def session_state(conn):
    rows(conn, "set work_mem = '7MB'")
    rows(conn, "create temp table mine as select 1 as x")
    rows(conn, "select pg_advisory_lock(7)")
    return rows(conn, "show work_mem"), rows(conn, "select * from mine, pg_advisory_unlock(7)")


STEPS = [
    ("statement", "connect", connecting),
    ("statement", "values", values),
    ("statement", "bytes", bytes_there_and_back),
    ("statement", "big value", big_value),
    ("statement", "batch", batch),
    ("statement", "cancel", cancel),
    ("statement", "copy in", copy_in),
    ("statement", "copy out", copy_out),
    ("statement", "errors", errors),
    ("statement", "notices", notices),
    ("statement", "time zone", time_zone),
    ("transaction", "transactions", transactions),
    ("transaction", "error in a transaction", error_in_a_transaction),
    ("transaction", "cursor on the server", cursor_on_the_server),
    ("transaction", "large object", large_object),
    ("transaction", "several connections", several_connections),
    ("session", "named statement", named_statement),
    ("session", "notifications", notifications),
    ("session", "session state", session_state),
]


def main():
    conn = connect()
    rows(conn, SCHEMA)
    for needs, name, step in STEPS:
        if wanted(needs):
            line(needs, name, step(conn))
    conn.close()


main()
