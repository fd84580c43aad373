"""The driver matrix with psycopg 3: the extended protocol, prepared statements, pipelines."""

import psycopg

from steps import BIG, BYTES, SCHEMA, TEXT, cancel_when_seen, line, wanted


def connect(**more):
    return psycopg.connect("", **{"autocommit": True, **more})


def rows(conn, sql, args=None, **how):
    cur = conn.execute(sql, args, **how)
    return cur.fetchall() if cur.description else cur.rowcount


def state_of(call, *args):
    """The SQLSTATE that `call` ends with."""
    try:
        call(*args)
    except psycopg.Error as error:
        return error.sqlstate
    return "none"


def connecting(conn):
    for _ in range(3):
        connect().close()
    return rows(conn, "select current_user, current_database()"), conn.info.encoding


def values(conn):
    sql = "select %s::text, %s::int, %s::numeric, %s::text, %s::bool, %s::date, %s::int[]"
    args = (TEXT, -7, "1.50", None, True, "2024-02-29", [1, 2, 3])
    return rows(conn, sql, args), rows(conn, sql, args, binary=True)


def bytes_there_and_back(conn):
    """As text, then as binary parameter and result."""
    return (rows(conn, "select %t::bytea", (BYTES,))[0][0] == BYTES,
            rows(conn, "select %b::bytea", (BYTES,), binary=True)[0][0])


def big_value(conn):
    back = rows(conn, "select %s::text || 'x', md5(%s::text)", (BIG, BIG))[0]
    return len(back[0]), back[0] == BIG + "x", back[1]


def named_statement(conn):
    return [rows(conn, "select %s::int * 2", (i,), prepare=True)[0][0] for i in range(50)]


def many_statements(kept):
    """220 texts, more than the pool keeps on a link, twice; the driver keeps `kept` of them."""
    conn = connect(prepare_threshold=0)
    conn.prepared_max = kept
    total = sum(rows(conn, f"select %s::int + {text}", (1,))[0][0]
                for _ in range(2) for text in range(220))
    conn.close()
    return total


def forgotten_statements(_):
    """With libpq before 17 the driver forgets by the SQL command DEALLOCATE, whose name only the
    server knows: session mode, as with PgBouncer."""
    return many_statements(kept=100)


def statement_after_an_error(conn):
    def divide(by):
        return rows(conn, "select 10 / %s::int", (by,), prepare=True)
    return divide(2), state_of(divide, 0), divide(5), state_of(divide, 0), divide(10)


def pipeline(conn):
    with conn.pipeline() as pipe:
        curs = [conn.execute("select %s::int + 1", (i,), prepare=True) for i in range(30)]
        pipe.sync()
        more = [conn.execute("select %s::text", (f"t{i}",)) for i in range(5)]
    return [cur.fetchone()[0] for cur in curs + more]


def error_in_a_pipeline(conn):
    """What comes after an error is skipped until the next sync."""
    def piped():
        with conn.pipeline():
            conn.execute("insert into items (id) values (70)")
            conn.execute("select 1 / %s::int", (0,), prepare=True)
            conn.execute("insert into items (id) values (71)")
    state = state_of(piped)
    return state, rows(conn, "select count(*) from items where id in (70, 71)"), rows(
        conn, "select 1 / %s::int", (1,), prepare=True)


def batch(conn):
    """executemany of psycopg 3.1 is a pipeline."""
    with conn.cursor() as cur:
        cur.executemany("insert into items (id, name) values (%s, %s) returning id",
                        [(i, f"v{i}") for i in range(100, 150)], returning=True)
        first = cur.fetchone()
    return first, rows(conn, "select count(*), min(name) from items where id >= 100")


def cancel(conn):
    return cancel_when_seen(conn, connect(), rows, state_of), rows(conn, "select 'goes on'")


def copy_in(conn):
    with conn.cursor() as cur:
        with cur.copy("copy items (id, name, data) from stdin (format binary)") as copy:
            copy.set_types(["int4", "text", "bytea"])
            for i in range(1000, 4000):
                copy.write_row((i, f"name {i}", BYTES))
        count = cur.rowcount

    def broken():
        with conn.cursor().copy("copy items from stdin") as copy:
            copy.write("1\tno\n")

    def given_up():
        with conn.cursor().copy("copy items from stdin") as copy:
            copy.write("2\tno\tno\t1\n")
            raise ValueError("changed my mind")
    return count, state_of(broken), state_of(given_up), rows(
        conn, "select count(*), sum(length(data)) from items where id >= 1000 or id = 2")


def copy_out(conn):
    with conn.cursor().copy(
            "copy (select g, repeat('x', 50) from generate_series(1, 20000) g) to stdout") as copy:
        sizes = [len(piece) for piece in copy]
    return sum(sizes), rows(conn, "select 1")


