#!/bin/sh
# The driver matrix with pgbench, in each of its protocols. What a line means is told in steps.py.
# As many threads as clients: a thread waits for the answer to a Prepare, and would wait in one
# client for a link that another of its clients holds.
set -eu
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

rank() {
  case $1 in statement) echo 0 ;; transaction) echo 1 ;; *) echo 2 ;; esac
}

# bench NEEDS NAME OPTION…: prints how many transactions were made.
bench() {
  needs=$1 name=$2
  shift 2
  [ "$(rank "$needs")" -le "$(rank "${MATRIX_MODE:-session}")" ] || return 0
  pgbench -n -c 5 -j 5 "$@" >"$scratch/out" 2>"$scratch/err" || cat "$scratch/err" >&2
  result=$(sed -n 's/.*actually processed: //p' "$scratch/out")
  printf '[%s] %s: %s\n' "$needs" "$name" "$result"
}

# Steps of one SQL command each, so that they work without transactions.
cat >"$scratch/single.sql" <<'SQL'
\set a random(1, 100)
select :a + 1;
select :a || 'x', repeat('y', :a);
select count(*) from pgbench_accounts where aid = :a \gset
SQL
# A pipeline, which the simple protocol does not have.
cat >"$scratch/pipeline.sql" <<'SQL'
\set a random(1, 100)
\startpipeline
select :a + 1;
select :a + 2;
select :a + 3;
\endpipeline
SQL

# Filled by single commands: pgbench would take a transaction.
pgbench -i -q -I dtp 2>/dev/null
psql -Xq <<'SQL'
insert into pgbench_branches (bid, bbalance) values (1, 0);
insert into pgbench_tellers (tid, bid, tbalance) select g, 1, 0 from generate_series(1, 10) g;
insert into pgbench_accounts (aid, bid, abalance) select g, 1, 0 from generate_series(1, 100000) g;
SQL
for protocol in simple extended prepared; do
  bench statement "$protocol, selects" -M $protocol -S -t 15
  bench transaction "$protocol, transactions" -M $protocol -t 15
done
bench statement 'prepared, single commands' -M prepared -f "$scratch/single.sql" -t 15
bench statement 'prepared, pipeline' -M prepared -f "$scratch/pipeline.sql" -t 15
bench statement 'extended, pipeline' -M extended -f "$scratch/pipeline.sql" -t 15
bench statement 'prepared, reconnecting' -C -M prepared -S -t 3
# Each transaction has left its mark, whole.
printf '[statement] balanced: %s\n' "$(psql -XAt -c "select
  (select coalesce(sum(delta), 0) from pgbench_history) = all (select sum(abalance) from pgbench_accounts
    union all select sum(bbalance) from pgbench_branches union all select sum(tbalance) from pgbench_tellers)")"
