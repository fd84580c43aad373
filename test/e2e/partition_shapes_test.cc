// Tables of every shape are converted while they are written to, by either mode, and back: no row
// is lost or changed, and all that makes them what they are is kept, as pg_dump tells it.
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <optional>
#include <random>
#include <thread>

#include "base/text.h"
#include "e2e/support/audited.h"
#include "e2e/support/dump_text.h"
#include "e2e/support/partition_shapes.h"
#include "partition/online.h"
#include "pg/quote.h"

namespace pgtend::e2e {
namespace {

using partition::Mode;
using partition::OnlinePlan;
using partition::OnlineReport;
using partition::Verb;
using pg::ident;

constexpr const char* kRole = "shape_owner";
constexpr const char* kStart = "(date_trunc('month', now()) - interval '1 month')";
constexpr size_t kSpread = 12;
constexpr int kVersionDump = 160000;  // Debian's pg_dump reads older ones

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

std::string in_schema(const PartitionShape& shape) {
  return cat(ident(shape.name), ".", shape.table);
}

// Changes rows of a shape, and those of its oracle in the same transaction. Writers of odd and of
// even number share no rows; new rows of each number are its own.
class ShapeWriter {
 public:
  ShapeWriter(const pg::Options& options, const PartitionShape& shape, std::string oracle,
              int number)
      : conn_(must(pg::Connection::open(options))),
        shape_(shape),
        oracle_(std::move(oracle)),
        next_(5'000 * (number + 1)),
        random_(static_cast<uint64_t>(number) + 7) {
    must(conn_.exec(cat("SET search_path = ", ident(shape.name),
                        ", public; SET timezone = ", pg::literal(shape.zone))));
    for (int n = 1 + number % 2; n <= shape.rows; n += 2) numbers_.push_back(n);
  }
  // One change of each kind, in an order of chance.
  void all_kinds() {
    std::vector<int> kinds{0, 1, 2, 3, 4};
    std::ranges::shuffle(kinds, random_);
    for (const int kind : kinds) change(kind);
  }
  int64_t changes = 0;
  std::string error = {};  // the first

 private:
  std::string moment() {
    return cat("(", kStart, " + interval '", random_() % 64'000, " minutes')");
  }
  int* any() { return numbers_.empty() ? nullptr : &numbers_[random_() % numbers_.size()]; }
  void change(int kind) {
    if (kind == 0) {
      numbers_.push_back(next_);
      return both(cat("INSERT INTO % (", shape_.into, ") OVERRIDING SYSTEM VALUE SELECT ",
                      shape_.values, " FROM (SELECT ", next_++, " AS n, ", moment(),
                      " AS moment) f"));
    }
    int* n = any();
    if (n == nullptr) return;
    std::string where = shape_.where;
    replace_all(where, "$n", cat(*n));
    if (kind == 1) both(cat("UPDATE % SET ", shape_.change, " WHERE ", where));
    if (kind == 2 && shape_.into.find(ident(shape_.key)) != std::string::npos) {
      both(cat("UPDATE % SET ", ident(shape_.key), " = ", moment(), " WHERE ", where));
    }
    if (kind == 3 && !shape_.rename.empty()) {
      std::string set = shape_.rename;
      *n = next_++;
      replace_all(set, "$n", cat(*n));
      both(cat("UPDATE % SET ", set, " WHERE ", where));
    }
    if (kind == 4) {
      both(cat("DELETE FROM % WHERE ", where));
      *n = numbers_.back();
      numbers_.pop_back();
    }
  }
  void both(const std::string& sql) {
    std::string all = "BEGIN; ";
    for (const std::string& table : {in_schema(shape_), oracle_}) {
      std::string one = sql;
      one.replace(one.find('%'), 1, table);
      all += cat(one, "; ");
    }
    const Status done = conn_.exec(all + "COMMIT");
    ++changes;
    if (done) return;
    if (error.empty()) error = cat(done.error().message, " in ", sql);
    (void)conn_.exec("ROLLBACK");
  }

  pg::Connection conn_;
  const PartitionShape& shape_;
  std::string oracle_;
  int next_;
  std::mt19937_64 random_;
  std::vector<int> numbers_ = {};
};

class PartitionShapes : public AuditedTest {
 protected:
  Settings settings() const override {
    return {{"autovacuum", "off"}, {"max_locks_per_transaction", "256"}};
  }
  void SetUp() override;
  void TearDown() override;
  void make_some(size_t which);
  void make(const PartitionShape& shape);
  std::string oracle(const PartitionShape& shape) const {
    return cat("oracle.o", &shape - shapes_.data());
  }
  bool refused(const PartitionShape& shape, Mode mode) const {
    return !(mode == Mode::Shadow ? shape.shadow : shape.instant).empty();
  }
  pg::Options options_of(const PartitionShape& shape) const {
    pg::Options out = options();
    if (shape.role) out.set("options", cat("-c role=", kRole));
    if (shape.path) out.set("options", cat("-c search_path=", ident(shape.name), ",public"));
    return out;
  }
  std::optional<reshape::Job> planned(const PartitionShape& shape, Mode mode);
  // Runs it while others write.
  bool run_under_load(const PartitionShape& shape, const reshape::Job& job, Verb verb);
  void run(const PartitionShape& shape, const reshape::Job& job, Verb verb);
  void compare(const PartitionShape& shape);
  Dump dump();
  Divided divided(const PartitionShape& shape);
  void all(Mode mode);
  void all_kept(Mode mode);