def errors(conn):
    rows(conn, "insert into items (id) values (1)")
    try:
        rows(conn, "insert into items (id) values (%s)", (1,))
    except psycopg.errors.UniqueViolation as error:
        constraint = error.diag.constraint_name
    return (state_of(rows, conn, "selec 1"),
            state_of(rows, conn, "insert into items (id) values (%s)", (1,)),
            constraint, state_of(rows, conn, "select %s::int", ("no",)), rows(conn, "select 1"))


def notices(conn):
    heard = []
    conn.add_notice_handler(lambda diag: heard.append((diag.severity, diag.message_primary)))
    rows(conn, "do $$ begin raise notice 'one'; raise warning 'two'; end $$")
    return heard


def time_zone(conn):
    """TimeZone follows a client from link to link."""
    rows(conn, "set timezone = 'Asia/Tokyo'")
    shown = [rows(conn, "show timezone", prepare=True)[0][0] for _ in range(6)]
    rows(conn, "set timezone = 'UTC'")
    return shown, conn.info.timezone, rows(conn, "show timezone")


def schema_change(conn):
    """A prepared statement whose result has changed fails once. The driver sends DEALLOCATE ALL
    after each DROP TABLE, which heals it on both sides."""
    sql = "select * from wide where a > %s::int"
    before = [rows(conn, sql, (0,), prepare=True) for _ in range(3)]
    rows(conn, "alter table wide add column b int default 2")
    state = state_of(lambda: rows(conn, sql, (0,), prepare=True))
    rows(conn, "drop table if exists nothing")
    after = rows(conn, sql, (0,), prepare=True)
    rows(conn, "alter table wide drop column b")
    rows(conn, "drop table if exists nothing")
    return before, state, after


def transactions(conn):
    def insert(number, name):
        rows(conn, "insert into items (id, name) values (%s, %s)", (number, name), prepare=True)

    with conn.transaction():
        insert(10, "kept")
    with conn.transaction(force_rollback=True):
        insert(11, "lost")
    with conn.transaction():
        insert(12, "kept too")
        with conn.transaction(force_rollback=True):
            insert(13, "lost too")
    return rows(conn, "select id, name from items where id between 10 and 13 order by id")


def error_in_a_transaction(_):
    conn = connect(autocommit=False, prepare_threshold=0)
    states = [state_of(rows, conn, "select 1 / %s::int", (0,)),
              state_of(rows, conn, "select %s::int", (1,))]
    conn.rollback()
    states.append(rows(conn, "select %s::int", (1,)))
    conn.close()
    return states


def cursor_on_the_server(_):
    conn = connect(autocommit=False)
    with conn.cursor("far", scrollable=True) as cur:
        cur.itersize = 7
        cur.execute("select generate_series(1, %s::int)", (100,))
        total = sum(row[0] for row in cur)
        cur.scroll(3, mode="absolute")
        total = total, cur.fetchone()
    streamed = sum(row[0] for row in conn.cursor().stream("select generate_series(1, 100)"))
    conn.close()
    return total, streamed


def several_connections(_):
    """More clients than links, taking turns with statements of one text."""
    conns = [connect(autocommit=False, prepare_threshold=0) for _ in range(5)]
    seen = []
    for turn in range(4):
        for at, conn in enumerate(conns):
            rows(conn, "update wide set a = a + %s::int", (at,))
            seen.append(rows(conn, "select a + %s::int from wide", (0,))[0][0])
            conn.commit() if (turn + at) % 2 else conn.rollback()
    for conn in conns:
        conn.close()
    return seen


def notifications(conn):
    rows(conn, "listen news")
    other = connect()
    rows(other, "select pg_notify('news', 'hello')")
    other.close()
    heard = next(conn.notifies())
    rows(conn, "unlisten *")
    return heard.channel, heard.payload


def session_state(conn):
    rows(conn, "set work_mem = '7MB'")
    rows(conn, "create temp table mine as select 1 as x")
    rows(conn, "select pg_advisory_lock(7)")
    return rows(conn, "show work_mem"), rows(conn, "select x, pg_advisory_unlock(7) from mine")


STEPS = [
    ("statement", "connect", connecting),
    ("statement", "values", values),
    ("statement", "bytes", bytes_there_and_back),
    ("statement", "big value", big_value),
    ("statement", "named statement", named_statement),
    ("statement", "many statements", lambda _: many_statements(kept=220)),
    ("statement", "statement after an error", statement_after_an_error),
    ("statement", "pipeline", pipeline),
    ("statement", "error in a pipeline", error_in_a_pipeline),
    ("statement", "batch", batch),
    ("statement", "cancel", cancel),
    ("statement", "copy in", copy_in),
    ("statement", "copy out", copy_out),
    ("statement", "errors", errors),
    ("statement", "notices", notices),
    ("statement", "time zone", time_zone),
    ("session", "schema change", schema_change),
    ("transaction", "transactions", transactions),
    ("transaction", "error in a transaction", error_in_a_transaction),
    ("transaction", "cursor on the server", cursor_on_the_server),
    ("transaction", "several connections", several_connections),
    ("session", "forgotten statements", forgotten_statements),
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
