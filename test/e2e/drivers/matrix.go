// The driver matrix with Go's lib/pq. What a line means is told in steps.py.
package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/lib/pq"
)

const (
	schema = `drop table if exists items, wide;
create table items (id int primary key, name text, data bytea, price numeric(12,2));
create table wide (a int);
insert into wide values (1);`
	nap     = "select /* napping */ pg_sleep(60)"
	napping = "select count(*) from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()"
	text    = "quote ' double \" backslash \\ dollar $1 percent % \u00e4\u20ac\nline"
)

var (
	big   = strings.Repeat("0123456789abcdef", 100000)
	ranks = map[string]int{"statement": 0, "transaction": 1, "session": 2, "": 2}
	back  = context.Background()
)

// What *sql.DB, *sql.Conn, *sql.Tx and *sql.Stmt have in common, for ask().
type asker interface {
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
}

// One connection; the driver's default demands TLS.
func connect(more string) (*sql.DB, *sql.Conn) {
	db, err := sql.Open("postgres", "sslmode=disable "+more)
	must(err)
	conn, err := db.Conn(back)
	must(err)
	return db, conn
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// The SQLSTATE of `err`.
func stateOf(err error) string {
	var failure *pq.Error
	if errors.As(err, &failure) {
		return string(failure.Code)
	}
	return fmt.Sprint(err)
}

// All values of `rows`.
func all(rows *sql.Rows) (string, error) {
	defer rows.Close()
	columns, err := rows.Columns()
	must(err)
	var out []string
	for rows.Next() {
		values, places := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			places[i] = &values[i]
		}
		must(rows.Scan(places...))
		for _, value := range values {
			if piece, is := value.([]byte); is {
				value = string(piece)
			}
			out = append(out, fmt.Sprint(value))
		}
	}
	return strings.Join(out, " "), rows.Err()
}

func try(conn asker, query string, args ...any) (string, error) {
	rows, err := conn.QueryContext(back, query, args...)
	if err != nil {
		return "", err
	}
	return all(rows)
}

func ask(conn asker, query string, args ...any) string {
	answer, err := try(conn, query, args...)
	must(err)
	return answer
}

func stateOfAsking(conn asker, query string, args ...any) string {
	_, err := try(conn, query, args...)
	return stateOf(err)
}

func connecting(conn *sql.Conn) string {
	for i := 0; i < 3; i++ {
		db, one := connect("")
		must(one.PingContext(back))
		one.Close()
		db.Close()
	}
	return ask(conn, "select current_user, current_database()")
}

func values(conn *sql.Conn) string {
	return ask(conn, "select $1::text, $2::int, $3::numeric, $4::text, $5::bool, $6::text[], $7::float8",
		text, -7, "1.50", nil, true, pq.Array([]string{"a", "b"}), 0.1)
}

// With binary parameters, too.
func bytesThereAndBack(conn *sql.Conn) string {
	data := make([]byte, 256)
	for i := range data {
		data[i] = byte(i)
	}
	db, binary := connect("binary_parameters=yes")
	defer db.Close()
	var same []string
	for _, one := range []*sql.Conn{conn, binary} {
		var got []byte
		must(one.QueryRowContext(back, "select $1::bytea", data).Scan(&got))
		same = append(same, fmt.Sprint(bytes.Equal(data, got)))
	}
	return strings.Join(same, " ")
}

func bigValue(conn *sql.Conn) string {
	var got, sum string
	must(conn.QueryRowContext(back, "select $1::text || 'x', md5($1::text)", big).Scan(&got, &sum))
	return fmt.Sprint(len(got), got == big+"x", " ", sum)
}

func namedStatement(conn *sql.Conn) string {
	statement, err := conn.PrepareContext(back, "select $1::int * 2")
	must(err)
	defer statement.Close()
	var out []string
	for i := 0; i < 50; i++ {
		rows, err := statement.Query(i)
		must(err)
		one, err := all(rows)
		must(err)
		out = append(out, one)
	}
	return strings.Join(out, " ")
}

