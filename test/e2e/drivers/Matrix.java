// The driver matrix with JDBC: named statements after a few uses, portals, batches, function calls.
// What a line means is told in steps.py.
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.SQLWarning;
import java.sql.Savepoint;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Properties;
import java.util.StringJoiner;
import org.postgresql.PGConnection;
import org.postgresql.PGNotification;
import org.postgresql.largeobject.LargeObject;
import org.postgresql.largeobject.LargeObjectManager;
import org.postgresql.util.PSQLException;

public class Matrix {
  static final List<String> RANKS = List.of("statement", "transaction", "session");
  static final String MODE = System.getenv().getOrDefault("MATRIX_MODE", "session");
  static final String TEXT = "quote ' double \" backslash \\ dollar $1 percent % \u00e4\u20ac \nline";
  static final String BIG = "0123456789abcdef".repeat(100_000);
  static final String NAP = "select /* napping */ pg_sleep(60)";
  static final String NAPPING =
      "select count(*) from pg_stat_activity where wait_event = 'PgSleep'"
          + " and datname = current_database()";

  interface Step {
    Object run(Connection conn) throws Exception;
  }

  interface Task {
    void run() throws Exception;
  }

  // Pairs of name and value are the driver's properties.
  static Connection connect(String... properties) throws SQLException {
    Properties all = new Properties();
    all.setProperty("user", System.getenv("PGUSER"));
    all.setProperty("password", System.getenv("PGPASSWORD"));
    for (int i = 0; i < properties.length; i += 2) {
      all.setProperty(properties[i], properties[i + 1]);
    }
    String url = "jdbc:postgresql://" + System.getenv("PGHOST") + ":" + System.getenv("PGPORT");
    return DriverManager.getConnection(url + "/" + System.getenv("PGDATABASE"), all);
  }

  static Connection in_transactions(String... properties) throws SQLException {
    Connection conn = connect(properties);
    conn.setAutoCommit(false);
    return conn;
  }

  static PreparedStatement prepared(Connection conn, String sql, Object... args)
      throws SQLException {
    PreparedStatement statement = conn.prepareStatement(sql);
    for (int i = 0; i < args.length; i++) statement.setObject(i + 1, args[i]);
    return statement;
  }

  // All values of the answer, or the count of rows that were changed.
  static String ask(Connection conn, String sql, Object... args) throws SQLException {
    try (PreparedStatement statement = prepared(conn, sql, args)) {
      return statement.execute() ? all(statement.getResultSet()) : "" + statement.getUpdateCount();
    }
  }

  static String all(ResultSet rows) throws SQLException {
    StringJoiner out = new StringJoiner(" ");
    int columns = rows.getMetaData().getColumnCount();
    while (rows.next()) {
      for (int i = 1; i <= columns; i++) out.add(String.valueOf(rows.getString(i)));
    }
    return out.toString();
  }

  // The SQLSTATE that `task` ends with.
  static String state_of(Task task) throws Exception {
    try {
      task.run();
      return "none";
    } catch (SQLException error) {
      return error.getSQLState();
    }
  }

  static Object connecting(Connection conn) throws Exception {
    for (int i = 0; i < 3; i++) connect().close();
    return ask(conn, "select current_user, current_database()") + " " + conn.isValid(5);
  }

  static Object values(Connection conn) throws Exception {
    String sql = "select ?::text, ?::int, ?::numeric, ?::text, ?::bool, ?::date, ?::int[], ?::float8";
    Object[] args = {TEXT, -7, "1.50", null, true, "2024-02-29", "{1,2,3}", 0.1};
    return ask(conn, sql, args);
  }

  // Seven times: from the fifth on the statement is named, and its values are binary.
  static Object bytes(Connection conn) throws Exception {
    byte[] bytes = new byte[256];
    for (int i = 0; i < 256; i++) bytes[i] = (byte) i;
    boolean same = true;
    try (PreparedStatement statement = prepared(conn, "select ?, ?::int, ?::float8")) {
      for (int i = 0; i < 7; i++) {
        statement.setBytes(1, bytes);
        statement.setInt(2, i);
        statement.setDouble(3, i / 4.0);
        ResultSet rows = statement.executeQuery();
        rows.next();
        same = same && Arrays.equals(bytes, rows.getBytes(1)) && rows.getInt(2) == i;
        same = same && rows.getDouble(3) == i / 4.0;
      }
    }
    return same;
  }

