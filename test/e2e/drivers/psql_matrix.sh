#!/bin/sh
# The driver matrix with psql: simple queries, the Describe of \gdesc, \copy, cancel by a signal.
# What a line means is told in steps.py.
set -eu
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

rank() {
  case $1 in statement) echo 0 ;; transaction) echo 1 ;; *) echo 2 ;; esac
}

# step NEEDS NAME FUNCTION: prints what the function writes on one line.
step() {
  [ "$(rank "$1")" -le "$(rank "${MATRIX_MODE:-session}")" ] || return 0
  printf '[%s] %s: %s\n' "$1" "$2" "$($3 2>&1 | tr '\n' ' ')"
}

# Reads its commands; an error ends neither psql nor this script, and shows its SQLSTATE only.
ask() { psql -XqAt -v VERBOSITY=sqlstate "$@"; }

connecting() {
  for _ in 1 2; do ask -c 'select 1'; done
  ask -c 'select current_user, current_database()' -c '\encoding'
}

reconnecting() { ask -c '\c -' -c 'select 1' -c '\c' -c 'select 2'; }

values() {
  ask -v "text=quote ' double \" backslash \\ dollar \$1" -v data='\x00ff' <<'SQL'
select :'text', -7, 1.50, null, true, date '2024-02-29', array[1, 2, 3], :'data'::bytea;
select length(repeat('0123456789abcdef', 100000)), md5(repeat('0123456789abcdef', 100000));
SQL
}

big_value() { ask -c "select repeat('0123456789abcdef', 100000)" | wc -c; }

describe() {
  ask <<'SQL'
select 1 as a, now() as b, null::numeric(5,2) as c \gdesc
\d items
SQL
}

several_results() { ask -c 'select 1; select 2; select 1/0; select 3' -c 'select 4'; }

copying() {
  seq 1000 3999 | sed 's/.*/&\tname &\t\\\\x00ff\t&.25/' >"$scratch/in"
  printf '1\tno\n' >"$scratch/broken"
  ask -c "\\copy items from '$scratch/in'" -c "\\copy items from '$scratch/broken'" \
    -c "\\copy (select * from items where id >= 1000 order by id) to '$scratch/out'" \
    -c 'select sum(price), count(data) from items where id >= 1000'
  cmp "$scratch/in" "$scratch/out" && echo same
}

errors() {
  ask <<'SQL'
insert into items (id) values (1);
insert into items (id) values (1);
\echo :LAST_ERROR_SQLSTATE
selec 1;
select 1/0;
do $$ begin raise notice 'one'; raise warning 'two'; end $$;
select 'goes on';
SQL
}

# By SIGINT, when another psql sees that the query runs.
cancel() {
  psql -XqAt -v VERBOSITY=sqlstate -c 'select /* napping */ pg_sleep(60)' -c "select 'goes on'" &
  until [ "$(ask -c "select count(*) from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()")" = 1 ]; do
    :
  done
  kill -INT $!
  wait $! || true
}

time_zone() {
  ask <<'SQL'
set timezone = 'Asia/Tokyo';
show timezone;
show timezone;
show timezone;
set timezone = 'UTC';
show timezone;
SQL
}

transactions() {
  ask <<'SQL'
begin; insert into items (id, name) values (10, 'kept'); commit;
begin;
insert into items (id, name) values (11, 'lost');
rollback;
begin;
insert into items (id, name) values (12, 'kept too');
savepoint s;
insert into items (id, name) values (13, 'lost too');
rollback to savepoint s;
commit;
begin;
select 1/0;
select 1;
rollback;
select id, name from items where id between 10 and 13 order by id;
SQL
  ask -1 -c "insert into items (id) values (20)" -c "insert into items (id) values (20)" || true
  ask -c 'select count(*) from items where id = 20'
}

# The driver's savepoints around each statement.
rollback_on_error() {
  ask -v ON_ERROR_ROLLBACK=on <<'SQL'
begin;
select 1/0;
select 'goes on';
commit;
SQL
}

# Rows in pieces: psql declares a cursor in a transaction.
fetch_count() { ask -v FETCH_COUNT=7 -c 'select generate_series(1, 30)'; }

notifications() { ask -c 'listen news' -c "notify news, 'hello'" | sed 's/with PID [0-9]*/here/'; }

session_state() {
  ask <<'SQL'
set work_mem = '7MB';
create temp table mine as select 1 as x;
prepare twice (int) as select $1 * 2;
execute twice (21);
deallocate twice;
execute twice (21);
show work_mem;
table mine;
SQL
}

ask 2>/dev/null <<'SQL'
drop table if exists items, wide;
create table items (id int primary key, name text, data bytea, price numeric(12,2));
SQL
step statement connect connecting
step statement reconnect reconnecting
step statement values values
step statement 'big value' big_value
step statement describe describe
step statement 'several results' several_results
step statement copy copying
step statement errors errors
step statement cancel cancel
step statement 'time zone' time_zone
step transaction transactions transactions
step transaction 'rollback on error' rollback_on_error
step transaction 'fetch count' fetch_count
step session notifications notifications
step session 'session state' session_state