  std::vector<PartitionShape> shapes_;
  int widened_ = 0;  // keys, as plans say
};

void PartitionShapes::SetUp() {
  AuditedTest::SetUp();
  if (IsSkipped() || HasFatalFailure()) return;
  must(conn_->exec(
      "SET client_min_messages = error; DO $$BEGIN IF to_regrole('shape_owner') IS NULL THEN "
      "CREATE "
      "ROLE shape_owner; CREATE ROLE \"other role\"; END IF; END$$; CREATE SCHEMA oracle; GRANT "
      "pg_read_all_stats TO shape_owner"));
  if (one("SELECT count(*) FROM pg_tablespace WHERE spcname = 'elsewhere'") == "0") {
    must(conn_->exec("SET allow_in_place_tablespaces = on"));
    must(conn_->exec("CREATE TABLESPACE elsewhere LOCATION ''"));
  }
}

// All of them take minutes: without PGTEND_TESTS=all each test has its own few.
void PartitionShapes::make_some(size_t which) {
  const char* const only = std::getenv("PGTEND_SHAPE");  // of that name alone
  std::vector<PartitionShape> all = partition_shapes();
  for (size_t i = 0; i < all.size(); ++i) {
    PartitionShape& shape = all[i];
    if (only == nullptr ? !thorough() && i % kSpread != which : shape.name != only) continue;
    replace_all(shape.ddl, "$role", kRole);
    if (conn_->server_version() / 10'000 >= shape.since) shapes_.push_back(std::move(shape));
  }
  for (const PartitionShape& shape : shapes_) make(shape);
}

void PartitionShapes::TearDown() {
  if (conn_) (void)conn_->exec("DROP OWNED BY shape_owner, \"other role\" CASCADE");
  conn_.reset();
  AuditedTest::TearDown();
}

void PartitionShapes::make(const PartitionShape& shape) {
  SCOPED_TRACE(shape.name);
  must(conn_->exec(cat("CREATE SCHEMA ", ident(shape.name), "; SET search_path = ",
                       ident(shape.name), ", public; SET timezone = ", pg::literal(shape.zone))));
  if (shape.role) {
    must(conn_->exec(
        cat("GRANT ALL ON SCHEMA ", ident(shape.name), " TO ", kRole, "; SET ROLE ", kRole)));
  }
  must(conn_->exec(shape.ddl));
  const std::string rows =
      cat(" (", shape.into, ") OVERRIDING SYSTEM VALUE SELECT ", shape.values, " FROM (SELECT n, ",
          kStart, " + n * 37 % 85 * interval '12 hours' AS moment FROM generate_series(1, ",
          shape.rows, ") n) f");
  must(conn_->exec(cat("INSERT INTO ", in_schema(shape), rows)));
  must(conn_->exec(cat("RESET ROLE; CREATE TABLE ", oracle(shape), " (LIKE ", in_schema(shape),
                       " INCLUDING GENERATED INCLUDING DEFAULTS)")));
  if (shape.role) {
    must(conn_->exec(cat("GRANT USAGE ON SCHEMA oracle TO ", kRole, "; GRANT ALL ON ",
                         oracle(shape), " TO ", kRole)));
  }
  const std::string columns = one(
      cat("SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute WHERE "
          "attrelid = ",
          pg::literal(in_schema(shape)),
          "::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''"));
  must(conn_->exec(cat("INSERT INTO ", oracle(shape), " (", columns, ") SELECT ", columns, " FROM ",
                       in_schema(shape), "; ANALYZE ", in_schema(shape),
                       "; SET search_path = public; SET timezone = UTC")));
}

std::optional<reshape::Job> PartitionShapes::planned(const PartitionShape& shape, Mode mode) {
  pg::Connection conn = connect(options_of(shape));
  must(conn.exec(cat("SET timezone = ", pg::literal(shape.zone))));
  const auto plan =
      partition::plan_online(conn,
                             {.table = in_schema(shape),
                              .column = shape.key,
                              .interval = partition::Interval::Month,
                              .time_zone = shape.zone,
                              .from = std::string(one(cat("SELECT ", kStart, "::date"))),
                              .ahead = mode == Mode::Instant ? 3 : 1},
                             {.widen_unique = shape.widen}, mode);
  if (!plan) {
    ADD_FAILURE() << plan.error().message;
    return {};
  }
  const std::string refusals = join(plan->refusals, "; ");
  const std::string& word = mode == Mode::Shadow ? shape.shadow : shape.instant;
  if (word.empty() ? !refusals.empty() : refusals.find(word) == std::string::npos) {
    ADD_FAILURE() << "refusals: " << refusals;
  }
  if (!refusals.empty()) return {};
  for (const std::string& change : plan->changes) {
    if (change.find(" becomes (") != std::string::npos) ++widened_;
  }
  return plan->job;
}

bool PartitionShapes::run_under_load(const PartitionShape& shape, const reshape::Job& job,
                                     Verb verb) {
  const int number = verb == Verb::Run ? 0 : 2;
  ShapeWriter steady(options_of(shape), shape, oracle(shape), number);
  ShapeWriter moments(options_of(shape), shape, oracle(shape), number + 1);
  std::atomic<bool> over = false;
  std::jthread thread([&] {
    while (!over) steady.all_kinds();
  });
  care::GateSetup gate{.options = options_of(shape), .audit = &*audit_, .clock = &system_clock()};
  gate.policy.apply = true;
  gate.policy.back_off = milliseconds(10);
  gate.policy.back_off_max = milliseconds(50);
  std::string last;
  bool at_the_swap = false;
  // Whatever the other one does: there are changes of each kind at each step, the last included.
  gate.on_moment = [&](const care::Moment& now) {
    if (now.what == last) return;
    last = now.what;
    at_the_swap = at_the_swap || last.starts_with("changing places");
    moments.all_kinds();
  };
  OnlineReport report;
  const Status done = partition::run_job(
      gate, job, verb, {.chunk = milliseconds(5), .patience = seconds(30)}, report);
  over = true;
  thread.join();
  EXPECT_TRUE(done) << done.error().message;
  EXPECT_TRUE(at_the_swap);
  EXPECT_GT(steady.changes, 0);
  EXPECT_EQ(steady.error, "");
  EXPECT_EQ(moments.error, "");
  compare(shape);
  return static_cast<bool>(done);
}

void PartitionShapes::run(const PartitionShape& shape, const reshape::Job& job, Verb verb) {
  care::GateSetup gate{.options = options_of(shape), .audit = &*audit_, .clock = &system_clock()};
  gate.policy.apply = true;
  OnlineReport report;
  const Status done = partition::run_job(gate, job, verb, {}, report);
  EXPECT_TRUE(done) << done.error().message;
}

// Texts, because numbers that are equal may look different.
void PartitionShapes::compare(const PartitionShape& shape) {
  const std::string here = cat("SELECT shape_row::text FROM ", in_schema(shape), " shape_row");
  const std::string there = cat("SELECT shape_row::text FROM ", oracle(shape), " shape_row");
  const pg::Rows rows =
      must(conn_->query(cat("(SELECT 'only here', * FROM (", here, " EXCEPT ALL ", there,
                            ") x LIMIT 3) UNION ALL (SELECT 'missing', * FROM (", there,
                            " EXCEPT ALL ", here, ") x LIMIT 3)")));
  for (const pg::Row row : rows) ADD_FAILURE() << row.text(0) << ": " << row.text(1).substr(0, 300);
}

Dump PartitionShapes::dump() {
  const Outcome out = e2e::run({"/usr/lib/postgresql/15/bin/pg_dump", "-s", "-N", "oracle"},
                               environment_of(options()));
  EXPECT_EQ(out.exit_code, 0) << out.err;
  return read_dump(out.out);
}

Divided PartitionShapes::divided(const PartitionShape& shape) {
  const std::string table = pg::literal(in_schema(shape));
  Divided out{.schema = ident(shape.name), .table = in_schema(shape), .key = ident(shape.key)};
  for (const pg::Row row : must(conn_->query(
           cat("SELECT format('%I.%I', n.nspname, c.relname) FROM pg_inherits i JOIN pg_class c ON "
               "c.oid = i.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE i.inhparent "
               "= ",
               table, "::regclass")))) {
    out.partitions.emplace_back(row.text(0));
  }
  const std::string of = cat(
      "SELECT s.stxname, s.stxrelid, replace(replace(pg_get_statisticsobjdef(s.oid), "
      "format('%I.%I', n.nspname, s.stxname), ''), s.stxrelid::regclass::text, '') AS what FROM "
      "pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace WHERE s.stxrelid ");
  for (const pg::Row row : must(conn_->query(
           cat("SELECT quote_ident(p.relname), quote_ident(w.relname) FROM pg_index x JOIN "
               "pg_inherits i ON i.inhparent = x.indexrelid JOIN pg_class w ON w.oid = i.inhparent "
               "JOIN pg_class p ON p.oid = i.inhrelid WHERE x.indrelid = ",
               table,
               "::regclass UNION ALL SELECT quote_ident(p.stxname), quote_ident(w.stxname) "
               "FROM (",
               of, "= ", table, "::regclass) w JOIN (", of,
               "IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = ", table,
               "::regclass)) p USING (what)")))) {
    out.parts.emplace_back(row.text(0), row.text(1));
  }
  return out;
}

// There and back: everything is as before.
void PartitionShapes::all(Mode mode) {
  make_some(mode == Mode::Shadow ? 0 : 3);
  const bool dumped = conn_->server_version() < kVersionDump;
  const Dump before = dumped ? dump() : Dump();
  for (const PartitionShape& shape : shapes_) {
    SCOPED_TRACE(cat("shape ", shape.name));
    const auto job = planned(shape, mode);
    if (job && run_under_load(shape, *job, Verb::Run)) {
      run_under_load(shape, *job, Verb::TakeBack);
    }
  }
  EXPECT_EQ(dumped ? dump_difference(before, dump()) : "", "");
}

void PartitionShapes::all_kept(Mode mode) {
  make_some(mode == Mode::Shadow ? 6 : 9);
  const bool dumped = conn_->server_version() < kVersionDump;
  const Dump before = dumped ? dump() : Dump();
  std::vector<Divided> tables;
  for (const PartitionShape& shape : shapes_) {
    SCOPED_TRACE(cat("shape ", shape.name));
    const auto job = refused(shape, mode) ? std::nullopt : planned(shape, mode);
    if (!job) continue;
    run(shape, *job, Verb::Run);
    run(shape, *job, Verb::Finish);
    compare(shape);
    if (dumped) tables.push_back(divided(shape));
  }
  if (!dumped) return;
  int widened = 0;
  EXPECT_EQ(division_difference(before, dump(), tables, widened), "");
  EXPECT_EQ(widened, widened_);
}

TEST_P(PartitionShapes, AreCopiedAndTakenBackUnderLoad) { all(Mode::Shadow); }
TEST_P(PartitionShapes, BecomePartitionsAndAreTakenBackUnderLoad) { all(Mode::Instant); }
TEST_P(PartitionShapes, KeepEverythingWhenTheyAreCopied) { all_kept(Mode::Shadow); }
TEST_P(PartitionShapes, KeepEverythingWhenTheyBecomePartitions) { all_kept(Mode::Instant); }

PGTEND_ON_OLDEST_AND_NEWEST(PartitionShapes);

}  // namespace
}  // namespace pgtend::e2e