  static Object big_value(Connection conn) throws Exception {
    try (PreparedStatement statement = prepared(conn, "select ? || 'x', md5(?)", BIG, BIG)) {
      ResultSet rows = statement.executeQuery();
      rows.next();
      return rows.getString(1).length() + " " + rows.getString(1).equals(BIG + "x") + " "
          + rows.getString(2);
    }
  }

  static Object named_statement(Connection conn) throws Exception {
    StringJoiner out = new StringJoiner(" ");
    try (PreparedStatement statement = conn.prepareStatement("select ?::int * 2")) {
      for (int i = 0; i < 50; i++) {
        statement.setInt(1, i);
        out.add(all(statement.executeQuery()));
      }
    }
    return out;
  }

  // More texts than the pool keeps on a link, twice; the driver keeps 256 and closes the rest.
  static Object many_statements(Connection ignored) throws Exception {
    long total = 0;
    try (Connection conn = connect("prepareThreshold", "1")) {
      for (int i = 0; i < 440; i++) total += Long.parseLong(ask(conn, "select ?::int + " + i % 220, 1));
    }
    return total;
  }

  static Object statement_after_an_error(Connection ignored) throws Exception {
    StringJoiner out = new StringJoiner(" ");
    try (Connection conn = connect("prepareThreshold", "1");
        PreparedStatement statement = conn.prepareStatement("select 10 / ?::int")) {
      for (int by : new int[] {2, 0, 5, 0, 10}) {
        statement.setInt(1, by);
        out.add(state_of(() -> out.add(all(statement.executeQuery()))));
      }
    }
    return out;
  }

  // Pipelines; as rows of one INSERT where the driver rewrites them.
  static Object batch(Connection conn) throws Exception {
    try (Connection rewriting = connect("reWriteBatchedInserts", "true")) {
      int changed = 0;
      for (Connection one : List.of(conn, rewriting)) {
        int first = one == conn ? 100 : 500;
        PreparedStatement statement = one.prepareStatement("insert into items (id, name) values (?, ?)");
        for (int i = first; i < first + 300; i++) {
          statement.setInt(1, i);
          statement.setString(2, "v" + i);
          statement.addBatch();
        }
        changed += statement.executeBatch().length;
        statement.close();
      }
      return changed + " " + ask(conn, "select count(*), min(name) from items where id >= 100");
    }
  }

  static Object error_in_a_batch(Connection conn) throws Exception {
    try (Statement statement = conn.createStatement()) {
      statement.addBatch("insert into items (id) values (900)");
      statement.addBatch("insert into items (id) values (100)");
      statement.addBatch("insert into items (id) values (901)");
      return state_of(statement::executeBatch) + " "
          + ask(conn, "select count(*) from items where id >= 900");
    }
  }

  // From another thread, when another connection sees that the query runs.
  static Object cancel(Connection conn) throws Exception {
    try (Connection watcher = connect(); Statement nap = conn.createStatement()) {
      Thread thread = new Thread(() -> {
        try {
          while (ask(watcher, NAPPING).equals("0")) Thread.onSpinWait();
          nap.cancel();
        } catch (SQLException error) {
          error.printStackTrace();
        }
      });
      thread.start();
      String state = state_of(() -> nap.execute(NAP));
      thread.join();
      return state + " " + ask(conn, "select 'goes on'");
    }
  }

  static Object copy_in(Connection conn) throws Exception {
    var copy = conn.unwrap(PGConnection.class).getCopyAPI();
    StringBuilder text = new StringBuilder();
    for (int i = 1000; i < 4000; i++) text.append(i + "\tname " + i + "\t\\\\x00ff\t" + i + ".25\n");
    long count = copy.copyIn("copy items from stdin", new StringReader(text.toString()));
    String state = state_of(() -> copy.copyIn("copy items from stdin", new StringReader("1\tno\n")));
    var given_up = copy.copyIn("copy items from stdin");
    given_up.cancelCopy();
    return count + " " + state + " "
        + ask(conn, "select sum(price), count(data) from items where id >= 1000");
  }

