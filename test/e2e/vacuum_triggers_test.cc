// When autovacuum acts: what src/vacuum/triggers foretells against what real servers do.
#include "vacuum/triggers.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "e2e/support/database.h"
#include "pg/quote.h"
#include "vacuum/vacuum.h"

namespace pgtend::e2e {
namespace {

constexpr int kAlways = 13;
constexpr int kNever = 99;

enum class Kind : uint8_t { Table, Leaf, Parent, Toast };
// What is done before the changes: FreezeHalf freezes the rows, loads as many again and analyses.
enum class Prepared : uint8_t { No, Analyzed, Vacuumed, Frozen, FreezeHalf };

// One table and what autovacuum does with it.
struct Case {
  std::string name = {};
  std::string options = {};  // its reloptions
  int rows = 0;              // loaded first
  Prepared prepared = Prepared::No;
  int deleted = 0;  // then
  int inserted = 0;
  int updated = 0;
  int vacuum_from = kNever;  // the first version that vacuums it
  int analyze_from = kNever;
  int needs = kAlways;  // the first version that knows the options
  Kind kind = Kind::Table;
  bool old = false;  // made 100,000 transactions and 10,000 multixacts earlier
};
using Cases = std::vector<Case>;

const std::string kNoInserts = "autovacuum_vacuum_insert_threshold=-1";
const std::string kNoAnalyze = "autovacuum_analyze_threshold=1000000";
const std::string kNoDead = "autovacuum_vacuum_threshold=1000000";
// The server's cap from 18 on, so that it can be seen at a table of 1,000 rows.
constexpr const char* kCap = "220";

// 226 rows of one integer fill a page.
constexpr int kPages10 = 2260;

Cases dead_cases() {
  Cases out;
  const auto add = [&](const std::string& name, const std::string& options, int rows, int deleted,
                       int vacuum_from, int needs = kAlways) {
    out.push_back(
        {.name = cat("dead_", name),
         .options = cat(options, options.empty() ? "" : ", ", kNoInserts, ", ", kNoAnalyze),
         .rows = rows,
         .prepared = Prepared::Analyzed,
         .deleted = deleted,
         .vacuum_from = vacuum_from,
         .needs = needs});
  };
  const std::string ten = "autovacuum_vacuum_threshold=10, autovacuum_vacuum_scale_factor=0";
  const std::string half = "autovacuum_vacuum_threshold=0, autovacuum_vacuum_scale_factor=0.5";
  const std::string zero = "autovacuum_vacuum_threshold=0, autovacuum_vacuum_scale_factor=0";
  const std::string hex = "autovacuum_vacuum_threshold='0x0a', autovacuum_vacuum_scale_factor=0";
  const std::string p29 = "autovacuum_vacuum_threshold=0, autovacuum_vacuum_scale_factor=0.29";
  const std::string p53 = "autovacuum_vacuum_threshold=0, autovacuum_vacuum_scale_factor=0.53";
  const std::string cap = "autovacuum_vacuum_max_threshold=";
  add("defaults_at", "", 800, 210, kNever);
  add("defaults_above", "", 800, 211, kAlways);
  add("threshold_at", ten, 100, 10, kNever);
  add("threshold_above", ten, 100, 11, kAlways);
  add("scale_at", half, 100, 50, kNever);
  add("scale_above", half, 100, 51, kAlways);
  add("zero_at", zero, 100, 0, kNever);
  add("zero_above", zero, 100, 1, kAlways);
  add("hexadecimal_at", hex, 100, 10, kNever);
  add("hexadecimal_above", hex, 100, 11, kAlways);
  add("rounded_up_at", p29, 100, 29, kNever);  // 28.999999999999996 in double precision
  add("rounded_up_above", p29, 100, 30, kAlways);
  add("rounded_down_below", p53, 100, 52, kNever);
  add("rounded_down_above", p53, 100, 53, kAlways);  // the limit is 52.999996
  add("cap_of_server_at", "", 1000, 220, kNever);
  add("cap_of_server_above", "", 1000, 221, 18);
  add("cap_off_at", cat(cap, "-1"), 1000, 250, kNever, 18);
  add("cap_off_above", cat(cap, "-1"), 1000, 251, 18, 18);
  add("cap_at", cat(cap, "100"), 1000, 100, kNever, 18);
  add("cap_above", cat(cap, "100"), 1000, 101, 18, 18);
  add("cap_zero_above", cat(cap, "0"), 1000, 1, 18, 18);
  add("cap_beyond_at", cat(cap, "100000"), 1000, 250, kNever, 18);
  add("cap_beyond_above", cat(cap, "100000"), 1000, 251, 18, 18);
  add("rows_unknown_at", "", 300, 50, kNever);
  add("rows_unknown_above", "", 300, 51, kAlways);
  out[out.size() - 2].prepared = out.back().prepared = Prepared::No;
  return out;
}

Cases insert_cases() {
  Cases out;
  const auto add = [&](const std::string& name, const std::string& options, int rows,
                       Prepared prepared, int inserted, int vacuum_from) {
    out.push_back({.name = cat("insert_", name),
                   .options = cat(kNoAnalyze, options.empty() ? "" : ", ", options),
                   .rows = rows,
                   .prepared = prepared,
                   .inserted = inserted,
                   .vacuum_from = vacuum_from});
  };
  const auto limits = [](int threshold, int scale) {
    return cat("autovacuum_vacuum_insert_threshold=", threshold,
               ", autovacuum_vacuum_insert_scale_factor=", scale);
  };
  add("rows_unknown_at", "", 1000, Prepared::No, 0, kNever);
  add("rows_unknown_above", "", 1001, Prepared::No, 0, kAlways);
  add("defaults_at", "", 1000, Prepared::Analyzed, 200, kNever);
  add("defaults_above", "", 1000, Prepared::Analyzed, 201, kAlways);
  add("threshold_at", limits(100, 0), 500, Prepared::Vacuumed, 100, kNever);
  add("threshold_above", limits(100, 0), 500, Prepared::Vacuumed, 101, kAlways);
  add("scale_at", limits(0, 1), 300, Prepared::Analyzed, 0, kNever);
  add("scale_above", limits(0, 1), 300, Prepared::Analyzed, 1, kAlways);
  add("off", kNoInserts, 5000, Prepared::No, 0, kNever);
  add("all_frozen_at", limits(50, 1), kPages10, Prepared::Frozen, 50, kNever);
  add("all_frozen_above", limits(50, 1), kPages10, Prepared::Frozen, 51, 18);
  add("half_frozen_at", limits(0, 1), kPages10, Prepared::FreezeHalf, 0, kNever);
  add("half_frozen_above", limits(0, 1), kPages10, Prepared::FreezeHalf, 1, 18);
  return out;
}

Cases analyze_cases() {
  Cases out;
  const auto add = [&](const std::string& name, const std::string& options, int rows,
                       std::array<int, 3> changes, bool analyzed, bool known = true) {
    out.push_back({.name = cat("analyze_", name),
                   .options = cat(kNoInserts, ", ", kNoDead, options.empty() ? "" : ", ", options),
                   .rows = rows,
                   .prepared = known ? Prepared::Analyzed : Prepared::No,
                   .deleted = changes[0],
                   .inserted = changes[1],
                   .updated = changes[2],
                   .analyze_from = analyzed ? kAlways : kNever});
  };
  const auto limits = [](std::string_view threshold, std::string_view scale) {
    return cat("autovacuum_analyze_threshold=", threshold,
               ", autovacuum_analyze_scale_factor=", scale);
  };
  add("rows_unknown_at", "", 50, {0, 0, 0}, false, false);
  add("rows_unknown_above", "", 51, {0, 0, 0}, true, false);
  add("defaults_at", "", 1000, {150, 0, 0}, false);
  add("defaults_above", "", 1000, {151, 0, 0}, true);
  add("threshold_at", limits("10", "0"), 100, {0, 10, 0}, false);
  add("threshold_above", limits("10", "0"), 100, {0, 11, 0}, true);
  add("scale_at", limits("0", "0.5"), 100, {0, 0, 50}, false);
  add("scale_above", limits("0", "0.5"), 100, {0, 0, 51}, true);
  add("mixed_at", "", 1000, {50, 50, 50}, false);
  add("mixed_above", "", 1000, {50, 51, 50}, true);
  add("rounded_up_at", limits("0", "0.29"), 100, {0, 29, 0}, false);
  add("rounded_down_above", limits("0", "0.53"), 100, {0, 53, 0}, true);
  return out;
}

Cases other_cases() {
  const auto off = [](std::string_view word) { return cat("autovacuum_enabled=", word); };
  const auto age = [&](int most) {
    return cat("autovacuum_freeze_max_age=", most, ", ", off("false"));
  };
  const auto multixacts = [&](int most) {
    return cat("autovacuum_multixact_freeze_max_age=", most, ", ", off("false"));
  };
  const auto toast = [](int dead) {
    return cat("toast.autovacuum_vacuum_threshold=", dead,
               ", toast.autovacuum_vacuum_scale_factor=0,"
               "toast.autovacuum_vacuum_insert_threshold=-1");
  };
  const auto main = [](int dead) {
    return cat("autovacuum_vacuum_scale_factor=0, ", kNoInserts, ", ", kNoAnalyze,
               ", autovacuum_vacuum_threshold=", dead);
  };
  Case forced{.rows = 200, .old = true};
  Case toasted{.rows = 30, .deleted = 20, .kind = Kind::Toast};  // 5 chunks a row
  Cases out = {
      {.name = "enabled",
       .options = off("on"),
       .rows = 3000,
       .deleted = 1000,
       .vacuum_from = kAlways,
       .analyze_from = kAlways},
      {.name = "disabled", .options = off("false"), .rows = 3000, .deleted = 1000},
      {.name = "disabled_by_a_beginning", .options = off("fa"), .rows = 3000, .deleted = 1000},
      {.name = "disabled_by_of", .options = off("of"), .rows = 3000, .deleted = 1000},
      {.name = "young", .options = age(100'000), .rows = 200},
      {.name = "parent", .rows = 500, .kind = Kind::Parent},
      {.name = "leaf", .rows = 500, .analyze_from = kAlways, .kind = Kind::Leaf}};
  const auto add = [&](Case base, const std::string& name, const std::string& options,
                       int vacuum_from) {
    base.name = name;
    base.options = options;
    base.vacuum_from = vacuum_from;
    // A forced table is looked at whole: its 200 changes are analysed, unless that is off, too.
    const bool quiet = options.find(kNoAnalyze) != std::string::npos;
    if (base.old && !quiet) base.analyze_from = vacuum_from;
    out.push_back(base);
  };
  add(forced, "forced_by_xids", age(100'000), kAlways);
  add(forced, "forced_and_not_analyzed", cat(age(100'000), ", ", kNoAnalyze), kAlways);
  add(forced, "not_yet_forced_by_xids", age(150'000), kNever);
  add(forced, "age_cannot_be_raised", age(2'000'000'000), kNever);
  add(forced, "forced_by_multixacts", multixacts(10'000), kAlways);
  add(forced, "not_yet_forced_by_multixacts", multixacts(20'000), kNever);
  add(toasted, "toast_at", toast(100), kNever);
  add(toasted, "toast_above", toast(99), kAlways);
  add(toasted, "toast_of_its_table_at", main(100), kNever);
  add(toasted, "toast_of_its_table_above", main(99), kAlways);
  add(toasted, "toast_disabled", "toast.autovacuum_enabled=false", kNever);
  add(toasted, "toast_ignores_its_tables_options", cat(main(1), ", toast.vacuum_truncate=true"),
      kAlways);
  return out;
}

class VacuumTriggers : public VersionTest {
 protected:
  Settings settings() const override {
    Settings out = {{"autovacuum", "off"}, {"autovacuum_naptime", "1s"}};
    if (version() >= "18") out.emplace_back("autovacuum_vacuum_max_threshold", kCap);
    return out;
  }
  int major() const { return std::stoi(version()); }

  Cases cases() const {
    Cases out;
    for (const Cases& group : {dead_cases(), insert_cases(), analyze_cases(), other_cases()}) {
      for (const Case& one : group) {
        if (one.needs <= major()) out.push_back(one);
      }
    }
    return out;
  }

  // Runs `sql` on a connection of its own, whose end sends its counters to the server.
  void apart(const std::string& sql) {
    pg::Connection conn = connect();
    must(conn.exec(sql));
  }
  static std::string rows_sql(const Case& one, const std::string& from, int count) {
    return cat("INSERT INTO ", pg::ident(one.name), " SELECT i",
               one.kind == Kind::Toast ? ", repeat('x', 8000)" : "", " FROM generate_series(", from,
               ", ", from, " + ", count, " - 1) i;");
  }
  static std::string make_sql(const Case& one) {
    const std::string table = pg::ident(one.name);
    const std::string with = one.options.empty() ? "" : cat(" WITH (", one.options, ")");
    switch (one.kind) {
      case Kind::Table:
        return cat("CREATE TABLE ", table, " (id int)", with, ";");
      case Kind::Toast:
        return cat("CREATE TABLE ", table, " (id int, v text)", with, ";ALTER TABLE ", table,
                   " ALTER v SET STORAGE EXTERNAL;");
      case Kind::Parent:
      case Kind::Leaf:
        return cat("CREATE TABLE ", table, " (id int) PARTITION BY RANGE (id); CREATE TABLE ",
                   pg::ident(one.name + "_1"), " PARTITION OF ", table, " DEFAULT;");
    }
    std::abort();
  }
  static std::string change_sql(const Case& one) {
    const std::string table = pg::ident(one.name);
    std::string out = cat("DELETE FROM ", table, " WHERE id <= ", one.deleted, ";");
    if (one.updated > 0) {
      out += cat("UPDATE ", table, " SET id = id WHERE id > ", one.deleted,
                 " AND id <= ", one.deleted + one.updated, ";");
    }
    if (one.inserted > 0) out += rows_sql(one, "1000001", one.inserted);
    return out;
  }

  // The oid of what autovacuum is watched at.
  std::string oid_of(const Case& one) {
    const std::string name =
        pg::literal(pg::ident(one.kind == Kind::Leaf ? one.name + "_1" : one.name));
    const std::string sql =
        one.kind == Kind::Toast
            ? cat("SELECT reltoastrelid FROM pg_class WHERE oid = ", name, "::regclass")
            : cat("SELECT ", name, "::regclass::oid");
    return std::string(*must(conn_->query(sql)).scalar());
  }
  int64_t number(const std::string& sql) {
    return must(parse_int(*must(conn_->query(sql)).scalar()));
  }
  // The server's counter `function` of a case.
  int64_t counter(const std::string& function, const Case& one) {
    return number(cat("SELECT ", function, "(", oid_of(one), ")"));
  }
  // Counters travel late (13, 14: a collector).
  void await_counter(const std::string& function, const Case& one, int64_t value) {
    EXPECT_TRUE(wait_until([&] { return counter(function, one) == value; }))
        << one.name << ": " << function << " is " << counter(function, one) << ", not " << value;
  }
  void await_changes(const Case& one, int loaded) {
    if (one.kind == Kind::Parent) return;
    const int each = one.kind == Kind::Toast ? 5 : 1;
    await_counter("pg_stat_get_tuples_inserted", one, int64_t{each} * loaded);
  }

  // Loads the rows and brings the tables into the state that the changes start from.
  void load(const Cases& all) {
    std::string sql;
    for (const Case& one : all) {
      if (one.old) sql += make_sql(one) + rows_sql(one, "1", one.rows);
    }
    apart(sql);
    grow_old();
    sql.clear();
    for (const Case& one : all) {
      if (!one.old) sql += make_sql(one) + rows_sql(one, "1", one.rows);
    }
    apart(sql);
    for (const Case& one : all) await_changes(one, one.rows);
  }
  // Frozen tables are to be so as a whole: what was in the way is over soon.
  void vacuum_whole(const Case& one) {
    const bool freeze = one.prepared != Prepared::Vacuumed;
    const std::string frozen = major() >= 18 ? "relallfrozen" : "relallvisible";
    EXPECT_TRUE(wait_until([&] {
      must(conn_->exec(cat("VACUUM ", freeze ? "(FREEZE) " : "", pg::ident(one.name))));
      return !freeze ||
             number(cat("SELECT (", frozen,
                        " = relpages)::int FROM pg_class WHERE oid = ", oid_of(one))) == 1;
    })) << one.name;
  }
  void prepare(const Cases& all) {
    std::string again;
    for (const Case& one : all) {
      if (one.prepared == Prepared::No || one.prepared == Prepared::Analyzed) continue;
      vacuum_whole(one);
      if (one.prepared == Prepared::FreezeHalf) again += rows_sql(one, "10001", one.rows);
      await_counter("pg_stat_get_ins_since_vacuum", one, 0);
    }
    apart(again);
    for (const Case& one : all) {
      const bool half = one.prepared == Prepared::FreezeHalf;
      if (half) await_changes(one, 2 * one.rows);
      if (!half && one.prepared != Prepared::Analyzed) continue;
      must(conn_->exec(cat("ANALYZE ", pg::ident(one.name))));
      await_counter("pg_stat_get_mod_since_analyze", one, 0);
    }
  }
  void change(const Cases& all) {
    std::string sql;
    for (const Case& one : all) sql += change_sql(one);
    apart(sql);
    for (const Case& one : all) {
      const int loaded = one.prepared == Prepared::FreezeHalf ? 2 * one.rows : one.rows;
      await_changes(one, loaded + one.inserted);
      const int each = one.kind == Kind::Toast ? 5 : 1;
      await_counter("pg_stat_get_tuples_deleted", one, int64_t{each} * one.deleted);
      await_counter("pg_stat_get_tuples_updated", one, one.updated);
    }
  }
  void grow_old() {
    apart("CREATE TABLE rows_locked WITH (autovacuum_enabled=false) AS SELECT 1 AS id");
    apart("DO $$ BEGIN FOR i IN 1..100000 LOOP PERFORM txid_current(); COMMIT; END LOOP; END $$");
    // A transaction that locks a row and updates it below a savepoint makes a multixact.
    apart(
        "DO $$ BEGIN FOR i IN 1..10001 LOOP PERFORM FROM rows_locked FOR SHARE;"
        "BEGIN UPDATE rows_locked SET id = i; EXCEPTION WHEN division_by_zero THEN END;"
        "COMMIT; END LOOP; END $$");
  }

  // The facts of what is watched, as the loader gives them; TOAST tables are not in its list.
  facts::TableFacts facts_of(const Case& one, const std::vector<facts::TableFacts>& tables) {
    const std::string name = one.kind == Kind::Leaf ? one.name + "_1" : one.name;
    const auto found = std::ranges::find(tables, name, &facts::TableFacts::name);
    CHECK(found != tables.end());
    if (one.kind != Kind::Toast) return *found;
    facts::TableFacts toast{.kind = 't', .options = found->options};
    const std::string oid = oid_of(one);
    const auto rows =
        must(conn_->query(cat("SELECT reltuples::float8, age(relfrozenxid), mxid_age(relminmxid),"
                              " pg_stat_get_dead_tuples(oid), pg_stat_get_ins_since_vacuum(oid),"
                              " pg_stat_get_mod_since_analyze(oid) FROM pg_class WHERE oid = ",
                              oid)));
    toast.reltuples = must(rows[0].get<double>(0));
    toast.xid_age = must(rows[0].get<int64_t>(1));
    toast.mxid_age = must(rows[0].get<int64_t>(2));
    toast.counters.rows_dead = must(rows[0].get<int64_t>(3));
    toast.counters.inserted_since_vacuum = must(rows[0].get<int64_t>(4));
    toast.counters.modified_since_analyze = must(rows[0].get<int64_t>(5));
    return toast;
  }

  // Makes the sentinel due and waits until autovacuum has seen it, `times` in turn: whoever vacuums
  // it has looked at all tables after the deletion. Then waits until no worker has work left.
  void await_passes(const Case& sentinel, int times) {
    for (int i = 1; i <= times; ++i) {
      apart(cat("DELETE FROM ", pg::ident(sentinel.name), " WHERE id = ", i));
      ASSERT_TRUE(wait_until([&] { return counter("pg_stat_get_autovacuum_count", sentinel) >= i; },
                             seconds(60)));
    }
    ASSERT_TRUE(wait_until(
        [&] {
          return number(
                     "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'autovacuum "
                     "worker' AND datname = current_database()") == 0;
        },
        seconds(60)));
  }

  std::optional<pg::Connection> conn_;
};

TEST_P(VacuumTriggers, AutovacuumActsExactlyWhereItIsForetold) {
  conn_.emplace(connect());
  const Cases all = cases();
  ASSERT_GE(all.size(), 40U);
  load(all);
  prepare(all);
  change(all);
  const Case sentinel{
      .name = "sentinel",
      .options = cat("autovacuum_vacuum_threshold=0, autovacuum_vacuum_scale_factor=0, ",
                     kNoInserts, ", ", kNoAnalyze),
      .rows = 100};
  apart(make_sql(sentinel) + rows_sql(sentinel, "1", sentinel.rows));
  ASSERT_FALSE(HasFailure());
  vacuum::Facts facts = must(vacuum::load(*conn_));
  facts.context.settings.autovacuum.enabled = true;  // it will be

  for (const Case& one : all) {
    const auto forecast = vacuum::forecast(facts_of(one, facts.tables), facts.context.settings);
    EXPECT_EQ(forecast.vacuum(), major() >= one.vacuum_from) << one.name;
    EXPECT_EQ(forecast.analyze(), major() >= one.analyze_from) << one.name;
  }

  must(cluster().set({{"autovacuum", "on"}}));
  must(conn_->exec("SELECT pg_reload_conf()"));
  for (const Case& one : all) {
    EXPECT_TRUE(wait_until(
        [&] {
          return (major() < one.vacuum_from || counter("pg_stat_get_autovacuum_count", one) > 0) &&
                 (major() < one.analyze_from || counter("pg_stat_get_autoanalyze_count", one) > 0);
        },
        seconds(60)))
        << one.name << " was foretold but is not done";
  }
  await_passes(sentinel, 2);
  for (const Case& one : all) {
    EXPECT_EQ(counter("pg_stat_get_autovacuum_count", one) > 0, major() >= one.vacuum_from)
        << one.name;
    EXPECT_EQ(counter("pg_stat_get_autoanalyze_count", one) > 0, major() >= one.analyze_from)
        << one.name;
  }
}
PGTEND_ON_ALL_VERSIONS(VacuumTriggers);

}  // namespace
}  // namespace pgtend::e2e
