// The driver matrix with node's pg. What a line means is told in steps.py.
'use strict';
const { Client, Pool } = require('pg');

const RANKS = { statement: 0, transaction: 1, session: 2 };
const MODE = process.env.MATRIX_MODE || 'session';
const SCHEMA = `drop table if exists items, wide;
create table items (id int primary key, name text, data bytea, price numeric(12,2));
create table wide (a int);
insert into wide values (1);`;
const NAP = 'select /* napping */ pg_sleep(60)';
const NAPPING = "select count(*)::int as count from pg_stat_activity where wait_event = 'PgSleep' " +
  'and datname = current_database()';
const TEXT = 'quote \' double " backslash \\ dollar $1 percent % \u00e4\u20ac\u{1F418}\nline';
const BIG = '0123456789abcdef'.repeat(100000);

async function connect() {
  const client = new Client();
  await client.connect();
  return client;
}

// The values of all rows.
async function ask(client, text, values, more) {
  const result = await client.query({ text, values, rowMode: 'array', ...more });
  return result.rows.flat();
}

// The SQLSTATE that `promise` ends with.
const stateOf = (promise) => promise.then(() => 'none', (error) => error.code);

async function connecting(client) {
  for (let i = 0; i < 3; ++i) await (await connect()).end();
  return ask(client, 'select current_user, current_database()');
}

const values = (client) => ask(client,
  'select $1::text, $2::int, $3::numeric, $4::text, $5::bool, $6::date::text, $7::int[], $8::float8',
  [TEXT, -7, '1.50', null, true, '2024-02-29', [1, 2, 3], 0.1]);

async function bytes(client) {
  const data = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  const back = await ask(client, 'select $1::bytea', [data]);
  return data.equals(back[0]);
}

async function bigValue(client) {
  const back = await ask(client, "select $1::text || 'x', md5($1::text)", [BIG]);
  return [back[0].length, back[0] === BIG + 'x', back[1]];
}

async function namedStatement(client) {
  const out = [];
  for (let i = 0; i < 50; ++i) {
    out.push(...await ask(client, 'select $1::int * 2', [i], { name: 'twice' }));
  }
  return out;
}

// More texts than the pool keeps on a link, twice; the driver never closes one.
async function manyStatements() {
  const client = await connect();
  let total = 0;
  for (let i = 0; i < 440; ++i) {
    const text = i % 220;
    total += (await ask(client, `select $1::int + ${text}`, [1], { name: `plus ${text}` }))[0];
  }
  await client.end();
  return total;
}

async function statementAfterAnError(client) {
  const out = [];
  for (const by of [2, 0, 5, 0, 10]) {
    out.push(await ask(client, 'select 10 / $1::int', [by], { name: 'ten' })
      .catch((error) => error.code));
  }
  return out;
}

// The driver's queue of queries, one Sync each; an error in the middle is for its query alone.
async function batch(client) {
  const insert = { text: 'insert into items (id, name) values ($1, $2)', name: 'insert' };
  await Promise.all(Array.from({ length: 50 }, (_, i) =>
    client.query({ ...insert, values: [100 + i, `v${i}`] })));
  const states = await Promise.all([200, 100, 201].map((id) =>
    stateOf(client.query({ ...insert, values: [id, 'x'] }))));
  const two = await client.query('select 1 as a; select 2 as a');
  return [states, two.map((one) => one.rows[0].a),
    await ask(client, 'select count(*), min(name) from items where id >= 100')];
}

// From another connection, when that one sees that the query runs.
async function cancel(client) {
  const watcher = await connect();
  const nap = client.query(NAP);
  const state = stateOf(nap);
  while ((await ask(watcher, NAPPING))[0] === 0);
  const canceler = new Client();
  const handled = new Promise((resolve) => canceler.connection.once('end', resolve));
  canceler.cancel(client, client._getActiveQuery());
  // The server signals the backend and its group, one after the other: the next query must not be
  // there between the two.
  const first = await state;
  await handled;
  const out = [first, await ask(client, "select 'goes on'")];
  await watcher.end();
  return out;
}

async function errors(client) {
  await client.query('insert into items (id) values (1)');
  const violation = await client.query('insert into items (id) values ($1)', [1])
    .catch((error) => [error.code, error.constraint, error.severity]);
  return [violation, await stateOf(client.query('selec 1')),
    await stateOf(client.query('select 1 / $1::int', [0])), await ask(client, 'select 1')];
}

async function notices(client) {
  const heard = [];
  const listener = (notice) => heard.push(notice.severity, notice.message);
  client.on('notice', listener);
  await client.query("do $$ begin raise notice 'one'; raise warning 'two'; end $$");
  client.off('notice', listener);
  return heard;
}

