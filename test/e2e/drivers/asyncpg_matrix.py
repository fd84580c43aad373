"""The driver matrix with asyncpg: named statements and binary values in everything it does."""
import asyncio
import datetime
import decimal

import asyncpg

from steps import BIG, BYTES, NAP, NAPPING, SCHEMA, TEXT, line, wanted


async def connect(**more):
    # Over TCP without TLS the driver's default asks for it first and takes the refusal.
    return await asyncpg.connect(**more)


async def state_of(awaitable):
    """The SQLSTATE that `awaitable` ends with."""
    try:
        await awaitable
    except asyncpg.PostgresError as error:
        return error.sqlstate
    return "none"


async def connecting(conn):
    for _ in range(3):
        await (await connect()).close()
    return (list(await conn.fetchrow("select current_user, current_database()")),
            conn.get_settings().client_encoding)


async def values(conn):
    return list(await conn.fetchrow(
        "select $1::text, $2::int, $3::numeric, $4::text, $5::bool, $6::date, $7::int[], $8::float8",
        TEXT, -7, decimal.Decimal("1.50"), None, True, datetime.date(2024, 2, 29), [1, 2, 3], 0.1))


async def composites(conn):
    """The driver asks the catalog about types that it does not know."""
    await conn.execute("create type pair as (a int, b text)")
    pair = await conn.fetchval("select (1, 'x')::pair")
    pairs = await conn.fetchval("select array[(1, 'x')::pair, (2, null)::pair]")
    await conn.execute("drop type pair")
    return list(pair), [list(one) for one in pairs]


async def bytes_there_and_back(conn):
    return await conn.fetchval("select $1::bytea", BYTES)


async def big_value(conn):
    back = await conn.fetchrow("select $1::text || 'x', md5($1::text)", BIG)
    return len(back[0]), back[0] == BIG + "x", back[1]


async def named_statement(conn):
    statement = await conn.prepare("select $1::int * 2")
    return [await statement.fetchval(i) for i in range(50)], [
        kind.name for kind in statement.get_parameters()]


async def many_statements(_):
    """More texts than the pool keeps on a link, twice; the driver keeps 100 and closes the rest."""
    conn = await connect(statement_cache_size=100)
    total = 0
    for _ in range(2):
        for text in range(220):
            total += await conn.fetchval(f"select $1::int + {text}", 1)
    await conn.close()
    return total


async def statement_after_an_error(conn):
    statement = await conn.prepare("select 10 / $1::int")
    return (await statement.fetchval(2), await state_of(statement.fetchval(0)),
            await statement.fetchval(5), await state_of(statement.fetchval(0)),
            await statement.fetchval(10))


async def batch(conn):
    """executemany is a pipeline with one Sync."""
    await conn.executemany("insert into items (id, name) values ($1, $2)",
                           [(i, f"v{i}") for i in range(100, 150)])
    state = await state_of(conn.executemany("insert into items (id) values ($1)",
                                            [(200,), (100,), (201,)]))
    return state, list(await conn.fetchrow(
        "select count(*), min(name) from items where id >= 100"))


async def cancel(conn):
    """By the driver's own timeout, when another connection sees that the query runs."""
    watcher = await connect()
    nap = asyncio.ensure_future(conn.fetch(NAP))
    while not await watcher.fetchval(NAPPING):
        pass
    nap.cancel()
    try:
        await nap
        outcome = "none"
    except asyncio.CancelledError:
        outcome = "cancelled"
    await watcher.close()
    return outcome, await conn.fetchval("select 'goes on'")


async def copy_in(conn):
    count = await conn.copy_records_to_table(
        "items", columns=["id", "name", "data"],
        records=[(i, f"name {i}", BYTES) for i in range(1000, 4000)])
    broken = await state_of(conn.copy_records_to_table("items", columns=["id"],
                                                       records=[(5,), (1000,)]))
    return count, broken, list(await conn.fetchrow(
        "select count(*), sum(length(data)) from items where id >= 1000 or id = 5"))


async def copy_out(conn):
    sizes = []

    async def take(piece):
        sizes.append(len(piece))
    tag = await conn.copy_from_query(
        "select g, repeat('x', 50) from generate_series(1, $1::int) g", 20000, output=take)
    return tag, sum(sizes), await conn.fetchval("select 1")


async def errors(conn):
    await conn.execute("insert into items (id) values (1)")
    try:
        await conn.execute("insert into items (id) values ($1)", 1)
    except asyncpg.UniqueViolationError as error:
        constraint = error.constraint_name
    return (await state_of(conn.fetch("selec 1")), constraint,
            await state_of(conn.execute("insert into items (id) values (1)")),
            await state_of(conn.fetch("select 1 / $1::int", 0)), await conn.fetchval("select 1"))


async def notices(conn):
    heard = []
    conn.add_log_listener(lambda _, message: heard.append((message.severity, message.message)))
    await conn.execute("do $$ begin raise notice 'one'; raise warning 'two'; end $$")
    await conn.fetchval("select 1")
    return heard


