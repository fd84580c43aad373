// Compaction of partitioned tables: what is worth it, what fails, what is left to the next run.
#include <algorithm>
#include <atomic>

#include "base/text.h"
#include "e2e/support/audited.h"
#include "vacuum/compact_tables.h"

namespace pgtend::e2e {
namespace {

using vacuum::CompactPart;
using vacuum::CompactPartsReport;
using vacuum::CompactSetup;
using vacuum::Way;

const std::string kProgram = PGTEND_BINARY_DIR "/pgtend";

// p1 and p3 are bloated, p3 more; p2 is full; "p 4" is below another level, and its rows must not
// be moved.
class VacuumCompactParts : public AuditedTest {
 protected:
  Settings settings() const override { return {{"autovacuum", "off"}}; }
  void SetUp() override {
    AuditedTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    must(connect().exec(R"(
CREATE TABLE p (id int, pad text) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10000);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10000) TO (20000);
CREATE TABLE p3 PARTITION OF p FOR VALUES FROM (20000) TO (40000);
CREATE TABLE low PARTITION OF p FOR VALUES FROM (40000) TO (60000) PARTITION BY RANGE (id);
CREATE TABLE "p 4" PARTITION OF low FOR VALUES FROM (40000) TO (60000);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER note BEFORE UPDATE ON "p 4" FOR EACH ROW EXECUTE FUNCTION note();
ALTER TABLE "p 4" ENABLE ALWAYS TRIGGER note;
INSERT INTO p SELECT i, repeat('x', 100) FROM generate_series(0, 59999) i)"));
    must(connect().exec("DELETE FROM p WHERE id % 10 < 6 AND id NOT BETWEEN 10000 AND 19999"));
    must(connect().exec("VACUUM ANALYZE p"));
  }
  CompactSetup setup(bool apply = true) {
    CompactSetup out{.table = "p"};
    out.gate = {.options = options(), .audit = &*audit_, .clock = &system_clock()};
    out.gate.policy.apply = apply;
    out.gate.policy.lock_timeout_patient = milliseconds(3'000);
    out.gate.policy.back_off = milliseconds(20);
    return out;
  }
  CompactPartsReport compacted(const CompactSetup& how) {
    const auto parts = must(vacuum::load_parts(how));
    EXPECT_TRUE(parts);
    return vacuum::compact_parts(how, *parts, {});
  }
  int64_t pages(const std::string& table) {
    return must(parse_int(must(
        must(conn_->query("SELECT pg_relation_size($1::regclass) / 8192", {table})).scalar())));
  }
  std::string checksum() {
    return must(must(conn_->query("SELECT count(*) || ' ' || sum(hashtextextended(p::text, "
                                  "0)::numeric) FROM p"))
                    .scalar());
  }
};

const CompactPart& part_of(const CompactPartsReport& report, const std::string& table) {
  return *std::ranges::find_if(report.parts,
                               [&](const CompactPart& part) { return part.report.table == table; });
}

TEST_P(VacuumCompactParts, ThePlanShowsEachPartitionAndChangesNothing) {
  const int64_t before = pages("p3");

  const CompactPartsReport report = compacted(setup(false));

  ASSERT_EQ(report.parts.size(), 4U);
  EXPECT_EQ(report.parts[0].report.table, "public.p3");  // most is won there
  EXPECT_EQ(part_of(report, "public.p1").report.plan.pick, Way::InPlace);
  EXPECT_EQ(part_of(report, "public.p2").report.plan.pick, Way::Nothing);
  EXPECT_EQ(part_of(report, "public.\"p 4\"").report.plan.pick, Way::Nothing);
  EXPECT_EQ(pages("p3"), before);
}

TEST_P(VacuumCompactParts, WhatIsWorthItIsDoneAndOneThatFailsDoesNotEndTheOthers) {
  const std::string before = checksum();
  const int64_t p1 = pages("p1");
  const int64_t p2 = pages("p2");
  const int64_t p3 = pages("p3");
  const int64_t p4 = pages("\"p 4\"");

  const CompactPartsReport report = compacted(setup());

  EXPECT_LT(pages("p1"), p1 / 2 + 8);
  EXPECT_LT(pages("p3"), p3 / 2 + 8);
  EXPECT_EQ(pages("p2"), p2);
  EXPECT_EQ(pages("\"p 4\""), p4);
  EXPECT_FALSE(part_of(report, "public.p2").begun);
  ASSERT_TRUE(part_of(report, "public.\"p 4\"").error);
  EXPECT_EQ(part_of(report, "public.\"p 4\"").error->code, ErrorCode::Invalid);
  EXPECT_EQ(report.stopped, "");
  EXPECT_EQ(checksum(), before);
}

TEST_P(VacuumCompactParts, AfterACancelTheNextRunDoesTheRest) {
  const std::string before = checksum();
  const int64_t p1 = pages("p1");
  std::atomic<bool> cancel = false;
  CompactSetup how = setup();
  how.gate.cancel = &cancel;
  how.gate.on_moment = [&](const care::Moment&) { cancel = true; };  // while p3 is at work

  const CompactPartsReport stopped = compacted(how);

  EXPECT_EQ(stopped.stopped, "cancelled");
  EXPECT_TRUE(stopped.parts[0].begun);
  EXPECT_FALSE(part_of(stopped, "public.p1").begun);
  EXPECT_EQ(pages("p1"), p1);
  compacted(setup());
  EXPECT_LT(pages("p1"), p1 / 2 + 8);
  EXPECT_EQ(checksum(), before);
}

TEST_P(VacuumCompactParts, ALockedPartitionIsLeftAndNamedAndTheOthersAreDone) {
  const int64_t p1 = pages("p1");
  pg::Connection reader = connect();
  must(reader.exec("BEGIN; SELECT FROM p3 LIMIT 1"));
  CompactSetup how = setup();
  how.gate.policy.lock_timeout_patient = milliseconds(500);

  const CompactPartsReport report = compacted(how);

  ASSERT_TRUE(part_of(report, "public.p3").error);
  EXPECT_EQ(part_of(report, "public.p3").error->code, ErrorCode::Conflict);
  EXPECT_FALSE(part_of(report, "public.p1").error);
  EXPECT_LT(pages("p1"), p1 / 2 + 8);
}

TEST_P(VacuumCompactParts, TheProgramsExitCodeIsThatOfTheFirstFailure) {
  auto environment = environment_of(options());
  environment.emplace_back("PGTEND_STATE", scratch_.path() + "/state.db");

  const auto dry = run({kProgram, "vacuum", "compact", "p"}, environment);
  const auto real = run({kProgram, "vacuum", "compact", "p", "--apply", "--quiet"}, environment);

  EXPECT_EQ(dry.exit_code, 0) << dry.err;
  EXPECT_NE(dry.out.find("public.p3"), std::string::npos) << dry.out;
  EXPECT_EQ(real.exit_code, 2) << real.out << real.err;
  EXPECT_NE(real.out.find("compacted public.p1"), std::string::npos) << real.out << real.err;
  must(connect().exec("ALTER TABLE \"p 4\" DISABLE TRIGGER note"));
  EXPECT_EQ(run({kProgram, "vacuum", "compact", "p", "--apply", "--quiet"}, environment).exit_code,
            0);
}

PGTEND_ON_SOME_VERSIONS(VacuumCompactParts);

}  // namespace
}  // namespace pgtend::e2e