  static Object copy_out(Connection conn) throws Exception {
    var out = new ByteArrayOutputStream();
    long count = conn.unwrap(PGConnection.class).getCopyAPI().copyOut(
        "copy (select g, repeat('x', 50) from generate_series(1, 20000) g) to stdout", out);
    return count + " " + out.size() + " " + ask(conn, "select 1");
  }

  static Object errors(Connection conn) throws Exception {
    ask(conn, "insert into items (id) values (1)");
    StringJoiner out = new StringJoiner(" ");
    try {
      ask(conn, "insert into items (id) values (?)", 1);
    } catch (PSQLException error) {
      out.add(error.getServerErrorMessage().getConstraint()).add(error.getSQLState());
    }
    out.add(state_of(() -> ask(conn, "selec 1")));
    out.add(state_of(() -> ask(conn, "select 1 / ?::int", 0)));
    return out.add(ask(conn, "select 1"));
  }

  static Object notices(Connection conn) throws Exception {
    StringJoiner out = new StringJoiner(" ");
    try (Statement statement = conn.createStatement()) {
      statement.execute("do $$ begin raise notice 'one'; raise warning 'two'; end $$");
      for (SQLWarning at = statement.getWarnings(); at != null; at = at.getNextWarning()) {
        out.add(at.getMessage());
      }
    }
    return out;
  }

  // TimeZone follows a client from link to link.
  static Object time_zone(Connection conn) throws Exception {
    ask(conn, "set timezone = 'Asia/Tokyo'");
    StringJoiner out = new StringJoiner(" ");
    for (int i = 0; i < 6; i++) out.add(ask(conn, "show timezone"));
    ask(conn, "set timezone = 'UTC'");
    return out.add(ask(conn, "show timezone"));
  }

  static Object simple_protocol(Connection ignored) throws Exception {
    try (Connection conn = connect("preferQueryMode", "simple")) {
      return values(conn) + " " + ask(conn, "select 1; select 2");
    }
  }

  static Object transactions(Connection ignored) throws Exception {
    try (Connection conn = in_transactions("prepareThreshold", "2")) {
      String insert = "insert into items (id, name) values (?, ?)";
      ask(conn, insert, 10, "kept");
      conn.commit();
      ask(conn, insert, 11, "lost");
      conn.rollback();
      ask(conn, insert, 12, "kept too");
      Savepoint point = conn.setSavepoint("s");
      ask(conn, insert, 13, "lost too");
      conn.rollback(point);
      conn.commit();
      return ask(conn, "select id, name from items where id between 10 and 13 order by id");
    }
  }

  static Object error_in_a_transaction(Connection ignored) throws Exception {
    StringJoiner out = new StringJoiner(" ");
    try (Connection conn = in_transactions(); Connection saving = in_transactions("autosave", "always")) {
      out.add(state_of(() -> ask(conn, "select 1 / ?::int", 0)));
      out.add(state_of(() -> ask(conn, "select 1")));
      conn.rollback();
      out.add(ask(conn, "select 'goes on'"));
      // The driver sets a savepoint before each statement.
      out.add(state_of(() -> ask(saving, "select 1 / ?::int", 0)));
      return out.add(ask(saving, "select 'never stopped'"));
    }
  }

  // A named portal, fetched in pieces.
  static Object cursor_on_the_server(Connection ignored) throws Exception {
    int total = 0;
    try (Connection conn = in_transactions();
        PreparedStatement statement = prepared(conn, "select generate_series(1, ?::int)", 100)) {
      statement.setFetchSize(7);
      ResultSet rows = statement.executeQuery();
      while (rows.next()) total += rows.getInt(1);
    }
    return total;
  }

  // With function calls of the protocol.
  static Object large_object(Connection ignored) throws Exception {
    try (Connection conn = in_transactions()) {
      LargeObjectManager manager = conn.unwrap(PGConnection.class).getLargeObjectAPI();
      long oid = manager.createLO();
      LargeObject object = manager.open(oid);
      object.write(BIG.getBytes(StandardCharsets.US_ASCII));
      object.seek(0);
      byte[] back = object.read(BIG.length());
      object.close();
      manager.unlink(oid);
      conn.commit();
      return Arrays.equals(back, BIG.getBytes(StandardCharsets.US_ASCII));
    }
  }