async def time_zone(conn):
    """TimeZone follows a client from link to link."""
    await conn.execute("set timezone = 'Asia/Tokyo'")
    shown = [await conn.fetchval("show timezone") for _ in range(6)]
    await conn.execute("set timezone = 'UTC'")
    return shown, await conn.fetchval("show timezone")


async def schema_change(conn):
    """The driver prepares anew by itself when the result of a cached statement has changed."""
    sql = "select * from wide where a > $1"
    before = [list(await conn.fetchrow(sql, 0)) for _ in range(3)]
    await conn.execute("alter table wide add column b int default 2")
    after = [list(await conn.fetchrow(sql, 0)) for _ in range(3)]
    await conn.execute("alter table wide drop column b")
    return before, after, list(await conn.fetchrow(sql, 0))


async def discard(conn):
    """What the driver's pool does between two users of a connection, and a statement after it."""
    await conn.fetchval("select $1::int", 1)
    await conn.reset()
    return await conn.fetchval("select $1::int", 2)


async def connection_pool(_):
    """The driver's own pool in front of ours."""
    async with asyncpg.create_pool(min_size=2, max_size=5) as pool:
        async def ask(number):
            async with pool.acquire() as conn:
                return await conn.fetchval("select $1::int + 1", number)
        return await asyncio.gather(*(ask(i) for i in range(40)))


async def transactions(conn):
    insert = "insert into items (id, name) values ($1, $2)"
    async with conn.transaction():
        await conn.execute(insert, 10, "kept")
    lost = conn.transaction(isolation="serializable")
    await lost.start()
    await conn.execute(insert, 11, "lost")
    await lost.rollback()
    async with conn.transaction():
        await conn.execute(insert, 12, "kept too")
        inner = conn.transaction()
        await inner.start()
        await conn.execute(insert, 13, "lost too")
        await inner.rollback()
    return [list(row) for row in await conn.fetch(
        "select id, name from items where id between 10 and 13 order by id")]


async def error_in_a_transaction(conn):
    block = conn.transaction()
    await block.start()
    states = [await state_of(conn.fetchval("select 1 / $1::int", 0)),
              await state_of(conn.fetchval("select $1::int", 1))]
    await block.rollback()
    return states, await conn.fetchval("select $1::int", 1)


async def cursor_on_the_server(conn):
    """Named portals, fetched in pieces."""
    async with conn.transaction():
        total = 0
        async for row in conn.cursor("select generate_series(1, $1::int)", 100, prefetch=7):
            total += row[0]
        far = await conn.cursor("select generate_series(1, $1::int)", 100)
        await far.forward(10)
        return total, [row[0] for row in await far.fetch(3)]


async def several_connections(_):
    """More clients than links, taking turns with statements of one text."""
    conns = [await connect() for _ in range(5)]
    seen = []
    for turn in range(4):
        for at, conn in enumerate(conns):
            block = conn.transaction()
            await block.start()
            await conn.execute("update wide set a = a + $1::int", at)
            seen.append(await conn.fetchval("select a + $1::int from wide", 0))
            await (block.commit() if (turn + at) % 2 else block.rollback())
    for conn in conns:
        await conn.close()
    return seen


async def notifications(conn):
    heard = asyncio.get_running_loop().create_future()
    await conn.add_listener("news", lambda _, __, *news: heard.set_result(news))
    other = await connect()
    await other.execute("select pg_notify('news', 'hello')")
    await other.close()
    return await heard


async def session_state(conn):
    await conn.execute("set work_mem = '7MB'")
    await conn.execute("create temp table mine as select 1 as x")
    await conn.fetchval("select pg_advisory_lock(7)")
    return (await conn.fetchval("show work_mem"),
            list(await conn.fetchrow("select x, pg_advisory_unlock(7) from mine")))


STEPS = [
    ("statement", "connect", connecting),
    ("statement", "values", values),
    ("statement", "composites", composites),
    ("statement", "bytes", bytes_there_and_back),
    ("statement", "big value", big_value),
    ("statement", "named statement", named_statement),
    ("statement", "many statements", many_statements),
    ("statement", "statement after an error", statement_after_an_error),
    ("statement", "batch", batch),
    ("statement", "cancel", cancel),
    ("statement", "copy in", copy_in),
    ("statement", "copy out", copy_out),
    ("statement", "errors", errors),
    ("statement", "notices", notices),
    ("statement", "time zone", time_zone),
    ("session", "schema change", schema_change),
    ("statement", "discard", discard),
    ("statement", "connection pool", connection_pool),
    ("transaction", "transactions", transactions),
    ("transaction", "error in a transaction", error_in_a_transaction),
    ("transaction", "cursor on the server", cursor_on_the_server),
    ("transaction", "several connections", several_connections),
    ("session", "notifications", notifications),
    ("session", "session state", session_state),
]


async def main():
    conn = await connect()
    await conn.execute(SCHEMA)
    for needs, name, step in STEPS:
        if wanted(needs):
            line(needs, name, await step(conn))
    await conn.close()


asyncio.run(main())