// More texts than the pool keeps on a link, all open at once, used twice.
func manyStatements(conn *sql.Conn) string {
	var statements []*sql.Stmt
	for i := 0; i < 220; i++ {
		statement, err := conn.PrepareContext(back, fmt.Sprintf("select $1::int + %d", i))
		must(err)
		statements = append(statements, statement)
	}
	total := 0
	for turn := 0; turn < 2; turn++ {
		for _, statement := range statements {
			var one int
			must(statement.QueryRow(1).Scan(&one))
			total += one
		}
	}
	for _, statement := range statements {
		must(statement.Close())
	}
	return fmt.Sprint(total)
}

func statementAfterAnError(conn *sql.Conn) string {
	statement, err := conn.PrepareContext(back, "select 10 / $1::int")
	must(err)
	defer statement.Close()
	var out []string
	for _, by := range []int{2, 0, 5, 0, 10} {
		var one int
		out = append(out, stateOf(statement.QueryRow(by).Scan(&one)), fmt.Sprint(one))
	}
	return strings.Join(out, " ")
}

// When another connection sees that the query runs. The driver gives up the connection that it
// cancelled, and takes a new one for what comes next.
func cancel(conn *sql.Conn) string {
	db, own := connect("")
	defer db.Close()
	limited, stop := context.WithCancel(back)
	go func() {
		for ask(conn, napping) == "0" {
		}
		stop()
	}()
	_, err := own.ExecContext(limited, nap)
	own.Close()
	return stateOf(err) + " " + ask(db, "select 'goes on'")
}

// One call of a query of several statements gives several results.
func batch(conn *sql.Conn) string {
	for i := 100; i < 150; i++ {
		_, err := conn.ExecContext(back, "insert into items (id, name) values ($1, $2)", i, fmt.Sprint("v", i))
		must(err)
	}
	rows, err := conn.QueryContext(back, "select 7; select count(*), min(name) from items where id >= 100")
	must(err)
	defer rows.Close()
	var first, count int
	var name string
	for rows.Next() {
		must(rows.Scan(&first))
	}
	rows.NextResultSet()
	for rows.Next() {
		must(rows.Scan(&count, &name))
	}
	return fmt.Sprint(first, " ", count, " ", name)
}

func errorsTold(conn *sql.Conn) string {
	ask(conn, "insert into items (id) values (1)")
	_, err := try(conn, "insert into items (id) values ($1)", 1)
	var failure *pq.Error
	errors.As(err, &failure)
	return strings.Join([]string{failure.Constraint, stateOf(err), stateOfAsking(conn, "selec 1"),
		stateOfAsking(conn, "insert into items (id) values (1)"),
		stateOfAsking(conn, "select 1 / $1::int", 0), ask(conn, "select 1")}, " ")
}

// TimeZone follows a client from link to link.
func timeZone(conn *sql.Conn) string {
	ask(conn, "set timezone = 'Asia/Tokyo'")
	var shown []string
	for i := 0; i < 6; i++ {
		shown = append(shown, ask(conn, "show timezone"))
	}
	ask(conn, "set timezone = 'UTC'")
	return strings.Join(append(shown, ask(conn, "show timezone")), " ")
}

// The pool of database/sql in front of ours.
func connectionPool(*sql.Conn) string {
	db, err := sql.Open("postgres", "sslmode=disable")
	must(err)
	defer db.Close()
	db.SetMaxOpenConns(5)
	answers := make(chan int)
	for i := 0; i < 40; i++ {
		go func(number int) {
			var one int
			must(db.QueryRow("select $1::int + 1", number).Scan(&one))
			answers <- one
		}(i)
	}
	total := 0
	for i := 0; i < 40; i++ {
		total += <-answers
	}
	return fmt.Sprint(total)
}

func begin(conn *sql.Conn) *sql.Tx {
	tx, err := conn.BeginTx(back, nil)
	must(err)
	return tx
}

func transactions(conn *sql.Conn) string {
	insert := "insert into items (id, name) values ($1, $2)"
	tx := begin(conn)
	ask(tx, insert, 10, "kept")
	must(tx.Commit())
	tx = begin(conn)
	ask(tx, insert, 11, "lost")
	must(tx.Rollback())
	tx = begin(conn)
	ask(tx, insert, 12, "kept too")
	ask(tx, "savepoint s")
	ask(tx, insert, 13, "lost too")
	ask(tx, "rollback to savepoint s")
	must(tx.Commit())
	return ask(conn, "select id, name from items where id between 10 and 13 order by id")
}