// TimeZone follows a client from link to link.
async function timeZone(client) {
  await client.query("set timezone = 'Asia/Tokyo'");
  const shown = [];
  for (let i = 0; i < 6; ++i) shown.push(...await ask(client, 'show timezone'));
  await client.query("set timezone = 'UTC'");
  return [shown, await ask(client, 'show timezone')];
}

// The driver's own pool in front of ours.
async function connectionPool() {
  const pool = new Pool({ max: 5 });
  const answers = await Promise.all(Array.from({ length: 40 }, (_, i) =>
    pool.query({ text: 'select $1::int + 1 as a', values: [i], name: 'plus one' })));
  await pool.end();
  return answers.map((answer) => answer.rows[0].a);
}

async function transactions(client) {
  const insert = (id, name) => client.query(
    { text: 'insert into items (id, name) values ($1, $2)', name: 'insert', values: [id, name] });
  await client.query('begin');
  await insert(10, 'kept');
  await client.query('commit');
  await client.query('begin');
  await insert(11, 'lost');
  await client.query('rollback');
  await client.query('begin');
  await insert(12, 'kept too');
  await client.query('savepoint s');
  await insert(13, 'lost too');
  await client.query('rollback to savepoint s');
  await client.query('commit');
  return ask(client, 'select id, name from items where id between 10 and 13 order by id');
}

async function errorInATransaction(client) {
  await client.query('begin');
  const states = [await stateOf(client.query('select 1 / $1::int', [0])),
    await stateOf(client.query('select $1::int', [1]))];
  await client.query('rollback');
  return [states, await ask(client, 'select $1::int', [1])];
}

// Rows in pieces: the driver stops a portal and goes on with it.
async function portalInPieces(client) {
  await client.query('begin');
  const rows = await ask(client, 'select generate_series(1, $1::int)', [100], { rows: 7 });
  await client.query('commit');
  return rows.reduce((sum, one) => sum + one, 0);
}

// More clients than links, taking turns with statements of one name.
async function severalConnections() {
  const clients = [];
  for (let i = 0; i < 5; ++i) clients.push(await connect());
  const seen = [];
  for (let turn = 0; turn < 4; ++turn) {
    for (const [at, client] of clients.entries()) {
      await client.query('begin');
      await ask(client, 'update wide set a = a + $1::int', [at], { name: 'add' });
      seen.push(...await ask(client, `select a + $1::int + 0 * ${at} from wide`, [0], { name: 's' }));
      await client.query((turn + at) % 2 ? 'commit' : 'rollback');
    }
  }
  for (const client of clients) await client.end();
  return seen;
}

async function notifications(client) {
  const heard = new Promise((resolve) => client.once('notification', resolve));
  await client.query('listen news');
  const other = await connect();
  await other.query("select pg_notify('news', 'hello')");
  await other.end();
  const { channel, payload } = await heard;
  return [channel, payload];
}

async function sessionState(client) {
  await client.query("set work_mem = '7MB'");
  await client.query('create temp table mine as select 1 as x');
  await client.query('select pg_advisory_lock(7)');
  return [await ask(client, 'show work_mem'),
    await ask(client, 'select x, pg_advisory_unlock(7) from mine')];
}

const STEPS = [
  ['statement', 'connect', connecting],
  ['statement', 'values', values],
  ['statement', 'bytes', bytes],
  ['statement', 'big value', bigValue],
  ['statement', 'named statement', namedStatement],
  ['statement', 'many statements', manyStatements],
  ['statement', 'statement after an error', statementAfterAnError],
  ['statement', 'batch', batch],
  ['statement', 'cancel', cancel],
  ['statement', 'errors', errors],
  ['statement', 'notices', notices],
  ['statement', 'time zone', timeZone],
  ['statement', 'connection pool', connectionPool],
  ['transaction', 'transactions', transactions],
  ['transaction', 'error in a transaction', errorInATransaction],
  ['transaction', 'portal in pieces', portalInPieces],
  ['transaction', 'several connections', severalConnections],
  ['session', 'notifications', notifications],
  ['session', 'session state', sessionState],
];

async function main() {
  const client = await connect();
  await client.query(SCHEMA);
  for (const [needs, name, step] of STEPS) {
    if (RANKS[needs] > RANKS[MODE]) continue;
    const result = [await step(client)].flat(Infinity).map(String).join(' ');
    console.log(`[${needs}] ${name}: ${result.replaceAll('\n', '\\n')}`);
  }
  await client.end();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