  // More clients than links, taking turns with statements of one text.
  static Object several_connections(Connection ignored) throws Exception {
    List<Connection> conns = new ArrayList<>();
    for (int i = 0; i < 5; i++) conns.add(in_transactions("prepareThreshold", "1"));
    StringJoiner out = new StringJoiner(" ");
    for (int turn = 0; turn < 4; turn++) {
      for (int at = 0; at < 5; at++) {
        Connection conn = conns.get(at);
        ask(conn, "update wide set a = a + ?", at);
        out.add(ask(conn, "select a + ? from wide", 0));
        if ((turn + at) % 2 == 1) conn.commit();
        else conn.rollback();
      }
    }
    for (Connection conn : conns) conn.close();
    return out;
  }

  static Object notifications(Connection conn) throws Exception {
    ask(conn, "listen news");
    try (Connection other = connect()) {
      ask(other, "select pg_notify('news', 'hello')");
    }
    PGNotification[] heard = conn.unwrap(PGConnection.class).getNotifications(10_000);
    return heard[0].getName() + " " + heard[0].getParameter();
  }

  // The driver prepares anew by itself when the result of a cached statement has changed.
  static Object schema_change(Connection ignored) throws Exception {
    StringJoiner out = new StringJoiner(" ");
    try (Connection conn = connect("prepareThreshold", "1")) {
      for (int i = 0; i < 3; i++) out.add(ask(conn, "select * from wide where a > ?", 0));
      ask(conn, "alter table wide add column b int default 2");
      for (int i = 0; i < 3; i++) out.add(ask(conn, "select * from wide where a > ?", 0));
      ask(conn, "alter table wide drop column b");
      return out.add(ask(conn, "select * from wide where a > ?", 0));
    }
  }

  static Object session_state(Connection conn) throws Exception {
    ask(conn, "set work_mem = '7MB'");
    ask(conn, "create temp table mine as select 1 as x");
    ask(conn, "select pg_advisory_lock(7)");
    return ask(conn, "show work_mem") + " " + ask(conn, "select x, pg_advisory_unlock(7) from mine");
  }

  static void step(Connection conn, String needs, String name, Step step) throws Exception {
    if (RANKS.indexOf(needs) > RANKS.indexOf(MODE)) return;
    System.out.println("[" + needs + "] " + name + ": " + step.run(conn).toString().replace("\n", "\\n"));
  }

  public static void main(String[] args) throws Exception {
    try (Connection conn = connect(); Statement schema = conn.createStatement()) {
      schema.execute("drop table if exists items, wide;"
          + "create table items (id int primary key, name text, data bytea, price numeric(12,2));"
          + "create table wide (a int); insert into wide values (1)");
      step(conn, "statement", "connect", Matrix::connecting);
      step(conn, "statement", "values", Matrix::values);
      step(conn, "statement", "bytes", Matrix::bytes);
      step(conn, "statement", "big value", Matrix::big_value);
      step(conn, "statement", "named statement", Matrix::named_statement);
      step(conn, "statement", "many statements", Matrix::many_statements);
      step(conn, "statement", "statement after an error", Matrix::statement_after_an_error);
      step(conn, "statement", "batch", Matrix::batch);
      step(conn, "statement", "error in a batch", Matrix::error_in_a_batch);
      step(conn, "statement", "cancel", Matrix::cancel);
      step(conn, "statement", "copy in", Matrix::copy_in);
      step(conn, "statement", "copy out", Matrix::copy_out);
      step(conn, "statement", "errors", Matrix::errors);
      step(conn, "statement", "notices", Matrix::notices);
      step(conn, "statement", "time zone", Matrix::time_zone);
      step(conn, "statement", "simple protocol", Matrix::simple_protocol);
      step(conn, "transaction", "transactions", Matrix::transactions);
      step(conn, "transaction", "error in a transaction", Matrix::error_in_a_transaction);
      step(conn, "transaction", "cursor on the server", Matrix::cursor_on_the_server);
      step(conn, "transaction", "large object", Matrix::large_object);
      step(conn, "transaction", "several connections", Matrix::several_connections);
      step(conn, "session", "notifications", Matrix::notifications);
      step(conn, "session", "schema change", Matrix::schema_change);
      step(conn, "session", "session state", Matrix::session_state);
    }
  }
}