// A statement that is prepared outside and used inside.
func statementAcrossTransactions(conn *sql.Conn) string {
	statement, err := conn.PrepareContext(back, "select $1::int + 1")
	must(err)
	defer statement.Close()
	var out []string
	for i := 0; i < 6; i++ {
		tx := begin(conn)
		var inside, outside int
		must(tx.Stmt(statement).QueryRow(i).Scan(&inside))
		must(tx.Rollback())
		must(statement.QueryRow(10 * i).Scan(&outside))
		out = append(out, fmt.Sprint(inside, " ", outside))
	}
	return strings.Join(out, " ")
}

func errorInATransaction(conn *sql.Conn) string {
	tx := begin(conn)
	out := stateOfAsking(tx, "select 1 / $1::int", 0) + " " + stateOfAsking(tx, "select $1::int", 1)
	must(tx.Rollback())
	return out + " " + ask(conn, "select $1::int", 1)
}

// The driver copies in a transaction only, and never out.
func copyIn(conn *sql.Conn) string {
	tx := begin(conn)
	statement, err := tx.Prepare(pq.CopyIn("items", "id", "name", "data"))
	must(err)
	for i := 1000; i < 4000; i++ {
		_, err = statement.Exec(i, fmt.Sprint("name ", i), []byte{0, 255})
		must(err)
	}
	_, err = statement.Exec()
	must(err)
	must(statement.Close())
	must(tx.Commit())
	return ask(conn, "select count(*), sum(length(data)) from items where id >= 1000")
}

// More clients than links, taking turns with statements of one text.
func severalConnections(*sql.Conn) string {
	var conns []*sql.Conn
	for i := 0; i < 5; i++ {
		db, conn := connect("")
		defer db.Close()
		conns = append(conns, conn)
	}
	var seen []string
	for turn := 0; turn < 4; turn++ {
		for at, conn := range conns {
			tx := begin(conn)
			ask(tx, "update wide set a = a + $1::int", at)
			seen = append(seen, ask(tx, "select a + $1::int from wide", 0))
			if (turn+at)%2 == 1 {
				must(tx.Commit())
			} else {
				must(tx.Rollback())
			}
		}
	}
	return strings.Join(seen, " ")
}

func notifications(conn *sql.Conn) string {
	listener := pq.NewListener("sslmode=disable", 1e9, 1e9, func(_ pq.ListenerEventType, err error) { must(err) })
	defer listener.Close()
	must(listener.Listen("news"))
	ask(conn, "select pg_notify('news', 'hello')")
	heard := <-listener.Notify
	return heard.Channel + " " + heard.Extra
}

func sessionState(conn *sql.Conn) string {
	ask(conn, "set work_mem = '7MB'")
	ask(conn, "create temp table mine as select 1 as x")
	ask(conn, "select pg_advisory_lock(7)")
	return ask(conn, "show work_mem") + " " + ask(conn, "select x, pg_advisory_unlock(7) from mine")
}

func main() {
	db, conn := connect("")
	defer db.Close()
	_, err := conn.ExecContext(back, schema)
	must(err)
	for _, step := range []struct {
		needs, name string
		run         func(*sql.Conn) string
	}{
		{"statement", "connect", connecting},
		{"statement", "values", values},
		{"statement", "bytes", bytesThereAndBack},
		{"statement", "big value", bigValue},
		{"statement", "named statement", namedStatement},
		{"statement", "many statements", manyStatements},
		{"statement", "statement after an error", statementAfterAnError},
		{"statement", "batch", batch},
		{"statement", "cancel", cancel},
		{"statement", "errors", errorsTold},
		{"statement", "time zone", timeZone},
		{"statement", "connection pool", connectionPool},
		{"transaction", "transactions", transactions},
		{"transaction", "statement across transactions", statementAcrossTransactions},
		{"transaction", "error in a transaction", errorInATransaction},
		{"transaction", "copy in", copyIn},
		{"transaction", "several connections", severalConnections},
		{"session", "notifications", notifications},
		{"session", "session state", sessionState},
	} {
		if ranks[step.needs] <= ranks[os.Getenv("MATRIX_MODE")] {
			result := strings.ReplaceAll(step.run(conn), "\n", "\\n")
			fmt.Printf("[%s] %s: %s\n", step.needs, step.name, result)
		}
	}
}
